"""What people order (pause, resume, promote, abort, retry, adopt), folded into the state before a look.

An order only changes what is remembered; whether traffic moves is decided by the look that follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from rollout.core.ladder import weight_of
from rollout.core.model import (
    NOTHING,
    Cause,
    Drift,
    Fact,
    Haste,
    Held,
    Intent,
    MeshSeen,
    Observation,
    Order,
    Past,
    Paused,
    Policy,
    Ramping,
    Revision,
    RollingBack,
    State,
    Steady,
    Unadopted,
    Verb,
    Why,
    Withdrawn,
)
from rollout.core.past import attempt_of, condemned, past_of
from rollout.core.turn import fallen


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """The order makes no sense now; ``str()`` says why and what would."""


def obey(
    state: State, asked: Policy | Withdrawn, seen: Observation, *, found_out: bool = False
) -> tuple[State, tuple[tuple[int, str], ...], dict[str, Fact]]:
    """The state after the waiting orders, what became of each (id, why it was refused or ``""``), and the
    facts of an abort, if one was obeyed. An abort goes before all others: it always wins. ``found_out``: that
    the journal is an old copy was not known when these were given.
    """
    obeyed: list[tuple[int, str]] = []
    abort: dict[str, Fact] = {}
    for order in sorted(seen.orders, key=lambda order: (order.verb is not Verb.ABORT, order.id)):
        try:
            state, facts = _obey(state, order, asked, seen, found_out=found_out)
        except Refusal as refusal:
            obeyed.append((order.id, str(refusal)))
        else:
            obeyed.append((order.id, ""))
            abort |= facts
    return state, tuple(obeyed), abort


def _obey(
    state: State, order: Order, asked: Policy | Withdrawn, seen: Observation, *, found_out: bool
) -> tuple[State, Mapping[str, Fact]]:
    if order.attempt not in {None, attempt_of(state)}:
        raise Refusal(
            f"it was given before this journey began: if you still mean it, {order.verb.value} again"
        )
    if found_out and order.verb is Verb.ADOPT:
        raise Refusal(
            "it was given before the journal was found to be an old copy: if you still mean it, adopt again"
        )
    match order.verb:
        case Verb.ABORT:
            return _abort(state, order, asked, seen)
        case Verb.PAUSE:
            return _pause(state, order), {}
        case Verb.RESUME:
            return _resume(state, seen), {}
        case Verb.PROMOTE:
            return _promote(state, order), {}
        case Verb.RETRY:
            return _retry(state, asked), {}
        case Verb.ADOPT:
            return _adopt(state, order, asked, seen), {}
        case _:
            assert_never(order.verb)


def _abort(
    state: State, order: Order, asked: Policy | Withdrawn, seen: Observation
) -> tuple[State, Mapping[str, Fact]]:
    ramp = state.was if isinstance(state, Held) else state
    if isinstance(ramp, RollingBack):
        return state, {}
    if isinstance(ramp, Unadopted) or (isinstance(state, Held) and state.why is Why.FORGOTTEN):
        raise Refusal(
            f"it is not known which backend is stable: `rollout adopt {asked.name} BACKEND` sends everything "
            "there"
        )
    if isinstance(ramp, Steady):
        raise Refusal(
            "nothing is under way: all traffic is on stable already"
            if isinstance(state, Steady)
            else f"nothing is under way: `rollout resume {asked.name}` sends everything to {ramp.past.stable}"
        )
    weight = weight_of(ramp.rung, ramp.policy)
    facts: dict[str, Fact] = {
        "actor": order.actor,
        "why": order.why,
        **fallen(weight),
        "canary": str(ramp.canary),
        "stable": str(ramp.past.stable),
    }
    home = RollingBack(condemned(ramp.past, ramp.canary), ramp.canary, Cause.ABORTED, seen.now, weight)
    return home, facts


def _pause(state: State, order: Order) -> State:
    if not isinstance(state, Ramping):
        raise Refusal("nothing is under way to pause; `freeze` keeps a next rollout from rising")
    return replace(state, paused=Paused(order.actor, order.why, order.at))


def _resume(state: State, seen: Observation) -> State:
    match state:
        case Ramping(paused=Paused()):
            return replace(state, paused=None)
        case Held(was=Ramping() | Steady() as was, why=Why.LOWERED | Why.CONTESTED):
            if not isinstance(seen.mesh, MeshSeen):
                raise Refusal(f"the mesh cannot be read: {seen.mesh.why}")
            if isinstance(was, Ramping):
                was = replace(was, clock=replace(was.clock, settling=0.0, blind=0.0, quiet=0.0))
            return replace(was, drift=Drift(), intent=_from_here(seen.mesh, seen.now))
        case Held(why=Why.FORGOTTEN):
            raise Refusal("the journal knows nothing of it: `adopt` says which backend is stable")
        case _:
            raise Refusal("it is not paused")


def _promote(state: State, order: Order) -> State:
    if not isinstance(state, Ramping):
        raise Refusal("nothing is under way to promote")
    if state.paused is not None:
        raise Refusal("it is paused: `resume` first")
    return replace(state, haste=Haste.ALL if order.argument == "full" else Haste.ONE)


def _retry(state: State, asked: Policy | Withdrawn) -> State:
    if not isinstance(state, Steady) or isinstance(asked, Withdrawn):
        raise Refusal("only a rollout at rest can be retried")
    if asked.revision not in state.past.rejected:
        raise Refusal(f"{asked.revision}, which git asks for, was not rejected")
    rejected = tuple(revision for revision in state.past.rejected if revision != asked.revision)
    return replace(state, past=replace(state.past, rejected=rejected))


def _adopt(state: State, order: Order, asked: Policy | Withdrawn, seen: Observation) -> State:
    forgotten = isinstance(state, Held) and state.why is Why.FORGOTTEN
    if not (forgotten or isinstance(state, Unadopted)):
        raise Refusal("it is adopted already")
    if isinstance(asked, Withdrawn):
        raise Refusal("git no longer has a policy for it")
    if not isinstance(seen.mesh, MeshSeen):
        raise Refusal(f"the mesh cannot be read: {seen.mesh.why}")
    carrying = {name for split in seen.mesh.splits for name, weight in split.shares if weight != NOTHING}
    backend = order.argument or (carrying.copy().pop() if len(carrying) == 1 else "")
    if backend not in carrying:
        raise Refusal(f"say which is stable: {', '.join(sorted(carrying))}")
    was = state.was if isinstance(state, Held) else state
    known = past_of(was)
    asks_it = asked.revision.backend == backend
    stable = asked.revision if asks_it else Revision(backend)
    if known is not None and known.stable.backend == backend:
        stable = known.stable
    begun = was.attempt if isinstance(was, Unadopted) else 0
    past = Past(stable, asked.route, attempt=begun) if known is None else replace(known, stable=stable)
    return Steady(
        replace(past, epoch=seen.mesh.epoch or 0, writes=seen.mesh.writes), _from_here(seen.mesh, seen.now)
    )


def _from_here(mesh: MeshSeen, now: datetime) -> Intent:
    """What the mesh shows now is known to the person who spoke: the way from there is ours."""
    return Intent(mesh.version, now, shown=mesh.splits)
