"""From a state to the split it wants, and from a split that the mesh does not show to the one action.

There is no retry here: a lost write, a restart and a foreign hand are mended by the same line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from rollout.core import ladder
from rollout.core.convergence import exposure, ready
from rollout.core.model import (
    FULL,
    Held,
    Intent,
    MeshSeen,
    Observation,
    Ramping,
    RollingBack,
    SetSplit,
    Split,
    State,
    Steady,
    Unadopted,
    Unseen,
    Why,
)
from rollout.core.past import counted, past_of
from rollout.core.turn import Turn


def wanted_split(state: State) -> Split | None:
    """Who should get how much: a function of the state alone. ``None``: nothing is written."""
    match state:
        case Unadopted():
            return None
        case Steady(past=past) | RollingBack(past=past):
            return Split.all_on(past.stable.backend)
        case Ramping(past=past, canary=canary, rung=rung, policy=policy):
            weight = ladder.weight_of(rung, policy)
            return Split.between(past.stable.backend, canary.backend, weight)
        case Held(was=Ramping(past=past, canary=canary), why=Why.LOWERED, weight=weight):
            return Split.between(past.stable.backend, canary.backend, weight)
        case Held():
            return None
        case _:
            assert_never(state)


def enact(turn: Turn, seen: Observation) -> tuple[State, tuple[SetSplit, ...]]:
    """An action exists if and only if the mesh shows something else, and the side that gets more is alive."""
    wanted, mesh, state = wanted_split(turn.state), seen.mesh, turn.state
    if wanted is None or isinstance(mesh, Unseen) or isinstance(state, Unadopted):
        return state, ()
    if mesh.splits == (wanted,):
        return _confirmed(state), ()
    past = past_of(state)
    assert past is not None  # noqa: S101 - what was never adopted wants no split
    stable = past.stable.backend
    if not turn.acts or seen.observe or any(ready(mesh, name) == 0 for name in _gaining(mesh, wanted)):
        return state, ()
    if not turn.rises and exposure(mesh, stable) < FULL - wanted.weight(stable):
        return state, ()
    action = SetSplit(wanted, mesh.version, Split.all_on(stable))
    if not isinstance(state, Held):
        state = replace(state, intent=Intent(mesh.version, seen.now, shown=mesh.splits))
    return counted(state, mesh.writes + 1), (action,)


def _gaining(mesh: MeshSeen, wanted: Split) -> list[str]:
    return [
        name for name, weight in wanted.shares if any(weight > split.weight(name) for split in mesh.splits)
    ]


def _confirmed(state: State) -> State:
    """The weight was seen: from now on a lower one is somebody's wish, and nobody else's hand is in it."""
    if isinstance(state, Steady | Ramping) and state.drift.reads:
        state = replace(state, drift=replace(state.drift, reads=0))
    match state:
        case Steady(intent=Intent()) | RollingBack(intent=Intent()):
            return replace(state, intent=None)
        case Ramping(intent=Intent(confirmed=False) as intent):
            return replace(state, intent=replace(intent, confirmed=True))
        case _:
            return state
