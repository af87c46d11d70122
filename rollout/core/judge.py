"""Is the canary worse? Bets that cannot win on average when it is not (ANALYSIS 3.1-3.3, 3.6b; DESIGN 14.9).

Each bet is an e-process: its capital starts at 1, and the chance that it ever reaches 100 while the null
holds is at most 1 % however often one looks (Ville's inequality). So there is no peeking problem, no
failure count and no threshold to tune. Raising asks for something else, see ``verdict``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rollout.core import latency
from rollout.core.counters import Increment
from rollout.core.model import (
    Bet,
    Check,
    Comparison,
    ComparisonEvidence,
    Evidence,
    Latency,
    LatencyEvidence,
    Limit,
    LimitEvidence,
    Tally,
    Verdict,
)

ODDS = 100.0
"""Evidence at which a canary is condemned: 1 / alpha, alpha = 1 %."""
CALM = 2.0
"""Evidence above which nothing rises, though it proves nothing yet (ANALYSIS 3.7)."""

RATIO = 1.1
MARGIN = 1e-4
"""The null of the comparison: canary's error share <= RATIO x stable's + MARGIN, in every block."""
WORSE = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
"""Alternatives: so many times stable's error share (psi in ANALYSIS 3.1)."""
MIXTURE_WEIGHT, GROSS_WEIGHT = 0.9, 0.1

GROSS_SHARE, GROSS_TIMES = 0.25, 5.0
GROSS_ALTERNATIVES = (0.5, 0.75, 0.98)
GROSS_WINDOW = 60.0
"""How far back (seconds) stable's blocks may reach to speak for its present."""

UNCONTROLLED = 60.0
"""Seconds without any stable request after which there is no control to compare with."""
LEAST_STABLE = 10
"""Stable requests that a block needs before it is judged (ANALYSIS 3.3)."""
GROSS_LEAST_STABLE = 3
"""Of these, so many in the gross bet's own block; the rest may come from the blocks before it."""
FIRST, RELEASE = 0.5, 600.0
"""Capital is released over time: the first share at once, the rest with this time constant (seconds)."""
LARGEST = 1e100
STEEPEST = 300.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer: the verdict, its odds against the canary, the counts at this rung, and what
    stood in the way of Passing (``""``, ``few``, ``suspect``, ``over``, ``both``; ``unknown``, ``no edge``
    where no latency can be compared yet, or ever).
    """

    check: Check
    verdict: Verdict
    odds: float
    step: Tally
    lacking: str = ""


def start(check: Check) -> Evidence:
    """No evidence yet."""
    match check:
        case Comparison(of=Latency()):
            return LatencyEvidence()
        case Comparison():
            return _no_comparison()
        case Limit():
            return LimitEvidence(_bet(len(_shares_above(check.max))), _no_comparison())


def add(check: Check, evidence: Evidence, look: Tally, *, proof: bool) -> Evidence:
    """Feed one look's counts. ``proof``: they were gathered while the mesh carried the rung's weight."""
    assert not isinstance(evidence, LatencyEvidence)  # noqa: S101 - fed by `latency.add`, edge by edge
    step = evidence.step + look if proof else evidence.step
    if isinstance(evidence, ComparisonEvidence):
        return _compare(evidence, look, step)
    assert isinstance(check, Limit)  # noqa: S101 - `start` made evidence of the check's own kind
    return replace(_limit(check, evidence, look), step=step)


def anew(evidence: Evidence) -> Evidence:
    """At another rung: the bets go on, the counts that prove this rung begin again."""
    if isinstance(evidence, LatencyEvidence):
        return latency.anew(evidence)
    return replace(evidence, step=Tally())


def tighten(old: Check, evidence: Evidence, new: Check) -> Evidence:
    """The evidence under a tighter check. A lower limit is another bet, on which the capital won so far is
    staked: an e-process for the wider null is one for the narrower too. What is worse than stable at another
    edge or level is another question, and is asked from the start.
    """
    if not (isinstance(old, Limit) and isinstance(new, Limit) and isinstance(evidence, LimitEvidence)):
        return evidence
    if old.max == new.max and old.of == new.of:
        return evidence
    worse = evidence.worse if old.of == new.of else _no_comparison()
    bet = replace(_bet(len(_shares_above(new.max))), unbet=evidence.bet.evidence)
    return replace(evidence, bet=bet, worse=worse)


def find(check: Check, evidence: Evidence) -> Finding:
    """What the evidence says now."""
    odds = _odds(evidence)
    step = evidence.step
    if odds >= ODDS:
        return Finding(check, Verdict.FAILING, odds, step)
    lacking = _lacking(check, evidence, odds)
    silent = lacking in {"few", "unknown", "no edge"}
    return Finding(check, Verdict.NO_DATA if silent else Verdict.PASSING, odds, step, lacking)


def worst(findings: Sequence[Finding]) -> Verdict:
    """One failure outweighs any silence; silence outweighs success; no check at all proves nothing."""
    verdicts = {finding.verdict for finding in findings}
    for verdict in (Verdict.FAILING, Verdict.ERROR, Verdict.NO_DATA, Verdict.PASSING):
        if verdict in verdicts:
            return verdict
    return Verdict.NO_DATA


def is_calm(look: Increment, findings: Sequence[Finding]) -> bool:
    """Is it a good look (DESIGN 14.3): no odds against the canary, and none of its requests pending beyond
    the latency seen on stable?
    """
    tally = look.requests
    hanging = look.late_canary * max(1, tally.stable_n) > 2 * look.late_stable * max(1, tally.canary_n)
    return not hanging and all(finding.odds <= CALM for finding in findings)


def share(bad: int, total: int) -> float:
    """Bad per completed request; 0 when nothing was completed."""
    return bad / total if total else 0.0


def shows(requests: int) -> float:
    """The least error share that an error-free run of so many requests speaks against (ANALYSIS 8)."""
    return min(1.0, math.log(20) / (0.9 * requests)) if requests else 1.0


def _lacking(check: Check, evidence: Evidence, odds: float) -> str:
    if isinstance(evidence, LatencyEvidence) and not evidence.edges:
        return "unknown" if evidence.edges is None else "no edge"
    step = evidence.step
    if step.canary_n < check.min_requests or (isinstance(check, Comparison) and step.stable_n < LEAST_STABLE):
        return "few"
    if isinstance(check, Limit) and share(step.canary_x, step.canary_n) > check.max:
        return "both" if share(step.stable_x, step.stable_n) > check.max else "over"
    return "suspect" if odds > CALM else ""


def _odds(evidence: Evidence) -> float:
    """A limit condemns what is worse than stable only: where both break it, going back would not help (S4).

    The lesser of two e-processes is one for "the limit is kept, or the canary is not worse". Without any
    control the limit stands alone.
    """
    match evidence:
        case LatencyEvidence():
            return latency.odds(evidence)
        case ComparisonEvidence(mixture=mixture, gross=gross):
            return MIXTURE_WEIGHT * mixture.evidence + GROSS_WEIGHT * gross.evidence
        case LimitEvidence(bet=bet, worse=worse):
            alone = worse.block.stable_n == 0 and worse.block.seconds > UNCONTROLLED
            return bet.evidence if alone else min(bet.evidence, _odds(worse))


def _no_comparison() -> ComparisonEvidence:
    return ComparisonEvidence(_bet(len(WORSE)), _bet(len(GROSS_ALTERNATIVES)))


def _bet(alternatives: int) -> Bet:
    return Bet(1.0, (0.0,) * alternatives)


def _play(bet: Bet, log_likelihoods: Sequence[float], seconds: float) -> Bet:
    """Release capital, spread it evenly, and let each stake win or lose its block (ANALYSIS 3.2)."""
    released = bet.unbet * (FIRST if bet.fresh else 1.0 - math.exp(-seconds / RELEASE))
    portion = released / len(bet.stakes)
    stakes = tuple(
        min((stake + portion) * math.exp(min(log_l, STEEPEST)), LARGEST)
        for stake, log_l in zip(bet.stakes, log_likelihoods, strict=True)
    )
    return Bet(bet.unbet - released, stakes, fresh=False)


def _compare(evidence: ComparisonEvidence, look: Tally, step: Tally) -> ComparisonEvidence:
    mixture, block = play_errors(evidence.mixture, evidence.block + look)
    gross, gross_block, recent = _gross(evidence.gross, _grown(evidence.gross_block, look), evidence.recent)
    return ComparisonEvidence(mixture, gross, block, gross_block, recent, step)


def play_errors(bet: Bet, block: Tally) -> tuple[Bet, Tally]:
    """Is a larger share of the canary's requests bad?"""
    return _mixture(bet, block, _ERRORS)


def play_latency(bet: Bet, block: Tally) -> tuple[Bet, Tally]:
    """Is a larger share of the canary's requests slow?"""
    return _mixture(bet, block, _LATENCY)


@dataclass(frozen=True, slots=True)
class _Null:
    """How much worse than stable is no worse yet, and the alternatives to it."""

    ratio: float
    margin: float
    worse: tuple[float, ...]


_ERRORS = _Null(RATIO, MARGIN, WORSE)
_LATENCY = _Null(latency.RATIO, latency.MARGIN, latency.WORSE)


def _mixture(bet: Bet, block: Tally, null: _Null) -> tuple[Bet, Tally]:
    """ANALYSIS 3.1. A block closes once it holds enough of stable: by totals only, never by failures."""
    if block.stable_n < LEAST_STABLE or block.canary_n == 0:
        return bet, block
    return _play(bet, [_worse(block, times, null) for times in null.worse], block.seconds), Tally()


def _worse(block: Tally, times: float, null: _Null = _ERRORS) -> float:
    d = (null.ratio * block.canary_n + block.stable_n) / (times * block.canary_n + block.stable_n)
    c = times / null.ratio * d
    margin = null.margin * block.canary_n * (c - 1.0)
    return block.canary_x * math.log(c) + block.stable_x * math.log(d) - margin


def _gross(bet: Bet, block: Tally, recent: tuple[Tally, ...]) -> tuple[Bet, Tally, tuple[Tally, ...]]:
    """ANALYSIS 3.6b with shorter blocks, stable's share being read from its latest blocks as well.

    At 5 % holdback ten stable requests take seconds to gather, and a death in the middle of so long a block
    is diluted by the health before it. See docs/decisions.
    """
    latest = _latest((*recent, block))
    stable_n = sum(tally.stable_n for tally in latest)
    if block.stable_n < GROSS_LEAST_STABLE or stable_n < LEAST_STABLE or block.canary_n == 0:
        return bet, block, recent
    stable_x = sum(tally.stable_x for tally in latest)
    null = max(GROSS_SHARE, GROSS_TIMES * (stable_x + 1) / (stable_n + 2))
    logs = [_binomial(block, null, other) / 2 if other > null else 0.0 for other in GROSS_ALTERNATIVES]
    return _play(bet, logs, block.seconds), Tally(), latest


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


def _binomial(tally: Tally, null: float, share: float) -> float:
    good = tally.canary_n - tally.canary_x
    return tally.canary_x * math.log(share / null) + good * math.log((1.0 - share) / (1.0 - null))


def _shares_above(limit: float) -> tuple[float, ...]:
    """Alternatives to "at most ``limit``": multiples of it, and the gross shares."""
    candidates = (*(limit * times for times in (1.5, 2.0, 3.0, 5.0, 10.0)), *GROSS_ALTERNATIVES)
    return tuple(sorted({share for share in candidates if limit < share < 1.0} or {(1.0 + limit) / 2}))


def _limit(check: Limit, evidence: LimitEvidence, look: Tally) -> LimitEvidence:
    """DESIGN 14.9. A look in which stable breaks the limit too says nothing about the canary (S4)."""
    evidence = replace(evidence, worse=_compare(evidence.worse, look, Tally()))
    if look.canary_n == 0 or share(look.stable_x, look.stable_n) > check.max:
        return evidence
    logs = [_binomial(look, check.max, share) for share in _shares_above(check.max)]
    return replace(evidence, bet=_play(evidence.bet, logs, look.seconds))
