"""How much noisier than independent requests stable was in the hour before (ANALYSIS 3.5). Compiled.

Stable is split into two groups that carry the shares of the coming step. What they share cancels in their
difference; what differs between them would differ between stable and a healthy canary too.
"""

from __future__ import annotations

import math

import numpy as np

from bench.judge.chance import Stream, clump, gamma, normal, poisson
from bench.judge.compiling import compiled
from bench.judge.world import (
    ARM_GAMMA,
    CLUMPS,
    LOG,
    SHARED_AR,
    Counts,
    Values,
    World,
    shared_factor,
)

PIECE = 10.0
PIECES = 360
SPANS = (6, 12, 30)
"""Pieces in a block: 60, 120 and 300 s."""
LEAST_ERRORS = 200
LEAST_SHARE = 0.1
"""No step's split is more uneven than 10:90."""


@compiled
def _piece(world: World, requests: float, share: float, chance: Stream) -> tuple[int, int]:
    """One group's requests and errors in one piece."""
    if world.kind != CLUMPS:
        bad = poisson(chance, requests * share)
        return bad + poisson(chance, requests * (1.0 - share)), bad
    total = poisson(chance, requests)
    bad = 0
    for _ in range(poisson(chance, total * share / world.noise[0])):
        bad += clump(chance, world.noise[0])
    return total, min(total, bad)


@compiled
def pieces(world: World, split: float, chance: Stream) -> Counts:
    """An hour of stable: for each piece the first group's requests and errors, then the second's."""
    counts = np.zeros((PIECES, 4), np.int64)
    factors = np.ones(2)
    log = np.zeros(9)
    log[LOG] = world.noise[0] * normal(chance) if world.kind == SHARED_AR else 0.0
    redraw = 0.0
    for piece in range(PIECES):
        if world.kind == ARM_GAMMA and piece * PIECE >= redraw:
            draws = max(1.0, PIECE / world.noise[1])  # the mean of so many, where the noise is quicker
            factors[0] = gamma(chance, draws / world.noise[0] ** 2)
            factors[1] = gamma(chance, draws / world.noise[0] ** 2)
            redraw += max(PIECE, world.noise[1])
        elif world.kind == SHARED_AR:
            factors[:] = shared_factor(log, world.noise, PIECE, chance)
        for group in range(2):
            part = split if group == 0 else 1.0 - split
            share = min(1.0, world.base * factors[group])
            n, x = _piece(world, world.rate * part * PIECE, share, chance)
            counts[piece, 2 * group], counts[piece, 2 * group + 1] = n, x
    return counts


@compiled
def inflation(counts: Counts) -> float:
    """The largest significant ratio of the groups' difference to the expected one: phi, at least 1."""
    most = 1.0
    for span in SPANS:
        observed, expected = 0.0, 0.0
        for first in range(0, PIECES, span):
            block = counts[first : first + span].sum(axis=0)
            n1, x1, n2, x2 = block[0], block[1], block[2], block[3]
            if n1 == 0 or n2 == 0:
                continue
            observed += (x1 / n1 - x2 / n2) ** 2
            expected += (x1 + x2) / (n1 + n2) * (1.0 / n1 + 1.0 / n2)
        if expected <= 0.0:
            continue
        phi = observed / expected
        if phi > 1.0 + 1.28 * math.sqrt(2.0 * span / PIECES):
            most = max(most, phi)
    return most


@compiled
def calibrate(world: World, weights: Values, chance: Stream) -> Values:
    """The phi of each step's weight; where errors were rare, the even split's for all."""
    even = pieces(world, 0.5, chance)
    pooled = inflation(even)
    found = np.full(len(weights), pooled)
    if even[:, 1].sum() + even[:, 3].sum() < LEAST_ERRORS:
        return found
    for step in range(len(weights)):
        split = max(LEAST_SHARE, min(weights[step], 1.0 - weights[step]))
        if split < 0.5:
            found[step] = inflation(pieces(world, split, chance))
            for before in range(step):
                if max(LEAST_SHARE, min(weights[before], 1.0 - weights[before])) == split:
                    found[step] = found[before]
    return found
