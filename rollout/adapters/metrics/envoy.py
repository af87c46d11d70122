"""Counters from Envoy's admin interface: one question to each proxy answers a whole batch."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from urllib.parse import quote as url_quote

from rollout.adapters.envoy_admin import Admin, Admins, Silent, parse, quote, stat_name
from rollout.adapters.envoy_counters import (
    TIME,
    UPTIME,
    Counters,
    Edges,
    Told,
    edges_of,
    keys_of,
    sample_of,
)
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
        inquiry = inquire(backends, codes, latency=any(question.latency for question in questions))
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


Answer = tuple[str, Told | Silent]
HostCounts = dict[str, tuple[int, int]]


async def _ask(proxy: Admin, inquiry: Inquiry, deadline: float) -> Answer:
    try:
        [body] = await proxy.ask([inquiry.path], deadline)
        return proxy.name, told(body, inquiry)
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
    missing = dict.fromkeys(
        question.queries, "Envoy itself answers no queries: name a Prometheus in `metrics`"
    )
    for name, answer in answers:
        try:
            if isinstance(answer, Silent):
                raise answer
            series, lacking = sample_of(name, answer, question)
        except Silent as silence:
            silent.append((name, str(silence)))
            continue
        found += series
        missing |= dict(lacking)
    if silent and len(silent) == len(list(answers)):
        return Unseen("; ".join(f"{name} {why}" for name, why in silent))
    return Sample(tuple(found), tuple(silent), missing=tuple(missing.items()))


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The admin address to ask, and the names that the answer may hold (``None``: of any cluster).
    ``by_method``: gRPC calls are asked for, which may be told service by service and method by method.
    """

    path: str
    names: frozenset[str] | None
    by_method: bool = False


@functools.lru_cache(maxsize=4)
def inquire(backends: tuple[str, ...], codes: tuple[str, ...], *, latency: bool = False) -> Inquiry:
    """What to ask about these backends and codes: only statistics that were ever touched, as Envoy looks at
    the rest three times as long. Histograms are asked for only where ``latency`` is: they are long.
    """
    keys = keys_of(codes)
    clusters = [stat_name(backend) for backend in backends]
    grpc = "grpc" in codes
    path = _stats_path("|".join(map(quote, clusters)), keys, grpc=grpc, latency=latency)
    if len(path) > LONGEST:
        return Inquiry(_stats_path(".+", keys, grpc=grpc, latency=latency), None, grpc)
    names = (f"cluster.{cluster}.{key}" for cluster in clusters for key in keys)
    return Inquiry(path, frozenset({UPTIME, *names}), grpc)


def _stats_path(clusters: str, keys: Iterable[str], *, grpc: bool, latency: bool) -> str:
    either = [*map(quote, keys), *([r"grpc\..+\.(?:success|failure)"] if grpc else [])]
    either += [TIME] if latency else []
    pattern = rf"^(?:{quote(UPTIME)}|cluster\.(?:{clusters})\.(?:{'|'.join(either)}))$"
    buckets = "&histogram_buckets=cumulative" if latency else ""
    return f"/stats?usedonly&format=json{buckets}&filter={url_quote(pattern, safe='')}"


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


def told(body: bytes, inquiry: Inquiry) -> Told:
    """What an answer says. Of five megabytes too: no loop of ours goes over it, but over what is asked of it.

    Raises:
        Silent: anything about it is not as Envoy answers: then no number in it is believed.
    """
    stats = parse(body, "stats")
    buckets = _histograms(stats.pop()) if stats and _is_histograms(stats[-1]) else {}

    @functools.cache
    def edges(name: str) -> Edges | None:
        return edges_of(name, _pairs(name, buckets[name])) if name in buckets else None

    return Told(_counters(stats, inquiry), edges)


def _counters(stats: Sequence[Any], inquiry: Inquiry) -> Counters:
    try:
        found: dict[str, int] = {stat["name"]: stat["value"] for stat in stats}
    except (TypeError, KeyError):
        raise Silent("answered statistics without names or values; is this Envoy's admin port?") from None
    if UPTIME not in found:
        raise Silent(f"answered without {UPTIME}; is this Envoy's admin port?")
    if len(found) < len(stats):
        raise Silent("answered one statistic twice")
    if set(map(type, found.values())) != {int} or min(found.values()) < 0:
        bad = next(name for name, value in found.items() if type(value) is not int or value < 0)
        raise Silent(f"answered {bad} without a count")
    if inquiry.by_method:
        if set(map(type, found)) != {str}:
            raise Silent("answered a statistic whose name is no text")
        _add_methods_up(found)
    if inquiry.names is not None and (foreign := found.keys() - inquiry.names):
        raise Silent(f"answered {next(iter(foreign))}, which was not asked for")
    return found


def _add_methods_up(found: dict[str, int]) -> None:
    """``cluster.x.grpc.Service.Method.success`` is a part of ``cluster.x.grpc.success``."""
    for name in [name for name in found if ".grpc." in name]:
        cluster, _, rest = name.partition(".grpc.")
        method, _, ending = rest.rpartition(".")
        if method:
            whole = f"{cluster}.grpc.{ending}"
            found[whole] = found.get(whole, 0) + found.pop(name)


def _is_histograms(last: Any) -> bool:
    return isinstance(last, dict) and "histograms" in last


def _histograms(last: Mapping[str, Any]) -> Mapping[str, Any]:
    """Buckets by name, not looked at yet."""
    try:
        return {each["name"]: each["buckets"] for each in last["histograms"]}
    except (TypeError, KeyError):
        raise Silent("answered histograms without names or buckets; is this Envoy's admin port?") from None


def _pairs(name: str, buckets: Any) -> list[tuple[Any, Any]]:
    try:
        return list(map(_PAIR, buckets))
    except (TypeError, KeyError):
        raise Silent(f"answered {name} without rising buckets of counts") from None


_PAIR = itemgetter("upper_bound", "cumulative")
