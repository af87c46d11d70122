"""Runs of one scenario under every judge, on every core; no result depends on how many there are."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bench.judge import peers
from bench.judge.compiled import shipped
from bench.judge.journey import Ladder, journeys
from bench.judge.scenarios import QUIET, Kind, Scenario
from bench.judge.world import Values, world_of
from rollout.core import bets, judge, ladder, noise
from rollout.core.asked import HOLDBACK
from rollout.core.model import FULL as WHOLE
from rollout.core.model import Comparison

OURS, FRESH, ORACLE = "rollout", "rollout, no history", "oracle"
NAMED: Mapping[str, tuple[int, float, int, float]] = {
    "flagger 99/5": (peers.FLAGGER, 0.99, 5, 60.0),
    "flagger 99/10": (peers.FLAGGER, 0.99, 10, 60.0),
    "argo 95/3": (peers.ARGO, 0.95, 3, 60.0),
    "argo 99/0": (peers.ARGO, 0.99, 0, 60.0),
}
WATCHERS = ("z-peek", "kayenta-like", ORACLE)
TUNED_QUIET, TUNED_SAFE = "tuned, quiet", "tuned, incident-safe"
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998)
FAILURES = (1, 2, 3, 5, 10)
INTERVALS = (10.0, 30.0, 60.0)
GRID = tuple(
    (rule, level, failures, interval)
    for rule in (peers.FLAGGER, peers.ARGO)
    for level in LEVELS
    for failures in FAILURES
    for interval in INTERVALS
)
"""What a peer is tuned over, for each scenario by itself: 360 settings."""
TOLERATED = 0.01
"""The share of healthy canaries that a tuned setting may send home."""
INCIDENT_LEVEL, INCIDENT_SECONDS = 0.2, 120.0
TUNED_SHARE = 5
"""A setting is chosen on a fifth as many runs as it is scored on, and not on the same."""
CHUNK = 50
HEALTHY_SEED, INCIDENT_SEED, SCORE_SEED = 101, 202, 303


@dataclass(frozen=True, slots=True)
class Runs:
    """How many of each kind."""

    healthy: int
    bad: int

    def of(self, scenario: Scenario) -> int:
        """How many of this one."""
        return self.bad if scenario.bad else self.healthy


FULL, QUICK = Runs(4_000, 1_000), Runs(400, 200)


@dataclass(frozen=True, slots=True)
class Cell:
    """All runs of one scenario under one judge: outcomes, when they ended (s), the canary's failures."""

    scenario: Scenario
    judge: str
    outcomes: Values
    ended: Values
    failures: Values
    setting: str = ""


def cells(scenario: Scenario, runs: Runs) -> Iterator[Cell]:
    """Every judge's cell: ours first. A tuned peer needs a bad canary to be tuned on."""
    amount, seed = runs.of(scenario), seed_of(scenario)
    yield ours(scenario, amount)
    yield ours(scenario, amount, fresh=True)
    world, (weights, bakes) = world_of(scenario), schedule(scenario)
    named = np.array(list(NAMED.values()))
    found = spread(partial(peers.settle, world, weights, bakes, named, seed), amount)
    for number, name in enumerate(NAMED):
        yield _cell(scenario, name, found[:, number])
    found = spread(partial(peers.watch, world, weights, bakes, seed), amount)
    for number, name in enumerate(WATCHERS):
        yield _cell(scenario, name, found[:, number])
    if scenario.bad:
        yield from tuned(scenario, amount)


def ours(scenario: Scenario, amount: int, *, fresh: bool = False) -> Cell:
    """The shipped judge on the shipped ladder. ``fresh``: the daemon knows no history of stable yet."""
    world, seed, rungs = world_of(scenario), seed_of(scenario), ladder_of(scenario, fresh=fresh)
    found = spread(partial(journeys, world, rungs, shipped(), seed), amount)
    return _cell(scenario, FRESH if fresh else OURS, found)


def ladder_of(scenario: Scenario, *, fresh: bool = False) -> Ladder:
    """The shipped ladder on the scenario's steps, and what is taken for noise."""
    weights, bakes = schedule(scenario)
    margins = np.full(len(weights), ladder.NEXT_MARGIN)
    margins[-1] = -1.0
    margins[0] = ladder.FIRST_MARGIN
    return Ladder(
        weights,
        bakes,
        margins,
        holdback=HOLDBACK / WHOLE,
        probe=ladder.PROBE_REQUESTS,
        probe_least=ladder.PROBE_LEAST,
        calm=judge.CALM,
        least_canary=Comparison().min_requests,
        least_stable=bets.LEAST_STABLE,
        condemned=judge.ODDS,
        phi=noise.UNKNOWN if fresh else 0.0,
    )


def tuned(scenario: Scenario, amount: int) -> Iterator[Cell]:
    """The setting with the fewest failures among those that leave this very service's healthy canaries alone:
    in its own noise, and when one shared incident comes in the first two steps as well.
    """
    weights, bakes = schedule(scenario)
    grid, seed, few = np.array(GRID), seed_of(scenario), max(1, amount // TUNED_SHARE)
    quiet = scenario if scenario.noise.kind is not Kind.INCIDENT else replace(scenario, noise=QUIET)
    healthy = world_of(replace(quiet, canary=scenario.base))
    latest = max(0.0, bakes[:2].sum() - INCIDENT_SECONDS)
    incident = world_of(replace(quiet, canary=scenario.base), (INCIDENT_LEVEL, INCIDENT_SECONDS, 0.0, latest))
    bad = world_of(scenario)
    false = [
        _rolled(spread(partial(peers.settle, w, weights, bakes, grid, seed + s), 2 * few))
        for w, s in ((healthy, HEALTHY_SEED), (incident, INCIDENT_SEED))
    ]
    cost = spread(partial(peers.settle, bad, weights, bakes, grid, seed), few)[:, :, 2].mean(axis=0)
    quietly = false[0] <= TOLERATED
    for name, allowed in ((TUNED_QUIET, quietly), (TUNED_SAFE, quietly & (false[1] <= TOLERATED))):
        if allowed.any():
            best = int(np.argmin(np.where(allowed, cost, np.inf)))
            one = grid[best : best + 1]
            scored = spread(partial(peers.settle, bad, weights, bakes, one, seed + SCORE_SEED), amount)
            yield replace(_cell(scenario, name, scored[:, 0]), setting=_named(*GRID[best]))


def _rolled(found: Values) -> Values:
    share: Values = (found[:, :, 0] == peers.ROLLED_BACK).mean(axis=0)
    return share


def _named(rule: int, level: float, failures: int, interval: float) -> str:
    return f"{'argo' if rule else 'flagger'} {100 * level:g} %, {failures}, {interval:g} s"


def _cell(scenario: Scenario, name: str, found: Values) -> Cell:
    return Cell(scenario, name, found[:, 0], found[:, 1], found[:, 2])


def schedule(scenario: Scenario) -> tuple[Values, Values]:
    """Weights as shares, and bakes in seconds."""
    pairs = np.array(scenario.steps)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def seed_of(scenario: Scenario) -> int:
    """By the scenario's name, so that a scenario's runs do not depend on its neighbours."""
    return zlib.crc32(scenario.id.encode())


def spread(measure: Callable[[int, int], Values], amount: int, cores: int | None = None) -> Values:
    """Run numbers 0 to ``amount`` on every core. Each run has its own chance, whoever runs it."""
    parts = [(first, min(first + CHUNK, amount)) for first in range(0, amount, CHUNK)]
    with ThreadPoolExecutor(cores or os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(lambda part: measure(*part), parts)))
