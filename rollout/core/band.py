"""How many times stable's failure share the canary's is: a band that is right at every instant (ANALYSIS 8).

For each ratio on a grid two bets run, that it is more and that it is less; the band is what neither refuses.
If the ratio is constant, it lies in all bands of a journey at once with a chance of 99 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rollout.core.bets import FIRST, LEAST_STABLE, RELEASE, STEEPEST
from rollout.core.model import Tally

GRID: tuple[float, ...] = tuple(2.0 ** (15 * step / 63 - 5) for step in range(64))
"""1/32 to 1024."""
REFUSES = 200.0
"""Capital at which a bet refuses its ratio: 2 / alpha, as there are two of them, alpha = 1 %."""
TIMES = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""Alternatives to a ratio: so many times more, or less."""

Band = tuple[float | None, float | None]
"""The least and the greatest ratio that is not refused; ``None``: beyond the grid on that side."""


@dataclass(slots=True)
class _Side:
    """The bets that the ratio is more (``up``) than each of the grid's, or less."""

    up: bool
    stakes: dict[int, list[float]] = field(
        default_factory=lambda: {index: [0.0] * len(TIMES) for index in range(len(GRID))}
    )
    unbet: float = 1.0
    fresh: bool = True

    def play(self, block: Tally) -> None:
        """One block; a ratio that is refused stays so."""
        released = self.unbet * (FIRST if self.fresh else 1.0 - math.exp(-block.seconds / RELEASE))
        self.unbet, self.fresh = self.unbet - released, False
        portion = released / len(TIMES)
        for index, stakes in list(self.stakes.items()):
            null = GRID[index]
            for place, times in enumerate(TIMES):
                odds = _log_likelihood(block, null, null * times if self.up else null / times)
                stakes[place] = (stakes[place] + portion) * math.exp(min(odds, STEEPEST))
            if self.unbet + sum(stakes) >= REFUSES:
                del self.stakes[index]

    @property
    def edge(self) -> float | None:
        """The last ratio on this side that is refused: what is less (more) than that is refused as well."""
        refused = [index for index in range(len(GRID)) if index not in self.stakes]
        if not refused:
            return None
        return GRID[max(refused)] if self.up else GRID[min(refused)]


def bands(tallies: Iterable[Tally]) -> Iterator[Band]:
    """The band after each tally. Where its ends have met, the ratio was not constant: it stays there."""
    more, less, block = _Side(up=True), _Side(up=False), Tally()
    band: Band = None, None
    for tally in tallies:
        block += tally
        if block.stable_n >= LEAST_STABLE and block.canary_n:
            more.play(block)
            less.play(block)
            block = Tally()
            low, high = more.edge, less.edge
            if low is None or high is None or low < high:
                band = low, high
        yield band


def _log_likelihood(block: Tally, null: float, other: float) -> float:
    """ANALYSIS 3.1 without a margin; mirrored where ``other`` is less than ``null``."""
    d = (null * block.canary_n + block.stable_n) / (other * block.canary_n + block.stable_n)
    c = other / null * d
    return block.canary_x * math.log(c) + block.stable_x * math.log(d)
