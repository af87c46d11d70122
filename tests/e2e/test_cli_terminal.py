"""The commands on a terminal: they ask, they use colour, they redraw; and not where they should not."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rollout.core.reason import Reason
from tests.installation import POLICY, SCRIPT
from tests.unit.cli.conftest import House
from tests.unit.core.test_explain import SCENES


class Screen:
    """A command on a terminal of its own, 80 columns wide."""

    def __init__(self, *arguments: str, cwd: Path, **environment: str) -> None:
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        clean = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8", "COLUMNS": "80"}
        self._ours = ours
        self._child = subprocess.Popen(
            [str(SCRIPT), *arguments],
            cwd=cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=clean | environment,
        )
        os.close(theirs)
        self.said = ""

    def read(self, until: str = "", seconds: float = 20) -> str:
        """What is on the screen when ``until`` is, or at the end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until in self.said):
            ready, _, _ = select.select([self._ours], [], [], 0.1)
            if ready:
                try:
                    piece = os.read(self._ours, 65_536)
                except BlockingIOError:  # somebody else's readiness; the terminal is still there
                    continue
                except OSError:
                    break
                if not piece:
                    break
                self.said += piece.decode(errors="replace")
        assert until in self.said, self.said
        return self.said

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """What Ctrl-C does to a command that waits; one from just before is noticed when its read ends."""
        end, state = time.monotonic() + 20, Path(f"/proc/{self._child.pid}/stat")
        while time.monotonic() < end and state.read_text().rpartition(")")[2].split()[0] != "S":
            time.sleep(0.01)
        self._child.send_signal(signal.SIGINT)

    def ended(self) -> int:
        self.read()
        code = self._child.wait(20)
        os.close(self._ours)  # not before: what it still has to say must find its terminal
        return code


@pytest.fixture
def house(tmp_path: Path) -> House:
    """jazz-v2 baked at 10 % when somebody last looked."""
    made = House(tmp_path)
    made.remember(SCENES[Reason.BAKING]())
    return made


def test_a_person_is_asked_and_may_say_no(house: House):
    """The change is on the screen before the question; no means that nothing is done."""
    screen = Screen("abort", "jazz", cwd=house.folder)
    said = screen.read("Do it? [y/N]: ")
    assert "10 % → 0 %, all to jazz-v1, now" in said
    screen.type("n\n")
    assert screen.ended() == 1
    assert "nothing was done" in screen.said


def test_a_person_who_presses_ctrl_c_has_done_nothing(house: House):
    screen = Screen("abort", "jazz", cwd=house.folder)
    screen.read("Do it? [y/N]: ")
    screen.interrupt()
    assert screen.ended() == 130
    assert "interrupted" in screen.said


def test_colour_is_shown_and_can_be_refused(house: House):
    """On a terminal yes; with NO_COLOR, --color never or a dumb terminal no escape code is written."""
    shown = Screen("get", cwd=house.folder)
    assert shown.ended() == 0
    assert "\x1b[36mramping\x1b[0m" in shown.said
    for plain in (
        Screen("get", cwd=house.folder, NO_COLOR="1"),
        Screen("get", "--color", "never", cwd=house.folder),
        Screen("get", cwd=house.folder, TERM="dumb"),
    ):
        assert plain.ended() == 0
        assert "\x1b" not in plain.said
        assert "ramping" in plain.said


def test_a_terminal_without_our_letters_gets_others(house: House):
    screen = Screen("get", "jazz", cwd=house.folder, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert screen.ended() == 0
    assert "> 10 %  | 50 %  | 95 % (5 % kept as control)  | 100 % (promoted)" in screen.said
    assert screen.said.isascii()


def test_lines_fit_eighty_columns(house: House):
    for command in (["get"], ["get", "jazz"], ["why", "jazz"]):
        screen = Screen(*command, cwd=house.folder, NO_COLOR="1")
        assert screen.ended() == 0
        assert max(len(line) for line in screen.said.splitlines()) <= 80


def test_watching_redraws_in_place(house: House):
    """Two readings, one table: the cursor goes up in between; Ctrl-C brings it back."""
    screen = Screen("get", "-w", cwd=house.folder)
    screen.read("ramping")
    time.sleep(1.5)
    screen.interrupt()
    assert screen.ended() == 130
    assert screen.said.count("NAME ") >= 2
    assert re.search(r"\x1b\[\d*A", screen.said)
    assert "\x1b[?25h" in screen.said


def test_lint_shows_the_line_it_is_about(tmp_path: Path):
    text = POLICY.format(backend="jazz-v2", bake="5m").replace("bake: 5m", "bakee: 5m", 1)
    (tmp_path / "jazz.yaml").write_text(text, encoding="utf-8")
    screen = Screen("lint", "jazz.yaml", cwd=tmp_path, NO_COLOR="1")
    assert screen.ended() == 1
    assert "jazz.yaml:8:20: RP022 unknown field `bakee` in steps\r\n" in screen.said
    assert " 8 │     - {weight: 10, bakee: 5m}\r\n" in screen.said
    assert "   │                    ^\r\n" in screen.said
    assert "   = did you mean `bake`?\r\n" in screen.said


def test_a_pipe_that_closes_is_no_fault(tmp_path: Path):
    """`rollout schema | head -1` says nothing of broken pipes."""
    pipeline = ["sh", "-c", f"{SCRIPT} schema | head -1"]
    ended = subprocess.run(pipeline, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("{\n", "")
