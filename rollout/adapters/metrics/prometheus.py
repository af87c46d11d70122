"""Counters from Prometheus, which scrapes the Envoys: one query answers a whole batch.

Raw samples are asked for by a range selector, never ``rate`` or ``increase``: those extrapolate, and their
numbers are nobody's counters. Of each proxy only its newest scrape is believed, and only while it is young.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rollout.adapters.envoy_admin import Silent, quote, stat_name
from rollout.adapters.envoy_counters import ASKED, UPTIME, series
from rollout.adapters.prometheus_api import Answer, Api
from rollout.core.model import Sample, Unseen
from rollout.ports import Clock, Hosts, Question
from rollout.settings import PrometheusMetrics

SHORT = 0.05
"""Seconds to wait for a server that let the last deadline pass."""
FRESH = 2.0
"""Scrape intervals after which a proxy's newest counters are of another time (FAILURES R2)."""
WINDOW, LEAST_WINDOW = 5.0, 60.0
"""Scrape intervals, and seconds at least, in which a proxy that fell silent is still named."""
SLACK = 1.0
"""Seconds: the server's clock is read from a header that has no fractions."""

CODE, CLASS = "envoy_response_code", "envoy_response_code_class"
"""Labels into which Envoy moves what its own names of statistics end with."""
LARGEST = 2.0**53
"""From here on a float skips whole numbers."""


class PrometheusCounters:
    """The port ``Metrics`` on a Prometheus server.

    A proxy that is not scraped any more, or whose counters make no sense, is among the sample's silent ones
    with the reason. An answer that is late, partial or warned of is no answer.
    """

    def __init__(self, settings: PrometheusMetrics, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._api = Api(settings.url, settings.token, clock.monotonic)
        self._asked: asyncio.Task[Answer] | None = None
        self._silent_since = 0.0

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        backends = tuple(sorted({backend for question in questions for backend in question.backends}))
        codes = tuple(sorted({code for question in questions for code in question.codes}))
        if not backends:
            return [Sample(()) for _ in questions]
        try:
            answer = await self._ask(query(backends, codes, self._settings), deadline)
            proxies = counters(answer, self._settings.interval, self._settings.label, self._clock.now())
        except Silent as silence:
            return [Unseen(f"{self._settings.name} {silence}") for _ in questions]
        return [_sample(question, proxies, self._settings.name) for question in questions]

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:
        """None: what Envoy exports for Prometheus does not tell the hosts of a cluster apart."""
        del backends, deadline
        return {}

    async def close(self) -> None:
        """Close the connections to the server."""
        if self._asked is not None:
            self._asked.cancel()
        await asyncio.to_thread(self._api.close)

    async def _ask(self, asked: str, deadline: float) -> Answer:
        """No second query is heaped on a server that hangs, and a late answer is never used."""
        now = self._clock.monotonic()
        if self._asked is not None and not self._asked.done():
            await asyncio.wait({self._asked}, timeout=min(deadline, SHORT))
            if not self._asked.done():
                raise Silent(f"has not answered for {now - self._silent_since:.0f} s")
        self._silent_since = now
        self._asked = asyncio.create_task(asyncio.to_thread(self._api.query, asked))
        self._asked.add_done_callback(_heard)
        await asyncio.wait({self._asked}, timeout=deadline)
        if not self._asked.done():
            raise Silent(f"did not answer within {deadline:g} s")
        return self._asked.result()


def _heard(task: asyncio.Task[Answer]) -> None:
    """Of who comes late, too, the failure was seen."""
    if not task.cancelled():
        task.exception()


def query(backends: Iterable[str], codes: Iterable[str], settings: PrometheusMetrics) -> str:
    """The PromQL of everything that is to be counted of these backends: raw samples of the last while."""
    exact = (f"{prefix}upstream_rq_{code}" for code in codes for prefix in ("", "retry."))
    names = sorted({_metric(key) for key in (*ASKED, *exact)})
    clusters = [quote(stat_name(backend)) for backend in backends]
    matchers = [
        f"__name__=~{literal('|'.join(('envoy_server_uptime', *names)))}",
        f"{settings.label}=~{literal('|'.join((*clusters, '')))}",  # the uptime bears no cluster's name
        *([settings.match] if settings.match else []),
    ]
    window = max(WINDOW * settings.interval, LEAST_WINDOW)
    return f"{{{','.join(matchers)}}}[{math.ceil(window)}s]"


def literal(text: str) -> str:
    """``text`` as a string of PromQL, whatever it holds."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _metric(key: str) -> str:
    """The metric that bears one of Envoy's statistics of a cluster."""
    stem, _, last = key.rpartition("_")
    if last.endswith("xx"):
        key = f"{stem}_xx"
    elif last.isdigit():
        key = stem
    return "envoy_cluster_" + key.replace(".", "_")


def _statistic(labels: Mapping[str, str]) -> str:
    """The statistic of a cluster that a metric bears: ``_metric`` the other way round."""
    key = labels["__name__"].removeprefix("envoy_cluster_")
    if CLASS in labels and key.endswith("_xx"):
        key = f"{key.removesuffix('_xx')}_{labels[CLASS]}xx"
    elif CODE in labels:
        key = f"{key}_{labels[CODE]}"
    return "retry." + key.removeprefix("retry_") if key.startswith("retry_upstream") else key


Proxies = Mapping[str, Mapping[str, int] | Silent]


def counters(answer: Answer, interval: float, label: str, now: datetime) -> Proxies:
    """By proxy, its newest counters under the names that Envoy gives them, or why they are not believed.

    Raises:
        Silent: anything about the answer is not as Prometheus answers: then no number in it is believed.
    """
    if answer.warnings:
        raise Silent(f"answered with a warning: {answer.warnings[0]}")
    at = (answer.at or now).timestamp()
    scraped: dict[str, list[tuple[Mapping[str, str], float, float]]] = {}
    try:
        for found in answer.result:
            labels: Mapping[str, str] = found["metric"]
            moment, value = found["values"][-1]
            scraped.setdefault(labels["instance"], []).append((labels, float(moment), float(value)))
    except (TypeError, LookupError, ValueError):
        raise Silent("answered something that is no matrix of samples with an instance") from None
    return {proxy: _of_proxy(samples, interval, label, at) for proxy, samples in sorted(scraped.items())}


def _of_proxy(
    samples: Sequence[tuple[Mapping[str, str], float, float]], interval: float, label: str, at: float
) -> Mapping[str, int] | Silent:
    newest = max(moment for _, moment, _ in samples)
    if (age := at - newest) > FRESH * interval + SLACK:
        return Silent(f"was scraped {age:.0f} s ago, and is every {interval:g} s")
    if -age > interval + SLACK:
        return Silent(f"was scraped {-age:.0f} s ahead of the server's own clock")
    found: dict[str, int] = {}
    for labels, moment, value in samples:
        if moment != newest:
            continue  # one body of one scrape: what is in no other's is gone
        uptime = labels["__name__"] == "envoy_server_uptime"
        name = UPTIME if uptime else f"cluster.{labels.get(label, '')}.{_statistic(labels)}"
        if name in found:
            return Silent(f"is there more than once ({name}): narrow it down with `match`")
        if not 0 <= value < LARGEST or value != int(value):
            return Silent(f"shows {name} without a count: {value:g}")
        found[name] = int(value)
    return found if UPTIME in found else Silent("shows no envoy_server_uptime: is it Envoy?")


def _sample(question: Question, proxies: Proxies, name: str) -> Sample | Unseen:
    if not proxies:
        return Unseen(f"{name} has no counters of Envoy: is Envoy scraped, and does `match` fit?")
    silent = tuple((proxy, str(found)) for proxy, found in proxies.items() if isinstance(found, Silent))
    if len(silent) == len(proxies):
        return Unseen("; ".join(f"{proxy} {why}" for proxy, why in silent))
    counted: list[Any] = [
        series(proxy, backend, found, question.codes)
        for proxy, found in proxies.items()
        if not isinstance(found, Silent)
        for backend in question.backends
    ]
    missing = tuple((what, "this source does not count it") for what in question.beyond_http)
    return Sample(tuple(one for one in counted if one is not None), silent, missing=missing)
