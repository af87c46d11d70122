"""The judge, compiled: the same bets on the same blocks as ``rollout.core.judge``, constant by constant.

A test holds the two to equal odds. See there, and ANALYSIS 3, for what each bet means.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bench.judge.compiling import compiled
from bench.judge.world import CANARY_N, CANARY_X, STABLE_N, STABLE_X, Counts, Values
from rollout.core import judge


class Rules(NamedTuple):
    """The constants of the judge, as numbers: arguments, so that what is compiled can never be old."""

    worse: Values
    bets: Values
    gross: Values
    shares: Values
    """Of the total: the mixture, the betting component, what is never bet, the gross bet."""
    ratio: float
    margin: float
    first: float
    release: float
    least_stable: int
    gross_share: float
    gross_times: float
    gross_window: float
    gross_least_stable: int
    steepest: float
    largest: float


def shipped() -> Rules:
    """As the product judges."""
    return Rules(
        np.array(judge.WORSE),
        np.array([0.1, 0.3, 0.6, 0.85]),
        np.array(judge.GROSS_ALTERNATIVES),
        np.array([judge.MIXTURE_WEIGHT, 0.0, 0.0, judge.GROSS_WEIGHT]),
        judge.RATIO,
        judge.MARGIN,
        judge.FIRST,
        judge.RELEASE,
        judge.LEAST_STABLE,
        judge.GROSS_SHARE,
        judge.GROSS_TIMES,
        judge.GROSS_WINDOW,
        judge.GROSS_LEAST_STABLE,
        judge.STEEPEST,
        judge.LARGEST,
    )


RECENT = 16
"""Room for the gross bet's latest blocks: each holds at least one stable request, and ten end the list."""
BLOCK, GROSS_BLOCK = 0, 1
MIXTURE, BETTING, GROSS = range(3)


class Evidence(NamedTuple):
    """What the judge knows: stakes and unreleased capital of each bet, its open blocks, the latest blocks."""

    mixture: Values
    betting: Values
    gross: Values
    unbet: Values
    fresh: Counts
    blocks: Counts
    seconds: Values
    recent: Counts
    recent_seconds: Values
    kept: Counts


@compiled
def start(rules: Rules) -> Evidence:
    """No evidence yet."""
    return Evidence(
        np.zeros(len(rules.worse)),
        np.zeros(len(rules.bets)),
        np.zeros(len(rules.gross)),
        np.ones(3),
        np.ones(3, np.int64),
        np.zeros((2, 4), np.int64),
        np.zeros(2),
        np.zeros((RECENT, 2), np.int64),
        np.zeros(RECENT),
        np.zeros(1, np.int64),
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
    for number in range(len(rules.worse)):
        times = rules.worse[number]
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
    portion = _release(rules, evidence, BETTING, evidence.seconds[BLOCK]) / len(rules.bets)
    gain = (x_c / n_c - rules.ratio * x_s / n_s - rules.margin) / (rules.ratio + rules.margin)
    for number in range(len(rules.bets)):
        grown = (evidence.betting[number] + portion) * (1.0 + rules.bets[number] * gain)
        evidence.betting[number] = min(grown, rules.largest)


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
def add(rules: Rules, evidence: Evidence, look: Counts, seconds: float, phi: float) -> None:
    """Feed one look's counts."""
    blocks = evidence.blocks
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


@compiled
def odds(rules: Rules, evidence: Evidence) -> float:
    """The evidence against the canary, as odds to 1."""
    return float(
        rules.shares[0] * (evidence.unbet[MIXTURE] + evidence.mixture.sum())
        + rules.shares[1] * (evidence.unbet[BETTING] + evidence.betting.sum())
        + rules.shares[2]
        + rules.shares[3] * (evidence.unbet[GROSS] + evidence.gross.sum())
    )
