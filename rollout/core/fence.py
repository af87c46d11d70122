"""What the fence on a route says of our own memory: is this journal an old copy, or not the only one?"""

from __future__ import annotations

from rollout.core.action import wanted_split
from rollout.core.model import (
    Held,
    Intent,
    Observation,
    Policy,
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
        new = mesh.writes - past.writes
        if new < 0 or (new == 0 and not _may_be_another_s(state, was.intent, seen, mesh.splits)):
            return state
        if new == 1 and _is_caught_up(state, was.intent, past.stable.backend, mesh.splits):
            return counted(state, mesh.writes)
    if isinstance(state, Held) and state.why is Why.FORGOTTEN:
        return state
    return Held(Steady(past), Why.FORGOTTEN)


def _may_be_another_s(
    state: State, intent: Intent | None, seen: Observation, splits: tuple[Split, ...]
) -> bool:
    """A write of ours was under way when the process ended, and the route shows neither that nor what was
    before it: the write that it counts may be another journey's.
    """
    if seen.elapsed is not None or intent is None or intent.confirmed:
        return False
    return splits not in ((wanted_split(state),), intent.shown)


def _is_caught_up(state: State, intent: Intent | None, stable: str, splits: tuple[Split, ...]) -> bool:
    """One write that we do not remember, but that ended where our memory would have it: going home does not
    wait for the disk (Q1). One at rest may end a journey whose rejection is forgotten; so may one while we do
    not know what became of ours.
    """
    if isinstance(state, Steady) or (intent is not None and not intent.confirmed):
        return False
    return splits in ((wanted_split(state),), (Split.all_on(stable),))
