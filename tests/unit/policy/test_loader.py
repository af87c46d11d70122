"""Text to plain values: YAML 1.2's core types, each with its place, in bounded work."""

import time

import pytest

from rollout.policy.complaint import Fault
from rollout.policy.loader import MAX_BYTES, cut, load, resolve, show


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[("0", 0), ("-0", 0), ("10", 10), ("+7", 7), ("-12", -12), ("999999999999999999", 10**18 - 1)],
        *[("0.5", 0.5), (".5", 0.5), ("1.", 1.0), ("-1e3", -1000.0), ("1.5E-2", 0.015)],
    ],
)
def test_core_types(text: str, value: object):
    """Plain words of YAML 1.2's core schema, in decimal."""
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


UNCERTAIN = """
on off yes no y n On NO tRUE nULL 010 -01 00 0x1F 0o17 0b1 1_0 1:30 190:20:30.15 2024-13-45 = e1 1e . - +
2001-12-14t21:59:43.10-05:00 1.2.3 5m 5% inf nan -inf \u0661\u0662 1\u0660 \uff11
"""


@pytest.mark.parametrize("text", UNCERTAIN.split())
def test_what_readers_disagree_about_is_text(text: str):
    """YAML 1.1's truth words, octal and sexagesimal numbers, dates: nothing is guessed."""
    assert resolve(text) == text


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", "1e999", "9" * 19, "." + "1" * 50])
def test_numbers_out_of_bounds_are_refused(text: str):
    with pytest.raises(Fault) as refused:
        resolve(text)
    assert refused.value.code == "RP013"


def test_values_know_their_places():
    """Line and column count from 1, in characters, and survive what stands before."""
    (document,) = load("# größe: rollout\nä: {b: [1, 'x']}\r\nc:\r\n  d: 2\r\n".encode()).documents
    assert document.plain == {"ä": {"b": [1, "x"]}, "c": {"d": 2}}
    assert document.places["ä", "b"].key == (2, 5)
    assert document.places["ä", "b", 1].value == (2, 12)
    assert document.places["c", "d"] == ((4, 3), (4, 6), "2")


def test_a_quoted_scalar_is_text():
    (document,) = load(b"rollout: ['true', \"1\", '', |-\n  2\n]".replace(b", |-\n  2\n", b"")).documents
    assert document.plain == {"rollout": ["true", "1", ""]}


def test_documents_are_told_apart():
    loaded = load(b"a: rollout\n---\nb: 1\n---\n---\n- c\n...\n")
    assert [document.plain for document in loaded.documents] == [{"a": "rollout"}, {"b": 1}, None, ["c"]]
    assert [document.mark[0] for document in loaded.documents] == [1, 2, 4, 5]


UNITS = [
    *("[", "{", "- ", "? ", "a: ", "[{", "&a ", "*a ", "!t ", "'", '"', "|\n ", "a,", "[],", "a\n", "- -\n"),
    *("%", "#", "\n", "---\n", "? a\n", "{a: ", "<<: ", "&a [*a,", "\t", ": ", ",", "]", "{}\n---\n"),
]


@pytest.mark.parametrize("unit", UNITS)
def test_no_repetition_is_slow(unit: str):
    """64 KiB of anything are read or refused in well under the 2 s that a file may take."""
    for head in ("rollout: ", "rollout: [", "rollout:\n  "):
        text = (head + unit * MAX_BYTES)[:MAX_BYTES].encode()
        began = time.process_time()
        load(text)
        assert time.process_time() - began < 1


def test_what_is_shown_is_short_and_plain():
    """A complaint never repeats a page, nor what a terminal would obey."""
    assert show("x" * 50) == '"' + "x" * 40 + '…"'
    assert cut("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert [show(value) for value in (None, True, False, 1, 1.5, [1], {"a": 1})] == [
        *("nothing", "true", "false", "1", "1.5", "a list", "a mapping")
    ]
