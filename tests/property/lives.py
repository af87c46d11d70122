"""Lives: one look after another from any state that can come about, mostly plausible, not always."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from hypothesis import strategies as st

from rollout.core.action import wanted_split
from rollout.core.machine import decide
from rollout.core.model import (
    Decision,
    Held,
    Limit,
    MeshSeen,
    Observation,
    Past,
    Policy,
    Probe,
    ProxySeen,
    Revision,
    Sample,
    Series,
    Stage,
    State,
    Steady,
    Unadopted,
    Verb,
    Waiting,
    Weight,
    Why,
    Withdrawn,
)
from rollout.core.past import past_of
from tests.property.strategies import asked, observations
from tests.unit.core.world import V1, V2, V3, at, judged, policy, steady


@dataclass(frozen=True)
class Turn:
    """What one look brings.

    ``agrees``: the mesh carries what the state wants; ``same``: git asks what it asked before; ``counted``:
    completed and failed requests of canary and stable since the last look, else what the observation says.
    """

    asked: Policy | Withdrawn
    seen: Observation
    agrees: bool
    same: bool
    counted: tuple[int, int, int, int] | None


@dataclass(frozen=True)
class Lived:
    """One look as it was."""

    before: State
    asked: Policy | Withdrawn
    seen: Observation
    decision: Decision


requests = st.sampled_from((0, 3, 10, 60, 400))
counted = st.one_of(
    st.none(),
    st.tuples(requests, st.just(0), requests, st.just(0)),
    st.tuples(requests, requests, requests, requests).map(
        lambda n: (n[0], min(n[0], n[1]), n[2], min(n[2], n[3]))
    ),
)
turns = st.builds(
    Turn,
    asked,
    observations(),
    st.sampled_from((*[True] * 9, False)),
    st.sampled_from((*[True] * 14, False)),
    counted,
)


@cache
def beginnings() -> tuple[tuple[Policy, State], ...]:
    """A state of every kind, as it comes about."""
    limited = policy(analysis=judged(checks=(Limit(0.05, min_requests=1),)))
    worlds = [at(rung) for rung in (Waiting(), Probe(Weight(10)), Probe(Weight(1), aimed=False))]
    worlds += [at(Stage(step), asked=wanted) for step in range(3) for wanted in (policy(), limited)]
    ramps = [(world.ramp.policy, world.ramp) for world in worlds]
    paused, home = at(), at()
    paused.order(Verb.PAUSE)
    home.loses = 9
    home.order(Verb.ABORT)
    rests = [
        steady(),
        steady(rejected=(Revision(V2), Revision(V3))),
        Steady(replace(steady().past, promoted=tuple(at(Stage(2)).past.promoted))),
        Steady(Past(Revision(V1), policy().route, virtual=True)),
    ]
    others: list[State] = [Unadopted(), *rests, paused.state, home.state]
    others += [Held(at().ramp, Why.LOWERED, Weight(weight)) for weight in (0, 500)]
    others += [Held(at().ramp, Why.CONTESTED, Weight(1000)), Held(steady(), Why.CONTESTED)]
    others += [Held(steady(), Why.FORGOTTEN), Held(Unadopted(), Why.FORGOTTEN)]
    return (*ramps, *((policy(), state) for state in others))


lives = st.tuples(
    st.deferred(lambda: st.sampled_from(beginnings())), st.lists(turns, min_size=1, max_size=10)
)
Life = tuple[tuple[Policy, State], list[Turn]]


def live(life: Life) -> list[Lived]:
    """One look after another, each on what the one before left."""
    (wanted, state), coming = life
    asks: Policy | Withdrawn = wanted
    total, lived = [0, 0, 0, 0], []
    for turn in coming:
        asks = asks if turn.same else turn.asked
        seen = turn.seen
        if turn.counted is not None:
            total = [before + more for before, more in zip(total, turn.counted, strict=True)]
            seen = replace(seen, sample=_sample(state, total))
        if turn.agrees and isinstance(seen.mesh, MeshSeen):
            seen = replace(seen, mesh=_agreeing(state, seen.mesh))
        decision = decide(state, asks, seen)
        lived.append(Lived(state, asks, seen, decision))
        state = decision.state
    return lived


def _sample(state: State, total: list[int]) -> Sample:
    past = past_of(state)
    stable = past.stable.backend if past else V1
    canary = V2 if stable != V2 else V1
    arms = ((canary, total[0], total[1]), (stable, total[2], total[3]))
    return Sample(tuple(Series("a", name, n, n, 0, (("429", 0), ("5xx", x))) for name, n, x in arms))


def _agreeing(state: State, mesh: MeshSeen) -> MeshSeen:
    wanted = wanted_split(state)
    if wanted is None:
        return mesh
    ready = {**dict.fromkeys((V1, V2, V3), 2), **dict.fromkeys(mesh.ready, 2)}
    return replace(mesh, splits=(wanted,), proxies=(ProxySeen("a", (wanted,)),), ready=ready, epoch=1)
