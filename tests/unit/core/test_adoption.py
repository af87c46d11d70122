"""Which backend is stable: adoption, a lost or old memory, another route, release."""

from dataclasses import replace

import pytest

from rollout.core.model import (
    EVERYTHING,
    Cause,
    Held,
    Intent,
    Past,
    Promoted,
    Ramping,
    Revision,
    RollingBack,
    Split,
    Stage,
    State,
    Steady,
    Unadopted,
    Unseen,
    Verb,
    Weight,
    Why,
    Withdrawn,
)
from rollout.core.reason import Level, Reason
from tests.unit.core.world import NOON, ROUTE, TEN, V1, V2, V3, World, at, policy, steady

GONE = Unseen("jazz is gone", lost=True)
AWAY = Unseen("edge-1 does not answer")
WITHDRAWN = Withdrawn("prod/jazz")


def test_the_backend_that_carries_everything_is_adopted():
    """The first time, stable is what the mesh shows; nothing is written."""
    world = World()
    decision = world.look()
    assert decision.reason is Reason.ADOPTED
    assert decision.state == Steady(Past(Revision(V1), ROUTE))
    assert not decision.actions
    assert decision.facts["stable"] == V1


def test_the_adopted_backend_bears_the_revision_that_git_asks_for():
    """Git asks for what already runs: its content is known from then on, and nothing is begun."""
    asked = policy(V1, revision=Revision(V1, "sha256:1"))
    world = World(asked)
    world.look()
    assert world.state == Steady(Past(Revision(V1, "sha256:1"), ROUTE))
    assert world.look().reason is Reason.NOTHING_NEW


def test_several_entries_that_agree_are_one_split():
    """Two entries of a route with the same weights are no mixture."""
    world = World()
    world.foreign({V1: 1}, {V1: 7})
    assert world.look().reason is Reason.ADOPTED


@pytest.mark.parametrize(
    "weights", [[{V1: 50, V2: 50}], [{V1: 1}, {V2: 1}]], ids=["one entry", "two entries"]
)
def test_a_mixture_is_not_adopted(weights):
    """Where nobody carries everything, a person is asked, and nothing is written."""
    world = World()
    world.foreign(*weights)
    for _ in range(3):
        decision = world.look()
        assert (decision.reason, decision.state, decision.actions) == (Reason.MIXTURE, Unadopted(), ())
    assert Reason.MIXTURE.level is Level.PAGE


def test_spec_stable_settles_a_mixture():
    """The policy says which is stable: it is taken, and gets everything."""
    world = World(policy(stable=V1))
    world.foreign({V1: 30, V2: 70})
    decision = world.look()
    assert decision.reason is Reason.ADOPTED
    assert [action.split for action in decision.actions] == [Split.all_on(V1)]


def test_spec_stable_is_for_a_mixture_only():
    """A backend that carries everything is stable, whatever the policy says."""
    world = World(policy(stable=V2))
    world.look()
    assert world.state == steady(V1)


def test_spec_stable_must_carry_something():
    """A name that the mesh does not show is no answer."""
    world = World(policy(stable=V3))
    world.foreign({V1: 30, V2: 70})
    assert world.look().reason is Reason.MIXTURE


def test_a_person_settles_a_mixture():
    """`adopt BACKEND` does what spec.stable does."""
    world = World()
    world.foreign({V1: 30, V2: 70})
    decision = world.order(Verb.ADOPT, V1)
    assert decision.obeyed == ((1, ""),)
    assert isinstance(decision.state, Ramping)
    assert decision.state.past.stable == Revision(V1)


def test_adopting_a_backend_without_endpoints_waits_for_one():
    """Nothing is sent to nobody; what the mesh showed when the person spoke was known to them."""
    world = World(ready={V1: 0, V2: 2})
    world.foreign({V1: 30, V2: 70})
    shown = world.splits
    decision = world.order(Verb.ADOPT, V1)
    assert decision.actions == ()
    assert isinstance(decision.state, Ramping)
    assert decision.state.past.stable == Revision(V1)
    assert decision.state.intent == Intent(f"v{world.version}", world.now, shown=shown)
    assert world.splits == shown
    assert world.look().reason is Reason.SETTLING
    world.ready[V1] = 1
    assert world.look().reason is Reason.SETTLING
    assert world.splits == (Split.all_on(V1),)


@pytest.mark.parametrize("argument", ["", V3])
def test_adopting_a_mixture_needs_a_name_that_carries_something(argument):
    """Without it the order is refused, and the answer lists what could be said."""
    world = World()
    world.foreign({V1: 30, V2: 70})
    decision = world.order(Verb.ADOPT, argument)
    assert decision.obeyed == ((1, "say which is stable: jazz-v1, jazz-v2"),)
    assert decision.reason is Reason.MIXTURE


def test_adopting_needs_no_name_where_one_carries_everything():
    """The only backend is meant."""
    world = World(mesh_epoch=4)
    world.look()
    assert world.order(Verb.ADOPT).obeyed == ((1, ""),)
    assert world.ramp.past.stable == Revision(V1)


@pytest.mark.parametrize(
    ("state", "changes", "refusal"),
    [
        (steady(), {}, "it is adopted already"),
        (Unadopted(), {"asked": WITHDRAWN}, "git no longer has a policy for it"),
        (Unadopted(), {"mesh_gone": AWAY}, "the mesh cannot be read: edge-1 does not answer"),
        (Held(steady(), Why.CONTESTED), {}, "it is adopted already"),
    ],
)
def test_adopting_is_refused_where_it_makes_no_sense(state, changes, refusal):
    """Each refusal says why."""
    world = World(state=state, **changes)
    decision = world.order(Verb.ADOPT, V1)
    assert decision.obeyed == ((1, refusal),)


def test_a_mesh_that_cannot_be_read_adopts_nothing():
    """Not seen is not adopted."""
    world = World(mesh_gone=AWAY)
    decision = world.look()
    assert (decision.reason, decision.state) == (Reason.MESH_UNSEEN, Unadopted())
    assert decision.facts["detail"] == "edge-1 does not answer"
    world.mesh_gone = GONE
    assert world.look().reason is Reason.TARGET_LOST


# --- memory lost, memory old (Q2, H2) ------------------------------------------------------------


def test_a_route_that_bears_our_mark_without_a_memory_is_held():
    """The journal is lost: nothing is written until a person adopts, then the rollout begins."""
    world = World(mesh_epoch=7, epoch=1)
    for _ in range(3):
        decision = world.look()
        assert (decision.reason, decision.state) == (Reason.FORGOTTEN, Held(Unadopted(), Why.FORGOTTEN))
        assert decision.facts["epoch"] == 7
        assert not decision.actions
    decision = world.order(Verb.ADOPT, V1)
    assert decision.obeyed == ((1, ""),)
    world.until(Reason.STARTED, most=5)
    assert world.mesh_epoch == 1


def test_a_forgotten_route_is_spoken_of_while_the_mesh_is_away():
    """The sentence can be said without the mesh."""
    world = World(mesh_epoch=7)
    world.look()
    world.mesh_gone = AWAY
    decision = world.look()
    assert decision.reason is Reason.FORGOTTEN
    assert "epoch unknown" in decision.reason.say(decision.facts)


def test_our_own_mark_after_a_restart_is_no_surprise():
    """An epoch at or below this process's belongs to an earlier start of the same journal."""
    world = World(state=steady(), mesh_epoch=3, epoch=3)
    assert world.look().reason is Reason.MEASURING


OLD_COPIES = {
    "steady": steady(rejected=(Revision(V3),)),
    "ramping": replace(at().ramp, past=replace(at().ramp.past, rejected=(Revision(V3),))),
    "rolling back": RollingBack(
        replace(steady().past, rejected=(Revision(V3),)), Revision(V2), Cause.WORSE, NOON
    ),
}


@pytest.mark.parametrize("state", OLD_COPIES.values(), ids=OLD_COPIES)
def test_a_newer_mark_than_ours_means_that_the_journal_is_an_old_copy(state):
    """Whatever it remembers of a journey, nothing is written; who was rejected stays rejected."""
    world = World(state=state, mesh_epoch=9, epoch=4)
    world.foreign({V2: 1})
    for _ in range(3):
        decision = world.look()
        assert (decision.reason, decision.facts["epoch"]) == (Reason.FORGOTTEN, 9)
        assert not decision.actions
    decision = world.order(Verb.ADOPT, V2)
    assert decision.obeyed == ((1, ""),)
    assert isinstance(world.state, Steady)
    assert world.past.stable == Revision(V2)
    assert world.past.rejected == (Revision(V3),)
    assert {decision.reason for decision in world.looks(5)} == {Reason.NOTHING_NEW}


def test_adopting_what_was_stable_keeps_its_revision():
    """The content that was known to run behind it is not forgotten."""
    world = World(policy(V2), state=steady(stable=V1), mesh_epoch=9)
    known = replace(steady().past, stable=Revision(V1, "sha256:1"))
    world.state = Held(Steady(known), Why.FORGOTTEN)
    world.order(Verb.ADOPT, V1)
    assert world.ramp.past.stable == Revision(V1, "sha256:1")


def test_adopting_keeps_count_of_the_journeys_and_the_content_that_git_names():
    """Alerts are told apart by the journey's number; the revision is what git says of that backend."""
    world = World(policy(V1, revision=Revision(V1, "sha256:1")), state=Unadopted(3), mesh_epoch=7)
    world.look()
    assert world.state == Held(Unadopted(3), Why.FORGOTTEN)
    world.order(Verb.ADOPT, V1)
    assert (world.past.attempt, world.past.stable) == (3, Revision(V1, "sha256:1"))
    world = World(policy(V2), mesh_epoch=7)
    world.look()
    world.order(Verb.ADOPT, V1)
    assert (world.past.attempt, world.past.stable) == (1, Revision(V1))


def test_a_fence_that_moves_again_after_adoption_is_held_again():
    """Adopting overrules the mark that was there, not the next one: somebody else is writing."""
    world = World(policy(V1), mesh_epoch=7)
    world.look()
    world.order(Verb.ADOPT, V1)
    assert world.look().reason is Reason.NOTHING_NEW
    world.mesh_epoch = 8
    assert world.look().reason is Reason.FORGOTTEN


def restored(world: World, state: State) -> World:
    """An old copy of the journal is put back, and the daemon started on it."""
    world.state = state
    world.look(5.0, elapsed=None)
    return world


def test_a_backup_of_the_same_run_is_an_old_copy():
    """Its epoch looks right; the fence counts writes that it knows nothing of, and nothing is written."""
    backup = steady()
    world = World(state=backup)
    world.until(Reason.PROMOTED)
    wrote = len(world.writes)
    restored(world, backup)
    world.looks(5)
    assert world.state == Held(backup, Why.FORGOTTEN)
    assert (len(world.writes), world.weight) == (wrote, 10_000)
    world.order(Verb.ADOPT, V2)
    assert {decision.reason for decision in world.looks(5)} == {Reason.NOTHING_NEW}
    assert (world.past.stable, world.past.writes) == (Revision(V2), wrote)


@pytest.mark.parametrize("why", [Why.LOWERED, Why.CONTESTED])
def test_a_backup_that_is_held_is_an_old_copy_too(why):
    """A person's lowering is not made again on what others wrote meanwhile."""
    world = at(TEN)
    backup = Held(world.ramp, why, Weight(1000))
    world.until(Reason.PROMOTED)
    wrote = len(world.writes)
    restored(world, backup)
    assert world.last is not None
    assert world.last.reason is Reason.FORGOTTEN
    assert world.looks(5)[-1].reason is Reason.FORGOTTEN
    assert len(world.writes) == wrote


def test_an_abort_given_to_an_old_copy_moves_nothing():
    """It does not know which backend is stable: who aborts hears so, and says it."""
    world = at(TEN)
    backup = world.state
    world.until(Reason.PROMOTED)
    world.state, wrote = backup, len(world.writes)
    decision = world.order(Verb.ABORT)
    assert (decision.reason, len(world.writes)) == (Reason.FORGOTTEN, wrote)
    assert "it is not known which backend is stable" in decision.obeyed[0][1]


def test_an_adopt_that_an_old_copy_holds_is_not_obeyed():
    """It was given, and answered, before the copy was put back: another backend may be stable since."""
    world = at(TEN)
    backup = world.state
    world.until(Reason.PROMOTED)
    world.state, wrote = backup, len(world.writes)
    decision = world.order(Verb.ADOPT, V1)
    assert (decision.reason, len(world.writes)) == (Reason.FORGOTTEN, wrote)
    assert "adopt again" in decision.obeyed[0][1]
    assert world.order(Verb.ADOPT, V2).obeyed[0][1] == ""


def test_a_copy_from_while_a_write_was_under_way_does_not_take_another_s_for_it():
    """The raise was lost, and the one write more may have been a whole journey's last."""
    world = at(TEN)
    world.loses = 1
    world.until(Reason.STEP_PASSED)
    backup = world.ramp
    world.look()
    world.order(Verb.ABORT)
    assert world.past.writes == world.mesh_writes == 2
    restored(world, backup)
    assert world.state == Held(Steady(backup.past), Why.FORGOTTEN)


def test_a_copy_from_while_a_write_was_lost_does_not_take_another_journey_s_for_it():
    """It counts one, and so does the route: of another canary, at a weight that nobody here asked for."""
    world = at(TEN)
    world.loses = 1
    world.until(Reason.STEP_PASSED)
    backup = world.ramp
    assert backup.past.writes == 1
    world.foreign({V1: 99, V3: 1})
    world.mesh_epoch, world.mesh_writes = 1, 1
    restored(world, backup)
    assert world.state == Held(Steady(backup.past), Why.FORGOTTEN)


def test_a_way_home_that_could_not_be_recorded_is_no_old_copy():
    """Q1: the memory is of 10 %, the route is at home and counts one write more. Nobody is asked; a foreign
    hand that raises it afterwards is set right as ever.
    """
    world = at(TEN)
    memory = world.state
    world.order(Verb.ABORT)
    restored(world, memory)
    assert isinstance(world.state, Held)
    assert world.state.why is Why.LOWERED
    assert world.past.writes == world.mesh_writes == 1
    world.order(Verb.RESUME)
    assert world.weight == 1000
    assert world.past.writes == 2


def test_a_correction_that_could_not_be_recorded_is_no_old_copy():
    """The route shows what the memory wants: whoever wrote it, we agree."""
    world = at(TEN)
    memory = world.state
    world.foreign({V2: 1})
    world.until(Reason.CORRECTED)
    restored(world, memory)
    assert isinstance(world.state, Ramping)
    assert world.past.writes == 1


def test_a_write_that_never_happened_is_no_old_copy():
    """The memory may be ahead of the fence, never behind it."""
    world = at(TEN)
    world.loses = 1
    world.until(Reason.STEP_PASSED)
    assert (world.past.writes, world.mesh_writes) == (1, 0)
    restored(world, world.state)
    assert world.look().reason is Reason.BAKING
    assert (world.weight, world.past.writes, world.mesh_writes) == (5000, 1, 1)


def test_a_fence_that_others_dropped_counts_from_the_beginning():
    """Another tool wrote the whole object: no fence, no claim; what is remembered counts anew with it, or a
    later copy would know of more writes than were made.
    """
    world = World(policy(V1), state=steady(writes=7), mesh_writes=7)
    world.look()
    assert world.past.writes == 0
    world.asks(revision=Revision(V2))
    world.until(Reason.STARTED)
    assert (world.past.writes, world.mesh_writes) == (1, 1)
    world.until(Reason.PROMOTED)


def test_what_was_only_observed_leaves_the_count_as_it_was():
    """After observe mode an old copy is told by the same number."""
    world = World(state=steady(writes=3), mesh_epoch=1, mesh_writes=3, observe=True)
    world.looks(5)
    assert world.past.virtual
    world.observe = False
    world.look()
    assert (world.past.virtual, world.past.writes) == (False, 3)


# --- another route, another backend, the same backend --------------------------------------------


def test_another_route_is_adopted_afresh():
    """Git names another route: nothing is written to it before it is understood."""
    world = World(policy(V1), state=steady())
    world.asks(route=replace(ROUTE, name="metal"))
    world.foreign({V2: 1})
    decision = world.look()
    assert (decision.reason, decision.state, decision.actions) == (Reason.OTHER_ROUTE, Unadopted(), ())
    assert decision.facts["route"] == "envoy metal"
    assert world.look().reason is Reason.ADOPTED
    assert world.state == Steady(Past(Revision(V2), replace(ROUTE, name="metal")))


def test_the_same_backend_with_other_content_cannot_be_split():
    """Weights cannot tell two contents of one backend apart: said, and nothing is done."""
    world = World(policy(V1, revision=Revision(V1, "sha256:2")), state=steady())
    decision = world.look()
    assert decision.reason is Reason.SAME_BACKEND
    assert not decision.actions
    assert world.state == steady()


def test_the_same_backend_with_unknown_content_is_nothing_new():
    """A policy that does not say what runs behind it asks for what is there."""
    world = World(policy(V1), state=Steady(replace(steady().past, stable=Revision(V1, "sha256:2"))))
    assert world.look().reason is Reason.NOTHING_NEW
    world.asks(revision=Revision(V1, "sha256:2"))
    assert world.look().reason is Reason.NOTHING_NEW


def test_a_mesh_that_cannot_be_read_at_rest_is_left_alone():
    """Nothing is begun and nothing is written on what was not seen."""
    world = World(state=steady(), mesh_gone=AWAY)
    assert (world.look().reason, world.state) == (Reason.MESH_UNSEEN, steady())
    world.mesh_gone = GONE
    assert (world.look().reason, world.state) == (Reason.TARGET_LOST, steady())


# --- release -------------------------------------------------------------------------------------


def test_a_withdrawn_policy_at_rest_is_released():
    """Git no longer has it: the route stays as it is, with stable on everything."""
    world = World(WITHDRAWN, state=steady())
    decision = world.look()
    assert (decision.reason, decision.state, decision.actions) == (Reason.RELEASED, steady(), ())


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (Unadopted(), Unadopted()),
        (Held(Unadopted(), Why.FORGOTTEN), Unadopted()),
        (Held(steady(), Why.FORGOTTEN), steady()),
        (Held(steady(), Why.CONTESTED), steady()),
    ],
)
@pytest.mark.parametrize("gone", [None, AWAY], ids=["seen", "unseen"])
def test_a_withdrawn_policy_that_was_never_under_way_is_released(state, after, gone):
    """Nobody has to be asked about a route that is no longer ours; what was remembered is kept."""
    world = World(WITHDRAWN, state=state, mesh_epoch=7, mesh_gone=gone)
    world.foreign({V1: 60, V2: 40})
    decision = world.look()
    assert (decision.reason, decision.state, decision.actions) == (Reason.RELEASED, after, ())


def test_a_withdrawn_policy_whose_route_is_gone_is_released():
    """There is nothing left to leave in order."""
    world = World(WITHDRAWN, state=steady(), mesh_gone=AWAY)
    assert world.look().reason is Reason.MESH_UNSEEN
    world.mesh_gone = GONE
    assert world.look().reason is Reason.RELEASED


def test_a_promotion_that_is_still_on_its_way_is_finished_before_release():
    """The route is left with everything on stable, not with the last step's weights."""
    world = at(Stage(2))
    world.loses = 1
    world.until(Reason.PROMOTED)
    world.asked = WITHDRAWN
    world.loses = 1
    assert world.look().reason is Reason.GOING_HOME
    assert world.look().reason is Reason.GOING_HOME
    assert world.weight == EVERYTHING
    assert world.look().reason is Reason.RELEASED


def test_a_withdrawn_policy_whose_route_vanished_on_the_way_home_is_released():
    """Policy and route deleted together: nothing is left to wait for."""
    world = at()
    world.asked, world.mesh_gone = WITHDRAWN, GONE
    assert world.look().reason is Reason.WITHDRAWN
    decision = world.look()
    assert decision.reason is Reason.RELEASED
    assert decision.state == Steady(world.state.past)  # type: ignore[union-attr]


def test_a_route_that_vanished_on_the_way_home_is_named():
    """With the policy still there a person has to look; nothing is made again."""
    world = at()
    world.order(Verb.ABORT)
    world.mesh_gone = GONE
    decision = world.look()
    assert decision.reason is Reason.TARGET_LOST
    assert isinstance(decision.state, RollingBack)
    assert not decision.actions


def test_promotion_remembers_what_was_stable_until_now():
    """The new stable, and the one before it with the instant it ended."""
    world = at(Stage(2))
    world.until(Reason.PROMOTED)
    assert isinstance(world.state, Steady)
    past = world.state.past
    assert past.stable == Revision(V2)
    assert past.promoted == (Promoted(Revision(V1), world.now), Promoted(Revision(V2)))
