"""Requests as chance sends them: how many of each arm, and how many of these fail, within a span of time.

A span that was drawn whole may be split afterwards: both parts are as if they had been drawn one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

MANY = 40.0
"""Expected events from which a normal number stands for their count."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What is on its way: completed requests per second of each arm, and the shares (0 to 1) that fail.
    ``blame``: the part of the canary's failures that stable would not have had.
    """

    canary_rate: float
    canary_share: float
    stable_rate: float
    stable_share: float
    blame: float


@dataclass(frozen=True, slots=True)
class Served:
    """What was answered within ``seconds``: good and bad answers of each arm. ``caused``: the failures that
    would not have been without the canary.
    """

    seconds: float = 0.0
    canary_good: int = 0
    canary_bad: int = 0
    stable_good: int = 0
    stable_bad: int = 0
    caused: float = 0.0

    def __add__(self, other: Served) -> Served:
        return Served(
            self.seconds + other.seconds,
            self.canary_good + other.canary_good,
            self.canary_bad + other.canary_bad,
            self.stable_good + other.stable_good,
            self.stable_bad + other.stable_bad,
            self.caused + other.caused,
        )


def serve(mix: Mix, seconds: float, chance: Random) -> Served:
    """Draw what a span brings."""
    canary, stable = mix.canary_rate * seconds, mix.stable_rate * seconds
    bad = poisson(canary * mix.canary_share, chance)
    return Served(
        seconds,
        poisson(canary * (1.0 - mix.canary_share), chance),
        bad,
        poisson(stable * (1.0 - mix.stable_share), chance),
        poisson(stable * mix.stable_share, chance),
        bad * mix.blame,
    )


def split(served: Served, seconds: float, chance: Random) -> tuple[Served, Served]:
    """The first ``seconds`` of a span, and the rest of it."""
    share = seconds / served.seconds
    canary_bad = binomial(served.canary_bad, share, chance)
    first = Served(
        seconds,
        binomial(served.canary_good, share, chance),
        canary_bad,
        binomial(served.stable_good, share, chance),
        binomial(served.stable_bad, share, chance),
        served.caused * canary_bad / served.canary_bad if served.canary_bad else 0.0,
    )
    rest = Served(
        served.seconds - seconds,
        served.canary_good - first.canary_good,
        served.canary_bad - first.canary_bad,
        served.stable_good - first.stable_good,
        served.stable_bad - first.stable_bad,
        served.caused - first.caused,
    )
    return first, rest


def poisson(mean: float, chance: Random) -> int:
    """How many events happen where ``mean`` are expected."""
    if mean > MANY:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    if mean <= 0:
        return 0
    count, product, least = 0, chance.random(), math.exp(-mean)
    while product > least:
        count += 1
        product *= chance.random()
    return count


def binomial(number: int, share: float, chance: Random) -> int:
    """How many of ``number`` fall within a part of so large a share."""
    variance = number * share * (1.0 - share)
    if variance > MANY:
        return min(number, max(0, round(chance.gauss(number * share, math.sqrt(variance)))))
    return sum(chance.random() < share for _ in range(number))
