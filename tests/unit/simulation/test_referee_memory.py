"""Each law of what a daemon must remember, and must not make up: a log that keeps it, one that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.core.model import Cause, Revision, Stage, Steady, Unadopted, Verb, Waiting
from rollout.core.reason import Reason
from tests.unit.simulation.referee_story import CANARY, NAME, PAST, POLICY, Story, home, ramp, split


def test_d1_a_restart_forgets_no_journey():
    story = Story().begin().bake(3).restart().read()
    assert story.record(Unadopted(1), Reason.FORGOTTEN).laws == ["D1"]


def test_p6_what_is_under_way_follows_a_policy_that_a_disk_has():
    unknown = replace(POLICY, name=NAME, revision=Revision("jazz-v3"))
    assert Story().begin(policy=unknown).laws.count("P6") > 0
    assert Story().accept(unknown).begin(policy=unknown).laws == []


def test_p7_a_deleted_policy_is_not_in_force():
    assert Story().commit("c2").accept(POLICY, commit="c2").laws == ["P7"]
    assert Story().commit("c2").accept(None, commit="c2").laws == []


def test_i11_a_policy_that_git_has_stays_in_force():
    assert Story().commit("c2", NAME).accept(None, commit="c2").laws == ["I11"]


def test_m1_nobody_is_condemned_before_the_first_request():
    story = Story().behave(1.0).wait(1.0).record(ramp(Waiting()), Reason.MEASURING)
    assert story.wait(1.0).read().record(home(Cause.WORSE), Reason.WORSE).laws == ["M1"]


@pytest.mark.parametrize(("by_a_person", "laws"), [(False, ["Q2"]), (True, [])])
def test_q2_who_remembers_nothing_adopts_no_marked_route(by_a_person: bool, laws: list[str]):
    story = Story().begin().bake(6).step(Stage(1), 5000, Reason.STEP_PASSED)
    story.go_home().write(split(0)).wait(1.0).restart(since=-1.0).accept(POLICY).read()
    if by_a_person:
        story.order(7, Verb.ADOPT, CANARY)
    obeyed = ((7, ""),) if by_a_person else ()
    assert story.record(Steady(PAST), Reason.ADOPTED, obeyed=obeyed).laws == laws
