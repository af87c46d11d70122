"""Is the canary worse, and is it proved well enough to rise? From counts to evidence, and to verdicts.

To condemn takes bets whose capital cannot grow on average while the canary is healthy (``bets``): there is no
peeking problem, no failure count and no threshold to tune. To rise takes a proof of its own, see ``proves``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rollout.core import bets, latency
from rollout.core.counters import Increment
from rollout.core.model import (
    Check,
    Comparison,
    ComparisonEvidence,
    Errors,
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

ERRORS_WEIGHT, LATENCY_WEIGHT, QUERY_WEIGHT = 6.0, 3.0, 1.0
"""Of one capital that several comparisons stake, by what they compare."""

GATE_ODDS, GATE_TIMES = 20.0, (0.1, 0.5)
"""Proof that a canary is not much worse: odds of 20 : 1, from bets that it fails so many times less."""

UNCONTROLLED = 60.0
"""Seconds without any stable request after which there is no control to compare with."""


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
            return bets.comparison(bets.ERRORS)
        case Limit():
            return LimitEvidence(bets.bet(len(_shares_above(check.max))), bets.comparison(bets.ERRORS))


def add(check: Check, evidence: Evidence, look: Tally, *, proof: bool, phi: float, control: bool) -> Evidence:
    """Feed one look's counts. ``proof``: they were gathered while the mesh carried the rung's weight.
    ``phi``: see ``noise``. ``control``: this weight leaves stable some traffic to compare with.
    """
    assert not isinstance(evidence, LatencyEvidence)  # noqa: S101 - fed by `latency.add`, edge by edge
    step = evidence.step + look if proof else evidence.step
    match check, evidence:
        case Limit(), LimitEvidence():
            evidence = _limit(check, evidence, look, phi, control=control)
        case _, ComparisonEvidence():
            evidence = bets.compare(bets.ERRORS, evidence, look, phi=phi, control=control)
    return replace(evidence, step=step)


def hear(
    check: Check,
    evidence: Evidence,
    looks: Sequence[Tally],
    *,
    proof: bool,
    phis: Sequence[float],
    control: bool,
    bets: bool,
) -> Evidence:
    """Feed one look's counts to any check: one tally, or one for each edge of a comparison of latencies.
    ``phis``: of each. ``bets``: the canary has had a weight; the rest as of ``add``.
    """
    if isinstance(evidence, LatencyEvidence):
        return latency.add(evidence, looks, phis=phis, proof=proof, bets=bets)
    (look,), (phi,) = looks, phis
    return add(check, evidence, look, proof=proof, phi=phi, control=control) if bets else evidence


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
    worse = evidence.worse if old.of == new.of else bets.comparison(bets.ERRORS)
    fresh = bets.bet(len(_shares_above(new.max)))
    return replace(evidence, bet=replace(fresh, unbet=evidence.bet.evidence), worse=worse)


def find(check: Check, evidence: Evidence) -> Finding:
    """What the evidence says now."""
    return _found(check, evidence, _odds(evidence))


def findings(checks: Sequence[Check], evidence: Sequence[Evidence]) -> tuple[Finding, ...]:
    """What the evidence of all checks says now.

    Comparisons stake one capital together, so that many of them err no more often than one: their odds are
    the weighted mean of theirs, and the one that contributes most answers for all.
    """
    found = list(map(find, checks, evidence))
    weights = {i: weight(check) for i, check in enumerate(checks) if isinstance(check, Comparison)}
    if len(weights) > 1:
        shares = {i: part * found[i].odds for i, part in weights.items()}
        together = sum(shares.values()) / sum(weights.values())
        blamed = max(shares, key=lambda i: shares[i])
        for i in shares:
            found[i] = _found(checks[i], evidence[i], together, blamed=i == blamed)
    return tuple(found)


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


def proves(step: Tally, delta: float) -> bool:
    """Do this rung's counts prove that the canary does not fail twice stable's share and ``delta`` more?

    The mirrored bet of the mixture, over the rung's totals, as its weight does not change: a canary that is
    that bad or worse gets here in at most one of twenty rollouts.
    """
    if not (step.canary_n and step.stable_n):
        return False
    odds = [math.exp(min(_proof(step, delta, times), bets.STEEPEST)) for times in GATE_TIMES]
    return sum(odds) / len(odds) >= GATE_ODDS


def lacks(step: Tally, delta: float | None) -> int:
    """How many canary requests without an error it still takes for that proof; 0 when it is there."""
    if delta is None or proves(step, delta):
        return 0
    enough = math.log(GATE_ODDS * len(GATE_TIMES)) / ((1.0 - GATE_TIMES[0]) * delta)
    return max(1, math.ceil(enough) - step.canary_n)


def share(bad: int, total: int) -> float:
    """Bad per completed request; 0 when nothing was completed."""
    return bad / total if total else 0.0


def shows(requests: int) -> float:
    """The least error share that an error-free run of so many requests speaks against (ANALYSIS 8)."""
    return min(1.0, math.log(20) / (0.9 * requests)) if requests else 1.0


def weight(check: Comparison) -> float:
    """Its part of the capital that comparisons stake together."""
    match check.of:
        case Errors():
            return ERRORS_WEIGHT
        case Latency():
            return LATENCY_WEIGHT
        case _:
            return QUERY_WEIGHT


def _found(check: Check, evidence: Evidence, odds: float, *, blamed: bool = True) -> Finding:
    step = evidence.step
    if odds >= ODDS and blamed:
        return Finding(check, Verdict.FAILING, odds, step)
    lacking = _lacking(check, evidence, odds)
    silent = lacking in {"few", "unknown", "no edge"}
    return Finding(check, Verdict.NO_DATA if silent else Verdict.PASSING, odds, step, lacking)


def _proof(step: Tally, delta: float, times: float) -> float:
    """The log increment (ANALYSIS 3.8) of the bet that the canary fails ``times`` the null's share."""
    d = 1.0 + 2.0 * step.canary_n / step.stable_n * (1.0 - times)
    log_n = step.canary_x * math.log(times) + step.stable_x * math.log(d)
    return log_n + step.canary_n * delta * (1.0 - times)


def _lacking(check: Check, evidence: Evidence, odds: float) -> str:
    if isinstance(evidence, LatencyEvidence) and not evidence.edges:
        return "unknown" if evidence.edges is None else "no edge"
    step = evidence.step
    if step.canary_n < check.min_requests or (
        isinstance(check, Comparison) and step.stable_n < bets.LEAST_STABLE
    ):
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
        case ComparisonEvidence():
            return bets.capital(evidence)
        case LimitEvidence(bet=bet, worse=worse):
            alone = worse.block.stable_n == 0 and worse.block.seconds > UNCONTROLLED
            return bet.evidence if alone else min(bet.evidence, _odds(worse))


def _shares_above(limit: float) -> tuple[float, ...]:
    """Alternatives to "at most ``limit``": multiples of it, and the gross shares."""
    candidates = (*(limit * times for times in (1.5, 2.0, 3.0, 5.0, 10.0)), *bets.GROSS_ALTERNATIVES)
    return tuple(sorted({share for share in candidates if limit < share < 1.0} or {(1.0 + limit) / 2}))


def _limit(check: Limit, evidence: LimitEvidence, look: Tally, phi: float, *, control: bool) -> LimitEvidence:
    """DESIGN 14.9. A look in which stable breaks the limit too says nothing about the canary (S4)."""
    worse = bets.compare(bets.ERRORS, evidence.worse, look, phi=phi, control=control)
    bet = evidence.bet
    if look.canary_n and share(look.stable_x, look.stable_n) <= check.max:
        logs = [bets.binomial(look, check.max, share) for share in _shares_above(check.max)]
        bet = bets.play(bet, logs, look.seconds)
    return replace(evidence, bet=bet, worse=worse)
