"""Weights that others wrote (T3, T4), and our own writes that got lost (DESIGN 14.1)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.core.drift import FIGHT, FIGHT_SPAN
from rollout.core.model import (
    Drift,
    Held,
    Hold,
    Intent,
    MeshSeen,
    NoDataRule,
    OnSilence,
    Ramping,
    Split,
    Stage,
    Steady,
    Unseen,
    Verb,
    Waiting,
    Weight,
    Why,
)
from rollout.core.reason import Level, Reason
from tests.unit.core.world import FIFTY, NOON, TEN, V1, V2, V3, World, at, judged, policy, steady

FROZEN = (Hold(Reason.FROZEN, "by ana: a sale"),)


def resting() -> World:
    world = World(policy(V1), state=steady(), mesh_epoch=1)
    world.look()
    return world


def raised() -> World:
    """10 % has passed; the write of 50 % is lost, and the world has not been looked at since."""
    world = at()
    world.looks(57)
    world.loses = 1
    world.until(Reason.STEP_PASSED)
    assert world.weight == 1000
    return world


# --- above what was authorised (T3) --------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([{V1: 70, V2: 30}], "jazz-v1 70 %, jazz-v2 30 %"),
        ([{V1: 90, V2: 10}, {V1: 70, V2: 30}], "jazz-v1 90 %, jazz-v2 10 % and jazz-v1 70 %, jazz-v2 30 %"),
        ([{V1: 95, V2: 5}, {V1: 70, V2: 30}], "jazz-v1 95 %, jazz-v2 5 % and jazz-v1 70 %, jazz-v2 30 %"),
        ([{V1: 70, V2: 10, V3: 20}], "jazz-v1 70 %, jazz-v2 10 %, jazz-v3 20 %"),
    ],
    ids=["one entry", "one of two", "one below and one above", "a stranger"],
)
def test_more_than_authorised_is_set_back_at_the_second_look(weights, said):
    """The first look only says so; the second sets it back."""
    world = at()
    world.foreign(*weights)
    first = world.look()
    assert (first.reason, first.actions) == (Reason.DRIFT, ())
    assert first.facts["split"] == said
    assert first.facts["authorised"] == "10 %"
    second = world.look()
    assert second.reason is Reason.CORRECTED
    assert second.facts["weight"] == "10 %"
    assert world.splits == (Split.between(V1, V2, 1000),)
    assert second.reason.level is Level.NOTIFY
    assert world.look().reason is Reason.BAKING


def test_at_rest_a_foreign_weight_is_set_back_too():
    """Nobody gets traffic that was not decided on."""
    world = resting()
    world.foreign({V1: 23, V2: 77})
    decision = world.look()
    assert (decision.reason, decision.actions, decision.facts["stable"]) == (Reason.DRIFT, (), V1)
    decision = world.look()
    assert (decision.reason, decision.facts["weight"]) == (Reason.CORRECTED, "0 %")
    assert world.splits == (Split.all_on(V1),)
    assert world.look().reason is Reason.NOTHING_NEW


@pytest.mark.parametrize("world", [at, resting])
def test_a_foreign_weight_that_goes_by_itself_starts_from_the_first_look_again(world):
    """The two looks are two in a row."""
    world = world()
    home = world.splits
    for _ in range(3):
        world.foreign({V1: 60, V2: 40})
        assert world.look().reason is Reason.DRIFT
        world.splits = home
        assert world.look().reason in {Reason.BAKING, Reason.NOTHING_NEW}
        assert world.state.drift == Drift()


@pytest.mark.parametrize("made", [at, resting])
def test_three_corrections_in_ten_minutes_are_a_fight(made):
    """The fourth time we stop writing, and call a person, who ends it with `resume`."""
    world = made()
    for _ in range(FIGHT):
        world.foreign({V1: 60, V2: 40})
        assert [world.look(60.0).reason for _ in range(2)] == [Reason.DRIFT, Reason.CORRECTED]
    world.foreign({V1: 60, V2: 40})
    authorised = Weight(1000) if made is at else Weight(0)
    for _ in range(3):
        decision = world.look()
        assert decision.reason is Reason.CONTESTED
        assert isinstance(decision.state, Held)
        assert (decision.state.why, decision.state.weight) == (Why.CONTESTED, authorised)
        assert decision.facts["times"] == 3
        assert decision.facts["split"] == "jazz-v1 60 %, jazz-v2 40 %"
        assert not decision.actions
    assert Reason.CONTESTED.level is Level.PAGE
    assert world.order(Verb.RESUME).obeyed == ((1, ""),)
    assert world.weight == authorised
    assert world.state.drift == Drift()


def test_corrections_long_ago_are_forgotten():
    """Only those of the last ten minutes count, to the second."""
    world = at()
    for _ in range(FIGHT):
        world.foreign({V1: 60, V2: 40})
        world.looks(2)
    assert timedelta(minutes=10) == FIGHT_SPAN
    corrected = world.ramp.drift.corrected
    assert len(corrected) == FIGHT
    world.foreign({V1: 60, V2: 40})
    contested = replace(world)
    contested.now = corrected[0] + FIGHT_SPAN - timedelta(seconds=1)
    assert contested.look().reason is Reason.CONTESTED
    world.now = corrected[0] + FIGHT_SPAN
    assert world.look().reason is Reason.DRIFT
    assert world.ramp.drift.corrected == corrected[1:]


def test_a_canary_waiting_at_nothing_is_watched_too():
    """Before the first raise nothing is authorised."""
    world = World(state=steady(), mesh_epoch=1, ready={V1: 1, V2: 0})
    world.look()
    world.foreign({V1: 50, V2: 50})
    assert [world.look().reason for _ in range(2)] == [Reason.DRIFT, Reason.CORRECTED]
    assert world.weight == 0
    assert world.ramp.rung == Waiting()


def test_a_route_that_lost_its_entries_before_the_first_raise_gets_its_stable_back():
    """Nothing was authorised, so nobody lowered anything: at the second look stable is written again."""
    world = World(state=steady(), mesh_epoch=1, ready={V1: 1, V2: 0})
    world.look()
    world.foreign()
    decisions = world.looks(2)
    assert [decision.reason for decision in decisions] == [Reason.DRIFT, Reason.CORRECTED]
    assert decisions[0].facts["split"] == "no backend"
    assert world.splits == (Split.all_on(V1),)


# --- below what was authorised (T4) --------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "left"),
    [
        ([{V1: 95, V2: 5}], 500),
        ([{V1: 1}], 0),
        ([{V1: 90, V2: 10}, {V1: 98, V2: 2}], 200),
        ([{V1: 90, V3: 10}], 0),
    ],
    ids=["less", "nothing", "in one of two entries", "replaced by a stranger"],
)
def test_less_than_authorised_is_somebodys_wish(weights, left):
    """Held there at the first look, wherever the least was written; nothing raises it again by itself."""
    world = at()
    world.foreign(*weights)
    decision = world.look()
    assert decision.reason is Reason.LOWERED
    assert decision.reason.level is Level.NOTIFY
    assert isinstance(decision.state, Held)
    assert (decision.state.why, decision.state.weight) == (Why.LOWERED, left)
    assert decision.facts["weight"] == f"{left / 100:g} %"
    assert decision.facts["authorised"] == "10 %"
    assert world.weight == left
    for decision in world.looks(200):
        assert decision.reason is Reason.LOWERED
        assert world.weight == left


def test_a_lowered_weight_may_be_lowered_further_but_not_raised_above_what_was_authorised():
    """What a person writes below the authorised weight stands; what is above is set back to it."""
    world = at()
    world.foreign({V1: 95, V2: 5})
    world.look()
    for wished, left in ((200, 200), (700, 700), (3000, 1000)):
        world.foreign({V1: 10_000 - wished, V2: wished})
        assert world.look().reason is Reason.LOWERED
        assert world.state.weight == left  # type: ignore[union-attr]
        assert world.weight == left


@pytest.mark.parametrize("trouble", ["breaker open", "held through silence", "failing without a home"])
def test_a_lowering_is_a_wish_whatever_else_is_wrong(trouble):
    """What only holds does not go before a foreign hand: the weight taken away is not written again."""
    asked = policy(analysis=judged(no_data=NoDataRule(1.0, OnSilence.HOLD)))
    world = at(asked=asked, breaker_open=trouble == "breaker open")
    if trouble == "failing without a home":
        world.failing[V2], world.ready[V1] = 1.0, 0
        world.until(Reason.STABLE_UNHEALTHY, most=3)
    else:
        world.metrics_gone = Unseen("away")
        world.until(Reason.BREAKER_OPEN, Reason.BLIND_HELD, most=3)
    world.foreign({V1: 1})
    world.ready[V1] = 2
    decision = world.look()
    assert decision.reason in {Reason.LOWERED, Reason.WORSE}
    world.looks(5)
    assert world.weight == 0


@pytest.mark.parametrize("made", [at, resting])
def test_traffic_moved_away_from_a_dead_stable_is_left_where_it_is(made):
    """Somebody saved what could be saved: nothing is set back to nobody, nothing is counted (I8)."""
    world = made()
    world.ready[V1] = 0
    world.foreign({V2: 1})
    for decision in world.looks(9):
        assert (decision.reason, decision.actions) == (Reason.STABLE_NOT_READY, ())
        assert decision.facts["detail"] == "jazz-v1 has none"
        assert decision.facts["weight"] == "100 %"
    world.ready[V1] = 1
    assert [world.look().reason for _ in range(2)] == [Reason.DRIFT, Reason.CORRECTED]


def test_resume_raises_a_lowered_canary_to_what_was_authorised_and_no_further():
    """The person who lowered it, or another, ends the hold; earned bake is kept."""
    world = at()
    world.looks(20)
    baked = world.ramp.clock.baked
    world.foreign({V1: 1})
    world.looks(5)
    decision = world.order(Verb.RESUME)
    assert decision.obeyed == ((1, ""),)
    assert world.weight == 1000
    assert isinstance(decision.state, Ramping)
    assert (decision.state.rung, decision.state.clock.baked) == (TEN, baked)
    assert [world.look().reason for _ in range(2)] == [Reason.BAKING, Reason.BAKING]


def test_resume_is_refused_while_the_mesh_cannot_be_read():
    """What to go on from has to be seen."""
    world = at()
    world.foreign({V1: 1})
    world.look()
    world.mesh_gone = Unseen("edge-1 does not answer")
    decision = world.order(Verb.RESUME)
    assert decision.obeyed == ((1, "the mesh cannot be read: edge-1 does not answer"),)
    assert isinstance(decision.state, Held)
    assert decision.reason is Reason.LOWERED


def test_resume_under_a_freeze_waits_for_its_end():
    """Weight does not rise while frozen, not even back to where it was."""
    world = at()
    world.foreign({V1: 1})
    world.look()
    world.holds = FROZEN
    assert world.order(Verb.RESUME).obeyed == ((1, ""),)
    assert world.ramp.intent == Intent(f"v{world.version}", world.now, shown=(Split.all_on(V1),))
    world.looks(10)
    assert world.weight == 0
    assert isinstance(world.state, Ramping)
    world.version += 1
    world._unwritten = True
    assert world.look().reason is Reason.FROZEN
    world.version -= 1
    world.holds = ()
    world.look()
    assert world.weight == 1000


def test_a_canary_lowered_to_nothing_is_not_rejected_for_being_silent():
    """A person took its traffic away: that no evidence comes is no news, and resuming stays possible."""
    world = at()
    world.foreign({V1: 1})
    assert {decision.reason for decision in world.looks(2000, every=10)} == {Reason.LOWERED}
    world.ready[V2] = 0
    assert world.look().reason is Reason.LOWERED
    world.ready[V2] = 2
    world.order(Verb.RESUME)
    clock = world.ramp.clock
    assert (clock.settling, clock.blind, clock.quiet) == (0.0, 0.0, 0.0)
    world.until(Reason.BAKING, most=3)
    assert world.weight == 1000


def test_resuming_while_blind_begins_to_wait_for_evidence_anew():
    """How long it was blind while nobody was to see it does not count."""
    world = at()
    world.foreign({V1: 1})
    world.metrics_gone = Unseen("away")
    world.looks(2000, every=10)
    decision = world.order(Verb.RESUME)
    assert isinstance(decision.state, Ramping)
    assert (decision.state.clock.blind, world.weight) == (0.0, 0)
    world.metrics_gone = None
    world.looks(2)
    assert world.weight == 1000


def test_a_canary_lowered_to_something_is_still_judged():
    """Held, it goes home when it is worse, when it is silent for too long, when it loses its endpoints."""
    for spoil, reason in (
        (lambda world: world.failing.update({V2: 1.0}), Reason.WORSE),
        (lambda world: setattr(world, "metrics_gone", Unseen("away")), Reason.NO_DATA_TOO_LONG),
        (lambda world: world.ready.update({V2: 0}), Reason.LOST_ENDPOINTS),
        (lambda world: world.asks(revision=policy(V1).revision), Reason.REVERTED),
    ):
        world = at()
        world.foreign({V1: 95, V2: 5})
        world.look()
        spoil(world)
        decision = world.until(reason, most=700)
        assert decision.verdict is not None
        assert world.weight == 0


def test_a_contested_canary_is_still_judged():
    """Held, it goes home when it is worse."""
    world = at()
    world.state = Held(world.ramp, Why.CONTESTED, Weight(1000))
    world.failing[V2] = 1.0
    world.until(Reason.WORSE, most=5)
    assert world.weight == 0


@pytest.mark.parametrize("why", [Why.LOWERED, Why.CONTESTED])
def test_what_is_held_can_be_aborted(why):
    """`abort` ends it from there too."""
    world = at()
    world.state = Held(world.ramp, why, Weight(1000))
    decision = world.order(Verb.ABORT, actor="ben", why="it is late")
    assert decision.reason is Reason.ABORTED
    assert (decision.facts["before"], decision.facts["weight"]) == ("10 %", "0 %")
    assert world.weight == 0


# --- lost writes (DESIGN 14.1) -------------------------------------------------------------------


def test_a_lost_raise_is_made_again():
    """The object has the version the write was conditional on: it never happened, nobody lowered anything."""
    world = raised()
    decision = world.look()
    assert decision.reason is Reason.SETTLING
    assert len(decision.actions) == 1
    assert world.weight == 5000


def test_a_lost_raise_is_made_again_after_a_restart():
    """The intent is in the state: a new process knows as much."""
    world = raised()
    world.epoch += 1
    decision = world.look(elapsed=None)
    assert decision.reason is Reason.SETTLING
    assert world.weight == 5000
    assert world.mesh_epoch == world.epoch


def test_a_raise_that_was_seen_and_is_gone_was_taken_away_by_somebody():
    """Once confirmed, a lower weight is a wish, even if the object bears its old version again."""
    world = raised()
    before = world.version
    world.look()
    assert world.look().reason is Reason.BAKING
    assert world.ramp.intent == Intent(
        f"v{before}", world.now - timedelta(seconds=1), True, (Split.between(V1, V2, 1000),)
    )
    world.splits, world.version = (Split.between(V1, V2, 1000),), before
    assert world.look().reason is Reason.LOWERED


def test_an_object_that_moved_without_our_weights_was_written_by_somebody():
    """Outcome unknown, version another, weights not ours: a foreign hand, not a lost write."""
    world = raised()
    world.version += 1
    assert world.look().reason is Reason.LOWERED
    assert world.weight == 1000


def test_a_write_refused_because_something_else_moved_is_made_again():
    """Somebody wrote other parts of the object in between: the weights we raised from still stand."""
    world = raised()
    world.version += 1
    world._unwritten = True
    assert world.look().reason is Reason.SETTLING
    assert world.weight == 5000


@pytest.mark.parametrize(
    ("weights", "reason"), [({V1: 1}, Reason.LOWERED), ({V1: 20, V2: 80}, Reason.DRIFT)], ids=["less", "more"]
)
def test_a_write_refused_because_the_weights_moved_is_not_made_again(weights, reason):
    """Somebody's weights came between: they are a foreign hand's, whatever we had meant to write."""
    world = raised()
    world.foreign(weights)
    world._unwritten = True
    decision = world.look()
    assert (decision.reason, decision.actions) == (reason, ())


@pytest.mark.parametrize("stable_ready", [0, 2])
def test_a_lost_raise_is_not_made_again_while_frozen(stable_ready):
    """A raise that never arrived is still a raise: it waits for the freeze to end, and for stable to live."""
    world = raised()
    world.holds = FROZEN if stable_ready else ()
    world.ready[V1] = stable_ready
    for decision in world.looks(5):
        assert not decision.actions
        assert decision.reason is (Reason.FROZEN if stable_ready else Reason.SETTLING)
    assert world.weight == 1000
    world.holds, world.ready[V1] = (), 2
    world.look()
    assert world.weight == 5000


def test_a_lost_raise_is_not_made_again_while_paused():
    """Nor while a person paused it."""
    world = raised()
    world.order(Verb.PAUSE)
    world.looks(5)
    assert world.weight == 1000
    world.order(Verb.RESUME)
    assert world.weight == 5000


def test_a_lowering_is_made_while_frozen():
    """Setting back what others raised is no raise."""
    world = at()
    world.holds = FROZEN
    world.foreign({V1: 50, V2: 50})
    world.looks(2)
    assert world.weight == 1000


def test_a_lost_way_home_is_made_again_until_it_is_seen():
    """Each look writes it anew, over whatever stands there."""
    world = at()
    world.loses = 3
    world.order(Verb.ABORT)
    for _ in range(3):
        assert world.weight == 1000
        assert world.look().reason is Reason.GOING_HOME
    assert world.weight == 0
    assert world.look().reason is Reason.ROLLED_BACK


def test_on_the_way_home_a_foreign_raise_is_undone_at_once():
    """Nobody waits for a second look, and nobody counts."""
    world = at()
    world.order(Verb.ABORT)
    for _ in range(5):
        world.foreign({V1: 20, V2: 80})
        decision = world.look()
        assert decision.reason is Reason.GOING_HOME
        assert world.weight == 0


def test_a_lost_promotion_is_made_again():
    """At rest on the new stable, the last write is made until it is seen."""
    world = at(Stage(2))
    world.looks(57)
    world.loses = 2
    world.until(Reason.PROMOTED)
    assert world.weight == 9500
    decision = world.look()
    assert decision.reason is Reason.NOTHING_NEW
    assert world.weight == 9500
    world.look()
    assert world.splits == (Split.all_on(V2),)
    assert isinstance(world.state, Steady)
    assert world.state.intent is not None
    world.look()
    assert world.state.intent is None


def test_an_intent_is_what_the_next_look_needs_to_tell():
    """It holds the version and the splits that the write was conditional on, and when it was meant."""
    world = at()
    world.looks(57)
    shown, version = world.splits, world.version
    decision = world.until(Reason.STEP_PASSED)
    assert world.ramp.intent == Intent(f"v{version}", world.now, shown=shown)
    assert decision.actions[0].version == f"v{version}"
    assert isinstance(world.mesh(), MeshSeen)
    assert world.now > NOON
    assert world.ramp.rung == FIFTY
