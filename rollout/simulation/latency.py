"""How long answers take: lognormal, told by the edges of a histogram's buckets, as proxies do."""

from __future__ import annotations

import functools
import math
from random import Random

from rollout.simulation.chance import binomial

EDGES = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, math.inf)
"""Milliseconds."""
MEDIAN, SIGMA = 60.0, 0.8
"""Of an ordinary backend: half of its answers within 60 ms, 99 of 100 within 386 ms."""

Upto = tuple[int, ...]
"""So many answers took at most each of the edges."""
NONE: Upto = (0,) * len(EDGES)


@functools.lru_cache(maxsize=256)
def quicker(median: float) -> tuple[float, ...]:
    """The share (0 to 1) of the answers that take at most each edge."""
    return tuple(
        0.5 + 0.5 * math.erf(math.log(edge / median) / (SIGMA * math.sqrt(2.0))) if edge < math.inf else 1.0
        for edge in EDGES
    )


def answers(number: int, median: float, chance: Random) -> Upto:
    """How long so many answers took, as chance has it."""
    left, upto, above = number, list[int](), 0.0
    for share in quicker(median):
        within = binomial(left, min(1.0, (share - above) / (1.0 - above)), chance) if left else 0
        left, above = left - within, share
        upto.append(number - left)
    return tuple(upto)


def add(one: Upto, other: Upto) -> Upto:
    """Both together."""
    return tuple(map(int.__add__, one, other))


def less(one: Upto, other: Upto) -> Upto:
    """The rest of one when the other is taken off."""
    return tuple(map(int.__sub__, one, other))


def part(upto: Upto, share: float, chance: Random) -> Upto:
    """Those of them that fall within a part of so large a share."""
    if not upto[-1]:
        return upto
    within, before, total = list[int](), 0, 0
    for count in upto:
        total += binomial(count - before, share, chance)
        before = count
        within.append(total)
    return tuple(within)


def edges(upto: Upto) -> tuple[tuple[float, int], ...]:
    """As a series tells them; nothing but the last before the first answer."""
    return tuple(zip(EDGES, upto, strict=True)) if upto[-1] else ((math.inf, 0),)
