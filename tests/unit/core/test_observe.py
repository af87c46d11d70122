"""Observe mode: everything is judged and told, nothing is written, and nothing of it stays (I23)."""

from dataclasses import replace

import pytest

from rollout.core.model import (
    Cause,
    Held,
    Past,
    Promoted,
    Ramping,
    Real,
    Revision,
    RollingBack,
    Split,
    Steady,
    Unadopted,
    Verb,
    Weight,
    Why,
)
from rollout.core.past import past_of
from rollout.core.reason import Reason
from tests.unit.core.world import FIFTY, LAST, NOON, ROUTE, V1, V2, V3, World, at, policy, steady


def test_a_whole_life_writes_nothing():
    """Adoption, rise, promotion as it would have been: 0 actions, and the route stays as it was."""
    world = World(observe=True)
    for _ in range(300):
        if isinstance(world.state, Ramping):
            world.count("edge-1", V2, 10)
        decision = world.look()
        assert decision.actions == ()
        assert isinstance(past_of(decision.state), Past)
        assert past_of(decision.state).virtual  # type: ignore[union-attr]
    assert decision.reason is Reason.NOTHING_NEW
    assert decision.state.past.stable == Revision(V2)  # type: ignore[union-attr]
    assert (world.splits, world.version) == ((Split.all_on(V1),), 1)


def test_a_bad_canary_would_have_gone_home():
    """The judge judges all the same, and home is reached without a write."""
    world = at(FIFTY, observe=True, failing={V2: 1.0})
    decision = world.last
    assert decision is not None
    assert decision.reason is Reason.WORSE
    assert isinstance(decision.state, RollingBack)
    assert decision.actions == ()
    assert world.look().reason is Reason.ROLLED_BACK
    assert world.weight == 5000


@pytest.mark.parametrize("orders", [Verb.ABORT, Verb.PROMOTE, Verb.PAUSE])
def test_orders_are_obeyed_without_a_write(orders):
    """People may try them."""
    world = at(FIFTY, observe=True)
    decision = world.order(orders)
    assert decision.obeyed == ((1, ""),)
    assert decision.actions == ()


def test_foreign_weights_are_left_alone():
    """Above or below: they are nobody's business here."""
    world = at(FIFTY, observe=True)
    for weights in ({V1: 1}, {V2: 1}, {V1: 10, V2: 90}):
        world.foreign(weights)
        for decision in world.looks(3):
            assert decision.reason is Reason.BAKING
            assert decision.actions == ()
    world = World(policy(V1), state=steady(), observe=True)
    world.foreign({V1: 10, V2: 90})
    assert {decision.reason for decision in world.looks(3)} == {Reason.NOTHING_NEW}


def test_a_foreign_fence_is_not_asked_about():
    """A mark on the route matters to those who write."""
    world = World(observe=True, mesh_epoch=9)
    assert world.look().reason is Reason.ADOPTED
    assert world.look().reason is Reason.MEASURING
    world = at(FIFTY, observe=True, mesh_epoch=9)
    assert world.look().reason is Reason.BAKING


def test_what_is_held_stays_held_without_a_write():
    """A person's word is still asked for."""
    world = at()
    world.state = Held(world.ramp, Why.LOWERED, Weight(0))
    world.observe = True
    decision = world.look()
    assert (decision.reason, decision.actions) == (Reason.LOWERED, ())
    assert isinstance(decision.state, Held)


def test_a_life_that_was_only_observed_is_forgotten_when_that_ends():
    """Rejections and promotions of observe mode never happened; only the journeys' numbers go on."""
    world = World(observe=True)
    world.until(Reason.MEASURING)
    world.order(Verb.ABORT)
    world.looks(3)
    assert world.past.rejected == (Revision(V2),)
    world.observe = False
    decision = world.look()
    assert decision.reason is Reason.ADOPTED
    assert decision.state == Steady(Past(Revision(V1), ROUTE, attempt=1))
    world.until(Reason.STARTED, most=4)
    assert world.ramp.past.attempt == 2


BEFORE = (Promoted(Revision(V3), NOON),)
REJECTED = replace(steady().past, rejected=(Revision(V3),), promoted=BEFORE, attempt=4, epoch=2, writes=5)
LIVES = {
    "steady": Steady(REJECTED),
    "ramping": replace(at(FIFTY).ramp, past=REJECTED),
    "rolling back": RollingBack(REJECTED, Revision(V2), Cause.WORSE, NOON),
}


@pytest.mark.parametrize("state", LIVES.values(), ids=LIVES)
def test_what_was_true_before_observe_mode_is_true_again_after_it(state):
    """Stable, the rejected and the fence are as they were: nobody comes back by switching it."""
    world = at(FIFTY, asked=policy(V3))
    world.state, world.observe, world.mesh_writes = state, True, 5
    world.looks(120)
    past = past_of(world.state)
    assert past is not None
    assert past.real == Real(Revision(V1), ROUTE, (Revision(V3),), BEFORE, 2, 5)
    world.observe = False
    decisions = world.looks(4)
    after = past_of(world.state)
    assert after is not None
    assert (after.stable, after.rejected, after.epoch) == (Revision(V1), (Revision(V3),), 2)
    assert (after.promoted, after.attempt, after.writes) == (BEFORE, past.attempt, 6)
    assert (after.virtual, after.real) == (False, None)
    assert [decision.reason for decision in decisions] == [
        Reason.DRIFT,
        Reason.CORRECTED,
        Reason.REJECTED_BEFORE,
        Reason.REJECTED_BEFORE,
    ]
    assert world.weight == 0


def test_observe_mode_switched_on_twice_keeps_what_was_true_first():
    """The dreamt life of one observation never becomes the truth of the next."""
    world = at(LAST, asked=policy(), observe=True)
    world.looks(10)
    first = past_of(world.state)
    world.looks(100)
    second = past_of(world.state)
    assert first is not None
    assert second is not None
    assert first.real == second.real == Real(Revision(V1), ROUTE, (), (), 0)
    assert second.stable == Revision(V2)


def test_another_route_in_observe_mode_is_adopted_without_a_write():
    """The adoption is virtual too."""
    world = World(policy(V1, route=replace(ROUTE, name="metal")), state=Steady(REJECTED), observe=True)
    assert world.look().reason is Reason.OTHER_ROUTE
    assert world.state == Unadopted(4)
    decision = world.look()
    assert decision.reason is Reason.ADOPTED
    past = past_of(decision.state)
    assert past is not None
    assert (past.virtual, past.real, past.attempt) == (True, None, 4)
