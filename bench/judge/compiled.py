"""The judge, compiled: the same bets on the same blocks as ``rollout.core.bets``, constant by constant.

A test holds the two to equal odds and equal verdicts. What each bet means is said there, and in
docs/decisions/judge.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bench.judge.compiling import compiled
from bench.judge.world import CANARY_N, CANARY_X, STABLE_N, STABLE_X, Counts, Values
from rollout.core import bets, judge


class Rules(NamedTuple):
    """The constants of the judge, as numbers: arguments, so that what is compiled can never be old."""

    weights: Values
    """Of the total: the mixture, the betting component, the guard, the gross bet."""
    worse: Values
    ratio: float
    margin: float
    stakes: Values
    guard_times: Values
    guard_ratio: float
    guard_margin: float
    history_seconds: float
    history_requests: int
    certain: float
    gross: Values
    gross_share: float
    gross_times: float
    gross_window: float
    gross_least_stable: int
    least_stable: int
    first: float
    release: float
    warm_up: float
    warm_times: float
    steepest: float
    largest: float
    gate_odds: float
    gate_times: Values


def shipped() -> Rules:
    """As the product judges errors."""
    hundredths = (bets.MIXTURE_WEIGHT, bets.BETTING_WEIGHT, bets.GUARD_WEIGHT, bets.GROSS_WEIGHT)
    return Rules(
        weights=np.array(hundredths) / 100,
        worse=np.array(bets.ERRORS.worse),
        ratio=bets.ERRORS.ratio,
        margin=bets.ERRORS.margin,
        stakes=np.array(bets.BETTING_STAKES),
        guard_times=np.array(bets.GUARD_TIMES),
        guard_ratio=bets.GUARD_RATIO,
        guard_margin=bets.GUARD_MARGIN,
        history_seconds=bets.HISTORY_SECONDS,
        history_requests=bets.HISTORY_REQUESTS,
        certain=bets.CERTAIN,
        gross=np.array(bets.GROSS_ALTERNATIVES),
        gross_share=bets.GROSS_SHARE,
        gross_times=bets.GROSS_TIMES,
        gross_window=bets.GROSS_WINDOW,
        gross_least_stable=bets.GROSS_LEAST_STABLE,
        least_stable=bets.LEAST_STABLE,
        first=bets.FIRST,
        release=bets.RELEASE,
        warm_up=bets.WARM_UP,
        warm_times=bets.WARM_TIMES,
        steepest=bets.STEEPEST,
        largest=bets.LARGEST,
        gate_odds=judge.GATE_ODDS,
        gate_times=np.array(judge.GATE_TIMES),
    )


RECENT = 16
"""Room for the gross bet's latest blocks: each holds at least one stable request, and ten end the list."""
BLOCK, GROSS_BLOCK = 0, 1
MIXTURE, BETTING, GUARD, GROSS = range(4)
TOTAL_N, TOTAL_X, WINDOW_N, WINDOW_X = range(4)
AGE, WINDOW, WORST = range(3)


class Evidence(NamedTuple):
    """What the judge knows. By bet: stakes, unreleased capital, whether nothing was staked yet; the open
    blocks, and the gross bet's latest ones; what stable was like (``control``, and in ``times`` its window's
    seconds and its worst share, after the canary's age).
    """

    mixture: Values
    betting: Values
    guard: Values
    gross: Values
    unbet: Values
    fresh: Counts
    blocks: Counts
    seconds: Values
    recent: Counts
    recent_seconds: Values
    kept: Counts
    control: Counts
    times: Values


@compiled
def start(rules: Rules) -> Evidence:
    """No evidence yet."""
    return Evidence(
        np.zeros(len(rules.worse)),
        np.zeros(len(rules.stakes)),
        np.zeros(len(rules.guard_times)),
        np.zeros(len(rules.gross)),
        np.ones(4),
        np.ones(4, np.int64),
        np.zeros((2, 4), np.int64),
        np.zeros(2),
        np.zeros((RECENT, 2), np.int64),
        np.zeros(RECENT),
        np.zeros(1, np.int64),
        np.zeros(4, np.int64),
        np.zeros(3),
    )


@compiled
def _release(rules: Rules, evidence: Evidence, bet: int, seconds: float) -> float:
    """The capital that joins this block's stakes."""
    share = rules.first if evidence.fresh[bet] else 1.0 - math.exp(-seconds / rules.release)
    released = evidence.unbet[bet] * share
    evidence.unbet[bet] -= released
    evidence.fresh[bet] = 0
    return float(released)


@compiled
def _mixture(rules: Rules, evidence: Evidence, phi: float) -> None:
    block = evidence.blocks[BLOCK]
    n_c, x_c, n_s, x_s = block[CANARY_N], block[CANARY_X], block[STABLE_N], block[STABLE_X]
    seconds = evidence.seconds[BLOCK]
    portion = _release(rules, evidence, MIXTURE, seconds) / len(rules.worse)
    least = rules.warm_times if evidence.times[AGE] - seconds < rules.warm_up else 0.0
    for number in range(len(rules.worse)):
        times = rules.worse[number]
        log_l = 0.0
        if times >= least:
            d = (rules.ratio * n_c + n_s) / (times * n_c + n_s)
            c = times / rules.ratio * d
            log_l = -rules.margin * n_c * (c - 1.0)
            if x_c or x_s:  # most blocks hold no error, and logarithms are what takes time here
                log_l += x_c * math.log(c) + x_s * math.log(d)
        grown = (evidence.mixture[number] + portion) * math.exp(min(log_l / phi, rules.steepest))
        evidence.mixture[number] = min(grown, rules.largest)


@compiled
def _betting(rules: Rules, evidence: Evidence) -> None:
    block = evidence.blocks[BLOCK]
    n_c, x_c, n_s, x_s = block[CANARY_N], block[CANARY_X], block[STABLE_N], block[STABLE_X]
    portion = _release(rules, evidence, BETTING, evidence.seconds[BLOCK]) / len(rules.stakes)
    gain = (x_c / n_c - rules.ratio * x_s / n_s - rules.margin) / (rules.ratio + rules.margin)
    for number in range(len(rules.stakes)):
        grown = (evidence.betting[number] + portion) * (1.0 + rules.stakes[number] * gain)
        evidence.betting[number] = min(grown, rules.largest)


@compiled
def _guard(rules: Rules, evidence: Evidence, look: Counts, seconds: float, phi: float) -> None:
    """Against the most that stable showed while it had traffic."""
    n, x, most, z = evidence.control[TOTAL_N], evidence.control[TOTAL_X], 1.0, rules.certain
    if n:
        share = x / n
        spread = z * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
        most = max((share + z * z / (2.0 * n) + spread) / (1.0 + z * z / n), evidence.times[WORST])
    null = rules.guard_ratio * most + rules.guard_margin
    portion = _release(rules, evidence, GUARD, seconds) / len(rules.guard_times)
    for number in range(len(rules.guard_times)):
        times = rules.guard_times[number]
        log_l = 0.0
        if times * null <= 1.0:
            log_l = (look[CANARY_X] * math.log(times) - look[CANARY_N] * null * (times - 1.0)) / phi
        grown = (evidence.guard[number] + portion) * math.exp(min(log_l, rules.steepest))
        evidence.guard[number] = min(grown, rules.largest)


@compiled
def _remember(rules: Rules, evidence: Evidence, look: Counts, seconds: float) -> None:
    """Stable's totals, and its worst share in a minute."""
    control, times = evidence.control, evidence.times
    if look[STABLE_N] == 0:
        return
    control[TOTAL_N] += look[STABLE_N]
    control[TOTAL_X] += look[STABLE_X]
    control[WINDOW_N] += look[STABLE_N]
    control[WINDOW_X] += look[STABLE_X]
    times[WINDOW] += seconds
    if times[WINDOW] >= rules.history_seconds and control[WINDOW_N] >= rules.history_requests:
        times[WORST] = max(times[WORST], control[WINDOW_X] / control[WINDOW_N])
        control[WINDOW_N] = control[WINDOW_X] = 0
        times[WINDOW] = 0.0


@compiled
def _gross(rules: Rules, evidence: Evidence) -> None:
    """Stable's share is read from the open block and the latest ones before it, newest first."""
    block, recent, recent_seconds = evidence.blocks[GROSS_BLOCK], evidence.recent, evidence.recent_seconds
    stable_n, stable_x, seconds = block[STABLE_N], block[STABLE_X], evidence.seconds[GROSS_BLOCK]
    kept = 0
    while kept < evidence.kept[0] and stable_n < rules.least_stable and seconds <= rules.gross_window:
        stable_n += recent[kept, 0]
        stable_x += recent[kept, 1]
        seconds += recent_seconds[kept]
        kept += 1
    if block[STABLE_N] < rules.gross_least_stable or stable_n < rules.least_stable or block[CANARY_N] == 0:
        return
    null = max(rules.gross_share, rules.gross_times * (stable_x + 1) / (stable_n + 2))
    portion = _release(rules, evidence, GROSS, evidence.seconds[GROSS_BLOCK]) / len(rules.gross)
    bad, good = block[CANARY_X], block[CANARY_N] - block[CANARY_X]
    for number in range(len(rules.gross)):
        share = rules.gross[number]
        log_l = 0.0
        if share > null:
            log_l = (bad * math.log(share / null) + good * math.log((1.0 - share) / (1.0 - null))) / 2.0
        grown = (evidence.gross[number] + portion) * math.exp(min(log_l, rules.steepest))
        evidence.gross[number] = min(grown, rules.largest)
    kept = min(kept, RECENT - 1)
    for place in range(kept, 0, -1):
        recent[place] = recent[place - 1]
        recent_seconds[place] = recent_seconds[place - 1]
    recent[0, 0], recent[0, 1] = block[STABLE_N], block[STABLE_X]
    recent_seconds[0] = evidence.seconds[GROSS_BLOCK]
    evidence.kept[0] = kept + 1
    block[:] = 0
    evidence.seconds[GROSS_BLOCK] = 0.0


@compiled
def add(rules: Rules, evidence: Evidence, look: Counts, seconds: float, phi: float, control: bool) -> None:
    """Feed one look's counts. ``control``: the weight leaves stable some traffic to compare with."""
    blocks = evidence.blocks
    evidence.times[AGE] += seconds
    blocks[BLOCK] += look
    evidence.seconds[BLOCK] += seconds
    if blocks[BLOCK, STABLE_N] >= rules.least_stable and blocks[BLOCK, CANARY_N] > 0:
        _mixture(rules, evidence, phi)
        _betting(rules, evidence)
        blocks[BLOCK] = 0
        evidence.seconds[BLOCK] = 0.0
    if blocks[GROSS_BLOCK, STABLE_N] >= rules.least_stable and blocks[GROSS_BLOCK, CANARY_N] == 0:
        blocks[GROSS_BLOCK] = 0
        evidence.seconds[GROSS_BLOCK] = 0.0
    blocks[GROSS_BLOCK] += look
    evidence.seconds[GROSS_BLOCK] += seconds
    _gross(rules, evidence)
    if not control and look[CANARY_N] > 0 and look[STABLE_N] == 0:
        _guard(rules, evidence, look, seconds, phi)
    _remember(rules, evidence, look, seconds)


@compiled
def odds(rules: Rules, evidence: Evidence) -> float:
    """The evidence against the canary, as odds to 1."""
    return float(
        rules.weights[MIXTURE] * (evidence.unbet[MIXTURE] + evidence.mixture.sum())
        + rules.weights[BETTING] * (evidence.unbet[BETTING] + evidence.betting.sum())
        + rules.weights[GUARD] * (evidence.unbet[GUARD] + evidence.guard.sum())
        + rules.weights[GROSS] * (evidence.unbet[GROSS] + evidence.gross.sum())
    )


@compiled
def proves(rules: Rules, step: Counts, delta: float) -> bool:
    """Do these counts prove that the canary does not fail twice stable's share and ``delta`` more?"""
    if step[CANARY_N] == 0 or step[STABLE_N] == 0:
        return False
    total = 0.0
    for times in rules.gate_times:
        d = 1.0 + 2.0 * step[CANARY_N] / step[STABLE_N] * (1.0 - times)
        log_n = step[CANARY_X] * math.log(times) + step[STABLE_X] * math.log(d)
        total += math.exp(min(log_n + step[CANARY_N] * delta * (1.0 - times), rules.steepest))
    return bool(total / len(rules.gate_times) >= rules.gate_odds)
