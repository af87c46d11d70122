"""What people order, in every state, with its refusals: pause, resume, promote, abort, retry."""

from dataclasses import replace

import pytest

from rollout.core.model import (
    Cause,
    Haste,
    Held,
    Hold,
    Limit,
    Paused,
    Probe,
    Ramping,
    Revision,
    RollingBack,
    State,
    Steady,
    Unadopted,
    Verb,
    Waiting,
    Weight,
    Why,
    Withdrawn,
)
from rollout.core.past import REJECTED_KEPT
from rollout.core.reason import Reason
from tests.unit.core.world import FIFTY, LAST, NOON, TEN, V1, V2, V3, World, at, judged, order, policy, steady

AT_REST = steady(rejected=(Revision(V3),))
GOING_HOME = RollingBack(steady().past, Revision(V2), Cause.WORSE, NOON, Weight(1000))
STATES: dict[str, State] = {
    "unadopted": Unadopted(),
    "steady": AT_REST,
    "waiting": replace(at().ramp, rung=Waiting()),
    "ramping": at().ramp,
    "paused": replace(at().ramp, paused=Paused("ben", "lunch", NOON)),
    "rolling back": GOING_HOME,
    "lowered": Held(at().ramp, Why.LOWERED, Weight(1000)),
    "contested": Held(at().ramp, Why.CONTESTED, Weight(1000)),
    "contested at rest": Held(AT_REST, Why.CONTESTED),
    "forgotten": Held(AT_REST, Why.FORGOTTEN),
    "forgotten before adoption": Held(Unadopted(), Why.FORGOTTEN),
}
NOTHING_TO_ABORT = "nothing is under way: all traffic is on stable already"
FOUGHT_OVER = "nothing is under way: `rollout resume prod/jazz` sends everything to jazz-v1"
NO_STABLE = (
    "it is not known which backend is stable: `rollout adopt prod/jazz BACKEND` sends everything there"
)
NOTHING_TO_PAUSE = "nothing is under way to pause; `freeze` keeps a next rollout from rising"
NOTHING_TO_PROMOTE = "nothing is under way to promote"
NOT_PAUSED = "it is not paused"
NOT_RETRIED = "only a rollout at rest can be retried"
FORGOTTEN = "the journal knows nothing of it: `adopt` says which backend is stable"
OBEYED = ""

ANSWERS = {
    Verb.PAUSE: {
        "waiting": OBEYED,
        "ramping": OBEYED,
        "paused": OBEYED,
        "": NOTHING_TO_PAUSE,
    },
    Verb.RESUME: {
        "paused": OBEYED,
        "lowered": OBEYED,
        "contested": OBEYED,
        "contested at rest": OBEYED,
        "forgotten": FORGOTTEN,
        "forgotten before adoption": FORGOTTEN,
        "": NOT_PAUSED,
    },
    Verb.PROMOTE: {
        "waiting": OBEYED,
        "ramping": OBEYED,
        "paused": "it is paused: `resume` first",
        "": NOTHING_TO_PROMOTE,
    },
    Verb.ABORT: {
        "waiting": OBEYED,
        "ramping": OBEYED,
        "paused": OBEYED,
        "rolling back": OBEYED,
        "lowered": OBEYED,
        "contested": OBEYED,
        "unadopted": NO_STABLE,
        "contested at rest": FOUGHT_OVER,
        "forgotten": NO_STABLE,
        "forgotten before adoption": NO_STABLE,
        "": NOTHING_TO_ABORT,
    },
    Verb.RETRY: {
        "steady": OBEYED,
        "": NOT_RETRIED,
    },
}
CASES = [(verb, name) for verb in ANSWERS for name in STATES]


@pytest.mark.parametrize(("verb", "name"), CASES, ids=[f"{verb.value} {name}" for verb, name in CASES])
def test_every_order_in_every_state(verb, name):
    """It is obeyed, or refused with a sentence that says why and what would do."""
    asked = policy(V3) if verb is Verb.RETRY else policy()
    world = World(asked, STATES[name], mesh_epoch=1)
    world.foreign({V1: 90, V2: 10})
    decision = world.order(verb)
    assert decision.obeyed == ((1, ANSWERS[verb].get(name, ANSWERS[verb][""])),)


# --- pause, resume -------------------------------------------------------------------------------


def test_a_pause_holds_the_weight_and_goes_on_counting():
    """Who and why is remembered; the bake is earned meanwhile."""
    world = at(TEN)
    decision = world.order(Verb.PAUSE, actor="ben", why="lunch")
    assert decision.reason is Reason.PAUSED
    assert (decision.facts["actor"], decision.facts["why"]) == ("ben", "lunch")
    assert world.ramp.paused == Paused("ben", "lunch", NOON)
    world.looks(100)
    assert (world.weight, world.ramp.clock.baked) == (1000, 101.0)
    assert world.order(Verb.RESUME).reason is Reason.STEP_PASSED
    assert world.ramp.paused is None


def test_a_pause_before_the_first_raise_keeps_it_from_starting():
    """Waiting is under way, too."""
    world = World(state=steady())
    world.look()
    assert world.order(Verb.PAUSE).reason is Reason.PAUSED
    world.looks(10)
    assert world.weight == 0
    world.order(Verb.RESUME)
    world.until(Reason.STARTED, most=2)


# --- promote -------------------------------------------------------------------------------------


def test_promote_waives_what_the_present_rung_lacks_and_only_that():
    """One step up without bake or sample sizes; the next one bakes again."""
    world = at(TEN, rate=1.0)
    decision = world.order(Verb.PROMOTE)
    assert (decision.reason, world.weight) == (Reason.STEP_PASSED, 5000)
    assert world.ramp.haste is Haste.NONE
    assert {decision.reason for decision in world.looks(30)} == {Reason.SETTLING, Reason.BAKING} - {
        Reason.SETTLING
    }


def test_promote_on_a_probe_is_one_rung():
    """A probe's good look is waived; the ladder is not."""
    world = at(Probe(Weight(10)), rate=0.0)
    assert world.order(Verb.PROMOTE).reason is Reason.RAISED
    assert world.weight == 20
    assert world.look().reason is Reason.PROBING


def test_promote_before_the_first_raise_still_needs_endpoints_and_a_rate():
    """Nothing is waived there, but the order counts as given for that rung."""
    world = World(state=steady(), ready={V1: 1, V2: 0})
    world.look()
    assert world.order(Verb.PROMOTE).reason is Reason.NOT_READY
    world.ready[V2] = 1
    world.until(Reason.STARTED, most=2)
    assert world.ramp.haste is Haste.NONE


def test_promote_full_climbs_every_rung_as_soon_as_the_mesh_carries_it():
    """No rung is skipped, and each is seen before the next."""
    world = at(Probe(Weight(300)), rate=1.0)
    world.order(Verb.PROMOTE, "full")
    weights = [world.weight]
    while isinstance(world.state, Ramping):
        assert world.ramp.haste is Haste.ALL
        world.look()
        weights.append(world.weight)
    assert weights == [600, 1000, 5000, 9500, 10_000]
    assert world.past.stable == Revision(V2)


@pytest.mark.parametrize("argument", ["", "full"])
def test_promote_does_not_promote_a_failing_canary(argument):
    """Down before up."""
    world = at(FIFTY)
    world.count("edge-1", V2, 500, 500)
    world.count("edge-1", V1, 500)
    assert world.order(Verb.PROMOTE, argument).reason is Reason.WORSE
    assert world.weight == 0


def test_promote_waives_nothing_that_speaks_against_the_canary():
    """Time and sample sizes are a person's to waive; suspicion, limits and a hanging probe are not."""
    world = at(TEN, failing={V1: 0.01})
    world.count("edge-1", V2, 4, 3)
    assert world.look().reason is Reason.BAKING
    assert world.order(Verb.PROMOTE).reason is Reason.SUSPECT
    world = at(TEN, asked=policy(analysis=judged(checks=(Limit(0.05),))))
    world.count("edge-1", V2, 100, 8)
    assert world.look().reason is Reason.BAKING
    assert world.order(Verb.PROMOTE).reason is Reason.OVER_LIMIT_NOW
    world = at(Probe(Weight(10)), rate=1000.0, hanging={V2: 2})
    assert world.order(Verb.PROMOTE).reason is Reason.PROBING
    world.hanging = {}
    world.count("edge-1", V2, 2)
    assert world.look().reason is Reason.RAISED


def test_promote_waits_for_a_freeze():
    """It is not refused, and not forgotten; but nothing rises while frozen."""
    world = at(TEN)
    world.holds = (Hold(Reason.FROZEN, "by ben: sale"),)
    decision = world.order(Verb.PROMOTE)
    assert (decision.reason, decision.obeyed, world.weight) == (Reason.FROZEN, ((1, ""),), 1000)
    world.holds = ()
    assert world.look().reason is Reason.STEP_PASSED


def test_promoting_the_last_step_serves_everybody():
    """The last rung's bake is waived like any other's."""
    world = at(LAST)
    assert world.order(Verb.PROMOTE).reason is Reason.PROMOTED
    assert world.weight == 10_000


# --- abort ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", [Waiting(), Probe(Weight(10)), TEN, LAST], ids=str)
def test_abort_goes_home_at_once_and_rejects(rung):
    """From every rung; who and why is told; the revision is not tried again."""
    world = at(rung)
    weight = world.weight
    decision = world.order(Verb.ABORT, actor="ben", why="it smells")
    assert decision.reason is Reason.ABORTED
    assert decision.facts == {
        "actor": "ben",
        "why": "it smells",
        "before": f"{weight / 100:g} %",
        "weight": "0 %",
        "canary": V2,
        "stable": V1,
        "name": "prod/jazz",
    }
    assert decision.state == RollingBack(
        steady(rejected=(Revision(V2),), attempt=1, writes=len(world.writes)).past,
        Revision(V2),
        Cause.ABORTED,
        world.now,
        weight,
        decision.state.intent,  # type: ignore[union-attr]
    )
    assert world.weight == 0
    assert world.look().reason is Reason.ROLLED_BACK
    assert {decision.reason for decision in world.looks(10)} == {Reason.REJECTED_BEFORE}


def test_aborting_twice_is_once():
    """On the way home already: done, and nothing begins again."""
    world = at(TEN)
    world.loses = 1
    world.order(Verb.ABORT)
    decision = world.look(orders=[order(Verb.ABORT, number=7)])
    assert (decision.obeyed, decision.reason) == (((7, ""),), Reason.GOING_HOME)


def test_two_aborts_in_one_look_are_one():
    """Both are answered, and the look is the abort's."""
    world = at(TEN)
    decision = world.look(orders=[order(Verb.ABORT, number=1, actor="ben"), order(Verb.ABORT, number=2)])
    assert (decision.reason, decision.obeyed) == (Reason.ABORTED, ((1, ""), (2, "")))
    assert decision.facts["actor"] == "ben"


def test_an_abort_is_taken_before_the_orders_that_came_earlier():
    """It goes first whatever its number; the others are answered in their order."""
    world = at(TEN)
    given = [
        order(Verb.RETRY, number=4),
        order(Verb.PAUSE, number=2),
        order(Verb.ABORT, number=9),
        order(Verb.RESUME, number=3),
    ]
    decision = world.look(orders=given)
    assert decision.obeyed == ((9, ""), (2, NOTHING_TO_PAUSE), (3, NOT_PAUSED), (4, NOT_RETRIED))
    assert decision.reason is Reason.ABORTED


def test_orders_are_obeyed_in_the_order_they_were_given():
    """Pause, then resume: it goes on."""
    world = at(TEN)
    given = [order(Verb.RESUME, number=2), order(Verb.PAUSE, number=1)]
    assert world.look(orders=given).obeyed == ((1, ""), (2, ""))
    assert world.ramp.paused is None


def test_an_abort_without_a_living_stable_moves_nothing_until_it_lives():
    """The wish is remembered; the write waits for somewhere to go."""
    world = at(TEN)
    world.ready[V1] = 0
    decision = world.order(Verb.ABORT)
    assert (decision.reason, decision.actions) == (Reason.ABORTED, ())
    assert world.look().reason is Reason.STABLE_NOT_READY
    assert world.weight == 1000
    world.ready[V1] = 1
    world.look()
    assert world.weight == 0


# --- rejected, retry -----------------------------------------------------------------------------


def rejected() -> World:
    world = at(TEN)
    world.order(Verb.ABORT)
    world.looks(2)
    return world


def test_a_rejected_revision_stays_rejected_through_revert_and_reapply():
    """I3: git goes back and forth, the policy is deleted and comes again, other lines change."""
    world = rejected()
    for change in (
        {"revision": Revision(V1)},
        {"revision": Revision(V2)},
        {"alerts": ("ops",)},
        {"analysis": replace(policy().analysis, holdback=Weight(1000))},
    ):
        world.asks(**change)
        assert {decision.reason for decision in world.looks(3)} < {Reason.NOTHING_NEW, Reason.REJECTED_BEFORE}
    asked, world.asked = world.asked, Withdrawn("prod/jazz")
    assert world.look().reason is Reason.RELEASED
    world.asked = asked
    assert world.look().reason is Reason.REJECTED_BEFORE
    assert world.weight == 0


def test_another_revision_is_tried_after_a_rejection():
    """A new content behind the same backend, or another backend, begins."""
    for revision in (Revision(V2, "sha256:2"), Revision(V3)):
        world = rejected()
        world.asks(revision=revision)
        assert world.look().reason is Reason.MEASURING


def test_retry_tries_a_rejected_revision_once_more():
    """By name, by a person; it takes the whole ladder, and what fails again is rejected again."""
    world = rejected()
    decision = world.order(Verb.RETRY)
    assert (decision.obeyed, decision.reason) == (((1, ""),), Reason.MEASURING)
    assert world.ramp.past.rejected == ()
    assert world.ramp.past.attempt == 2
    world.until(Reason.STARTED, most=3)
    world.order(Verb.ABORT)
    world.look()
    assert world.look().reason is Reason.REJECTED_BEFORE


def test_retry_forgives_only_what_git_asks_for():
    """The other rejected revisions stay so."""
    world = World(policy(V2), steady(rejected=(Revision(V3), Revision(V2))))
    world.order(Verb.RETRY)
    assert world.past.rejected == (Revision(V3),)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (policy(V2), "jazz-v2, which git asks for, was not rejected"),
        (Withdrawn("prod/jazz"), NOT_RETRIED),
    ],
)
def test_retry_of_what_was_not_rejected_is_refused(asked, refusal):
    """There is nothing to forgive."""
    world = World(asked, AT_REST)
    assert world.order(Verb.RETRY).obeyed == ((1, refusal),)


def test_the_newest_hundred_rejections_are_remembered():
    """Once each, the oldest go first."""
    old = tuple(Revision(f"old-{number}") for number in range(REJECTED_KEPT))
    world = at(TEN)
    world.state = replace(world.ramp, past=replace(world.ramp.past, rejected=(Revision(V2), *old)))
    world.order(Verb.ABORT)
    assert world.past.rejected == (*old[1:], Revision(V2))
    assert len(world.past.rejected) == 100


def test_a_rejection_outlives_promotions_of_others():
    """v2 was rejected; v3 is promoted; v2 stays rejected."""
    world = rejected()
    world.asks(revision=Revision(V3))
    world.until(Reason.PROMOTED)
    world.asks(revision=Revision(V2))
    assert {decision.reason for decision in world.looks(3)} == {Reason.REJECTED_BEFORE}
    assert isinstance(world.state, Steady)
