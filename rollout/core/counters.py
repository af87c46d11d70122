"""From raw cumulative counters to increments (ANALYSIS 7.1-7.5): difference each series, then sum.

Requests are counted when they are completed, so failures never exceed requests, and both come from one
answer of one proxy. A gap makes a longer increment, never a lost one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rollout.core.model import Sample, Series, Tally

QUORUM = 0.5
"""The share of requests that the answering proxies must cover for silence elsewhere to be bearable (E1)."""


@dataclass(frozen=True, slots=True)
class Increment:
    """What was counted since the baseline.

    ``tallies``: one for each asked-for tuple of codes. ``late_canary``, ``late_stable``: requests under way
    that were so already at the baseline. ``covered``: enough of the fleet answered to speak for it.
    """

    tallies: tuple[Tally, ...]
    late_canary: int
    late_stable: int
    covered: bool

    @property
    def canary_n(self) -> int:
        """Completed canary requests, whatever the codes asked for."""
        return self.tallies[0].canary_n

    @property
    def total(self) -> int:
        """Completed requests of both arms."""
        return self.tallies[0].canary_n + self.tallies[0].stable_n


def increment(
    before: Sample | None,
    after: Sample,
    arms: tuple[str, str],
    codes: Iterable[tuple[str, ...]],
    elapsed: float | None,
) -> Increment:
    """What happened between two samples. ``arms``: (stable, canary); ``codes``: what is bad, per check."""
    old = {(series.proxy, series.backend): series for series in before.series} if before else {}
    moves = [
        (series, _since(old.get((series.proxy, series.backend)), series, elapsed)) for series in after.series
    ]
    seconds = elapsed or 0.0
    return Increment(
        tuple(_tally(moves, arms, wanted, seconds) for wanted in codes),
        late_canary=_late(moves, arms[1]),
        late_stable=_late(moves, arms[0]),
        covered=_covered(before, after),
    )


def baseline(before: Sample | None, after: Sample) -> Sample:
    """What to difference against next: the newest of each series, also of proxies that are silent now."""
    fresh = {(series.proxy, series.backend) for series in after.series}
    kept = (
        series for series in (before.series if before else ()) if (series.proxy, series.backend) not in fresh
    )
    silent = {name for name, _ in after.silent}
    rates = before.rates if before and silent else _rates(after)
    return Sample((*(one for one in kept if one.proxy in silent), *after.series), after.silent, rates)


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


def _tally(
    moves: Iterable[tuple[Series, Series | None]],
    arms: tuple[str, str],
    codes: tuple[str, ...],
    seconds: float,
) -> Tally:
    n = dict.fromkeys(arms, 0)
    x = dict.fromkeys(arms, 0)
    for new, old in moves:
        if old is None or new.backend not in n or not _comparable(old, codes):
            continue
        completed = new.completed - old.completed
        n[new.backend] += completed
        x[new.backend] += min(completed, max(0, _bad(new, codes) - _bad(old, codes)))
    stable, canary = arms
    return Tally(n[canary], x[canary], n[stable], x[stable], seconds)


def _late(moves: Iterable[tuple[Series, Series | None]], arm: str) -> int:
    return sum(
        max(0, new.active - (new.started - old.started))
        for new, old in moves
        if old is not None and new.backend == arm
    )


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
