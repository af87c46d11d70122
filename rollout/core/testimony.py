"""What is kept of a look for the replay: exactly what the judge was fed, and what he answered."""

from __future__ import annotations

from dataclasses import replace

from rollout.core.model import Decision, Held, Judged, Ramping, State
from rollout.core.turn import Turn

ENTRY = 1_000
"""Each so manieth look of a journey is kept with all that the judge knows."""


def testimony(turn: Turn, before: State) -> Judged | None:
    """Of a turn's look; ``None`` for a turn without one. ``before``: the state that was looked at."""
    look = turn.look
    if look is None:
        return None
    was = before.was if isinstance(before, Held) else before
    state, heard = look.state, look.heard
    checks = state.policy.analysis.checks
    same = isinstance(was, Ramping) and was.policy.analysis.checks == checks
    return Judged(
        number=state.looks,
        at=look.seen.now,
        weight=look.weight,
        fed=heard.fed,
        noise=heard.noise,
        proof=look.proof,
        silence=look.unheard,
        verdicts=tuple([finding.verdict for finding in look.findings]),
        odds=tuple([finding.odds for finding in look.findings]),
        verdict=turn.verdict or look.verdict,
        reason=turn.reason,
        rose=isinstance(turn.state, Ramping) and turn.state.rung != state.rung,
        held=before.weight if isinstance(before, Held) else None,
        edges=heard.edges,
        checks=() if same else checks,
    )


def kept(decision: Decision, *, anew: bool = False) -> Judged | None:
    """What a journal keeps of a decision's look: now and then with all that the judge knows, so that a record
    can be entered there when what comes before is pruned, or (``anew``) may never have been written.
    """
    look, state = decision.judged, decision.state
    ramp = state.was if isinstance(state, Held) else state
    if look is None or not isinstance(ramp, Ramping) or not (anew or look.number % ENTRY == 0):
        return look
    return replace(look, checks=ramp.policy.analysis.checks, evidence=ramp.evidence)
