"""A journey as a picture: what weight it had, what failed, what the judge made of it, and where it ended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from types import MappingProxyType

from rollout.core import judge, panels, svg
from rollout.core.band import bands
from rollout.core.model import EVERYTHING, FULL, NOTHING, Analysis, Judged, Tally, percent
from rollout.core.panels import Panel, Spell
from rollout.core.quotation import at_rung, bad, counted, counts_of, strength, told_by, worst
from rollout.core.reason import Reason
from rollout.core.replay import checks_of

WIDTH, LEFT, RIGHT = 980.0, 76.0, 142.0
TOP, GAP, FOOT = 134.0, 44.0, 50.0
HEIGHTS = (88.0, 120.0, 160.0, 120.0)
POINTS = 240
"""So many points of a curve are drawn at the most: a longer journey is read in spans."""
TITLE = 78
"""Letters that have room in the title."""
_HOME: Mapping[Reason, str] = MappingProxyType({
    Reason.WORSE: "worse than stable",
    Reason.OVER_LIMIT: "over its limit",
    Reason.NO_DATA_TOO_LONG: "no evidence for too long",
    Reason.NEVER_READY: "no endpoint was ever ready",
    Reason.LOST_ENDPOINTS: "its endpoints were lost",
    Reason.INCONCLUSIVE_TOO_LONG: "nothing was proved for too long",
    Reason.WITHDRAWN: "git has no policy for it any more",
    Reason.REVERTED: "git asks for stable again",
    Reason.CHANGED: "git asks for something else",
})  # fmt: skip
"""Why a canary went home, in few words."""


def draw(name: str, canary: str, looks: Sequence[Judged], *, ended: str = "") -> str:
    """The whole picture as SVG. ``ended``: how it ended, if its last look does not say so.

    Raises:
        ValueError: there is no look.
    """
    if not looks:
        raise ValueError("a journey without a look has no picture")
    end = looks[-1]
    lasted = max(1.0, (end.at - looks[0].at).total_seconds())
    whole, right = 1.04 * lasted, WIDTH - RIGHT

    def x(seconds: float) -> float:
        return LEFT + (right - LEFT) * seconds / whole

    checks = checks_of(looks)
    main = Analysis(checks=checks).main
    spells = tuple(_spells(looks, main))
    weight, failures, evidence, ratios = frames = _frames(spells, right)
    promoted, home = end.reason is Reason.PROMOTED, end.reason in _HOME or bool(ended)
    mark = "promoted" if promoted else f"sent home from {percent(end.might)}" if home else "now"
    colour = "good" if promoted else "bad" if home else "ink"
    after = EVERYTHING if promoted else NOTHING if home else end.might
    title, (why, strong) = _title(name, canary, end, ended), _why(looks)
    shapes = [
        svg.text(LEFT, 36, title, colour, size=20, bold=True),
        svg.text(LEFT, 62, why, size=13),
        svg.text(LEFT, 82, strong, size=12),
        *panels.weights(weight, looks, x, after, colour),
        *panels.failures(failures, spells, x, bad(checks[main]) if checks else "failed requests"),
        *panels.evidence(evidence, spells, x),
        *panels.ratios(ratios, spells, x),
        *panels.times(ratios, looks, x, whole),
        *_rises(frames, looks, x),
        *(svg.line((x(lasted), each.top), (x(lasted), each.bottom), colour, width=1.5) for each in frames),
        svg.text(x(lasted) + 4, weight.top - 10, mark, colour, bold=True, anchor="end"),
        svg.dot((x(lasted), evidence.y(spells[-1].odds)), colour),
    ]
    return svg.document(WIDTH, ratios.bottom + FOOT, f"{title}. {why} {strong}", shapes)


def _title(name: str, canary: str, end: Judged, ended: str) -> str:
    at = f"{end.at.astimezone(UTC):%H:%M:%S} UTC"
    if ended:
        return f"{name}: {canary} {ended}"[:TITLE]
    if end.reason is Reason.PROMOTED:
        return f"{name}: {canary} promoted at {at}"
    if end.reason in _HOME:
        return f"{name}: {canary} rolled back at {at}: {_HOME[end.reason]}"
    return f"{name}: {canary} has {percent(end.might)} at {at}"


def _why(looks: Sequence[Judged]) -> tuple[str, str]:
    """Two lines: both arms at the last rung; the odds, and what they are worth."""
    end, checks = looks[-1], checks_of(looks)
    index = worst(end.odds)
    if not checks or not end.odds:
        return "No request was counted at its last weight.", ""
    told = told_by(checks, end.odds)
    counts, value = at_rung(looks, told), end.odds[index]
    if not counts.canary_n + counts.stable_n:
        return "No request was counted at its last weight.", ""
    rare = strength(checks[index], value)
    strong = rare or f"Odds against it are {panels.against(value)}; {judge.ODDS:g} : 1 would send it home."
    return f"{counted(counts, checks[told])}, at {percent(end.might)}.", strong


def _spells(looks: Sequence[Judged], main: int) -> Iterator[Spell]:
    """The looks, in spans where there are many; of each the main check's counts and the highest odds."""
    size = math.ceil(len(looks) / POINTS)
    parts = [looks[start : start + size] for start in range(0, len(looks), size)]
    counts = [sum((counts_of(look, main) for look in part), Tally()) for part in parts]
    for part, tally, band in zip(parts, counts, bands(counts), strict=True):
        at = (part[-1].at - looks[0].at).total_seconds()
        yield Spell(at, tally, max(max(look.odds, default=1.0) for look in part), band)


def _frames(spells: Sequence[Spell], right: float) -> tuple[Panel, Panel, Panel, Panel]:
    """The four, each as high as what it shows."""
    wide = panels.breadth(spells)
    shares = [each or 0.0 for arm in ("canary", "stable") for _, each in panels.moving(spells, arm, wide)]
    odds_seen = [spell.odds for spell in spells]
    low, high = spells[-1].band
    scales = (
        (0.0, float(FULL), False),
        (0.0, min(1.0, max(0.01, 1.15 * max(shares))), False),
        (max(1e-3, min(0.5, *odds_seen)) / 1.5, min(4e4, max(1_000.0, 4 * max(odds_seen))), True),
        (min(0.25, (low or 1.0) / 2), max(16.0, 2 * (high or 8.0), 4 * (low or 1.0)), True),
    )
    tops = [TOP + sum(HEIGHTS[:number]) + GAP * number for number in range(len(HEIGHTS))]
    first, second, third, fourth = (
        Panel(LEFT, right, top, height, *scale)
        for top, height, scale in zip(tops, HEIGHTS, scales, strict=True)
    )
    return first, second, third, fourth


def _rises(frames: Sequence[Panel], looks: Sequence[Judged], x: panels.Across) -> Iterator[str]:
    """Where weight rose."""
    for look in looks:
        if look.rose:
            here = x((look.at - looks[0].at).total_seconds())
            yield from (
                svg.line((here, each.top), (here, each.bottom), "soft", dashes="1 4") for each in frames
            )
