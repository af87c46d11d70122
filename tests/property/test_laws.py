"""The laws of weight under any order of faults, orders, commits and foreign hands, watched write by write."""

from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rollout.core.model import (
    Hold,
    Limit,
    Policy,
    Ramping,
    Revision,
    RollingBack,
    Split,
    Steady,
    Step,
    Unadopted,
    Unseen,
    Verb,
    Weight,
    Window,
    Withdrawn,
)
from rollout.core.past import past_of
from rollout.core.reason import Reason
from tests.property.examples import examples
from tests.property.referee import Referee
from tests.unit.core.world import V1, V2, V3, Proxy, judged, order, policy

Act = Callable[[Referee], object]

STEPS = (Step(Weight(1000), 5.0), Step(Weight(5000), 5.0), Step(Weight(10_000), 5.0))
ASKED = (
    policy(steps=STEPS),
    policy(V1, steps=STEPS),
    policy(V3, steps=STEPS),
    policy(steps=STEPS, revision=Revision(V2, "sha256:2")),
    policy(steps=STEPS, analysis=judged(checks=(*judged().checks, Limit(0.05, min_requests=20)))),
    policy(steps=STEPS, suspend=True),
    policy(steps=STEPS, windows=(Window((0,), time(12), time(12, 2), "UTC"),)),
    policy(steps=STEPS[2:]),
    Withdrawn("prod/jazz"),
)


def look(count: int, seconds: float) -> Act:
    return lambda world: [world.look(seconds) for _ in range(count)]


def give(verb: Verb, argument: str) -> Act:
    return lambda world: world.look(0.1, orders=[order(verb, argument)])


def put(name: str, value: object) -> Act:
    return lambda world: setattr(world, name, value)


def fail(backend: str, share: float) -> Act:
    return lambda world: world.failing.update({backend: share})


def staff(backend: str, endpoints: int) -> Act:
    return lambda world: world.ready.update({backend: endpoints})


def meddle(weights: tuple[dict[str, int], ...]) -> Act:
    return lambda world: world.foreign(*weights)


def restart(world: Referee) -> None:
    world.epoch += 1
    world.look(3.0, elapsed=None)


def later(hours: int) -> Act:
    def jump(world: Referee) -> None:
        world.now += timedelta(hours=hours)

    return jump


acts: st.SearchStrategy[Act] = st.one_of(
    st.builds(look, st.sampled_from((1, 2, 8, 30)), st.sampled_from((0.25, 1.0, 1.0))),
    st.builds(look, st.sampled_from((1, 2, 8, 30)), st.sampled_from((0.25, 1.0, 1.0))),
    st.builds(look, st.just(7), st.just(100.0)),
    st.builds(give, st.sampled_from(tuple(Verb)), st.sampled_from(("", "full", V1, V2))),
    st.builds(put, st.just("rate"), st.sampled_from((0.0, 3.0, 100.0, 3000.0))),
    st.builds(fail, st.sampled_from((V1, V2, V3)), st.sampled_from((0.0, 0.0, 0.02, 0.3, 1.0))),
    st.builds(staff, st.sampled_from((V1, V2, V3)), st.sampled_from((0, 2, 2))),
    st.builds(
        meddle,
        st.sampled_from(
            (({V1: 1},), ({V2: 1},), ({V1: 1, V2: 1},), ({V1: 97, V2: 3},), ({V1: 9, V2: 1}, {V1: 1}))
        ),
    ),
    st.builds(put, st.just("loses"), st.sampled_from((0, 1, 3))),
    st.builds(
        put, st.just("mesh_gone"), st.sampled_from((None, None, Unseen("away"), Unseen("gone", lost=True)))
    ),
    st.builds(put, st.just("metrics_gone"), st.sampled_from((None, None, Unseen("away")))),
    st.builds(
        put,
        st.just("proxies"),
        st.sampled_from(
            (
                {"edge-1": Proxy()},
                {"edge-1": Proxy()},
                {"edge-1": Proxy(), "edge-2": Proxy(unreachable="timed out")},
                {"edge-1": Proxy(), "edge-2": Proxy(splits=(Split.all_on(V1),))},
                {"edge-1": Proxy(rejected="no such cluster")},
            )
        ),
    ),
    st.builds(put, st.just("holds"), st.sampled_from(((), (), (Hold(Reason.FROZEN, "by ana"),)))),
    st.builds(put, st.just("breaker_open"), st.booleans()),
    st.builds(put, st.just("observe"), st.sampled_from((False, False, True))),
    st.builds(put, st.just("asked"), st.sampled_from(ASKED)),
    st.builds(put, st.just("hanging"), st.sampled_from(({}, {V2: 3}))),
    st.just(restart),
    st.builds(later, st.sampled_from((-3, 1, 30))),
)
plays = st.lists(acts, min_size=6, max_size=30)


@examples(100)
@given(plays)
def test_no_play_breaks_a_law(play: list[Act]):
    """Never above what was authorised, no rung skipped or raised twice, never without proof or while held,
    never a rejected revision again; down before up; a person's lowering stands.
    """
    world = Referee(ASKED[0])
    world.looks(3)
    for act in play:
        act(world)
        world.look()


def heal(world: Referee) -> None:
    """From now on nothing is wrong, and nobody holds anything."""
    world.mesh_gone = world.metrics_gone = None
    world.holds, world.loses, world.breaker_open, world.observe = (), 0, False, False
    world.failing, world.hanging, world.rate = {}, {}, 100.0
    world.ready = {V1: 2, V2: 2, V3: 2}
    world.proxies = {"edge-1": Proxy()}
    world.asked = (
        replace(world.asked, suspend=False, windows=()) if isinstance(world.asked, Policy) else world.asked
    )


@examples(60)
@given(plays)
def test_when_the_faults_stop_it_comes_to_rest(play: list[Act]):
    """I20: within the steps' time and the deadlines at rest, or waiting for a person; then no more writes."""
    world = Referee(ASKED[0])
    world.looks(3)
    for act in play:
        act(world)
    heal(world)
    for _ in range(400):
        world.look()
    for _ in range(100):
        world.look(30.0)
    writes, last = len(world.writes), world.look()
    asks_a_person = last.reason in {
        Reason.PAUSED,
        Reason.LOWERED,
        Reason.CONTESTED,
        Reason.FORGOTTEN,
        Reason.MIXTURE,
    }
    assert asks_a_person or world.settled() or last.reason is Reason.RELEASED
    for _ in range(20):
        world.look(30.0)
    assert len(world.writes) == writes


@examples(60)
@given(plays)
def test_an_abort_is_home_at_the_next_look_that_can_write(play: list[Act]):
    """I22, I7: after an accepted abort nothing rises; with mesh and stable alive, home is one look away."""
    world = Referee(ASKED[0])
    world.looks(30)
    for act in play:
        act(world)
    observed = world.observe
    heal(world)
    world.observe = observed
    if not isinstance(world.state, Ramping) or observed:
        return
    past = past_of(world.state)
    assert past is not None
    if past.virtual or world.mesh_epoch is None or world.mesh_epoch > world.epoch:
        return
    decision = world.look(0.1, orders=[order(Verb.ABORT)])
    assert decision.reason is Reason.ABORTED
    assert isinstance(decision.state, RollingBack)
    assert world.splits == (Split.all_on(past.stable.backend),)
    world.look()
    assert isinstance(world.state, Steady | Unadopted)
