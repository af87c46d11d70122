"""What the fence on a route says of our own memory: is this journal an old copy, or not the only one?"""

from __future__ import annotations

from rollout.core.action import wanted_split
from rollout.core.model import (
    Held,
    Intent,
    MeshSeen,
    Observation,
    Policy,
    Ramping,
    Split,
    State,
    Steady,
    Unadopted,
    Unseen,
    Why,
    Withdrawn,
)
from rollout.core.past import counted


def borne_out(state: State, asked: Policy | Withdrawn, seen: Observation) -> State:
    """The state, as far as the fence on the route bears it out; people's orders are heard after that.

    The route bears a newer fence than ours, or one that counts more writes than were decided here: this
    journal is an old copy, or not the only one (Q2, H2). What it remembers of a journey is worth nothing
    then; which backend is stable, only a person can say. A route without a fence was made anew, and counts
    anew.
    """
    was, mesh = state.was if isinstance(state, Held) else state, seen.mesh
    if isinstance(was, Unadopted) or seen.observe or isinstance(mesh, Unseen):
        return state
    past = was.past
    if isinstance(state, Steady) and isinstance(asked, Policy) and asked.route != past.route:
        return state  # what is seen is another route
    if mesh.epoch is None:
        return counted(state, 0)
    if mesh.epoch <= max(seen.epoch, past.epoch):
        if mesh.writes <= past.writes:
            return state
        if _is_caught_up(state, past.writes, mesh):
            return counted(state, mesh.writes)
    if isinstance(state, Held) and state.why is Why.FORGOTTEN:
        return state
    return Held(Steady(past), Why.FORGOTTEN)


def _is_caught_up(state: State, writes: int, mesh: MeshSeen) -> bool:
    """One write that we do not remember, but that ended where our memory would have it: going home does not
    wait for the disk (Q1). More than one, or one at rest, may end a journey whose rejection is forgotten; and
    while a write of ours is under way, nobody knows whether the one more is that one.
    """
    ramp = state.was if isinstance(state, Held) else state
    if isinstance(ramp, Steady | Unadopted) or mesh.writes != writes + 1:
        return False
    if isinstance(ramp, Ramping) and isinstance(ramp.intent, Intent) and not ramp.intent.confirmed:
        return False
    return mesh.splits in ((Split.all_on(ramp.past.stable.backend),), (wanted_split(state),))
