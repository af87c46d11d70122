"""The four panels of a journey's picture, each over the same time: weight, failures, evidence, ratio."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rollout.core import bets, judge, svg
from rollout.core.band import Band
from rollout.core.model import FULL, Judged, Tally, percent
from rollout.core.svg import Point
from rollout.core.words import count, odds, span

Across = Callable[[float], float]
"""From seconds since the journey began to a place."""

BESIDE = 10.0
"""From a panel's right edge to what is written beside it."""
LINE = 15.0
"""Height of a line of text."""
_STRIDES = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)
_TICKS = 8


@dataclass(frozen=True, slots=True)
class Spell:
    """Some looks in a row: the second at their end, what was counted, the odds, the band."""

    at: float
    counts: Tally
    odds: float
    band: Band


@dataclass(frozen=True, slots=True)
class Panel:
    """A frame between two sides, with a height scale of its own."""

    left: float
    right: float
    top: float
    height: float
    least: float
    most: float
    log: bool = False

    def y(self, value: float) -> float:
        """Where a value is; beyond the frame it is at its edge."""
        low, high, here = self.least, self.most, min(max(value, self.least), self.most)
        if self.log:
            low, high, here = math.log(low), math.log(high), math.log(here)
        return self.top + self.height * (1 - (here - low) / (high - low))

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height

    def heading(self, said: str) -> str:
        """What it shows, above it."""
        return svg.text(self.left, self.top - 10, said, bold=True)

    def rule(self, value: float, said: str, colour: str = "rule", *, dashes: str = "") -> Iterator[str]:
        """A line across, with its value on the left."""
        y = self.y(value)
        yield svg.line((self.left, y), (self.right, y), colour, dashes=dashes)
        yield svg.text(self.left - 8, y + 4, said, "soft", anchor="end")

    def beside(self, labels: Sequence[tuple[float, str, str]]) -> Iterator[str]:
        """Labels (height, text, colour) on the right, pushed apart where they would meet."""
        least = -math.inf
        for y, said, colour in sorted(labels):
            least = max(y + 4, least + LINE)
            yield svg.text(self.right + BESIDE, least, said, colour, bold=True)


def weights(panel: Panel, looks: Sequence[Judged], x: Across, after: int, colour: str) -> Iterator[str]:
    """What the canary might have, as stairs; ``after`` the last look it has that."""
    yield panel.heading("weight of the canary")
    for weight in (0, FULL // 2, FULL):
        yield from panel.rule(weight, percent(weight))
    began = looks[0].at
    stairs = [(x((look.at - began).total_seconds()), look.might) for look in looks]
    points: list[Point] = [(panel.left, panel.y(stairs[0][1]))]
    since = panel.left
    for (here, weight), (_, following) in zip(stairs, [*stairs[1:], (0.0, after)], strict=True):
        points.append((here, panel.y(weight)))
        if following != weight:
            points.append((here, panel.y(following)))
            if weight and here - since > 12 * len(percent(weight)):
                yield svg.text(
                    (since + here) / 2, panel.y(weight) - 6, percent(weight), "canary", anchor="middle"
                )
            since = here
    points.append((panel.right, panel.y(after)))
    yield svg.area([*points, (panel.right, panel.bottom), (panel.left, panel.bottom)], "canary")
    yield svg.curve(points, "canary")
    yield from panel.beside([(panel.y(after), percent(after), colour)])


def failures(panel: Panel, spells: Sequence[Spell], x: Across, what: str) -> Iterator[str]:
    """Both arms' shares of ``what`` is bad, each over the last seconds."""
    wide = breadth(spells)
    yield panel.heading(f"{what}, over {span(wide)}")
    for value in _round_shares(panel.most):
        yield from panel.rule(value, f"{100 * value:g} %")
    labels = []
    for arm, colour in (("stable", "stable"), ("canary", "canary")):
        shares = [(x(at), share) for at, share in moving(spells, arm, wide) if share is not None]
        if shares:
            points = [(place, panel.y(share)) for place, share in shares]
            yield svg.curve(points, colour) if len(points) > 1 else svg.dot(points[0], colour, radius=3)
            labels.append((points[-1][1], f"{arm} {_share(shares[-1][1])}", colour))
    yield from panel.beside(labels)


def _share(share: float) -> str:
    hundred = 100 * share
    return f"{hundred:.0f} %" if hundred >= 10 else f"{hundred:.2g} %"  # noqa: PLR2004 - as people say it


def breadth(spells: Sequence[Spell]) -> float:
    """Seconds over which a share is taken: a thirtieth of the whole, at least three spells."""
    lasted = spells[-1].at
    return max(lasted / 30, 3 * lasted / max(1, len(spells) - 1), 1.0)


def moving(spells: Sequence[Spell], arm: str, wide: float) -> Iterator[tuple[float, float | None]]:
    """(second, share of the arm's requests that failed in the seconds before it)."""
    first = 0
    for number, spell in enumerate(spells):
        while spells[first].at <= spell.at - wide:
            first += 1
        counts = sum((each.counts for each in spells[first : number + 1]), Tally())
        total = counts.canary_n if arm == "canary" else counts.stable_n
        bad = counts.canary_x if arm == "canary" else counts.stable_x
        yield spell.at, judge.share(bad, total) if total else None


def _round_shares(most: float) -> Iterator[float]:
    """Zero and two or three round shares below the most."""
    unit = 10 ** math.floor(math.log10(most))
    stride = next(unit * part for part in (0.2, 0.5, 1.0, 2.0, 5.0) if most / (unit * part) <= 4)  # noqa: PLR2004
    for number in range(int(most / stride) + 1):
        yield round(number * stride, 9)


def evidence(panel: Panel, spells: Sequence[Spell], x: Across) -> Iterator[str]:
    """The odds against the canary, and the line where it goes home."""
    yield panel.heading("evidence against the canary, odds")
    proof = panel.y(judge.ODDS)
    corners = [(panel.left, panel.top), (panel.right, panel.top), (panel.right, proof), (panel.left, proof)]
    yield svg.area(corners, "bad", opacity=0.1)
    decade = math.ceil(math.log10(panel.least) - 1e-9)
    while 10**decade <= panel.most:
        if 10**decade != judge.ODDS:
            yield from panel.rule(10**decade, _told(decade))
        decade += 1
    yield from panel.rule(judge.ODDS, f"{judge.ODDS:g} : 1", "bad", dashes="6 4")
    yield svg.curve([(x(spell.at), panel.y(spell.odds)) for spell in spells], "odds")
    last = spells[-1].odds
    yield from panel.beside([(panel.y(last), against(last), "odds"), (proof - 4, "above: goes home", "bad")])


def against(value: float) -> str:
    """Odds; those for the canary the other way round, as the scale has them."""
    if value >= 1:
        return odds(value)
    return f"1 : {1 / value:.1f}" if 1 / value < 10 else f"1 : {1 / value:.0f}"  # noqa: PLR2004 - as above


def _told(decade: int) -> str:
    return f"{count(10**decade)} : 1" if decade >= 0 else f"1 : {count(10**-decade)}"


def ratios(panel: Panel, spells: Sequence[Spell], x: Across) -> Iterator[str]:
    """Where the ratio of the shares is, with 99 %, if it is constant."""
    yield panel.heading("canary's failures are so many times stable's (99 % sure, read as a constant ratio)")
    power = math.ceil(math.log2(panel.least) / 2)
    while 4.0**power <= panel.most:
        yield from panel.rule(4.0**power, f"{4.0**power:g}x" if power >= 0 else f"1/{4**-power}x")
        power += 1
    places = [(x(spell.at), *spell.band) for spell in spells]
    upper = [(here, panel.y(high if high is not None else panel.most)) for here, _, high in places]
    lower = [(here, panel.y(low if low is not None else panel.least)) for here, low, _ in places]
    yield svg.area([*upper, *reversed(lower)], "odds", opacity=0.22)
    same = panel.y(bets.ERRORS.ratio)
    yield svg.line((panel.left, same), (panel.right, same), "ink", dashes="2 3")
    low, high = spells[-1].band
    middle = math.sqrt(max(low or panel.least, panel.least) * min(high or panel.most, panel.most))
    yield from panel.beside(
        [(same, f"{bets.ERRORS.ratio:g}x is allowed", "soft"), (panel.y(middle), _between(low, high), "odds")]
    )


def _between(low: float | None, high: float | None) -> str:
    """A band's two ends in words."""
    if low is None or high is None:
        return f"over {_fold(low)}" if low else f"under {_fold(high)}" if high else "not known yet"
    return f"{_fold(low)} to {_fold(high)}"


def _fold(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio < 10 else f"{ratio:.0f}x"  # noqa: PLR2004 - as people say it


def times(panel: Panel, looks: Sequence[Judged], x: Across, whole: float) -> Iterator[str]:
    """The axis of time, below the last panel."""
    stride = next(
        (each for each in _STRIDES if whole / each <= _TICKS), _STRIDES[-1] * math.ceil(whole / 86_400 / 8)
    )
    for number in range(int(whole / stride) + 1):
        here = x(number * stride)
        yield svg.line((here, panel.bottom), (here, panel.bottom + 4), "soft")
        yield svg.text(here, panel.bottom + 18, _clock(number * stride), "soft", anchor="middle")
    began = f"since {looks[0].at:%Y-%m-%d %H:%M:%S} UTC"
    yield svg.text(panel.right, panel.bottom + 36, began, "soft", anchor="end")


def _clock(seconds: int) -> str:
    """``1:30``, ``2:00:00``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
