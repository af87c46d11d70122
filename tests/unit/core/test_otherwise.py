"""Another policy on the same record: what its checks would have said, and where its steps part from it."""

from dataclasses import replace
from typing import Any

import pytest

from rollout.core.model import Analysis, Comparison, Errors, Limit, Policy, Step, Weight
from rollout.core.otherwise import Otherwise, otherwise
from rollout.core.reason import Reason
from rollout.core.replay import Replayed, replay
from rollout.core.testimony import kept
from tests.unit.core.world import STEPS, V1, V2, World, policy, steady


def lived(failing: float, **asked: Any) -> tuple[Policy, list[Replayed]]:
    """A journey of a canary that fails so much from its first step's end on, to its own end."""
    world = World(policy(**asked), steady(), mesh_epoch=1, failing={V1: 0.01, V2: 0.01})
    looks = []
    for _ in range(1_000):
        decision = world.look()
        looks += [look for look in [kept(decision)] if look]
        if decision.reason is Reason.STEP_PASSED:
            world.failing[V2] = failing
        if decision.reason in (Reason.PROMOTED, Reason.ROLLED_BACK):
            break
    assert isinstance(world.asked, Policy)
    return world.asked, list(replay(looks))


def said(failing: float, **changes: object) -> Otherwise:
    asked, record = lived(failing)
    return otherwise(replace(asked, **changes), record)  # type: ignore[arg-type]


@pytest.mark.parametrize("failing", [0.01, 0.05, 1.0])
def test_the_same_policy_says_the_same(failing):
    """No step parts, and what failed fails at the same look with the same odds."""
    asked, record = lived(failing)
    same = otherwise(asked, record)
    end = record[-1].look
    assert (same.parts, same.parting, same.unknown) == (None, "", ())
    assert same.odds[0] == max(each.look.odds[0] for each in record)
    assert same.fails == (end if end.reason is Reason.WORSE else None)


def test_a_stricter_limit_fails_earlier():
    asked, record = lived(0.05, analysis=Analysis(checks=(Limit(0.2), Comparison())))
    other = otherwise(replace(asked, analysis=Analysis(checks=(Limit(0.001, min_requests=20),))), record)
    assert other.fails is not None
    assert other.fails.number <= record[-1].look.number
    assert other.failing == Limit(0.001, min_requests=20)


def test_a_looser_limit_does_not_fail_and_more_is_not_claimed():
    """By the record's end there is no evidence against it; what came later nobody counted."""
    other = said(0.05, analysis=Analysis(checks=(Limit(0.5),)))
    assert other.fails is None
    assert other.odds[0] < 100


def test_what_nobody_counted_is_said():
    """A check on other codes has no answer; without any check nothing is claimed."""
    other = said(0.05, analysis=Analysis(checks=(Comparison(Errors(("429",))), Limit(0.5))))
    assert other.checks == (Limit(0.5),)
    assert other.unknown == ("nobody counted errors (429) in these looks: that check is left out",)
    none = said(0.05, analysis=Analysis(checks=(Comparison(Errors(("429",))),)))
    assert (none.checks, none.odds, none.fails, none.parts) == ((), (), None, None)


@pytest.mark.parametrize(
    ("steps", "parting"),
    [
        ((Step(Weight(1000), 120.0), *STEPS[1:]), "it would have stayed at 10 %: baked 1 min"),
        ((Step(Weight(1000), 30.0), *STEPS[1:]), "it would have risen to 50 %"),
        ((STEPS[0], Step(Weight(3000), 60.0), STEPS[2]), "it would have risen to 30 %, not 50 %"),
        ((Step(Weight(200), 60.0), *STEPS[1:]), "it would have gone no further than 2 %"),
    ],
    ids=["longer", "shorter", "another", "lower"],
)
def test_steps_part_where_they_would_have_gone_elsewhere(steps, parting):
    other = said(0.05, steps=steps)
    assert other.parts is not None
    assert other.parting.startswith(parting.split(": ")[0])


def test_more_requests_than_there_were_hold_it():
    """The step that the record left would have wanted more."""
    asked, record = lived(0.05)
    more = replace(asked, analysis=Analysis(checks=(Comparison(min_requests=10**6),)))
    other = otherwise(more, record)
    assert other.parts is not None
    assert other.parting.startswith("it would have stayed at 10 %: ")
    assert other.parting.endswith(" of 1000000 requests")


def test_a_gap_ends_what_can_be_known():
    asked, record = lived(1.0)
    holed = list(replay([each.look for each in [*record[:30], *record[31:]]]))
    other = otherwise(asked, holed)
    assert other.fails is None
    assert other.unknown[0].endswith("the record has a gap: nothing is known then")
