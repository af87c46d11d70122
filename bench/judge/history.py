"""How much noisier than independent requests stable was in the hour before: ``rollout.core.noise``, compiled.

Stable is split into two groups that carry the shares of canary and stable. What they share cancels in their
difference; what differs between them would differ between stable and a healthy canary too.
"""

from __future__ import annotations

import math

import numpy as np

from bench.judge.chance import Stream, gamma, normal
from bench.judge.compiling import compiled
from bench.judge.world import ARM_GAMMA, LOG, SHARED_AR, Counts, Values, World, arm, shared_factor
from rollout.core import noise

MINUTE = 60.0
MINUTES, STRETCHES, SHARES = noise.MINUTES, noise.STRETCHES, noise.SHARES
SIGNIFICANT, FEW_ERRORS = noise.SIGNIFICANT, noise.FEW_ERRORS


@compiled
def minutes(world: World, split: float, chance: Stream) -> Counts:
    """An hour of stable: for each minute the first group's requests and errors, then the second's."""
    counts = np.zeros((MINUTES, 4), np.int64)
    factors = np.ones(2)
    log = np.zeros(9)
    log[LOG] = world.noise[0] * normal(chance) if world.kind == SHARED_AR else 0.0
    redraw = 0.0
    for minute in range(MINUTES):
        if world.kind == ARM_GAMMA and minute * MINUTE >= redraw:
            draws = max(1.0, MINUTE / world.noise[1])  # the mean of so many, where the noise is quicker
            factors[0] = gamma(chance, draws / world.noise[0] ** 2)
            factors[1] = gamma(chance, draws / world.noise[0] ** 2)
            redraw += max(MINUTE, world.noise[1])
        elif world.kind == SHARED_AR:
            factors[:] = shared_factor(log, world.noise, MINUTE, chance)
        for group in range(2):
            part = split if group == 0 else 1.0 - split
            share = min(1.0, world.base * factors[group])
            n, x = arm(world, world.rate * part * MINUTE, share, chance)
            counts[minute, 2 * group], counts[minute, 2 * group + 1] = n, x
    return counts


@compiled
def inflation(counts: Counts) -> float:
    """The largest significant ratio of the groups' difference to the expected one: phi, at least 1."""
    most = 1.0
    for stretch in STRETCHES:
        observed, expected = 0.0, 0.0
        blocks = len(counts) // stretch
        for block in range(blocks):
            total = counts[block * stretch : (block + 1) * stretch].sum(axis=0)
            n1, x1, n2, x2 = total[0], total[1], total[2], total[3]
            if n1 == 0 or n2 == 0:
                continue
            observed += (x1 / n1 - x2 / n2) ** 2
            expected += (x1 + x2) / (n1 + n2) * (1.0 / n1 + 1.0 / n2)
        if expected <= 0.0:
            continue
        phi = observed / expected
        if phi > 1.0 + SIGNIFICANT * math.sqrt(2.0 / blocks):
            most = max(most, phi)
    return most


@compiled
def calibrate(world: World, chance: Stream) -> Values:
    """The phi of each share; where errors were rare, the halves' for all."""
    halves = minutes(world, SHARES[-1], chance)
    found = np.full(len(SHARES), inflation(halves))
    if halves[:, 1].sum() + halves[:, 3].sum() < FEW_ERRORS:
        return found
    for number in range(len(SHARES) - 1):
        found[number] = inflation(minutes(world, SHARES[number], chance))
    return found


@compiled
def factor(phis: Values, weight: float) -> float:
    """The phi of the share that is nearest to the canary's weight, or to its complement."""
    share, best = min(weight, 1.0 - weight), 0
    for number in range(len(SHARES)):
        if abs(SHARES[number] - share) < abs(SHARES[best] - share):
            best = number
    return float(phis[best])
