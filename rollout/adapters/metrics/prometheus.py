"""Counters from Prometheus, which scrapes the Envoys: one query answers a whole batch.

Raw samples are asked for by a range selector, never ``rate`` or ``increase``: those extrapolate, and their
numbers are nobody's counters. Of each proxy only its newest scrape is believed, and only while it is young.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from rollout.adapters.envoy_admin import Silent, quote, stat_name
from rollout.adapters.envoy_counters import TIME, UPTIME, Told, edges_of, keys_of, sample_of
from rollout.adapters.prometheus_api import Answer, Api, labels_of, literal, sample
from rollout.adapters.prometheus_queries import FRESH, LARGEST, SLACK, asked, seen, window
from rollout.core.model import QuerySeen, Sample, Series, Unseen
from rollout.ports import Clock, Hosts, Question
from rollout.settings import PrometheusMetrics

SHORT = 0.05
"""Seconds to wait for a server that let the last deadline pass."""
CODE, CLASS = "envoy_response_code", "envoy_response_code_class"
METHOD = "envoy_grpc_bridge_method"
"""Labels into which Envoy moves what its own names of statistics end with."""
BUCKETS = f"envoy_cluster_{TIME}_bucket"


class PrometheusCounters:
    """The port ``Metrics`` on a Prometheus server.

    A proxy that is not scraped any more, or whose counters make no sense, is among the sample's silent ones
    with the reason. An answer that is late, partial or warned of is no answer.
    """

    def __init__(self, settings: PrometheusMetrics, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._api = Api(settings.url, settings.token, clock.monotonic)
        self._queries = {query.name: query for query in settings.queries}
        self._asked: asyncio.Task[list[Answer | Silent]] | None = None
        self._silent_since = 0.0

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        backends = tuple(sorted({backend for question in questions for backend in question.backends}))
        codes = tuple(sorted({code for question in questions for code in question.codes}))
        if not backends:
            return [Sample(()) for _ in questions]
        named = self._named(questions)
        wanted = [query(backends, codes, self._settings, latency=any(each.latency for each in questions))]
        for name, about in named.items():
            wanted += asked(self._queries[name], about, self._settings)
        try:
            first, *others = await self._ask(wanted, deadline)
            if isinstance(first, Silent):
                raise first
            proxies = counters(first, self._settings.interval, self._settings.label, self._clock.now())
        except Silent as silence:
            return [Unseen(f"{self._settings.name} {silence}") for _ in questions]
        answered = iter(others)
        shown = {name: self._shown(name, about, answered) for name, about in named.items()}
        return [self._sample(question, proxies, shown) for question in questions]

    def _named(self, questions: Iterable[Question]) -> Mapping[str, tuple[str, ...]]:
        """The backends that each query is asked about, of those that the settings have."""
        found: dict[str, set[str]] = {}
        for question in questions:
            for name in question.queries:
                if name in self._queries:
                    found.setdefault(name, set()).update(question.backends)
        return {name: tuple(sorted(backends)) for name, backends in sorted(found.items())}

    def _shown(
        self, name: str, backends: tuple[str, ...], answers: Iterator[Answer | Silent]
    ) -> tuple[QuerySeen, ...] | Silent:
        query = self._queries[name]
        mine = [next(answers) for _ in asked(query, backends, self._settings)]
        try:
            return seen(query, mine, backends, self._settings, self._clock.now())
        except Silent as silence:
            return silence

    def _sample(
        self, question: Question, proxies: Proxies, shown: Mapping[str, tuple[QuerySeen, ...] | Silent]
    ) -> Sample | Unseen:
        counted = _sample(question, proxies, self._settings.name)
        if isinstance(counted, Unseen):
            return counted
        queries: list[QuerySeen] = []
        missing = list(counted.missing)
        for name in question.queries:
            found = shown.get(name, Silent("has no query of this name in the settings"))
            told = [] if isinstance(found, Silent) else found
            mine = [one for one in told if one.backend in question.backends]
            queries += mine
            if not mine:
                why = found if isinstance(found, Silent) else "has no young samples of its backends"
                missing.append((name, f"{self._settings.name} {why}"))
        return replace(counted, queries=tuple(queries), missing=tuple(missing))

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:
        """None: what Envoy exports for Prometheus does not tell the hosts of a cluster apart."""
        del backends, deadline
        return {}

    async def close(self) -> None:
        """Close the connections to the server."""
        if self._asked is not None:
            self._asked.cancel()
        await asyncio.to_thread(self._api.close)

    async def _ask(self, wanted: Sequence[str], deadline: float) -> list[Answer | Silent]:
        """No second query is heaped on a server that hangs, and a late answer is never used."""
        now = self._clock.monotonic()
        if self._asked is not None and not self._asked.done():
            await asyncio.wait({self._asked}, timeout=min(deadline, SHORT))
            if not self._asked.done():
                raise Silent(f"has not answered for {now - self._silent_since:.0f} s")
        self._silent_since = now
        self._asked = asyncio.create_task(asyncio.to_thread(self._all, wanted))
        self._asked.add_done_callback(_heard)
        await asyncio.wait({self._asked}, timeout=deadline)
        if not self._asked.done():
            raise Silent(f"did not answer within {deadline:g} s")
        return self._asked.result()

    def _all(self, wanted: Sequence[str]) -> list[Answer | Silent]:
        """One after the other; who does not answer the first is not asked the rest."""
        answers: list[Answer | Silent] = []
        for each in wanted:
            try:
                answers.append(self._api.query(each))
            except Silent as silence:
                answers.append(silence)
                if len(answers) == 1:
                    break
        return answers


def _heard(task: asyncio.Task[list[Answer | Silent]]) -> None:
    """Of who comes late, too, the failure was seen."""
    if not task.cancelled():
        task.exception()


def query(
    backends: Iterable[str], codes: Iterable[str], settings: PrometheusMetrics, *, latency: bool = False
) -> str:
    """The PromQL of everything that is to be counted of these backends: raw samples of the last while."""
    names = sorted({*map(_metric, keys_of(codes)), *([BUCKETS] if latency else [])})
    clusters = [quote(stat_name(backend)) for backend in backends]
    matchers = [
        f"__name__=~{literal('|'.join(('envoy_server_uptime', *names)))}",
        f"{settings.label}=~{literal('|'.join((*clusters, '')))}",  # the uptime bears no cluster's name
        *([settings.match] if settings.match else []),
    ]
    return f"{{{','.join(matchers)}}}{window(settings)}"


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
    for room in ("retry_upstream", "grpc_"):
        if key.startswith(room):
            return key.replace("_", ".", 1)
    return key


Proxies = Mapping[str, Told | Silent]


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
            labels = labels_of(found, "__name__", "instance")
            moment, value = sample(found["values"][-1])
            scraped.setdefault(labels["instance"], []).append((labels, moment, value))
    except (TypeError, LookupError, ValueError):
        raise Silent("answered something that is no matrix of samples with an instance") from None
    return {proxy: _of_proxy(samples, interval, label, at) for proxy, samples in sorted(scraped.items())}


def _of_proxy(
    samples: Sequence[tuple[Mapping[str, str], float, float]], interval: float, label: str, at: float
) -> Told | Silent:
    newest = max(moment for _, moment, _ in samples)
    if (age := at - newest) > FRESH * interval + SLACK:
        return Silent(f"was scraped {age:.0f} s ago, and is every {interval:g} s")
    if -age > interval + SLACK:
        return Silent(f"was scraped {-age:.0f} s ahead of the server's own clock")
    found: dict[str, int] = {}
    buckets: dict[str, dict[float, int]] = {}
    try:
        for labels, moment, value in samples:
            if moment == newest:  # one body of one scrape: what is in no other's is gone
                _put(labels, value, label, found, buckets)
        edges = {name: edges_of(name, sorted(pairs.items())) for name, pairs in buckets.items()}
    except Silent as silence:
        return silence
    return Told(found, edges.get) if UPTIME in found else Silent("shows no envoy_server_uptime: is it Envoy?")


def _put(
    labels: Mapping[str, str],
    value: float,
    label: str,
    found: dict[str, int],
    buckets: dict[str, dict[float, int]],
) -> None:
    """One sample, to the counters or to the histograms.

    Raises:
        Silent: it is no count, or there more than once.
    """
    metric, cluster = labels["__name__"], f"cluster.{labels.get(label, '')}"
    name = UPTIME if metric == "envoy_server_uptime" else f"{cluster}.{_statistic(labels)}"
    if not 0 <= value < LARGEST or value != int(value):
        raise Silent(f"shows {name} without a count: {value:g}")
    if metric == BUCKETS:
        histogram, edge = buckets.setdefault(f"{cluster}.{TIME}", {}), _edge(labels)
        twice = edge in histogram
        histogram[edge] = int(value)
    elif METHOD in labels:  # each is a part
        twice = False
        found[name] = found.get(name, 0) + int(value)
    else:
        twice = name in found
        found[name] = int(value)
    if twice:
        raise Silent(f"is there more than once ({name}): narrow it down with `match`")


def _edge(labels: Mapping[str, str]) -> float:
    try:
        return float(labels.get("le", ""))
    except ValueError:
        raise Silent(f"shows a bucket of {TIME} without its edge") from None


def _sample(question: Question, proxies: Proxies, name: str) -> Sample | Unseen:
    if not proxies:
        return Unseen(f"{name} has no counters of Envoy: is Envoy scraped, and does `match` fit?")
    found: list[Series] = []
    silent: list[tuple[str, str]] = []
    missing: dict[str, str] = {}
    for proxy, answer in proxies.items():
        if isinstance(answer, Silent):
            silent.append((proxy, str(answer)))
            continue
        series, lacking = sample_of(proxy, answer, question)
        found += series
        missing |= dict(lacking)
    if len(silent) == len(proxies):
        return Unseen("; ".join(f"{proxy} {why}" for proxy, why in silent))
    return Sample(tuple(found), tuple(silent), missing=tuple(missing.items()))
