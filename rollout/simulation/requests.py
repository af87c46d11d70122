"""Requests as chance sends them: how many of each arm, and how many of these fail, within a span of time.

A span that was drawn whole may be split afterwards: both parts are as if they had been drawn one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from rollout.simulation import latency
from rollout.simulation.chance import binomial, poisson
from rollout.simulation.latency import NONE, Upto


@dataclass(frozen=True, slots=True)
class Mix:
    """What is on its way: completed requests per second of each arm, and the shares (0 to 1) that fail.
    ``blame``: the part of the canary's failures that stable would not have had. ``medians``: of how long the
    answers of the canary and of stable take (milliseconds); ``None`` when nobody wants to know.
    """

    canary_rate: float
    canary_share: float
    stable_rate: float
    stable_share: float
    blame: float
    medians: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """What was answered within ``seconds``: good and bad answers of each arm. ``caused``: the failures that
    would not have been without the canary. ``canary_upto``, ``stable_upto``: how long they took, if timed.
    """

    seconds: float = 0.0
    canary_good: int = 0
    canary_bad: int = 0
    stable_good: int = 0
    stable_bad: int = 0
    caused: float = 0.0
    canary_upto: Upto = NONE
    stable_upto: Upto = NONE

    def __add__(self, other: Served) -> Served:
        return Served(
            self.seconds + other.seconds,
            self.canary_good + other.canary_good,
            self.canary_bad + other.canary_bad,
            self.stable_good + other.stable_good,
            self.stable_bad + other.stable_bad,
            self.caused + other.caused,
            latency.add(self.canary_upto, other.canary_upto),
            latency.add(self.stable_upto, other.stable_upto),
        )


def serve(mix: Mix, seconds: float, chance: Random) -> Served:
    """Draw what a span brings."""
    canary, stable = mix.canary_rate * seconds, mix.stable_rate * seconds
    bad = poisson(canary * mix.canary_share, chance)
    served = Served(
        seconds,
        poisson(canary * (1.0 - mix.canary_share), chance),
        bad,
        poisson(stable * (1.0 - mix.stable_share), chance),
        poisson(stable * mix.stable_share, chance),
        bad * mix.blame,
    )
    if mix.medians is None:
        return served
    slow, usual = mix.medians
    return replace(
        served,
        canary_upto=latency.answers(served.canary_good + served.canary_bad, slow, chance),
        stable_upto=latency.answers(served.stable_good + served.stable_bad, usual, chance),
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
        latency.part(served.canary_upto, share, chance),
        latency.part(served.stable_upto, share, chance),
    )
    rest = Served(
        served.seconds - seconds,
        served.canary_good - first.canary_good,
        served.canary_bad - first.canary_bad,
        served.stable_good - first.stable_good,
        served.stable_bad - first.stable_bad,
        served.caused - first.caused,
        latency.less(served.canary_upto, first.canary_upto),
        latency.less(served.stable_upto, first.stable_upto),
    )
    return first, rest
