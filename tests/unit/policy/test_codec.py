"""Records: exact both ways, and readable by the neighbouring versions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, time
from enum import Enum
from types import NoneType, UnionType
from typing import Any, NewType, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollout.core import model
from rollout.policy.codec import Undecodable, decode, encode
from rollout.policy.complaint import Parsed
from rollout.policy.limits import Limits

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    NoneType: st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    time: st.times(),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, the way the type is written."""
    if isinstance(kind, NewType):
        return any_of(kind.__supertype__)
    if kind in LEAVES:
        return LEAVES[kind]
    inner = get_args(kind)
    if isinstance(kind, UnionType) or get_origin(kind) not in (None, tuple, Mapping):
        return st.one_of([any_of(each) for each in inner])
    if get_origin(kind) is Mapping:
        return st.dictionaries(LEAVES[str], any_of(inner[1]), max_size=2)
    if get_origin(kind) is tuple:
        if inner[-1] is Ellipsis:
            return st.lists(any_of(inner[0]), max_size=2).map(tuple)
        return st.tuples(*map(any_of, inner))
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    hints = get_type_hints(kind)
    return st.builds(kind, **{each.name: any_of(hints[each.name]) for each in fields(kind)})


KINDS: list[Any] = [
    *get_args(model.State),
    *(model.State, model.Decision, model.Policy, model.Order, model.Observation, model.Past, model.Rung),
    *(model.Evidence, model.Check, model.Sample, model.Split, model.Withdrawn, model.Hold, Parsed, Limits),
]
ANY = {str(kind): st.deferred(lambda kind=kind: any_of(kind)) for kind in KINDS}  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_written_is_read(kind: Any):
    """decode(encode(x)) is x for every type that is remembered, through either JSON library."""

    @settings(CALM, max_examples=40)
    @given(ANY[str(kind)])
    def holds(value: Any) -> None:
        plain = encode(value)
        assert decode(kind, json.loads(json.dumps(plain, allow_nan=False))) == value

    holds()


@CALM
@given(st.floats(allow_nan=False))
def test_numbers_are_exact(number: float):
    """Evidence is a product of thousands of factors; a replay must see the very same bits."""
    bet = model.Bet(number, (number,))
    assert decode(model.Bet, orjson.loads(orjson.dumps(encode(bet)))) == bet


def test_a_record_names_its_type():
    """A union's record can be read, by people too."""
    held = model.Held(model.Unadopted(), model.Why.LOWERED, model.Weight(50))
    assert encode(held) == {
        "type": "Held",
        "was": {"type": "Unadopted", "attempt": 0},
        "why": "LOWERED",
        "weight": 50,
    }


def test_many_at_once():
    """Mappings and tuples of records are written and read as such."""
    states = {"a": model.Unadopted(), "b": model.Held(model.Unadopted(), model.Why.LOWERED)}
    assert decode(Mapping[str, model.State], encode(states)) == states
    assert decode(tuple[model.Rung, ...], encode((model.Waiting(), model.Stage(1)))) == (
        model.Waiting(),
        model.Stage(1),
    )


def test_a_newer_minor_versions_record_is_read():
    """Unknown fields are ignored, missing ones take their defaults."""
    plain = encode(model.Route("envoy", "edge", "jazz", only=("a",)))
    assert decode(model.Route, {**plain, "colour": {"red": 1}}) == decode(model.Route, plain)
    del plain["only"]
    assert decode(model.Route, plain) == model.Route("envoy", "edge", "jazz")


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (model.State, {"type": "Levitating"}),
        (model.State, {}),
        (model.State, None),
        (model.State, []),
        (model.Steady, {}),
        (model.Steady, {"past": {"stable": 7}}),
        (model.Bet, {"unbet": None, "stakes": []}),
        (model.Bet, {"unbet": "x", "stakes": []}),
        (model.Bet, {"unbet": 10**400, "stakes": []}),
        (model.Bet, {"unbet": 1, "stakes": 7}),
        (model.Cause, "colder"),
        (model.Paused, {"actor": "a", "why": "", "at": "yesterday"}),
        (tuple[int, str], [1]),
        (Mapping[str, int], [1]),
        (object, {}),
    ],
)
def test_a_damaged_record_is_named_as_such(kind: Any, plain: Any):
    """Whatever is wrong with a record, one exception says so."""
    with pytest.raises(Undecodable):
        decode(kind, plain)


def test_what_has_no_form_is_refused():
    """A type nobody thought of is a bug that shows at once, not a record that cannot be read later."""

    @dataclass(frozen=True)
    class Odd:
        value: set[int]

    with pytest.raises(TypeError, match="no way to write"):
        encode(Odd({1}))
    assert is_dataclass(Odd)
