"""One rollout under our judge: the probe, the ladder with its holdback, and the looks. Compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.judge.chance import Stream, stream
from bench.judge.compiled import Rules, add, odds, proves, start
from bench.judge.compiling import compiled
from bench.judge.history import SHARES, calibrate, factor
from bench.judge.world import (
    CANARY_N,
    CANARY_X,
    STABLE_N,
    Counts,
    Values,
    World,
    advance,
    environment,
    is_missed,
    is_reset,
    serve,
)

PROMOTED, ROLLED_BACK, HELD = range(3)
HISTORY_SEED = 7_919
PATIENCE = 4.0
"""A rollout that held until this many times its bakes is called held: nobody was promoted, nothing found."""


class Ladder(NamedTuple):
    """How weight rises."""

    weights: Values
    bakes: Values
    margins: Values
    """The share that each step must prove the canary not to fail more; below 0: nothing to prove."""
    holdback: float
    probe: float
    """Canary requests that the first look aims at; 0: no probe."""
    probe_least: int
    """Completed canary requests without which a probe's look is silence."""
    calm: float
    """Odds above which nothing rises."""
    least_canary: int
    least_stable: int
    condemned: float
    phi: float
    """Taken for the noise; 0: an hour of stable's history tells it."""


TIME, DUE, LAST = range(3)
"""Places in a clock: now, the next scrape, and the last one that was not missed (s)."""


@compiled
def _next_look(
    world: World, env: Values, clock: Values, weight: float, pending: Counts, chance: Stream
) -> float:
    """Live until a scrape comes; the failures that the canary caused meanwhile."""
    caused = 0.0
    while True:
        advance(world, env, clock[TIME], chance)
        caused += serve(world, env, weight, chance, pending)
        if is_reset(world, chance):
            pending[CANARY_N] = pending[CANARY_X] = 0
        clock[TIME] += 1.0
        if clock[TIME] < clock[DUE]:
            continue
        while clock[DUE] <= clock[TIME]:
            clock[DUE] += world.scrape
        if not is_missed(world, chance):
            return caused


@compiled
def _may_rise(ladder: Ladder, rules: Rules, proof: Counts, step: int, baked: float, against: float) -> bool:
    """Has this rung proved itself? ``step`` -1: a probe."""
    if against > ladder.calm:
        return False
    if step < 0:
        return bool(proof[CANARY_N] >= ladder.probe_least)
    if baked < ladder.bakes[step]:
        return False
    if proof[CANARY_N] < ladder.least_canary or proof[STABLE_N] < ladder.least_stable:
        return False
    return bool(ladder.margins[step] < 0.0 or proves(rules, proof, ladder.margins[step]))


@compiled
def travel(world: World, ladder: Ladder, rules: Rules, seed: int, run: int) -> tuple[int, float, float]:
    """The outcome, when it came (s), and the failures that the canary caused."""
    weights = np.where(ladder.weights < 1.0, ladder.weights, 1.0 - ladder.holdback)
    phis = np.full(len(SHARES), ladder.phi)
    if ladder.phi == 0.0:
        phis = calibrate(world, stream(seed + HISTORY_SEED, run))
    chance = stream(seed, run)
    env, evidence = environment(world, chance), start(rules)
    pending, proof = np.zeros(4, np.int64), np.zeros(4, np.int64)
    clock = np.array([0.0, world.scrape, 0.0])
    aimed = ladder.probe / (world.rate * world.scrape)
    step, begun, damage, weight = 0, 0.0, 0.0, weights[0]
    if 0.0 < aimed < weight:
        step, weight = -1, aimed
    end = PATIENCE * ladder.bakes.sum() + 100.0 * world.scrape
    while clock[TIME] < end:
        damage += _next_look(world, env, clock, weight, pending, chance)
        add(rules, evidence, pending, clock[TIME] - clock[LAST], factor(phis, weight), weight < 1.0)
        clock[LAST] = clock[TIME]
        proof += pending
        pending[:] = 0
        against = odds(rules, evidence)
        if against >= ladder.condemned:
            return ROLLED_BACK, clock[TIME], damage
        if not _may_rise(ladder, rules, proof, step, clock[TIME] - begun, against):
            continue
        if step < 0 and 2.0 * weight < weights[0]:
            weight *= 2.0
        else:
            step += 1
            if step == len(weights):
                return PROMOTED, clock[TIME], damage
            begun, weight = clock[TIME], weights[step]
        proof[:] = 0
    return HELD, clock[TIME], damage


@compiled
def journeys(world: World, ladder: Ladder, rules: Rules, seed: int, first: int, last: int) -> Values:
    """Runs ``first`` to ``last``: outcome, when, failures."""
    found = np.zeros((last - first, 3))
    for run in range(first, last):
        outcome, when, damage = travel(world, ladder, rules, seed, run)
        found[run - first, 0], found[run - first, 1], found[run - first, 2] = outcome, when, damage
    return found
