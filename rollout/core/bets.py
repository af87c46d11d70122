"""The judge's bets: e-processes, whose capital cannot grow on average while the canary is healthy.

What they are and why is in docs/decisions/judge.md, the proofs are those of ANALYSIS 3: an increment in
closed form for each alternative (3.1), restarts by releasing capital over time (3.2), blocks that close by
totals only (3.3), a component that any dependence within a block leaves valid (3.4), a guard for where stable
has no traffic left (3.6) and one for gross failure (3.6b). Each bet begins with a capital of 1; the chance
that it ever reaches 100 while its null holds is at most 1 %, however often one looks (Ville's inequality).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rollout.core.model import Bet, ComparisonEvidence, Control, Tally


@dataclass(frozen=True, slots=True)
class Null:
    """What is innocent: the canary's share of bad requests is at most ``ratio`` times stable's plus
    ``margin``, in every block. ``worse``: the alternatives, so many times stable's share.
    """

    ratio: float
    margin: float
    worse: tuple[float, ...]


ERRORS = Null(1.1, 1e-4, (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0))
SLOWNESS = Null(1.15, 5e-4, (1.3, 1.6, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0))

MIXTURE_WEIGHT, BETTING_WEIGHT, GUARD_WEIGHT, GROSS_WEIGHT = 80, 5, 5, 10
"""How a comparison's capital is divided among its bets, in hundredths."""

LEAST_STABLE = 10
"""Stable requests that a block needs before it is judged."""
FIRST, RELEASE = 0.5, 600.0
"""Capital is released over time: the first share at once, the rest with this time constant (seconds)."""
LARGEST = 1e100
STEEPEST = 300.0

WARM_UP, WARM_TIMES = 30.0, 30.0
"""For so many seconds from its first weight a canary may be cold: only alternatives of at least so many
times stable's share are bet on in the mixture."""

BETTING_STAKES = (0.1, 0.3, 0.6, 0.85)

GUARD_TIMES = (2.0, 4.0, 10.0, 50.0)
GUARD_RATIO, GUARD_MARGIN = 2.0, 0.005
"""The guard's null: the canary's share is at most twice what stable's history allows, and half a per cent."""
HISTORY_SECONDS, HISTORY_REQUESTS = 60.0, 200
CERTAIN = 2.326
"""The normal distribution's 99 % point, for the upper bound of stable's share."""

GROSS_SHARE, GROSS_TIMES = 0.25, 5.0
GROSS_ALTERNATIVES = (0.5, 0.75, 0.98)
GROSS_WINDOW = 60.0
"""How far back (seconds) stable's blocks may reach to speak for its present."""
GROSS_LEAST_STABLE = 3
"""Stable requests in the gross bet's own block; the rest may come from the blocks before it."""


def bet(alternatives: int) -> Bet:
    """A bet on so many alternatives, nothing staked yet."""
    return Bet(1.0, (0.0,) * alternatives)


def comparison(null: Null) -> ComparisonEvidence:
    """No evidence yet."""
    return ComparisonEvidence(
        mixture=bet(len(null.worse)),
        gross=bet(len(GROSS_ALTERNATIVES)),
        betting=bet(len(BETTING_STAKES)),
        guard=bet(len(GUARD_TIMES)),
    )


def capital(evidence: ComparisonEvidence) -> float:
    """The odds against the canary: the weighted capital of a comparison's bets."""
    hundredths = (
        MIXTURE_WEIGHT * evidence.mixture.evidence
        + BETTING_WEIGHT * evidence.betting.evidence
        + GUARD_WEIGHT * evidence.guard.evidence
        + GROSS_WEIGHT * evidence.gross.evidence
    )
    return hundredths / 100


def compare(
    null: Null, evidence: ComparisonEvidence, look: Tally, *, phi: float, control: bool
) -> ComparisonEvidence:
    """Feed one look's counts. ``phi``: by how much more than by chance two equal arms differ (at least 1).
    ``control``: the weight leaves stable some traffic to compare with.
    """
    age = evidence.age + look.seconds
    gathered = evidence.block + look
    won, block = mixture(null, evidence.mixture, gathered, phi, age)
    betting = evidence.betting
    if block != gathered:
        betting = play(betting, _betting_logs(null, gathered), gathered.seconds)
    gross, gross_block, recent = _gross(evidence.gross, _grown(evidence.gross_block, look), evidence.recent)
    guard = evidence.guard
    if not control and look.canary_n and not look.stable_n:
        guard = play(guard, _guard_logs(evidence.control, look, phi), look.seconds)
    return replace(
        evidence,
        mixture=won,
        gross=gross,
        betting=betting,
        guard=guard,
        block=block,
        gross_block=gross_block,
        recent=recent,
        age=age,
        control=_remember(evidence.control, look),
    )


def mixture(null: Null, bet: Bet, block: Tally, phi: float, age: float) -> tuple[Bet, Tally]:
    """The bet after a block, and the block that is left: it closes once it holds enough of stable. ``age``:
    seconds since the canary's first weight.
    """
    if block.stable_n < LEAST_STABLE or not block.canary_n:
        return bet, block
    least = WARM_TIMES if age - block.seconds < WARM_UP else 0.0
    logs = [worse_log(null, block, times) / phi if times >= least else 0.0 for times in null.worse]
    return play(bet, logs, block.seconds), Tally()


def play(bet: Bet, log_likelihoods: Sequence[float], seconds: float) -> Bet:
    """Release capital, spread it evenly, and let each stake win or lose its block."""
    released = bet.unbet * (FIRST if bet.fresh else 1.0 - math.exp(-seconds / RELEASE))
    portion = released / len(bet.stakes)
    stakes = tuple(
        [
            min((stake + portion) * math.exp(min(log_l, STEEPEST)), LARGEST)
            for stake, log_l in zip(bet.stakes, log_likelihoods, strict=True)
        ]
    )
    return Bet(bet.unbet - released, stakes, fresh=False)


def binomial(tally: Tally, null: float, share: float) -> float:
    """The log likelihood ratio of the canary's counts: it fails ``share`` of its requests, or ``null``."""
    good = tally.canary_n - tally.canary_x
    return tally.canary_x * math.log(share / null) + good * math.log((1.0 - share) / (1.0 - null))


def worse_log(null: Null, block: Tally, times: float) -> float:
    """The log increment of one alternative; its mean is at most 1 under the null, whatever stable's share."""
    d = (null.ratio * block.canary_n + block.stable_n) / (times * block.canary_n + block.stable_n)
    c = times / null.ratio * d
    return (
        block.canary_x * math.log(c) + block.stable_x * math.log(d) - null.margin * block.canary_n * (c - 1)
    )


def _betting_logs(null: Null, block: Tally) -> list[float]:
    """Linear bets on the difference of the shares: only the means matter, so clumps leave them valid."""
    stable = null.ratio * block.stable_x / block.stable_n + null.margin
    most = null.ratio + null.margin
    gain = (block.canary_x / block.canary_n - stable) / most
    return [math.log1p(stake * gain) for stake in BETTING_STAKES]


def _guard_logs(control: Control, look: Tally, phi: float) -> list[float]:
    null = GUARD_RATIO * _most(control) + GUARD_MARGIN
    return [
        (look.canary_x * math.log(times) - look.canary_n * null * (times - 1.0)) / phi
        if times * null <= 1.0
        else 0.0
        for times in GUARD_TIMES
    ]


def _most(control: Control) -> float:
    """The upper bound (99 %, Wilson's) of stable's share, or its worst minute if that was worse."""
    n, x, z = control.stable_n, control.stable_x, CERTAIN
    if not n:
        return 1.0
    share = x / n
    spread = z * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    return max((share + z * z / (2.0 * n) + spread) / (1.0 + z * z / n), control.worst)


def _remember(control: Control, look: Tally) -> Control:
    if not look.stable_n:
        return control
    n, x = control.window_n + look.stable_n, control.window_x + look.stable_x
    seconds, worst = control.window_seconds + look.seconds, control.worst
    if seconds >= HISTORY_SECONDS and n >= HISTORY_REQUESTS:
        n, x, seconds, worst = 0, 0, 0.0, max(worst, x / n)
    return Control(control.stable_n + look.stable_n, control.stable_x + look.stable_x, worst, n, x, seconds)


def _gross(bet: Bet, block: Tally, recent: tuple[Tally, ...]) -> tuple[Bet, Tally, tuple[Tally, ...]]:
    """More than a quarter fails, and stable does not: bad whatever the noise, so never divided by phi.

    Blocks are shorter than the mixture's, stable's share being read from its latest blocks as well: at 5 %
    holdback ten stable requests take seconds to gather, and a death in the middle of so long a block is
    diluted by the health before it (docs/decisions/gross-failure.md).
    """
    latest = _latest((*recent, block))
    stable_n = sum(tally.stable_n for tally in latest)
    if block.stable_n < GROSS_LEAST_STABLE or stable_n < LEAST_STABLE or block.canary_n == 0:
        return bet, block, recent
    stable_x = sum(tally.stable_x for tally in latest)
    null = max(GROSS_SHARE, GROSS_TIMES * (stable_x + 1) / (stable_n + 2))
    logs = [binomial(block, null, other) / 2 if other > null else 0.0 for other in GROSS_ALTERNATIVES]
    return play(bet, logs, block.seconds), Tally(), latest


def _grown(block: Tally, look: Tally) -> Tally:
    """A gross block with enough of stable and nothing of the canary begins anew: stable may have been sick
    before the canary had its first request, and be well now. By totals only, so that no failure decides it.
    """
    return look if block.stable_n >= LEAST_STABLE and not block.canary_n else block + look


def _latest(blocks: tuple[Tally, ...]) -> tuple[Tally, ...]:
    """The newest blocks that together hold enough stable requests, none older than the window."""
    kept: list[Tally] = []
    requests, seconds = 0, 0.0
    for tally in reversed(blocks):
        if kept and (requests >= LEAST_STABLE or seconds > GROSS_WINDOW):
            break
        kept.append(tally)
        requests, seconds = requests + tally.stable_n, seconds + tally.seconds
    return tuple(reversed(kept))
