"""Colour, width and letters: what a terminal gets, and what a pipe gets."""

from collections.abc import Mapping

import pytest
from rich.table import Table

from rollout.cli.terminal import WIDEST, Terminal
from tests.unit.cli.streams import Stream, terminal


def written(shown: Terminal) -> str:
    assert isinstance(shown.stream, Stream)
    return shown.stream.getvalue()


@pytest.mark.parametrize(
    ("there", "wish", "environment", "coloured"),
    [
        (True, "auto", {"TERM": "xterm"}, True),
        (False, "auto", {"TERM": "xterm"}, False),
        (True, "auto", {"TERM": "dumb"}, False),
        (True, "auto", {"NO_COLOR": "1"}, False),
        (True, "auto", {"NO_COLOR": ""}, True),
        (False, "auto", {"FORCE_COLOR": "1"}, True),
        (False, "auto", {"FORCE_COLOR": "0"}, False),
        (True, "auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, "never", {"FORCE_COLOR": "1"}, False),
        (False, "always", {"NO_COLOR": "1"}, True),
    ],
)
def test_colour_is_for_those_who_can_see_it(
    there: bool, wish: str, environment: Mapping[str, str], coloured: bool
):
    """Not in a pipe, not on a dumb terminal, not where NO_COLOR is set; what is asked for by name wins."""
    shown = terminal(there=there, colour=wish, **environment)
    assert shown.colour is coloured
    assert ("\x1b" in shown.paint("red", "red")) is coloured


def test_nothing_but_text_goes_into_a_pipe():
    """No escape code of rich's or ours is written where nobody asked for colour."""
    shown = terminal(there=False)
    table = Table("a")
    table.add_row(shown.paint("b", "red", bold=True))
    shown.show(table)
    shown.say(shown.paint("c", "green"))
    assert "\x1b" not in written(shown)
    assert shown.width == WIDEST


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_other_letters_are_spelled(encoding):
    """Where the locale knows no arrows they are spelled out; nothing raises."""
    shown = terminal(encoding=encoding)
    shown.say("50 % → 0 %  ✓ 10 %  ━━╺── · \udcff")
    assert written(shown).startswith("50 % -> 0 %  + 10 %  ==--- | ?")
    assert not shown.live


def test_a_terminal_that_knows_all_letters_is_alive():
    assert terminal(TERM="xterm").live
    assert not terminal(TERM="dumb").live
    assert not terminal(there=False).live


def test_half_a_letter_does_not_stop_a_message():
    """File names may hold bytes that are no text."""
    shown = terminal()
    shown.say("\udcfe.yaml")
    assert written(shown) == "?.yaml\n"
