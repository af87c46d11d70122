"""Plans, hands and shrinking: what makes the worlds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.simulation.deed import Deed
from rollout.simulation.elements import Elements
from rollout.simulation.faults import ENDURING, MOMENTS, ROWS_OF
from rollout.simulation.hands import Hands, method
from rollout.simulation.plan import PEOPLE, Plan, Terms, draw
from rollout.simulation.referee import Violation
from rollout.simulation.swarm import Tally, judge_plan, shrink, story
from rollout.simulation.world import World


@pytest.mark.parametrize("kind", [kind.name for kind in ENDURING])
def test_every_fault_that_endures_can_be_turned_on_and_off(kind: str):
    assert callable(getattr(Hands, method("set", kind)))


@pytest.mark.parametrize("kind", [*(kind.name for kind in MOMENTS), *PEOPLE, "ask", "behave"])
def test_every_deed_of_a_moment_can_be_done(kind: str):
    assert callable(getattr(Hands, method("do", kind)))
    assert issubclass(Hands, Elements)


def test_a_plan_is_drawn_from_its_seed_alone():
    assert [draw(seed) for seed in range(30)] == [draw(seed) for seed in range(30)]
    assert draw(1) != draw(2)


def test_the_swarm_has_every_kind_of_fault():
    """Each in some of the first 300 worlds, and none in most of them."""
    seen = [{deed.kind for deed in draw(seed).deeds} for seed in range(300)]
    for kind in (*ENDURING, *MOMENTS):
        count = sum(kind.name in kinds for kinds in seen)
        assert 0 < count < 150, kind.name


def test_a_failure_is_shrunk_to_the_deeds_it_needs(endless_plan: Plan):
    """Of four deeds, the one that begins a journey which never ends."""
    found = judge_plan(endless_plan).violations
    law = found[0].law
    least = shrink(endless_plan, law)
    assert {deed.kind for deed in least.deeds} < {deed.kind for deed in endless_plan.deeds}
    said = story(least, found[0])
    assert "seed 7" in said
    assert law in said


@pytest.fixture
def endless_plan() -> Plan:
    """A world that breaks a law: it is called calm in the middle of a journey, whose policy never ends."""
    deeds = (
        Deed(0.5, "ask", "jazz", "v2"),
        Deed(2.0, "sink deaf", "ops", seconds=2.0),
        Deed(3.0, "bad file", "", "typo"),
        Deed(4.0, "git away", seconds=2.0),
    )
    endless = Terms(((10, 86_400.0), (100, 5.0)))
    return Plan(7, (("jazz", endless),), 1, 100.0, deeds, 20.0)


def test_a_tally_counts_rows_pairs_and_cells():
    tally = Tally()
    plan = draw(5)
    tally.add(judge_plan(plan))
    rows = {row for deed in plan.deeds for row in ROWS_OF.get(deed.kind, ())}
    assert set(tally.rows) == rows
    assert len(tally.pairs) == len(rows) * (len(rows) - 1) // 2
    assert tally.unmet
    assert sum(tally.cells.values()) > 0


def test_what_a_world_says_of_itself_is_what_happened():
    """A dead canary: it is asked for, fails, and is off the traffic at the end."""
    deeds = (Deed(0.0, "behave", "jazz-v2", "1.0"), Deed(0.5, "ask", "jazz", "v2"))
    plan = Plan(3, (("jazz", Terms(((50, 2.0), (100, 2.0)))),), 1, 100.0, deeds, 10.0)
    world = World(plan)
    world.run()
    assert str(world.objects.split(world.routes["jazz"])) == "jazz-v1 100 %"
    assert len(world.objects.writes) == 2
    assert not judge_plan(replace(plan, seed=4)).violations
    assert str(Violation(1.0, "I1", "prod/jazz", "so")) == "    1.00 s  I1   prod/jazz: so"
