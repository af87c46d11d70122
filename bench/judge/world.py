"""The world of one simulated rollout, second by second (ANALYSIS 4). Compiled.

Requests arrive as a Poisson process, so errors and successes of the two arms are four independent ones.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.judge.chance import Stream, clump, gamma, normal, poisson, uniform
from bench.judge.compiling import compiled
from bench.judge.scenarios import Kind, Scenario

NONE, INCIDENT, ARM_GAMMA, CLUMPS, MISSED, SHARED_AR = (int(kind) for kind in Kind)

CANARY_N, CANARY_X, STABLE_N, STABLE_X = range(4)
Counts = NDArray[np.int64]
Values = NDArray[np.float64]

LEVEL, SECONDS, EARLIEST, LATEST = range(4)
HEALTHY, BAD, STABLE, CANARY_FACTOR, STABLE_FACTOR, REDRAW, LOG, BEGIN, EXTRA_BEGIN = range(9)
"""Places in an environment: the error share that a healthy canary would have now, the canary's own, stable's;
what noise multiplies each arm's with; when the arms are drawn again; the shared logarithm; the incidents.
"""


class World(NamedTuple):
    """A scenario as numbers."""

    rate: float
    base: float
    canary: float
    onset: float
    rise: float
    scrape: float
    kind: int
    noise: Values
    extra: Values
    """One more shared incident, as four values; level 0: none."""


def world_of(scenario: Scenario, extra: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)) -> World:
    """The numbers of a scenario."""
    noise = np.zeros(4)
    noise[: len(scenario.noise.values)] = scenario.noise.values
    return World(
        float(scenario.rate),
        float(scenario.base),
        float(scenario.canary),
        float(scenario.onset),
        float(scenario.rise),
        float(scenario.scrape),
        int(scenario.noise.kind),
        noise,
        np.array(extra, dtype=np.float64),
    )


@compiled
def environment(world: World, chance: Stream) -> Values:
    """The state of the world before its first second."""
    env = np.zeros(9)
    env[CANARY_FACTOR] = env[STABLE_FACTOR] = 1.0
    env[BEGIN] = env[EXTRA_BEGIN] = 1e18
    if world.kind == INCIDENT:
        env[BEGIN] = _begin(world.noise, chance)
    if world.kind == SHARED_AR:
        env[LOG] = world.noise[0] * normal(chance)
    if world.extra[LEVEL] > 0.0:
        env[EXTRA_BEGIN] = _begin(world.extra, chance)
    return env


@compiled
def _begin(incident: Values, chance: Stream) -> float:
    return float(incident[EARLIEST] + (incident[LATEST] - incident[EARLIEST]) * uniform(chance))


@compiled
def shared_factor(env: Values, noise: Values, seconds: float, chance: Stream) -> float:
    """The factor of an autoregressive logarithm, mean-corrected, and its next state."""
    factor = math.exp(env[LOG] - noise[0] ** 2 / 2.0)
    keep = math.exp(-seconds / noise[1])
    env[LOG] = keep * env[LOG] + noise[0] * math.sqrt(1.0 - keep * keep) * normal(chance)
    return factor


@compiled
def advance(world: World, env: Values, time: float, chance: Stream) -> None:
    """The error shares during the second that begins at ``time``."""
    if world.kind == ARM_GAMMA and time >= env[REDRAW]:
        shape = 1.0 / world.noise[0] ** 2
        env[CANARY_FACTOR], env[STABLE_FACTOR] = gamma(chance, shape), gamma(chance, shape)
        env[REDRAW] = time + world.noise[1]
    elif world.kind == SHARED_AR:
        env[CANARY_FACTOR] = env[STABLE_FACTOR] = shared_factor(env, world.noise, 1.0, chance)
    excess = 0.0
    if time >= world.onset:
        part = 1.0 if world.rise <= 0.0 else min(1.0, (time - world.onset) / world.rise)
        excess = (world.canary - world.base) * part
    healthy, stable = world.base * env[CANARY_FACTOR], world.base * env[STABLE_FACTOR]
    if world.kind == INCIDENT and env[BEGIN] <= time < env[BEGIN] + world.noise[SECONDS]:
        healthy, stable = max(healthy, world.noise[LEVEL]), max(stable, world.noise[LEVEL])
    if env[EXTRA_BEGIN] <= time < env[EXTRA_BEGIN] + world.extra[SECONDS]:
        healthy, stable = max(healthy, world.extra[LEVEL]), max(stable, world.extra[LEVEL])
    env[HEALTHY] = min(1.0, healthy)
    env[BAD] = min(1.0, healthy + excess * env[CANARY_FACTOR])
    env[STABLE] = min(1.0, stable)


@compiled
def arm(world: World, requests: float, share: float, chance: Stream) -> tuple[int, int]:
    """One arm's completed and bad requests."""
    if world.kind != CLUMPS:
        bad = poisson(chance, requests * share)
        return bad + poisson(chance, requests * (1.0 - share)), bad
    total = poisson(chance, requests)
    bad = 0
    for _ in range(poisson(chance, total * share / world.noise[0])):
        bad += clump(chance, world.noise[0])
    return total, min(total, bad)


@compiled
def serve(world: World, env: Values, weight: float, chance: Stream, counts: Counts) -> float:
    """Add one second's requests to ``counts``; the failures among them that the canary caused."""
    requests, bad = arm(world, world.rate * weight, env[BAD], chance)
    counts[CANARY_N] += requests
    counts[CANARY_X] += bad
    caused = bad * (1.0 - env[HEALTHY] / env[BAD]) if bad else 0.0
    requests, bad = arm(world, world.rate * (1.0 - weight), env[STABLE], chance)
    counts[STABLE_N] += requests
    counts[STABLE_X] += bad
    return caused


@compiled
def is_missed(world: World, chance: Stream) -> bool:
    """Is this scrape missed?"""
    return world.kind == MISSED and uniform(chance) < world.noise[0]


@compiled
def is_reset(world: World, chance: Stream) -> bool:
    """Does the canary lose, this second, what was not scraped yet?"""
    return world.kind == MISSED and uniform(chance) < world.noise[1]
