"""Each law of reactions, alerts and rests: a log that keeps it, and one that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.core.model import (
    Cause,
    Held,
    OnSilence,
    Paused,
    Revision,
    Stage,
    Steady,
    Verb,
    Weight,
    Why,
)
from rollout.core.reason import Reason
from rollout.simulation import events as e
from rollout.simulation.referee import judge
from tests.unit.simulation.referee_story import (
    CANARY,
    MORNING,
    NAME,
    PAST,
    POLICY,
    STABLE,
    Story,
    alert,
    home,
    ramp,
)


def looks(story: Story, seconds: float) -> Story:
    """A look each second that changes nothing."""
    for _ in range(int(seconds)):
        story.wait(1.0).read().look()
    return story


def old(story: Story) -> Story:
    """The daemon has run for a while."""
    return looks(story, 20.0)


def test_a_journey_at_its_step_keeps_every_law():
    assert looks(old(Story().begin()), 60.0).laws == []


# --- due reactions -------------------------------------------------------------------------------


def test_s2_a_canary_that_loses_its_endpoints_goes_home():
    story = old(Story().begin()).endpoints(CANARY, 0)
    assert looks(story, 3.0).laws == []
    assert "S2" in looks(story, 9.0).laws


def test_s2_not_to_a_dead_stable():
    assert looks(old(Story().begin()).endpoints(STABLE, 0).endpoints(CANARY, 0), 12.0).laws == []


def test_p6_what_git_does_not_ask_for_goes_home():
    other = replace(POLICY, revision=Revision("jazz-v3"))
    assert "P6" in looks(old(Story().begin()).accept(other), 16.0).laws


def test_p6_a_tightened_policy_sends_nobody_home():
    longer = tuple(replace(step, bake=step.bake + 1) for step in POLICY.steps)
    assert looks(old(Story().begin()).accept(replace(POLICY, steps=longer)), 16.0).laws == []


def test_p7_a_journey_without_a_policy_goes_home():
    assert "P6" in looks(old(Story().begin()).commit("c2").accept(commit="c2"), 16.0).laws


def test_t3_a_foreign_rise_is_set_back():
    story = old(Story().begin()).edit(4000)
    assert looks(story, 3.0).laws == []
    assert "T3" in looks(story, 12.0).laws


def test_t3_at_rest():
    story = old(Story()).edit(4000)
    assert looks(story, 30.0).laws == []
    assert "T3" in looks(story, 30.0).laws


@pytest.mark.parametrize("kind", ["mesh away", "disk full", "route gone"])
def test_t3_not_while_the_way_is_barred(kind: str):
    assert looks(old(Story().begin()).edit(4000).fault(kind), 20.0).laws == []


def test_i22_an_abort_is_obeyed():
    story = old(Story().begin()).order(1, Verb.ABORT)
    assert "I22" in looks(story, 12.0).laws


def test_i22_every_order_is_decided():
    story = old(Story().begin()).order(1, Verb.PAUSE)
    assert "I22" in looks(story, 14.0).laws
    story = old(Story().begin()).order(1, Verb.PAUSE)
    story.record(ramp(Stage(0), paused=Paused("ada", "because", MORNING)), Reason.PAUSED, obeyed=((1, ""),))
    assert looks(story, 14.0).laws == []


def test_r1_a_silence_of_the_mesh_rejects_nobody():
    story = Story().begin().edit(0).wait(30.0).read()
    assert "R1" in story.record(home(Cause.NO_DATA), Reason.NO_DATA_TOO_LONG).laws
    story = Story().begin().wait(30.0).read()
    assert story.record(home(Cause.NO_DATA), Reason.NO_DATA_TOO_LONG).laws == []


def test_i14_a_mesh_that_does_not_follow_is_a_page():
    story = old(Story().begin()).fault("mesh away").record(ramp(Stage(0)), Reason.SETTLING)
    assert "I14" in looks(story, 100.0).laws


@pytest.mark.parametrize(("then", "laws"), [(OnSilence.HOLD, []), (OnSilence.ROLLBACK, ["I14"])])
def test_i14_who_is_held_without_evidence_has_a_policy_that_says_so(then: OnSilence, laws: list[str]):
    rule = replace(POLICY.analysis, no_data=replace(POLICY.analysis.no_data, then=then))
    story = Story().begin().read()
    story.record(ramp(Stage(0), policy=replace(POLICY, analysis=rule)), Reason.BLIND_HELD)
    assert [law for law in story.look().laws if law == "I14"] == laws


def test_i14_blindness_has_its_end():
    hold = replace(POLICY.analysis, no_data=replace(POLICY.analysis.no_data, hold=30.0))
    blind = replace(POLICY, analysis=hold)
    story = old(Story(policy=blind).begin(policy=blind)).record(ramp(Stage(0), policy=blind), Reason.BLIND)
    assert looks(story, 40.0).laws == []
    assert "I14" in looks(story, 20.0).laws


def test_i19_few_go_home_for_silence():
    story = Story().begin()
    story.referee.court.silent = [1.0, 1.0]
    assert "I19" in story.read().record(home(Cause.NO_DATA), Reason.NO_DATA_TOO_LONG).laws


def test_m1_a_clean_canary_is_not_condemned():
    story = Story().begin().read().record(home(), Reason.WORSE)
    assert "M1" in story.laws
    assert Story().begin().behave(0.5).read().record(home(), Reason.WORSE).laws == []


def test_gross_a_dead_canary_is_sent_home():
    story = old(Story().begin()).behave(1.0)
    assert looks(story, 5.0).laws == []
    assert "G14" in looks(story, 60.0).laws


def test_d3_every_rollout_is_looked_at():
    story = old(Story().begin())
    assert story.wait(6.0).fault("git away").laws == []
    assert story.wait(6.0).fault("git away").laws == ["D3"]


def test_d3_who_breaks_is_left_alone():
    story = old(Story().begin()).say(e.Bug(22.0, NAME, "planted", planned=True))
    assert story.wait(60.0).fault("git away").laws == []


def test_a_bug_that_nobody_planted():
    assert Story().say(e.Bug(1.0, NAME, "KeyError")).laws == ["BUG"]


def test_i13_one_journey_for_one_route():
    story = Story().begin()
    twin = story.referee.court.book("prod/twin")
    twin.state = ramp(Stage(0))
    assert "I13" in story.record(ramp(Stage(0)), Reason.BAKING).laws


# --- git -----------------------------------------------------------------------------------------


def test_g2_no_step_back():
    story = Story().commit("c2", NAME).accept(POLICY, commit="c2")
    assert story.laws == []
    assert story.accept(POLICY, commit="c1").laws == ["G2"]


def test_g3_a_rewritten_history_waits_for_a_person():
    story = Story().commit("c2", NAME, rewritten=True)
    assert story.accept(POLICY, commit="c2").laws == ["G3"]
    story = Story().commit("c2", NAME, rewritten=True)
    story.say(e.Answered(1.0, "source main", Verb.ADOPT, ""))
    assert story.accept(POLICY, commit="c2").laws == []


def test_i11_absence_is_not_deletion():
    assert Story().commit("c2", NAME).accept(commit="c2").laws == ["I11"]
    assert Story().commit("c2").accept(commit="c2").laws == []


# --- I6: alerts ----------------------------------------------------------------------------------


def told(story: Story, key: str, *, heard: bool = True, sink: str = "ops") -> Story:
    return story.say(e.Delivered(story.at, sink, alert(key), arrived=True, told=heard))


def test_i6_a_transition_owes_an_alert():
    assert Story().begin().read().record(home(Cause.ABORTED), Reason.ABORTED, alerts=()).laws == ["I6"]


def test_i6_no_news_is_not_told():
    assert Story().begin().read().record(ramp(Stage(0)), Reason.BAKING, alerts=("baking",)).laws == ["I6"]


def test_i6_nothing_is_told_that_was_not_recorded():
    assert told(Story(), "adopted/0.0").laws == []
    assert told(Story(), "another").laws == ["I6"]


def test_i6_once_but_for_a_death():
    assert told(told(Story(), "adopted/0.0"), "adopted/0.0").laws == ["I6"]
    story = told(Story(), "adopted/0.0").say(e.Ended(1.0, killed=True), e.Started(2.0, 2, observe=False))
    assert told(story, "adopted/0.0").laws == []


def test_i6_everything_is_told_in_the_end():
    over = e.Over(100.0, rested=True, owed=0)
    assert "I6" in Story().look().say(over).laws
    assert told(Story().look(), "adopted/0.0").say(over).laws == ["I20"]  # git's canary never began


# --- I20: rests ----------------------------------------------------------------------------------


def over(story: Story, *, rested: bool = True) -> list[str]:
    """What broke by the end, when everything was told."""
    for key in story.owed:
        told(story, key)
    return story.say(e.Over(story.at, rested=rested, owed=0)).laws


def at_rest(**more: object) -> Story:
    story = Story(policy=replace(POLICY, revision=Revision(STABLE)))
    return story.record(Steady(PAST), Reason.NOTHING_NEW, alerts=()).look()


def test_i20_a_world_at_rest():
    assert over(at_rest()) == []
    assert over(at_rest(), rested=False) == ["I20"]


def test_i20_nobody_waits_for_nothing():
    story = Story().begin()
    paused = ramp(Stage(0), paused=Paused("ada", "because", MORNING))
    assert over(story.record(paused, Reason.PAUSED).look()) == ["I20"]
    story = Story().begin().order(1, Verb.PAUSE)
    assert over(story.record(paused, Reason.PAUSED, obeyed=((1, ""),)).look()) == []


@pytest.mark.parametrize("reason", [Reason.FROZEN, Reason.SUSPENDED, Reason.WINDOW_CLOSED, Reason.REWRITTEN])
def test_i20_a_hold_has_its_ground(reason: Reason):
    assert over(Story().begin().record(ramp(Stage(0)), reason).look()) == ["I20"]


@pytest.mark.parametrize("reason", [Reason.BLIND_HELD, Reason.BREAKER_OPEN, Reason.SUSPECT, Reason.BAKING])
def test_i20_a_healthy_canary_does_not_stay(reason: Reason):
    assert "I20" in over(Story().begin().record(ramp(Stage(0)), reason).look())


def test_i20_nothing_lowers_itself():
    held = Held(ramp(Stage(0)), Why.LOWERED, Weight(200))
    assert over(Story().begin().record(held, Reason.LOWERED).look()) == ["I20"]
    assert over(Story().begin().read().edit(200).record(held, Reason.LOWERED).look()) == []


def test_i20_at_rest_nothing_is_recorded_again():
    story = at_rest().say(e.Calm(1.0)).record(Steady(PAST), Reason.NOTHING_NEW, alerts=())
    assert story.laws == []  # of what was said just before
    assert story.wait(11.0).record(Steady(PAST), Reason.NOTHING_NEW, alerts=()).laws == ["I20"]


def test_i3_a_revision_that_was_never_rejected_begins():
    story = Story().record(Steady(PAST), Reason.REJECTED_BEFORE, alerts=()).look()
    assert over(story) == ["I20"]


def test_g1_the_last_commit_is_taken_in_the_end():
    assert over(at_rest().commit("c2", NAME)) == ["G1"]


def test_a_log_is_judged_as_it_is_heard():
    log = e.Log()
    log.add(e.Started(0.0, 1, observe=False))
    log.add(e.Bug(1.0, NAME, "KeyError"))
    assert [one.law for one in judge(log)] == ["BUG"]
    assert str(judge(log)[0]).split() == ["1.00", "s", "BUG", f"{NAME}:", "KeyError"]
