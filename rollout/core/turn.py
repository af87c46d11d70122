"""What a rule comes to, and the two things that every rule may say: this, or go home."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.core.convergence import ready
from rollout.core.look import Look
from rollout.core.model import (
    NOTHING,
    Cause,
    Fact,
    MeshSeen,
    RollingBack,
    State,
    Verdict,
    Weight,
    percent,
)
from rollout.core.past import condemned
from rollout.core.reason import Reason


@dataclass(frozen=True, slots=True)
class Turn:
    """The next state and why, and the ``look`` at a canary that it follows from. ``acts``: a mesh that shows
    something else may be written; ``rises``: also when that gives the canary more, as a raise does that was
    lost on its way.
    """

    state: State
    reason: Reason
    facts: dict[str, Fact]
    verdict: Verdict | None = None
    look: Look | None = None
    acts: bool = True
    rises: bool = True


def say(look: Look, reason: Reason, state: State | None = None, /, **facts: Fact) -> Turn:
    """A turn with the look's own numbers; the state stays what it is unless another is given."""
    return Turn(state or look.state, reason, look.facts | facts)


def home(look: Look, cause: Cause, reason: Reason, **facts: Fact) -> Turn:
    """Send the canary home, if there is a home."""
    state, mesh = look.state, look.seen.mesh
    if isinstance(mesh, MeshSeen) and ready(mesh, state.past.stable.backend) == 0 and look.weight != NOTHING:
        failing = cause in (Cause.WORSE, Cause.OVER_LIMIT)
        detail = f"it should go home: {reason.name.lower()}"
        facts["detail"] = detail
        return say(look, Reason.STABLE_UNHEALTHY if failing else Reason.STABLE_NOT_READY, **facts)
    guilty = cause not in (Cause.WITHDRAWN, Cause.REVERTED, Cause.CHANGED)
    past = condemned(state.past, state.canary) if guilty else state.past
    if cause is Cause.NO_DATA:
        past = replace(past, silent_at=look.seen.now)
    unseen = state.intent if state.intent and not state.intent.confirmed else None
    road = RollingBack(past, state.canary, cause, look.seen.now, look.weight, unseen)
    return say(look, reason, road, **fallen(look.weight), **facts)


def fallen(was: Weight) -> dict[str, Fact]:
    """The two weights of a way home, in words."""
    return {"before": percent(was), "weight": percent(NOTHING)}
