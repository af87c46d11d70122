"""What the fence on a route says of our own memory: is this journal an old copy, or not the only one?"""

from __future__ import annotations

from rollout.core.action import wanted_split
from rollout.core.model import Held, Observation, Ramping, RollingBack, Split, State, Steady, Unseen, Why
from rollout.core.past import counted, past_of
from rollout.core.reason import Reason
from rollout.core.turn import Turn


def forgotten(state: Steady | Ramping | RollingBack, seen: Observation) -> Turn | None:
    """The route bears a newer fence than ours, or one that counts more writes than were decided here: this
    journal is an old copy, or not the only one (Q2, H2).

    What it remembers of a journey is worth nothing then; which backend is stable, only a person can say.
    """
    if seen.observe or isinstance(seen.mesh, Unseen) or (epoch := seen.mesh.epoch) is None:
        return None
    if epoch <= max(seen.epoch, state.past.epoch) and seen.mesh.writes <= state.past.writes:
        return None
    return Turn(Held(Steady(state.past), Why.FORGOTTEN), Reason.FORGOTTEN, {"epoch": epoch})


def caught_up(state: State, seen: Observation) -> State:
    """One write that we do not remember, but that ended where our memory would have it: going home does not
    wait for the disk (Q1). More than one, or one at rest, may end a journey whose rejection is forgotten.
    """
    past, mesh = past_of(state), seen.mesh
    if (
        past is None
        or isinstance(state, Steady)
        or seen.observe
        or isinstance(mesh, Unseen)
        or mesh.writes != past.writes + 1
    ):
        return state
    remembered = ((Split.all_on(past.stable.backend),), (wanted_split(state),))
    return counted(state, mesh.writes) if mesh.splits in remembered else state
