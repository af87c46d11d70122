"""What people write in one value, and what is answered when it cannot be read."""

from collections.abc import Callable
from datetime import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.policy import scalars
from rollout.policy.complaint import CODES, Fault


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("250ms", 0.25),
        ("1s500ms", 1.5),
        ("0s", 0),
    ],
)
def test_durations(text: str, seconds: float):
    assert scalars.duration(text) == seconds


@settings(deadline=None)
@given(st.integers(1, 10**9))
def test_a_duration_is_written_as_it_is_read(milliseconds: int):
    """``written`` and ``duration`` undo each other to the millisecond."""
    assert scalars.duration(scalars.written(milliseconds / 1000)) == milliseconds / 1000


@pytest.mark.parametrize(
    ("text", "share"),
    [("5%", 0.05), ("5 %", 0.05), (0.05, 0.05), ("0.1%", 0.001), ("12.5%", 0.125), (".1%", None)],
)
def test_percentages(text: object, share: float | None):
    """``5%`` and ``0.05`` are one share."""
    if share is None:
        with pytest.raises(Fault):
            scalars.error_limit(text)
    else:
        assert scalars.error_limit(text) == share


@settings(deadline=None)
@given(st.integers(1, 10_000))
def test_each_weight_of_two_decimals_is_exact(units: int):
    """No weight is lost to binary fractions."""
    assert scalars.weight(units / 100) == units


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("Mon", (0,)),
        ("Mon-Fri", (0, 1, 2, 3, 4)),
        ("Fri-Mon", (0, 4, 5, 6)),
        ("Sun-Sun", (6,)),
        ("Mon,Wed", (0, 2)),
        ("Wed, Mon-Tue", (0, 1, 2)),
        (["Sat", "Sun"], (5, 6)),
    ],
)
def test_days(text: object, chosen: tuple[int, ...]):
    assert scalars.days(text) == chosen


def test_times_and_codes():
    assert scalars.of_day("09:05") == time(9, 5)
    assert [scalars.code(code) for code in ("5xx", 503, "429", "3xx")] == ["5xx", "503", "429", "3xx"]


SCALARS: list[Callable[[object], object]] = [
    *(scalars.text, scalars.flag, scalars.weight, scalars.error_limit, scalars.holdback, scalars.requests),
    *(scalars.duration, scalars.lasting(1, 60), scalars.label, scalars.subdomain, scalars.backend),
    *(scalars.operators_name, scalars.metrics_name, scalars.free_text, scalars.code, scalars.of_day),
    *(scalars.days, scalars.zone, scalars.choice("a", "b"), scalars.api_version, scalars.kind),
]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def answer(scalar: Callable[[object], object], value: object) -> Fault | None:
    try:
        scalar(value)
    except Fault as fault:
        return fault
    return None


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("value", [None, [], {}, "", "\n", "5m\n", -1, 10**18, 1e300, 5e-324, True])
def test_odd_values_are_read_or_refused(scalar: Callable[[object], object], value: object):
    """What cannot be read is answered with a code of the table and words."""
    fault = answer(scalar, value)
    assert fault is None or (fault.code in CODES and fault.what)


@settings(deadline=None)
@given(st.sampled_from(SCALARS), PLAIN)
def test_no_value_escapes(scalar: Callable[[object], object], value: object):
    """No plain value makes a scalar raise anything but its fault."""
    fault = answer(scalar, value)
    assert fault is None or (fault.code in CODES and fault.what)


@pytest.mark.parametrize("text", ["a", "5m", "09:00", "5xx", "Mon", "5%", "Europe/Berlin"])
def test_a_line_end_is_part_of_no_value(text: str):
    """A quoted value that ends in a line end is not the value without it."""
    for scalar in (scalars.duration, scalars.of_day, scalars.code, scalars.days, scalars.zone, scalars.label):
        assert answer(scalar, text + "\n")


def test_the_closest_word_is_found():
    """Typos, case, and a known word with something behind it; never across a long text."""
    known = ["max", "minRequests", "codes"]
    assert scalars.closest("minRequest", known) == "minRequests"
    assert scalars.closest("MINREQUESTS", known) == "minRequests"
    assert scalars.closest("maxErorRate", known) == "max"
    assert scalars.closest("zzz", known) is None
    assert scalars.closest("c" * 10_000, known) is None
    assert scalars.did_you_mean("zzz", ["a", "b"]) == "known: a, b"
    assert scalars.did_you_mean("zzz", []) == ""
