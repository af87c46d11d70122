"""Each law of writes and raises: a log that keeps it, and one that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.core.model import (
    FULL,
    Cause,
    Intent,
    Past,
    Probe,
    Revision,
    Split,
    Stage,
    Steady,
    Step,
    Verb,
    Weight,
)
from rollout.core.reason import Reason
from rollout.ports import SourceState
from rollout.simulation import events as e
from tests.unit.simulation.referee_story import (
    CANARY,
    MORNING,
    PAST,
    POLICY,
    STABLE,
    Story,
    home,
    lowered,
    ramp,
    split,
)


def promoted() -> Steady:
    return Steady(Past(Revision(CANARY), PAST.route, attempt=1))


def second(story: Story) -> Story:
    """To the second step."""
    return story.step(Stage(1), 5000, Reason.STEP_PASSED)


def test_a_whole_journey_keeps_every_law():
    story = Story().begin().bake(6)
    second(story).bake(6, canary=50)
    story.step(Stage(2), 9500, Reason.STEP_PASSED).bake(
        6,
        canary=95,
    )
    everything = Split.all_on(CANARY)
    story.read().record(promoted(), Reason.PROMOTED, writes=everything).write(everything, home=everything)
    assert story.laws == []


# --- I1, I8, I15, I23 ----------------------------------------------------------------------------


def test_i1_weights_sum_to_everything():
    bad = Split(((STABLE, Weight(9000)), (CANARY, Weight(900))))
    story = Story().begin().bake(6).record(ramp(Stage(0)), Reason.SETTLING, writes=bad).write(bad)
    assert "I1" in story.laws


def test_i1_only_the_two_backends_take_part():
    other = Split.of({STABLE: 9000, "metal-v1": 1000})
    story = Story().begin().record(ramp(Stage(0)), Reason.SETTLING, writes=other).write(other)
    assert "I1" in story.laws


def test_i1_the_way_home_leads_to_stable():
    story = Story().begin().go_home().write(split(0), home=Split.all_on(CANARY))
    assert "I1" in story.laws


@pytest.mark.parametrize(("count", "laws"), [(1, []), (0, ["I8"])])
def test_i8_who_gets_more_lives(count: int, laws: list[str]):
    story = Story().begin().endpoints(STABLE, count).read()
    story.record(home(Cause.ABORTED), Reason.ABORTED, writes=split(0)).write(split(0))
    assert story.laws == laws


def test_i8_nothing_is_written_unseen():
    story = Story().begin().go_home().wait(10.0).write(split(0))
    assert "I8" in story.laws


@pytest.mark.parametrize(("landed", "laws"), [(True, []), (False, ["I15"])])
def test_i15_the_intent_comes_first(landed: bool, laws: list[str]):
    story = Story().begin().wait(80.0).read()
    story.record(home(Cause.ABORTED), Reason.ABORTED, writes=split(0), landed=landed)
    if not landed:
        story.referee.court.disk_at = -1000.0
    assert story.write(split(0)).laws == laws


def test_i15_going_home_alone_may_go_without_when_the_disk_fails():
    story = Story().begin().fault("disk full")
    story.read().record(home(), Reason.WORSE, writes=split(0), landed=False).write(split(0))
    assert story.laws == []


@pytest.mark.parametrize(("outcome", "laws"), [("written", []), ("", ["I15"])])
def test_i15_what_became_of_a_write_is_recorded(outcome: str, laws: list[str]):
    story = Story().begin().go_home().write(split(0)).wait(1.0).read()
    assert story.record(home(), Reason.GOING_HOME, outcome=outcome).laws == laws


def test_i15_a_death_loses_the_outcome():
    story = (
        Story()
        .begin()
        .go_home()
        .write(split(0))
        .say(e.Ended(3.0, killed=True), e.Started(4.0, 2, observe=False))
    )
    assert story.wait(3.0).read().record(home(), Reason.GOING_HOME).laws == []


@pytest.mark.parametrize("landed", [True, False])
def test_i23_observe_mode_writes_nothing(landed: bool):
    story = Story(observe=True)
    assert story.laws == []
    story.record(ramp(Stage(0)), Reason.STARTED, writes=split(1000)).write(split(1000), landed=landed)
    assert "I23" in story.laws


# --- I2: evidence --------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "laws"), [(6, []), (3, ["I2"])])
def test_i2_a_step_bakes(seconds: int, laws: list[str]):
    assert second(Story().begin().bake(seconds, canary=20)).laws == laws


def test_i2_stale_counters_are_no_evidence():
    slow = replace(POLICY, steps=(Step(Weight(1000), 20.0), *POLICY.steps[1:]))
    story = Story(policy=slow).begin(policy=slow).bake(3, canary=20).bake(30, fresh=False)
    assert "I2" in second(story).laws
    story = Story(policy=slow).begin(policy=slow).bake(33)
    assert story.step(Stage(1), 5000, Reason.STEP_PASSED, policy=slow).laws == []


@pytest.mark.parametrize(("silent", "laws"), [(1, []), (2, ["I2"])])
def test_i2_few_proxies_speak_for_nobody(silent: int, laws: list[str]):
    assert second(Story().begin().bake(6, silent=silent)).laws == laws


@pytest.mark.parametrize(("seconds", "laws"), [(6, []), (14, ["I2"])])
def test_i2_requests_follow_the_weight(seconds: int, laws: list[str]):
    twice = replace(POLICY, steps=(replace(POLICY.steps[0], bake=float(seconds)), *POLICY.steps[1:]))
    story = Story(policy=twice).begin(policy=twice).fault("traffic strays", "jazz").bake(seconds + 1)
    assert story.step(Stage(1), 5000, Reason.STEP_PASSED, policy=twice).laws == laws


def test_i2_the_dead_do_not_bake():
    story = Story().begin().bake(2, canary=20).say(e.Ended(4.0, killed=True)).wait(10.0)
    story.say(e.Started(story.at, 2, observe=False)).bake(1)
    assert "I2" in second(story).laws


def test_i2_a_person_waives_the_bake():
    story = Story().begin().bake(2, canary=20).order(1, Verb.PROMOTE).read()
    story.record(ramp(Stage(1)), Reason.STEP_PASSED, writes=split(5000), obeyed=((1, ""),)).write(split(5000))
    assert story.laws == []


def test_i2_no_step_is_left_out():
    story = Story().begin().bake(6)
    assert "I2" in story.step(Stage(2), 9500, Reason.STEP_PASSED).laws


def test_i2_only_the_last_step_is_promoted():
    story = Story().begin().bake(6)
    assert "I2" in story.record(promoted(), Reason.PROMOTED).laws


def test_r3_few_requests_are_not_enough():
    assert "R3" in second(Story().begin().bake(6, canary=2)).laws


@pytest.mark.parametrize(("requests", "laws"), [(10, []), (2, ["I2"])])
def test_i2_a_probe_needs_a_good_look(requests: int, laws: list[str]):
    story = Story().probe().bake(1, canary=requests)
    assert story.step(Probe(Weight(500)), 500, Reason.RAISED).laws == laws


def test_gross_what_fails_does_not_rise():
    assert "G14" in second(Story().begin().bake(6, canary=20, failed=15)).laws


# --- I3, I4, I7, I9, I18, I22 --------------------------------------------------------------------


def back(cause: Cause, reason: Reason) -> Story:
    """A canary is home again, and its revision is asked for still."""
    story = Story().begin().go_home(cause, reason).write(split(0)).wait(1.0).read()
    return story.record(Steady(replace(PAST, attempt=1)), Reason.ROLLED_BACK, outcome="written")


def again(story: Story, **more: object) -> Story:
    second_time = replace(ramp(Stage(0)).past, attempt=2)
    return story.wait(1.0).read().record(ramp(Stage(0), past=second_time), Reason.STARTED, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "reason", "laws"),
    [
        (Cause.WORSE, Reason.WORSE, ["I3"]),
        (Cause.ABORTED, Reason.ABORTED, ["I3"]),
        (Cause.LOST_ENDPOINTS, Reason.LOST_ENDPOINTS, ["I3"]),
        (Cause.CHANGED, Reason.CHANGED, []),
        (Cause.REVERTED, Reason.REVERTED, []),
    ],
)
def test_i3_a_rejected_revision_stays_rejected(cause: Cause, reason: Reason, laws: list[str]):
    story = back(cause, reason)
    story.behave(1.0)
    assert again(story).laws == laws


def test_i3_a_restart_forgets_nothing():
    story = back(Cause.ABORTED, Reason.ABORTED)
    story.say(e.Ended(story.at, killed=True), e.Started(story.at + 1, 2, observe=False)).wait(2.0)
    assert "I3" in again(story).laws


def test_i3_a_person_frees_it():
    story = back(Cause.ABORTED, Reason.ABORTED).order(1, Verb.RETRY)
    assert again(story, obeyed=((1, ""),)).laws == []


def test_i4_never_more_than_was_authorised():
    story = Story().begin()
    story.referee.court.book("prod/jazz").unused.append(split(5000))
    assert "I4" in story.read().write(split(5000)).laws


def test_i4_one_raise_for_a_rung_of_a_journey():
    story = Story().begin().edit(0).read(0)
    story.record(ramp(Stage(0)), Reason.SETTLING, writes=split(1000)).write(split(1000))
    assert "I4" in story.laws


def test_i7_nothing_rises_on_the_way_home():
    story = Story().begin().go_home().record(home(), Reason.GOING_HOME, writes=split(2000)).write(split(2000))
    assert "I7" in story.laws


@pytest.mark.parametrize(("seconds", "laws"), [(3.0, []), (12.0, ["I7"])])
def test_i7_home_in_ten_seconds(seconds: float, laws: list[str]):
    story = Story().begin().go_home(Cause.ABORTED, Reason.ABORTED).read().wait(seconds).read()
    assert story.laws == laws


def test_i7_a_mesh_that_is_away_excuses_it():
    story = Story().begin().go_home(Cause.ABORTED, Reason.ABORTED).fault("mesh away").wait(12.0).read()
    assert story.laws == []


def test_i9_frozen():
    assert "I9" in second(Story().begin().bake(6).freeze()).laws
    assert second(Story().begin().bake(6).freeze().freeze(lifted=True)).laws == []


def test_i9_suspended_in_git():
    story = Story().begin().bake(6, canary=20).accept(replace(POLICY, suspend=True)).wait(2.0)
    assert "I9" in second(story).laws


def test_i9_stable_without_endpoints():
    assert "I9" in second(Story().begin().bake(6).endpoints(STABLE, 0)).laws


def test_s1_a_canary_without_endpoints_does_not_rise():
    assert "S1" in second(Story().begin().bake(6).endpoints(CANARY, 0)).laws


def test_p6_only_under_the_policy_in_force():
    others = (Step(Weight(2000), 9.0), Step(Weight(FULL), 9.0))
    story = Story().begin().bake(6).accept(replace(POLICY, steps=others)).wait(2.0)
    assert "P6" in second(story).laws


def test_p5_not_while_two_want_the_route():
    story = Story().begin().bake(6).accept(POLICY, replace(POLICY, name="prod/twin")).wait(2.0)
    assert "P5" in second(story).laws


def test_g3_not_after_history_was_rewritten():
    story = Story().begin().bake(6)
    state = SourceState(story.accepted, rewritten=True)
    story.say(e.Accepted(story.at, "main", state, None, (), landed=True, told=True)).wait(2.0)
    assert "G3" in second(story).laws


def test_i18_what_somebody_lowered_stays():
    story = Story().begin().read().edit(200).read().read()
    story.record(lowered(200), Reason.LOWERED)
    assert story.laws == []
    story.record(ramp(Stage(0)), Reason.SETTLING, writes=split(1000)).write(split(1000))
    assert "I18" in story.laws


def test_i18_a_person_resumes_it():
    story = Story().begin().read().edit(200).read().read().record(lowered(200), Reason.LOWERED)
    story.order(1, Verb.RESUME).record(ramp(Stage(0)), Reason.SETTLING, writes=split(1000), obeyed=((1, ""),))
    assert story.write(split(1000)).laws == []


def test_i18_a_route_that_comes_back_as_it_was_was_not_lowered():
    """A raise that was lost, and a route that was away for a while."""
    story = Story().begin().bake(6)
    story.read().record(ramp(Stage(1)), Reason.STEP_PASSED, writes=split(5000)).write(
        split(5000), landed=False
    )
    story.say(e.Edited(story.at, POLICY.route, (), fenced=False)).edit(1000).wait(1.0).read()
    story.record(ramp(Stage(1), intent=Intent("1", MORNING)), Reason.SETTLING, writes=split(5000))
    assert story.write(split(5000)).laws == []


def test_i22_nothing_rises_after_an_abort():
    story = Story().begin().bake(6, canary=20).order(1, Verb.ABORT).wait(3.0)
    assert "I22" in second(story).laws


def test_m2_a_rung_is_left_when_every_proxy_carries_it():
    story = Story().begin().bake(6).read(1000, proxy=0)
    story.record(ramp(Stage(1)), Reason.STEP_PASSED)
    assert story.laws == ["M2"]


def test_s3_nobody_is_sent_home_to_the_dead():
    story = Story().begin().endpoints(STABLE, 0).read()
    story.behave(1.0)
    assert story.record(home(), Reason.WORSE).laws == ["S3"]


def test_s3_is_not_said_of_a_mesh_that_was_not_seen():
    story = Story().begin().endpoints(STABLE, 0).read().read(unseen="no answer")
    story.behave(1.0)
    assert story.record(home(), Reason.WORSE).laws == []
