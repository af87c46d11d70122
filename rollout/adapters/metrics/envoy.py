"""Counters from Envoy's admin interface: one question to each proxy answers a whole batch."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as url_quote

from rollout.adapters.envoy_admin import Admin, Admins, Silent, parse, quote, stat_name
from rollout.adapters.envoy_counters import ASKED, UPTIME, Counters, series
from rollout.core.model import Sample, Series, Unseen
from rollout.ports import Clock, Hosts, Question
from rollout.settings import EnvoyMetrics

LONGEST = 20_000
"""Signs of an address; with more names than fit, all clusters are asked for (Envoy reads at most 60 KiB)."""


class EnvoyStats:
    """The port ``Metrics`` on the admin interfaces of one or more Envoys.

    A proxy that is down, slow or answers nonsense costs its own counters only: it is among the sample's
    silent ones, with the reason. One that let a deadline pass is waited for only briefly until it answers.
    """

    def __init__(self, settings: EnvoyMetrics, clock: Clock) -> None:
        self._admins = Admins(settings.admin, clock)

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        backends = tuple(sorted({backend for question in questions for backend in question.backends}))
        codes = tuple(sorted({code for question in questions for code in question.codes}))
        if not backends:
            return [Sample(()) for _ in questions]
        inquiry = inquire(backends, codes)
        answers = await asyncio.gather(*(_ask(proxy, inquiry, deadline) for proxy in self._admins.proxies))
        return [_sample(question, answers) for question in questions]

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:
        asked = (_ask_hosts(proxy, deadline) for proxy in self._admins.proxies)
        found: dict[str, dict[tuple[str, str], tuple[int, int]]] = {backend: {} for backend in backends}
        for name, clusters in await asyncio.gather(*asked):
            for backend in found.keys() & clusters.keys():
                found[backend] |= {(name, host): counts for host, counts in clusters[backend].items()}
        return found

    async def close(self) -> None:
        """Close the connections to the proxies."""
        await self._admins.close()


Answer = tuple[str, Counters | Silent]
HostCounts = dict[str, tuple[int, int]]


async def _ask(proxy: Admin, inquiry: Inquiry, deadline: float) -> Answer:
    try:
        [body] = await proxy.ask([inquiry.path], deadline)
        return proxy.name, counters(body, inquiry.names)
    except Silent as silence:
        return proxy.name, silence


async def _ask_hosts(proxy: Admin, deadline: float) -> tuple[str, Mapping[str, HostCounts]]:
    try:
        [body] = await proxy.ask(["/clusters?format=json"], deadline)
        return proxy.name, host_counts(body)
    except Silent:
        return proxy.name, {}


def _sample(question: Question, answers: Iterable[Answer]) -> Sample | Unseen:
    found: list[Series] = []
    silent: list[tuple[str, str]] = []
    for name, answer in answers:
        if isinstance(answer, Silent):
            silent.append((name, str(answer)))
            continue
        for backend in question.backends:
            one = series(name, backend, answer, question.codes)
            found += [one] if one else []
    if silent and len(silent) == len(list(answers)):
        return Unseen("; ".join(f"{name} {why}" for name, why in silent))
    missing = tuple((what, "this source does not count it") for what in question.beyond_http)
    return Sample(tuple(found), tuple(silent), missing=missing)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The admin address to ask, and the names that the answer may hold (``None``: of any cluster)."""

    path: str
    names: frozenset[str] | None


@functools.lru_cache(maxsize=4)
def inquire(backends: tuple[str, ...], codes: tuple[str, ...]) -> Inquiry:
    """What to ask about these backends and codes: only statistics that were ever touched, as Envoy looks at
    the rest three times as long.
    """
    exact = (f"{prefix}upstream_rq_{code}" for code in codes for prefix in ("", "retry."))
    keys = tuple(dict.fromkeys((*ASKED, *exact)))
    clusters = [stat_name(backend) for backend in backends]
    path = _stats_path("|".join(map(quote, clusters)), keys)
    if len(path) > LONGEST:
        return Inquiry(_stats_path(".+", keys), None)
    return Inquiry(
        path, frozenset({UPTIME, *(f"cluster.{cluster}.{key}" for cluster in clusters for key in keys)})
    )


def _stats_path(clusters: str, keys: Iterable[str]) -> str:
    either = "|".join(map(quote, keys))
    pattern = rf"^(?:{quote(UPTIME)}|cluster\.(?:{clusters})\.(?:{either}))$"
    return f"/stats?usedonly&format=json&filter={url_quote(pattern, safe='')}"


def host_counts(body: bytes) -> Mapping[str, HostCounts]:
    """Of each cluster and host: requests completed, and those of them that failed.

    Raises:
        Silent: the answer is not Envoy's.
    """
    found: dict[str, HostCounts] = {}
    for cluster in parse(body, "cluster_statuses"):
        match cluster:
            case {"name": str(name), "host_statuses": list(hosts)}:
                found[name] = dict(map(_host, hosts))
            case {"name": str(name)}:
                found[name] = {}
            case _:
                raise Silent("answered clusters without names; is this Envoy's admin port?")
    return found


def _host(plain: Any) -> tuple[str, tuple[int, int]]:
    """Address and counts of one host; a counter without a value is zero."""
    try:
        address = str(plain["address"])
        stats = {stat["name"]: int(stat.get("value", 0)) for stat in plain.get("stats", ())}
    except (TypeError, KeyError, ValueError):
        raise Silent("answered a host without an address or counts") from None
    failed = stats.get("rq_error", 0)
    if min(stats.values(), default=0) < 0:
        raise Silent(f"answered a host ({address}) with a negative count")
    return address, (failed + stats.get("rq_success", 0), failed)


def counters(body: bytes, names: frozenset[str] | None) -> Counters:
    """The counters and gauges of an answer by name. Of five megabytes too: no loop of ours goes over them.

    Raises:
        Silent: anything about it is not as Envoy answers: then no number in it is believed.
    """
    stats = parse(body, "stats")
    try:
        found: dict[str, int] = {stat["name"]: stat["value"] for stat in stats}
    except (TypeError, KeyError):
        raise Silent("answered statistics without names or values; is this Envoy's admin port?") from None
    if UPTIME not in found:
        raise Silent(f"answered without {UPTIME}; is this Envoy's admin port?")
    if len(found) < len(stats):
        raise Silent("answered one statistic twice")
    if names is not None and (foreign := found.keys() - names):
        raise Silent(f"answered {next(iter(foreign))}, which was not asked for")
    if set(map(type, found.values())) != {int} or min(found.values()) < 0:
        bad = next(name for name, value in found.items() if type(value) is not int or value < 0)
        raise Silent(f"answered {bad} without a count")
    return found
