"""What of a policy evidence belongs to, and when a change of it merely tightens (FAILURES P6)."""

from __future__ import annotations

from dataclasses import replace

from rollout.core import judge
from rollout.core.model import (
    Analysis,
    Check,
    Comparison,
    Evidence,
    Inconclusive,
    Latency,
    Limit,
    Measure,
    OnSilence,
    Policy,
    Query,
    Ramping,
    Step,
    Tally,
)
from rollout.core.noise import under
from rollout.core.schedule import DEFAULT_LOOK


def carry_over(state: Ramping, asked: Policy) -> Ramping | None:
    """The rollout under the policy that git asks for now; ``None`` when it has to begin afresh.

    What does not bear on evidence (alerts, windows, suspension ...) and what tightens holds at once, and what
    was gathered is kept: what speaks against the looser check speaks against the tighter one too.
    """
    if state.policy is asked:
        return state
    if not _same_or_tighter(state.policy, asked):
        return None
    if state.policy.analysis.checks == asked.analysis.checks:
        return replace(state, policy=asked)
    checks = state.policy.analysis.checks
    kept = [_kept(checks, check) for check in asked.analysis.checks]
    return replace(
        state,
        policy=asked,
        evidence=evidence_under(checks, state.evidence, asked.analysis.checks),
        counts=tuple(Tally() if index is None else state.counts[index] for index in kept),
        noise=under(state.noise, kept),
    )


def evidence_under(
    checks: tuple[Check, ...], evidence: tuple[Evidence, ...], new: tuple[Check, ...]
) -> tuple[Evidence, ...]:
    """What is known for new checks: what was gathered for those that they tighten, or nothing yet."""
    kept = [(check, _kept(checks, check)) for check in new]
    return tuple(
        judge.start(check) if index is None else judge.tighten(checks[index], evidence[index], check)
        for check, index in kept
    )


def _kept(checks: tuple[Check, ...], new: Check) -> int | None:
    """The check that a new one tightens, if it is not the same."""
    if new in checks:
        return checks.index(new)
    return next((index for index, old in enumerate(checks) if _no_looser(old, new)), None)


def evidence_of(policy: Policy) -> tuple[Evidence, ...]:
    """No evidence yet, for each check."""
    return tuple(judge.start(check) for check in policy.analysis.checks)


def _same_or_tighter(old: Policy, new: Policy) -> bool:
    return (
        old.route == new.route
        and old.revision == new.revision
        and len(old.steps) == len(new.steps)
        and all(map(_step_no_looser, old.steps, new.steps))
        and _analysis_no_looser(old.analysis, new.analysis)
    )


def _step_no_looser(old: Step, new: Step) -> bool:
    return new.weight == old.weight and new.bake >= old.bake


def _analysis_no_looser(old: Analysis, new: Analysis) -> bool:
    return (
        new.metrics == old.metrics
        and new.holdback == old.holdback
        and (new.look or DEFAULT_LOOK) <= (old.look or DEFAULT_LOOK)
        and new.no_data.hold <= old.no_data.hold
        and (new.no_data.then == old.no_data.then or new.no_data.then is OnSilence.ROLLBACK)
        and _FIRMER.index(new.inconclusive) >= _FIRMER.index(old.inconclusive)
        and all(any(_no_looser(check, other) for other in new.checks) for check in old.checks)
    )


_FIRMER = (Inconclusive.PROMOTE, Inconclusive.HOLD, Inconclusive.ROLLBACK)


def _no_looser(old: Check, new: Check) -> bool:
    if new.min_requests < old.min_requests:
        return False
    match old, new:
        case Comparison(), Comparison():
            return old.of == new.of
        case Limit(), Limit():
            return new.max <= old.max and _covers(old.of, new.of)
        case _:
            return False


def _covers(old: Measure, new: Measure) -> bool:
    """Is all that was bad still bad?"""
    match old, new:
        case Latency(over=float(before)), Latency(over=float(now)):
            return now <= before
        case Query(over=float(before)), Query(over=float(now)):
            return old.name == new.name and now <= before
        case _:
            return old == new
