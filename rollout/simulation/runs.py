"""Many journeys under one policy, and what can be said of all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from rollout.core.model import Policy
from rollout.simulation.journey import Journey, Outcome, travel
from rollout.simulation.scene import Scene

SURE = 1.959964
"""Standard deviations to either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many runs, and within which bounds (0 to 1) the true share lies, 95 times of 100."""

    count: int
    runs: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, runs: int) -> Share:
        """By Wilson's interval, which is honest also about none and all."""
        share, spread = count / runs, SURE**2 / runs
        middle = (share + spread / 2) / (1 + spread)
        half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
        low = 0.0 if count == 0 else max(0.0, middle - half)
        return cls(count, runs, low, 1.0 if count == runs else min(1.0, middle + half))


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some values, and what nine tenths of them lie between."""

    p5: float
    median: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value, by nearest rank."""
        return cls(quantile(values, 0.05), quantile(values, 0.5), quantile(values, 0.95))


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a policy does. ``good``: how the same journeys end for a canary that is no worse than stable."""

    policy: Policy
    scene: Scene
    journeys: tuple[Journey, ...]
    good: tuple[Journey, ...]

    def share(self, outcome: Outcome) -> Share:
        """How many journeys end so."""
        return Share.of(len(self.ended(outcome)), len(self.journeys))

    def ended(self, outcome: Outcome) -> list[Journey]:
        """The journeys that end so."""
        return [journey for journey in self.journeys if journey.outcome is outcome]

    def times(self, outcome: Outcome) -> Spread | None:
        """Seconds until journeys end so, ``None`` where none does."""
        seconds = [journey.seconds for journey in self.ended(outcome)]
        return Spread.of(seconds) if seconds and outcome is not Outcome.HELD else None

    @property
    def false_alarms(self) -> Share:
        """How many canaries go home that are no worse than stable."""
        bad = sum(journey.outcome is Outcome.ROLLED_BACK for journey in self.good)
        return Share.of(bad, len(self.good))

    @property
    def caused(self) -> tuple[float, float]:
        """Failed requests that stable would have answered: the mean of a run, and what one of 20 exceeds."""
        failed = [journey.caused for journey in self.journeys]
        return sum(failed) / len(failed), quantile(failed, 0.95)

    @property
    def typical(self) -> Journey:
        """Of the commonest outcome, the journey that is nearest to the median in time."""
        commonest = max(Outcome, key=lambda outcome: len(self.ended(outcome)))
        among = self.ended(commonest)
        median = quantile([journey.seconds for journey in among], 0.5)
        return min(among, key=lambda journey: abs(journey.seconds - median))


def forecast(
    policy: Policy, scene: Scene, runs: int, seed: int, told: Callable[[], object] = lambda: None
) -> Forecast:
    """Run them all; ``told`` is called after each. The same seed gives the same in any process."""

    def journeys(of: Scene) -> tuple[Journey, ...]:
        found = []
        for number in range(runs):
            found.append(travel(policy, of, Random(f"{seed} {policy.name} {number}")))
            told()
        return tuple(found)

    asked = journeys(scene)
    good = asked if scene.is_no_worse else journeys(scene.good)
    return Forecast(policy, scene, asked, good)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of them do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
