"""Counts as chance has them."""

from __future__ import annotations

import math
from random import Random

MANY = 40.0
"""Expected events from which a normal number stands for their count."""


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
