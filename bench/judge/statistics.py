"""What is said of many runs."""

from __future__ import annotations

import math
from collections.abc import Iterable

CONFIDENCE = 0.99


def upper_bound(events: int, runs: int, confidence: float = CONFIDENCE) -> float:
    """The largest probability that so few events do not speak against (Clopper and Pearson, one-sided)."""
    if events >= runs:
        return 1.0
    low, high = events / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(events, runs, middle) > 1 - confidence else (low, middle)
    return high


def at_most(events: int, runs: int, probability: float) -> float:
    """The chance of at most so many events."""
    if probability <= 0 or events >= runs:
        return 1.0
    if probability >= 1:
        return 0.0
    yes, no = math.log(probability), math.log1p(-probability)
    whole = math.lgamma(runs + 1)
    return math.fsum(
        math.exp(
            whole - math.lgamma(count + 1) - math.lgamma(runs - count + 1) + count * yes + (runs - count) * no
        )
        for count in range(events + 1)
    )


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of ratios.

    Raises:
        ValueError: there are none, or one is not above 0.
    """
    found = list(values)
    if not found or min(found) <= 0:
        raise ValueError("a geometric mean needs values above 0")
    return math.exp(math.fsum(map(math.log, found)) / len(found))
