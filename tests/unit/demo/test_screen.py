"""What the demo looks like where."""

import io

import pytest
from rich.console import Console

from rollout.demo.screen import Panel, Screen
from rollout.demo.tape import Count

LONG = "50 % passed after 7 s: canary 0 of 511 failed (0.00%), stable 0 of 542 failed (0.00%); now 95 %"
PANEL = Panel("jazz", "jazz-v1", "jazz-v2", 50.0, Count(4_512, 1), Count(2_210), LONG)


def screen(
    width: int = 100, *, terminal: bool, environment: dict[str, str] | None = None, charset: str = "utf-8"
):
    written = io.TextIOWrapper(io.BytesIO(), encoding=charset)
    console = Console(
        file=written,
        force_terminal=terminal,
        width=width,
        highlight=False,
        _environ={"TERM": "xterm-256color", **(environment or {})},
    )

    def text() -> str:
        written.flush()
        return written.buffer.getvalue().decode(charset)

    return Screen(console, 10.0), text


def play(screen: Screen) -> None:
    with screen:
        screen.tell(22.3, "jazz", "rollout", LONG, "green")
        screen.show([PANEL])
        screen.summary("jazz", [("outcome", "promoted")], "green")


def test_a_pipe_gets_plain_lines() -> None:
    """One line for each thing that happened, unbroken, without escape codes, without the live part."""
    shown, text = screen(40, terminal=False)
    play(shown)
    assert text().splitlines() == [f"  12.3 s  jazz   rollout  {LONG}", "jazz", "  outcome   promoted"]


def test_a_terminal_shows_what_happens_now() -> None:
    """The bar, the callers' view and the daemon's reason, in colour."""
    shown, text = screen(terminal=True)
    play(shown)
    assert "\x1b[" in text()
    assert "1 of 4 512 (0.02 %) failed" in text()
    assert "\u2588" * 24 in text()
    assert "\u2588" * 25 not in text()


@pytest.mark.parametrize("width", [20, 40, 71, 72, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Narrow ones are folded, not cut: nothing that was said is lost."""
    shown, text = screen(width, terminal=True, environment={"NO_COLOR": "1"})
    with shown:
        shown.tell(22.3, "jazz", "rollout", LONG)
    plain = [line.rstrip() for line in text().replace("\x1b[?25l", "").replace("\x1b[?25h", "").splitlines()]
    assert all(len(line) <= width for line in plain if "\x1b" not in line)
    assert "".join(LONG.split()) in "".join("".join(plain).split())


def test_no_color_has_no_colours() -> None:
    """NO_COLOR: what was green is said in words too."""
    shown, text = screen(terminal=True, environment={"NO_COLOR": "1"})
    play(shown)
    assert not any(code in text() for code in ("[32m", "[33m", "[36m", "[1;31m"))


def test_a_dumb_terminal_has_no_live_part() -> None:
    """It cannot move its cursor."""
    shown, text = screen(terminal=True, environment={"TERM": "dumb"})
    play(shown)
    assert "\u2588" not in text()
    assert "promoted" in text()


def test_a_terminal_without_unicode_gets_a_bar_of_ascii() -> None:
    """And no UnicodeEncodeError."""
    shown, text = screen(terminal=True, charset="ascii")
    play(shown)
    assert "-" * 24 + "\x1b[0m" in text()
    assert "#" * 24 in text()


@pytest.mark.parametrize(("weight", "width"), [(0.0, 0), (0.01, 1), (99.99, 47), (100.0, 48)])
def test_a_share_that_is_there_is_seen(weight: float, width: int) -> None:
    """One request in ten thousand is not nothing."""
    shown, text = screen(terminal=True)
    with shown:
        shown.show([Panel("jazz", "jazz-v1", "jazz-v2", weight, Count(), Count(), "")])
    assert text().count("\u2588") == width
