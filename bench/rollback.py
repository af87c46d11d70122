"""A dead canary: from its first failed response to weight 0 in effect, on real Envoy under real load."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import Figure, spread
from bench.journey import LAST, MIDDLE, START, Death, Journey, Observer
from bench.site import Site

LOOKS = {"1 s looks": ("", ""), "250 ms looks": ("250ms", '\n[guard]\nmin_look = "250ms"\n')}
"""What is said of the look: the policy's wish and the settings' guard rail. The first are the defaults."""
SOON = {"1 s looks": 2.0, "250 ms looks": 1.0}
LATEST = {"1 s looks": 3.0, "250 ms looks": 3.0}
FAILED = 20.0
AFTER_SEEN = 50.0
"""Milliseconds from the begin of the look that saw it to weight 0."""
STAGES = ("first_failed", "seen", "decided", "recorded", "written", "effective")


def from_the_start(*, quick: bool) -> Iterator[Figure]:
    """Dead before its first request."""
    runs = 2 if quick else 40
    return _measure(START, {100: [runs], 500: [runs], 2_000: [runs]}, SOON, FAILED)


def in_the_middle(*, quick: bool) -> Iterator[Figure]:
    """Dead after some seconds at 50 %. The rarer the requests, the harder it is to tell: most runs there."""
    lanes = {100: [1], 500: [1], 2_000: [1]} if quick else {100: [14] * 3, 500: [14] * 3, 2_000: [14]}
    return _measure(MIDDLE, lanes, SOON)


def in_the_end(*, quick: bool) -> Iterator[Figure]:
    """Dead after some seconds in the last step, with 5 % on stable."""
    lanes = {100: [1], 500: [1], 2_000: [1]} if quick else {100: [10] * 4, 500: [10] * 3, 2_000: [10]}
    return _measure(LAST, lanes, LATEST)


def _measure(
    death: Death, lanes: dict[int, list[int]], budgets: dict[str, float], failed: float | None = None
) -> Iterator[Figure]:
    """``lanes``: for each rate, how many deaths each of its lanes has, one after another."""
    runs = [(rate, count) for rate, counts in lanes.items() for count in counts]
    for said, (look, guard) in LOOKS.items():
        with Site([rate for rate, _ in runs], guard) as site, Observer(site, look) as observer:
            deaths = {lane: [death] * count for lane, (_, count) in zip(site.lanes, runs, strict=True)}
            began = _processor()
            found = observer.all(deaths)
            busy, idle = (after - before for before, after in zip(began, _processor(), strict=True))
        yield Figure(f"{death.name}, {said}: processor left idle", 100 * idle / (busy + idle), "%")
        for rate in lanes:
            journeys = [one for lane, some in found.items() if lane.rate == rate for one in some]
            yield from _tell(f"{death.name}, {rate}/s, {said}", journeys, budgets[said], failed)


def _tell(what: str, journeys: Sequence[Journey], budget: float, failed: float | None) -> Iterator[Figure]:
    yield Figure(f"{what}: runs", len(journeys), "")
    whole = [journey.effective - journey.first_failed for journey in journeys]
    yield from spread(f"{what}: first failed response to weight 0", whole, "s", budget)
    yield from spread(f"{what}: failed requests", [one.failed for one in journeys], "requests", failed)
    known = [one for one in journeys if one.seen]
    after = [1000 * (one.effective - one.seen) for one in known]
    yield from spread(f"{what}: seen to effective", after, "ms", AFTER_SEEN)
    for before, stage in itertools.pairwise(STAGES):
        spans = [1000 * (getattr(one, stage) - getattr(one, before)) for one in known]
        yield from spread(f"{what}: {before} to {stage}", spans, "ms")
    unequal = max(abs(one.failed - one.counted) for one in journeys)
    yield Figure(f"{what}: failures that callers and Envoy count differently", unequal, "requests")


def _processor() -> tuple[int, int]:
    """Time that the machine's processors were busy and idle so far: whoever else is at work disturbs."""
    times = [
        int(each) for each in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    ]
    idle = times[3] + times[4]
    return sum(times) - idle, idle
