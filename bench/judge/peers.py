"""One rollout under the peers' rules and under an oracle (ANALYSIS 1.1, 4). Compiled.

None of them changes the weight but by going to the next step or home, so one run of the world serves all: for
each step's weight, what the counters would show at each second. That makes hundreds of settings cheap.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bench.judge.chance import Stream, stream
from bench.judge.compiling import compiled
from bench.judge.world import (
    BAD,
    CANARY_N,
    CANARY_X,
    STABLE,
    STABLE_N,
    STABLE_X,
    Counts,
    Values,
    World,
    advance,
    environment,
    is_missed,
    is_reset,
    serve,
)

PROMOTED, ROLLED_BACK = 0, 1
FLAGGER, ARGO = 0, 1
SLOWEST_CHECK = 60.0
MOST_FAILURES = 10
POINT = 15.0
KAYENTA_POINTS = 4
KAYENTA_TOLERANCE = 0.25
ONE_SIDED = 2.3263478740408408
"""The normal quantile of 99 %."""
ORACLE_ODDS = 100.0
RAREST = 1e-9


class Tape(NamedTuple):
    """What a run holds for each step's weight: by second, cumulative counts as the last scrape showed them,
    the failures that the canary caused, and the log-likelihood ratio of one who knows both arms' error shares
    at each second. And, for each second, whether a scrape came at its end.
    """

    seen: Counts
    caused: Values
    known: Values
    scraped: Counts


class Setting(NamedTuple):
    """One absolute threshold: least success share, failures that go home (Flagger) or that are the most
    allowed (Argo), seconds between checks.
    """

    rule: int
    least: float
    failures: int
    interval: float


@compiled
def record(world: World, weights: Values, seconds: int, chance: Stream) -> Tape:
    """A run of the world for every weight at once: the same environment, requests of their own."""
    steps = len(weights)
    tape = Tape(
        np.zeros((steps, seconds + 1, 4), np.int64),
        np.zeros((steps, seconds + 1)),
        np.zeros((steps, seconds + 1)),
        np.zeros(seconds + 1, np.int64),
    )
    env = environment(world, chance)
    pending, pending_known, before = np.zeros((steps, 4), np.int64), np.zeros(steps), np.zeros(4, np.int64)
    due = world.scrape
    for second in range(1, seconds + 1):
        advance(world, env, second - 1.0, chance)
        reset = is_reset(world, chance)
        scrape = second >= due
        while due <= second:
            due += world.scrape
        scrape = scrape and not is_missed(world, chance)
        tape.scraped[second] = scrape
        for step in range(steps):
            before[:] = pending[step]
            caused = serve(world, env, weights[step], chance, pending[step])
            tape.caused[step, second] = tape.caused[step, second - 1] + caused
            if second > world.onset:
                pending_known[step] += _ratio(env, pending[step] - before)
            if reset:
                pending[step, CANARY_N] = pending[step, CANARY_X] = 0
                pending_known[step] = 0.0
            tape.seen[step, second] = tape.seen[step, second - 1]
            tape.known[step, second] = tape.known[step, second - 1]
            if scrape:
                tape.seen[step, second] += pending[step]
                tape.known[step, second] += pending_known[step]
                pending[step] = 0
                pending_known[step] = 0.0
    return tape


@compiled
def _ratio(env: Values, counts: Counts) -> float:
    """The canary's requests of a second: as bad as they are, against stable's error share of that second."""
    bad, healthy = min(env[BAD], 1.0 - RAREST), min(max(env[STABLE], RAREST), 1.0 - RAREST)
    if bad <= 0.0:
        return 0.0
    good = counts[CANARY_N] - counts[CANARY_X]
    return float(counts[CANARY_X] * math.log(bad / healthy) + good * math.log((1.0 - bad) / (1.0 - healthy)))


@compiled
def threshold(tape: Tape, bakes: Values, setting: Setting) -> tuple[int, float, float]:
    """Flagger and Argo: outcome, when, failures.

    Flagger rises after as many good checks as the bake has intervals; a failed check halts it, and failures
    are counted over the whole rollout. Argo rises by the clock. To both, no request is a failed check.
    """
    now, failures, damage = 0.0, 0, 0.0
    for step in range(len(bakes)):
        good = 0
        needed = max(1, math.ceil(bakes[step] / setting.interval))
        while good < needed:
            before, after = int(now), int(now + setting.interval)
            requests = tape.seen[step, after, CANARY_N] - tape.seen[step, before, CANARY_N]
            bad = tape.seen[step, after, CANARY_X] - tape.seen[step, before, CANARY_X]
            damage += tape.caused[step, after] - tape.caused[step, before]
            now = now + setting.interval
            passed = requests > 0 and requests - bad >= setting.least * requests
            failures += not passed
            if failures >= (setting.failures if setting.rule == FLAGGER else setting.failures + 1):
                return ROLLED_BACK, now, damage
            good += passed or setting.rule == ARGO
    return PROMOTED, now, damage


@compiled
def _step_at(bakes: Values, time: float) -> int:
    """The step in force during the second that ends at ``time``."""
    end = 0.0
    for step in range(len(bakes)):
        end += bakes[step]
        if time <= end:
            return step
    return len(bakes) - 1


@compiled
def peek(tape: Tape, bakes: Values) -> tuple[int, float, float]:
    """A pooled z-test of two proportions, cumulative, one-sided 1 %, asked at every scrape."""
    total, damage = np.zeros(4), 0.0
    for second in range(1, int(bakes.sum()) + 1):
        step = _step_at(bakes, second)
        total += tape.seen[step, second] - tape.seen[step, second - 1]
        damage += tape.caused[step, second] - tape.caused[step, second - 1]
        n_c, n_s = total[CANARY_N], total[STABLE_N]
        if not tape.scraped[second] or n_c == 0 or n_s == 0:
            continue
        pooled = (total[CANARY_X] + total[STABLE_X]) / (n_c + n_s)
        deviation = math.sqrt(pooled * (1.0 - pooled) * (1.0 / n_c + 1.0 / n_s))
        if total[CANARY_X] / n_c - total[STABLE_X] / n_s > ONE_SIDED * deviation:
            return ROLLED_BACK, float(second), damage
    return PROMOTED, bakes.sum(), damage


@compiled
def oracle(tape: Tape, bakes: Values) -> tuple[int, float, float]:
    """The likelihood ratio of one who knows both error shares and the onset, asked at every scrape."""
    damage, log_l = 0.0, 0.0
    for second in range(1, int(bakes.sum()) + 1):
        step = _step_at(bakes, second)
        damage += tape.caused[step, second] - tape.caused[step, second - 1]
        log_l += tape.known[step, second] - tape.known[step, second - 1]
        if tape.scraped[second] and log_l >= math.log(ORACLE_ODDS):
            return ROLLED_BACK, float(second), damage
    return PROMOTED, bakes.sum(), damage


@compiled
def _is_shifted(canary: Values, stable: Values) -> bool:
    """Does the 98 % interval of the Hodges-Lehmann shift lie above a quarter of the shift itself?"""
    n, m = len(canary), len(stable)
    width = ONE_SIDED * math.sqrt(n * m * (n + m + 1) / 12.0)
    rank = math.floor(n * m / 2.0 - width)
    if rank < 1:
        return False
    above = np.searchsorted(
        np.sort(stable), canary, side="left"
    ).sum()  # pairs in which the canary is the greater
    if n * m - above >= rank:
        return False
    shifts = np.empty(n * m)
    for number in range(n):
        shifts[number * m : (number + 1) * m] = canary[number] - stable
    shifts.sort()
    return bool(shifts[rank - 1] > KAYENTA_TOLERANCE * abs(shifts[n * m // 2]))


@compiled
def kayenta(tape: Tape, world: World, bakes: Values) -> tuple[int, float, float]:
    """Mann-Whitney on all points of 15 s (or of a scrape) so far, asked every 60 s from 4 points on."""
    end = int(bakes.sum())
    points = np.empty((2, end + 1))
    counts = np.zeros(2, np.int64)
    total, before, damage = np.zeros(4, np.int64), np.zeros(4, np.int64), 0.0
    due, check = max(POINT, world.scrape), SLOWEST_CHECK
    for second in range(1, end + 1):
        step = _step_at(bakes, second)
        total += tape.seen[step, second] - tape.seen[step, second - 1]
        damage += tape.caused[step, second] - tape.caused[step, second - 1]
        if second >= due:
            due += max(POINT, world.scrape)
            for arm in range(2):
                requests = total[2 * arm] - before[2 * arm]
                if requests > 0:
                    points[arm, counts[arm]] = (total[2 * arm + 1] - before[2 * arm + 1]) / requests
                    counts[arm] += 1
            before[:] = total
        if second < check:
            continue
        check += SLOWEST_CHECK
        if min(counts) >= KAYENTA_POINTS and _is_shifted(points[0, : counts[0]], points[1, : counts[1]]):
            return ROLLED_BACK, float(second), damage
    return PROMOTED, float(end), damage


@compiled
def horizon(bakes: Values) -> int:
    """Seconds after which the slowest setting has ended."""
    good = 0.0
    for bake in bakes:
        good += (math.ceil(bake / SLOWEST_CHECK) + 1) * SLOWEST_CHECK
    return int(good + MOST_FAILURES * SLOWEST_CHECK) + 1


@compiled
def settle(
    world: World, weights: Values, bakes: Values, settings: Values, seed: int, first: int, last: int
) -> Values:
    """Runs ``first`` to ``last`` under every setting: outcome, when, failures."""
    found = np.zeros((last - first, len(settings), 3))
    for run in range(first, last):
        tape = record(world, weights, horizon(bakes), stream(seed, run))
        for number in range(len(settings)):
            rule, least, failures, interval = settings[number]
            setting = Setting(int(rule), least, int(failures), interval)
            found[run - first, number] = np.array(threshold(tape, bakes, setting))
    return found


@compiled
def watch(world: World, weights: Values, bakes: Values, seed: int, first: int, last: int) -> Values:
    """Runs ``first`` to ``last`` under z-peek, the Kayenta-like rule and the oracle."""
    found = np.zeros((last - first, 3, 3))
    for run in range(first, last):
        tape = record(world, weights, horizon(bakes), stream(seed, run))
        found[run - first, 0] = np.array(peek(tape, bakes))
        found[run - first, 1] = np.array(kayenta(tape, world, bakes))
        found[run - first, 2] = np.array(oracle(tape, bakes))
    return found
