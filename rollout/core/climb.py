"""The only rules by which weight rises: nothing, the probe, step after step, promotion.

They are asked last, when every reason for going down and for holding had nothing to say.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from rollout.core import bets, blame, judge, ladder, latency
from rollout.core.convergence import ready
from rollout.core.look import Look
from rollout.core.model import (
    Cause,
    Clock,
    Comparison,
    Flow,
    Haste,
    Inconclusive,
    Limit,
    MeshSeen,
    Probe,
    Rung,
    Stage,
    Steady,
    Tally,
    Verdict,
    Waiting,
    percent,
)
from rollout.core.past import promoted
from rollout.core.reason import Reason
from rollout.core.turn import Turn, home, say

READY_DEADLINE = 600.0
"""Seconds that a canary may take to get its first ready endpoint (FAILURES S1)."""
INCONCLUSIVE_BAKES, INCONCLUSIVE_LEAST = 3.0, 60.0
"""A step that is in doubt for so many times its bake, or so many seconds, is inconclusive."""
RATE_SPAN = 0.2
"""Seconds that a count must span to say anything of the request rate."""
RATE_REQUESTS = 5
"""Requests from which a rate that was unknown counts as known."""


def rise(look: Look) -> Turn:
    """Rise if this rung has proved itself; otherwise say what it lacks."""
    match look.state.rung:
        case Waiting():
            return _start(look)
        case Probe() as probe:
            return _probe(look, probe)
        case Stage() as stage:
            return _bake(look, stage)
        case _:
            assert_never(look.state.rung)


def _start(look: Look) -> Turn:
    state, mesh, canary = look.state, look.seen.mesh, look.state.canary.backend
    if isinstance(mesh, MeshSeen) and ready(mesh, canary) == 0:
        detail = f"{canary} has none" if canary in mesh.ready else f"the mesh does not know {canary}"
        if state.clock.unready >= READY_DEADLINE:
            return home(look, Cause.NOT_READY, Reason.NEVER_READY, detail=detail, total=state.clock.unready)
        return say(look, Reason.NOT_READY, detail=detail)
    seconds = look.seen.elapsed or 0.0
    if look.increment is None or seconds < RATE_SPAN:
        return say(look, Reason.MEASURING)
    return _climb(look, _first(look, look.increment.total / seconds), Reason.STARTED)


def _first(look: Look, rate: float) -> Rung:
    mesh = look.seen.mesh
    assert isinstance(mesh, MeshSeen)  # noqa: S101 - nothing rises on what was not seen
    return ladder.first(look.state.policy, rate, look.seen.look, mesh.resolution, fast=look.state.fast)


def _probe(look: Look, probe: Probe) -> Turn:
    state, pace = look.state, look.state.clock.pace
    requests = pace.canary_n + pace.stable_n
    calm = look.increment is not None and judge.is_calm(look.increment, look.findings)
    if calm and not probe.aimed and requests >= RATE_REQUESTS and pace.seconds:
        aimed = _first(look, requests / pace.seconds)
        if ladder.weight_of(aimed, state.policy) > probe.weight:
            return _climb(look, aimed, Reason.RAISED)
    enough = look.findings[state.policy.analysis.main].step.canary_n >= ladder.PROBE_LEAST
    rung = ladder.after(probe, state.policy, fast=state.fast)
    if rung is not None and calm and (enough or state.haste is not Haste.NONE):
        return _climb(look, rung, Reason.RAISED)
    return _against(look) or say(look, Reason.PROBING)


def _bake(look: Look, stage: Stage) -> Turn:
    state, bake, against = look.state, ladder.bake_of(stage, look.state.policy), _against(look)
    if against is not None and against.reason is Reason.BOTH_OVER_LIMIT:
        return against
    if state.haste is not Haste.NONE:
        return against or _pass(look, stage, Reason.STEP_PASSED)
    if state.clock.baked < bake:
        return say(look, Reason.BAKING, bake=bake)
    doubt = _too_few(look) or against or _unproven(look, stage)
    if doubt is None:
        return _pass(look, stage, Reason.STEP_PASSED)
    if state.clock.baked < max(INCONCLUSIVE_BAKES * bake, INCONCLUSIVE_LEAST):
        return doubt
    return _inconclusive(look, stage, doubt)


def _pass(look: Look, stage: Stage, reason: Reason) -> Turn:
    rung = ladder.after(stage, look.state.policy, fast=look.state.fast)
    return _promote(look) if rung is None else _climb(look, rung, reason)


def _inconclusive(look: Look, stage: Stage, doubt: Turn) -> Turn:
    """The deadline is over, and what the step showed is neither proof nor evidence: the policy's choice."""
    detail = doubt.reason.say(doubt.facts)
    match look.state.policy.analysis.inconclusive:
        case Inconclusive.ROLLBACK:
            return home(look, Cause.INCONCLUSIVE, Reason.INCONCLUSIVE_TOO_LONG, detail=detail)
        case Inconclusive.PROMOTE if all(finding.odds <= 1.0 for finding in look.findings):
            return _pass(look, stage, Reason.PASSED_UNPROVEN)
        case _:
            return say(look, Reason.INCONCLUSIVE, detail=detail)


def _unproven(look: Look, stage: Stage) -> Turn | None:
    """What the step's requests do not rule out yet (ANALYSIS 3.8)."""
    delta = ladder.margin_of(stage, look.state.policy)
    for index, finding in enumerate(look.findings):
        if delta is None or not isinstance(finding.check, Comparison):
            continue
        if not judge.proves(finding.step, delta):
            accused = look.accused(index)
            return say(look, Reason.UNPROVEN, margin=delta, requests=finding.step.canary_n, **accused)
    return None


def _too_few(look: Look) -> Turn | None:
    """Which requests a baked step still lacks: law 4, every unknown resolves to "do not raise"."""
    for index, finding in enumerate(look.findings):
        step, needed = finding.step, finding.check.min_requests
        if finding.lacking in UNCOMPARED:
            return say(look, Reason.UNCOMPARED, detail=UNCOMPARED[finding.lacking])
        accused = look.accused(index)
        if step.canary_n < needed:
            return say(look, Reason.TOO_FEW, requests=step.canary_n, needed=needed, arm="canary", **accused)
        if finding.verdict is Verdict.NO_DATA:
            few = step.stable_n
            return say(look, Reason.TOO_FEW, requests=few, needed=bets.LEAST_STABLE, arm="stable", **accused)
    return None


UNCOMPARED = MappingProxyType(
    {
        "unknown": f"stable has not answered the {latency.KNOWN} requests yet by which it is known",
        "no edge": (
            f"at every edge of its proxies' buckets more than {latency.COMMONEST:.0%} of stable's answers "
            "are slower"
        ),
    }
)
"""Why latency cannot be compared, by what a finding lacks."""


def _against(look: Look) -> Turn | None:
    """What speaks against the canary without proving it; nobody's haste waives that."""
    for index, finding in enumerate(look.findings):
        step, check = finding.step, finding.check
        if isinstance(check, Limit) and finding.lacking in {"over", "both"}:
            reason = Reason.BOTH_OVER_LIMIT if finding.lacking == "both" else Reason.OVER_LIMIT_NOW
            return say(
                look,
                reason,
                canary_share=judge.share(step.canary_x, step.canary_n),
                stable_share=judge.share(step.stable_x, step.stable_n),
                limit=check.max,
                **look.accused(index),
            )
        if finding.odds > judge.CALM:
            one = blame.loudest(look.state.policy.analysis.checks, look.state.evidence)
            return say(look, Reason.SUSPECT, **look.accused(one))
    return None


def _climb(look: Look, rung: Rung, reason: Reason) -> Turn:
    """Another rung: its clock and its proof begin again, the bets go on."""
    state = look.state
    raised = replace(
        state,
        rung=rung,
        clock=Clock(),
        evidence=tuple(map(judge.anew, state.evidence)),
        counts=(Tally(),) * len(state.counts),
        flow=Flow(),
        haste=state.haste if state.haste is Haste.ALL else Haste.NONE,
    )
    weight = percent(ladder.weight_of(rung, state.policy))
    return say(look, reason, raised, weight=weight, before=percent(look.weight))


def _promote(look: Look) -> Turn:
    state = look.state
    return say(look, Reason.PROMOTED, Steady(promoted(state.past, state.canary, look.seen.now)))
