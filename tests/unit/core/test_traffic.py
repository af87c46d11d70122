"""Weights and splits: integers that sum to everything (I1)."""

import pytest

from rollout.core import ladder
from rollout.core.action import wanted_split
from rollout.core.model import (
    EVERYTHING,
    FULL,
    NOTHING,
    Held,
    Probe,
    Ramping,
    Rung,
    Split,
    Stage,
    Unadopted,
    Waiting,
    Weight,
    Why,
    percent,
)
from tests.unit.core.world import STEPS, V1, V2, at, policy, steady


def test_the_scale():
    """One unit is a hundredth of a per cent."""
    assert (FULL, NOTHING, EVERYTHING) == (10_000, 0, 10_000)


@pytest.mark.parametrize(
    ("weight", "text"),
    [(0, "0 %"), (1, "0.01 %"), (50, "0.5 %"), (1000, "10 %"), (9500, "95 %"), (10_000, "100 %")],
)
def test_people_read_per_cent(weight, text):
    """Without needless digits."""
    assert percent(weight) == text


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({"a": 1}, (("a", 10_000),)),
        ({"b": 1, "a": 1}, (("a", 5000), ("b", 5000))),
        ({"a": 1, "b": 0}, (("a", 10_000),)),
        ({"a": 1, "b": 1, "c": 1}, (("a", 3334), ("b", 3333), ("c", 3333))),
        ({"c": 1, "b": 1, "a": 1}, (("a", 3334), ("b", 3333), ("c", 3333))),
        ({"a": 2, "b": 1}, (("a", 6667), ("b", 3333))),
        ({"a": 1, "b": 2}, (("a", 3333), ("b", 6667))),
        ({"a": 1, "b": 999_999}, (("b", 10_000),)),
        ({"a": 1, "b": 6}, (("a", 1429), ("b", 8571))),
        ({"a": 3, "b": 3, "c": 1}, (("a", 4286), ("b", 4286), ("c", 1428))),
    ],
)
def test_a_split_is_made_by_largest_remainder(weights, shares):
    """In order of name, without zeros; what is left over goes to the largest remainders, then by name."""
    assert Split.of(weights).shares == shares


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": 0, "b": 0}, {"a": -1, "b": 2}, {"a": -1}])
def test_what_is_no_split_is_refused(weights):
    """Nothing, or less than nothing; the message shows it."""
    with pytest.raises(ValueError, match=r"^no split can be made of \{") as error:
        Split.of(weights)
    assert str(weights) in str(error.value)


def test_a_split_answers():
    """Each backend's share, the only one, and in words."""
    split = Split.between(V1, V2, 250)
    assert (split.weight(V1), split.weight(V2), split.weight("other")) == (9750, 250, 0)
    assert (split.sole, Split.all_on(V1).sole, Split.between(V1, V2, 0).sole) == (None, V1, V1)
    assert Split.between(V1, V2, 10_000) == Split.all_on(V2)
    assert str(split) == "jazz-v1 97.5 %, jazz-v2 2.5 %"
    assert str(Split.all_on(V1)) == "jazz-v1 100 %"


# --- the ladder ----------------------------------------------------------------------------------


def test_the_weights_of_the_rungs():
    """Nothing, the probe's, the steps', and in the last step what the holdback leaves."""
    rungs: list[Rung] = [Waiting(), Probe(Weight(7)), Stage(0), Stage(1), Stage(2)]
    assert [ladder.weight_of(rung, policy()) for rung in rungs] == [0, 7, 1000, 5000, 9500]
    assert [ladder.bake_of(rung, policy()) for rung in rungs] == [0.0, 0.0, 60.0, 60.0, 60.0]


@pytest.mark.parametrize("fast", [False, True])
def test_the_order_of_the_rungs(fast):
    """A probe doubles until it would reach the first step, or the last one on the fast track."""
    goal = Stage(2) if fast else Stage(0)
    top = 9500 if fast else 1000
    assert ladder.after(Waiting(), policy(), fast=fast) == goal
    assert ladder.after(Probe(Weight(3)), policy(), fast=fast) == Probe(Weight(6))
    assert ladder.after(Probe(Weight(top // 2 - 1)), policy(), fast=fast) == Probe(Weight(top - 2))
    assert ladder.after(Probe(Weight(top // 2)), policy(), fast=fast) == goal
    assert ladder.after(Stage(0), policy(), fast=fast) == Stage(1)
    assert ladder.after(Stage(1), policy(), fast=fast) == Stage(2)
    assert ladder.after(Stage(2), policy(), fast=fast) is None


@pytest.mark.parametrize(
    ("rate", "look", "resolution", "fast", "rung"),
    [
        (500.0, 1.0, 1, False, Probe(Weight(100))),
        (500.0, 2.0, 1, False, Probe(Weight(50))),
        (501.0, 1.0, 1, False, Probe(Weight(100))),
        (499.0, 1.0, 1, False, Probe(Weight(101))),
        (51.0, 1.0, 1, False, Probe(Weight(981))),
        (50.0, 1.0, 1, False, Stage(0)),
        (50.0, 1.0, 1, True, Probe(Weight(1000))),
        (10.0, 1.0, 1, True, Probe(Weight(1000))),
        (0.01, 1.0, 1, True, Probe(Weight(1000))),
        (500.0, 1.0, 1, True, Probe(Weight(100))),
        (1e12, 1.0, 1, False, Probe(Weight(1))),
        (1e12, 1.0, 100, False, Probe(Weight(100))),
        (150.0, 1.0, 100, False, Probe(Weight(400))),
        (-1.0, 1.0, 1, False, Probe(Weight(1), aimed=False)),
        (0.0, 1.0, 5000, False, Probe(Weight(1000), aimed=False)),
        (0.001, 1.0, 1, False, Stage(0)),
    ],
)
def test_the_first_rung(rate, look, resolution, fast, rung):
    """Five requests a look, rounded up to what the mesh can express; never above the first step."""
    assert ladder.first(policy(), rate, look, resolution, fast=fast) == rung


def test_what_each_state_wants():
    """A function of the state alone."""
    ramp = at(Stage(1)).ramp
    assert wanted_split(Unadopted()) is None
    assert wanted_split(steady()) == Split.all_on(V1)
    assert wanted_split(ramp) == Split.between(V1, V2, 5000)
    assert wanted_split(Held(ramp, Why.LOWERED, Weight(300))) == Split.between(V1, V2, 300)
    assert wanted_split(Held(ramp, Why.CONTESTED, Weight(300))) is None
    assert wanted_split(Held(steady(), Why.FORGOTTEN)) is None
    assert isinstance(ramp, Ramping)
    assert STEPS[-1].weight == EVERYTHING
