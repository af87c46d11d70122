"""From raw cumulative counters to increments (ANALYSIS 7.1-7.5): difference each series, then sum.

Requests are counted when they are completed, so failures never exceed requests, and both come from one
answer of one proxy. A gap makes a longer increment, never a lost one.

Latency is counted by the edges of the source's buckets: bad is what took longer. Who has waited for longer
than an edge already is counted as slower than it, once, before the answer comes. A proxy adds its answers to
its histograms now and then only, when it renews its age too: between two such moments nothing is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rollout.core.model import (
    Errors,
    GaugeSeen,
    Latency,
    Measure,
    Query,
    QuerySeen,
    RatioSeen,
    Sample,
    Series,
    Tally,
)

QUORUM = 0.5
"""The share of requests that the answering proxies must cover for silence elsewhere to be bearable (E1)."""


@dataclass(frozen=True, slots=True)
class Increment:
    """What was counted since the baseline.

    ``tallies``: one for each asked-for measure. ``late_canary``, ``late_stable``: requests under way
    that were so already at the baseline. ``covered``: enough of the fleet answered to speak for it.
    ``requests``: the completed ones of both arms, whatever became of them.
    """

    tallies: tuple[Tally, ...]
    late_canary: int
    late_stable: int
    covered: bool
    requests: Tally

    @property
    def canary_n(self) -> int:
        """Completed canary requests."""
        return self.requests.canary_n

    @property
    def total(self) -> int:
        """Completed requests of both arms."""
        return self.requests.canary_n + self.requests.stable_n


class Span(NamedTuple):
    """One series, and the one that it is counted from; ``None`` when it can only be a baseline itself."""

    new: Series
    old: Series | None


def increment(
    before: Sample | None,
    after: Sample,
    arms: tuple[str, str],
    measures: Iterable[Measure],
    elapsed: float | None,
) -> Increment:
    """What happened between two samples. ``arms``: (stable, canary); ``measures``: what is bad."""
    old = _by_key(before)
    spans = [Span(new, _since(old.get((new.proxy, new.backend)), new, elapsed)) for new in after.series]
    seconds = elapsed or 0.0
    bands: list[_Band] | None = None
    tallies = []
    for measure in measures:
        match measure:
            case Errors():
                tallies.append(_failed(spans, arms, measure.counted, seconds))
            case Latency():
                bands = _bands(spans, elapsed) if bands is None else bands
                tallies.append(_slow(bands, arms, measure.over, seconds))
            case Query():
                tallies.append(_queried(before, after, arms, measure, seconds))
    return Increment(
        tuple(tallies),
        late_canary=_late(spans, arms[1]),
        late_stable=_late(spans, arms[0]),
        covered=_covered(before, after),
        requests=_failed(spans, arms, (), seconds),
    )


def baseline(before: Sample | None, after: Sample, elapsed: float | None = None) -> Sample:
    """What to difference against next: the newest of each series, also of proxies that are silent now."""
    old = _by_key(before)
    fresh = tuple(_kept(old.get((new.proxy, new.backend)), new, elapsed) for new in after.series)
    silent = {name for name, _ in after.silent}
    gone = old.keys() - {(series.proxy, series.backend) for series in fresh}
    kept = (series for key, series in old.items() if key in gone and series.proxy in silent)
    rates = before.rates if before and silent else _rates(after)
    return Sample((*kept, *fresh), after.silent, rates, after.queries)


def _by_key(sample: Sample | None) -> dict[tuple[str, str], Series]:
    return {(series.proxy, series.backend): series for series in sample.series} if sample else {}


def _kept(old: Series | None, new: Series, elapsed: float | None) -> Series:
    """A series as the next one is counted from it: with who waits already, and with the old histogram where
    the new one is torn, so that nothing of it is lost.
    """
    if not new.edges and not new.active:
        return new
    since = _since(old, new, elapsed)
    if since is None:
        return new
    if not _is_merged(since, new):
        return replace(new, edges=since.edges, late=since.late, age=since.age)
    late = _waiting(Span(new, since)) if elapsed is not None and new.edges else 0
    edges = since.edges if _is_torn(since.edges, new.edges) else new.edges
    if not late and edges is new.edges:
        return new
    return replace(new, edges=edges, late=late, age=elapsed or 0.0)


def _is_merged(old: Series, new: Series) -> bool:
    """Can the histogram be another one? A proxy's age stands still between two of them."""
    return new.uptime is None or new.uptime != old.uptime


def _is_torn(old: tuple[tuple[float, int], ...], new: tuple[tuple[float, int], ...]) -> bool:
    """Was the new one of two histograms told while it was added to? Not if it is another one by now."""
    return len(old) == len(new) > 0 and old[-1][1] <= new[-1][1] and _difference(old, new) is None


def _rates(sample: Sample) -> tuple[tuple[str, float], ...]:
    """Of all proxies at one moment; none where one does not tell its age, or is silent."""
    rates: dict[str, float] = {}
    for series in sample.series:
        if series.uptime is None or sample.silent:
            return ()
        rates[series.proxy] = rates.get(series.proxy, 0.0) + series.completed / max(series.uptime, 1.0)
    return tuple(rates.items())


def tells_late(before: Sample | None, after: Sample) -> bool:
    """Does some proxy answer again, and tell of requests from before the last look?"""
    if before is None or not before.silent:
        return False
    silent = {name for name, _ in before.silent}
    return not silent.isdisjoint(series.proxy for series in after.series)


_ZERO = Series("", "", 0, 0, 0, ())


def _since(old: Series | None, new: Series, elapsed: float | None) -> Series | None:
    """The series that ``new`` is counted from; ``None`` when it can only be a baseline itself."""
    if old is None:
        born_since = new.uptime is not None and elapsed is not None and new.uptime < elapsed
        return _ZERO if born_since else None
    younger = old.uptime is not None and new.uptime is not None and new.uptime < old.uptime
    if younger or new.completed < old.completed:
        return _ZERO
    shrunk = any(dict(new.codes).get(code, 0) < count for code, count in old.codes)
    return None if shrunk else old


def _comparable(old: Series, codes: tuple[str, ...]) -> bool:
    """A code that was not asked for last time has no baseline yet."""
    return old is _ZERO or {code for code, _ in old.codes} >= set(codes)


def _bad(series: Series, codes: tuple[str, ...]) -> int:
    counts = dict(series.codes)
    return sum(counts.get(code, 0) for code in codes)


def _sum(counts: Iterable[tuple[str, int, int]], arms: tuple[str, str], seconds: float) -> Tally:
    """Of (backend, n, x), those of the two arms."""
    stable, canary = arms
    stable_n = stable_x = canary_n = canary_x = 0
    for backend, total, bad in counts:
        if backend == canary:
            canary_n += total
            canary_x += bad
        elif backend == stable:
            stable_n += total
            stable_x += bad
    return Tally(canary_n, canary_x, stable_n, stable_x, seconds)


def _failed(spans: Iterable[Span], arms: tuple[str, str], codes: tuple[str, ...], seconds: float) -> Tally:
    return _sum(
        (
            (
                new.backend,
                new.completed - old.completed,
                min(new.completed - old.completed, max(0, _bad(new, codes) - _bad(old, codes))),
            )
            for new, old in spans
            if old is not None and _comparable(old, codes)
        ),
        arms,
        seconds,
    )


def _late(spans: Iterable[Span], arm: str) -> int:
    return sum(_waiting(span) for span in spans if span.new.backend == arm)


def _waiting(span: Span) -> int:
    """Requests under way since before the old one of the two, at least."""
    return 0 if span.old is None else max(0, span.new.active - (span.new.started - span.old.started))


# --- latency -------------------------------------------------------------------------------------


def edge_at(edges: Iterable[float], over: float) -> float | None:
    """The least edge that is not below ``over``: what is slower than it is slower than ``over``."""
    return min((edge for edge in edges if over <= edge < math.inf), default=None)


class _Band(NamedTuple):
    """The answers of one series since the last look, by edge; who waits now, and for how long at least; who
    did so at the last look and was counted then.
    """

    backend: str
    grown: Mapping[float, int]
    late: int
    age: float
    told: int
    told_age: float


def _bands(spans: Sequence[Span], elapsed: float | None) -> list[_Band]:
    """Of each series whose histogram can be believed: Envoy prints one while it still adds to it."""
    found = []
    for span in spans:
        if span.old is None or not _is_merged(span.old, span.new):
            continue
        grown = _grown(span.old, span.new)
        if grown is not None:
            late = _waiting(span) if elapsed is not None else 0
            found.append(_Band(span.new.backend, grown, late, elapsed or 0.0, span.old.late, span.old.age))
    return found


def _grown(old: Series, new: Series) -> dict[float, int] | None:
    """By edge, how many answers of at most so many milliseconds came; ``None`` when that cannot be said: one
    of the two was not told, the edges are others now, or the counts do not rise with the edges.
    """
    if not new.edges or not (old.edges or old is _ZERO):
        return None
    return _difference(old.edges or ((math.inf, 0),), new.edges)


def _difference(
    old: tuple[tuple[float, int], ...], new: tuple[tuple[float, int], ...]
) -> dict[float, int] | None:
    if old[-1] == (math.inf, 0):
        grown = dict(new)
    elif len(old) != len(new):
        return None
    else:
        grown = {}
        for (edge, count), (before, counted) in zip(new, old, strict=True):
            if edge != before:
                return None
            grown[edge] = count - counted
    low = 0
    for high in grown.values():
        if high < low:
            return None
        low = high
    return grown


def _slow(bands: Iterable[_Band], arms: tuple[str, str], over: float | None, seconds: float) -> Tally:
    if over is None:
        return Tally(seconds=seconds)
    return _sum((_slower(band, over) for band in bands), arms, seconds)


def _slower(band: _Band, over: float) -> tuple[str, int, int]:
    """(backend, answers, those slower than the edge): who waits is slow already, and is not counted again
    when the answer comes. Who never gets one stays counted.
    """
    edge = edge_at(band.grown, over)
    if edge is None:
        return band.backend, 0, 0
    total = band.grown[math.inf]
    late = band.late if edge <= 1000 * band.age else 0
    late -= band.told if edge <= 1000 * band.told_age else 0
    n = max(0, total + late)
    return band.backend, n, min(n, max(0, total - band.grown[edge] + late))


# --- the operator's queries ----------------------------------------------------------------------


def _queried(
    before: Sample | None, after: Sample, arms: tuple[str, str], query: Query, seconds: float
) -> Tally:
    old = {(each.query, each.backend, each.instance): each for each in before.queries} if before else {}
    counts = []
    for new in after.queries:
        if new.query == query.name:
            was = old.get((new.query, new.backend, new.instance))
            counts.append((new.backend, *_gained(was, new, query.over)))
    return _sum(counts, arms, seconds)


def _gained(old: QuerySeen | None, new: QuerySeen, over: float | None) -> tuple[int, int]:
    """(n, x) that one instance adds. A gauge's reading counts once; one that is no number is none."""
    match new:
        case GaugeSeen(value=value, at=at):
            known = isinstance(old, GaugeSeen) and at <= old.at
            if known or over is None or math.isnan(value):
                return 0, 0
            return 1, int(value > over)
        case RatioSeen(bad=bad, total=total):
            if not isinstance(old, RatioSeen) or over is not None:
                return 0, 0
            if total < old.total:  # began anew: what it shows now is a lower bound of both
                return total, min(total, bad)
            if bad < old.bad:
                return 0, 0
            return total - old.total, min(total - old.total, bad - old.bad)


# --- coverage ------------------------------------------------------------------------------------


def counted(measures: Iterable[Measure]) -> tuple[str, ...]:
    """The names under which a source counts what these call failed."""
    return tuple(sorted({name for each in measures if isinstance(each, Errors) for name in each.counted}))


def _covered(before: Sample | None, after: Sample) -> bool:
    """By the rates that the proxies had when all of them answered: since then the counts of the silent stand
    still, and those of the others may grow faster than they ever did.
    """
    if not after.silent:
        return True
    silent = {name for name, _ in after.silent}
    proxies = {series.proxy for series in baseline(before, after).series} | silent
    rates = dict(before.rates) if before else {}
    weights = rates if rates.keys() >= proxies and any(rates.values()) else dict.fromkeys(proxies, 1.0)
    answering = sum(weight for proxy, weight in weights.items() if proxy not in silent)
    return answering > QUORUM * sum(weights.values())
