"""`rollout demo` as a user runs it: real Envoy, git, traffic and daemon; and nothing is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import need

MARK = "ROLLOUT_DEMO_UNDER_TEST"
DEADLINE = 100.0


class Demo:
    """A demo under way. Every process of it bears our mark in its environment, whatever its parent is."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.output = home.parent / f"{home.name}.txt"
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, terminal: bool = False, **environment: str) -> None:
        command = [sys.executable, "-m", "rollout", "demo", *arguments]
        if terminal:
            # What is written to this one's stdin is typed on a terminal of the demo's own.
            typed = f"import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({command!r})))"
            command = [sys.executable, "-c", typed]
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env={**os.environ, "TMPDIR": str(self.home), MARK: self.mark, **environment},
                start_new_session=True,
            )

    def type(self, keys: bytes) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def until(self, done: Callable[[], object], what: str) -> None:
        assert self.process is not None
        deadline = time.monotonic() + DEADLINE
        while not done():
            assert self.process.poll() is None, f"ended before {what}:\n{self.text()}"
            assert time.monotonic() < deadline, f"no {what} in {DEADLINE} s:\n{self.text()}"
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> int:
        assert self.process is not None
        return self.process.wait(DEADLINE)

    def processes(self) -> dict[int, str]:
        """Whatever bears our mark and is not a zombie: pid and command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    found[int(folder.name)] = b" ".join(words).decode(errors="replace").strip()
            except OSError:
                continue
        return {pid: command for pid, command in found.items() if command}

    def leaves_nothing(self) -> bool:
        """No process, no file."""
        assert self.processes() == {}
        assert list(self.home.iterdir()) == []
        return True


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    need("the Envoy wheel and git", shutil.which("git"))
    started = Demo(tmp_path_factory.mktemp("d"))
    yield started
    for pid in started.processes():
        os.kill(pid, signal.SIGKILL)
    if started.process is not None:
        with started.process:  # waits, and closes its stdin
            pass


def test_it_promotes_the_good_and_sends_the_bad_home(demo: Demo, tmp_path: Path) -> None:
    """Every rung is carried by Envoy and shown, nobody's request fails for jazz-v2, metal-v2 goes home and is
    told of; in a pipe there are plain lines; the exit code says that it went well."""
    report = tmp_path / "report.json"
    demo.start("--once", "--report", str(report))
    assert demo.end() == 0, demo.text()
    assert demo.leaves_nothing()

    figures = json.loads(report.read_text(encoding="utf-8"))
    assert (figures["ok"], figures["problems"]) == (True, [])
    jazz, metal = figures["services"]["jazz"], figures["services"]["metal"]
    assert jazz["outcome"] == "promoted"
    assert 0 < jazz["rungs"][0] < 10
    assert jazz["rungs"][-4:] == [10, 50, 95, 100]
    assert jazz["failed_requests"] == 0
    assert jazz["requests"] > 1_000
    times = [seen["at"] for seen in jazz["weights"]]
    assert times == sorted(times)
    assert min(later - before for before, later in zip(times[-4:], times[-3:], strict=False)) > 5.5
    assert metal["outcome"] == "rolled back"
    assert metal["rungs"][-1] == 0
    assert 0 < metal["failed_requests"] == metal["canary_failed_requests"] <= 40
    assert 0 < metal["seconds_from_first_failed_response_to_weight_0"] < 15
    assert {"STARTED", "WORSE", "ROLLED_BACK"} <= {alert["reason"] for alert in metal["alerts"]}
    assert metal["alerts_delivered"] == len(metal["alerts"])

    for service, end in (("jazz", "promoted"), ("metal", "rolled back")):
        picture = report.with_suffix(f".{service}.svg").read_text(encoding="utf-8")
        assert f"<title>prod/{service}: {service}-v2 {end} at " in picture

    shown = demo.text()
    assert "\x1b" not in shown
    for line in (
        r"jazz +envoy +carries jazz-v1 9\d\.\d+ %, jazz-v2 \d\.\d+ %",
        r"jazz +envoy +carries jazz-v1 50 %, jazz-v2 50 %",
        r"jazz +envoy +carries jazz-v1 5 %, jazz-v2 95 % \(5 % kept as control\)",
        r"jazz +rollout +jazz-v2 serves everybody: canary 0 of \d+",
        r"metal +rollout +metal-v2 is worse: canary \d+ of \d+ failed .* odds \d+ : 1",
        r"metal +alert +delivered: worse",
        r"Both went as they should, in \d+ s\.",
    ):
        assert re.search(line, shown), f"{line} is not in:\n{shown}"


def test_it_goes_on_until_ctrl_c_and_says_how_to_play(demo: Demo) -> None:
    """On a terminal it is live; what it prints to be typed works; Ctrl-C ends it with 0, leaving nothing."""
    demo.start(terminal=True, COLUMNS="200", TERM="xterm-256color")
    demo.until(lambda: "Ctrl-C ends it" in demo.text(), "word on how to play")
    shown = demo.text()
    assert "\x1b[" in shown
    assert "\u2588" in shown
    why = re.search(r"^ +(\S+ -m rollout why prod/metal --config \S+)", shown, re.MULTILINE)
    assert why, shown
    told = subprocess.run(why[1].split(), capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "metal-v2" in told.stdout
    assert "retry" in told.stdout

    commit = re.search(r"^ +cd (\S+)\s+(sed .*)$", shown.replace("\r", ""), re.MULTILINE)
    assert commit, shown
    subprocess.run(["sh", "-ec", commit[2]], cwd=commit[1], check=True, capture_output=True)
    back = re.compile(r"carries jazz-v1 \d\.\d+ %, jazz-v2 9\d\.\d+ %")
    demo.until(lambda: back.search(demo.text()), "rollout of what was committed")

    (daemon,) = [pid for pid, command in demo.processes().items() if " rollout run " in command]
    os.kill(daemon, signal.SIGKILL)
    demo.until(lambda: "the daemon has ended" in demo.text(), "word of the daemon's end")
    # With nothing left but Envoy: the way home that the README names.
    (routes,) = demo.home.glob("rollout-demo-*/routes")
    (routes / ".jazz.yaml.home").rename(routes / "jazz.yaml")
    demo.until(lambda: demo.text().count("carries jazz-v2 100 %") > 1, "everything on stable")
    demo.type(b"\x03")
    assert demo.end() == 0, demo.text()
    assert demo.leaves_nothing()


@pytest.mark.parametrize(
    ("started", "number"),
    [(0, signal.SIGINT), (2, signal.SIGTERM), (5, signal.SIGINT), (6, signal.SIGTERM), (7, signal.SIGHUP)],
)
def test_it_can_be_stopped_while_it_starts(demo: Demo, started: int, number: signal.Signals) -> None:
    """With so many of its processes running, in the middle of starting the next: all are ended, in order."""
    demo.start("--once")
    demo.until(lambda: "starting Envoy" in demo.text(), "first line")
    demo.until(lambda: len(demo.processes()) > started, f"{started} children")
    demo.signal(number)
    time.sleep(0.01)
    demo.signal(number)  # an impatient person: the second changes nothing
    assert demo.end() == 130, demo.text()
    assert demo.leaves_nothing()
    assert "Traceback" not in demo.text()


def test_a_daemon_that_dies_is_a_failure_with_its_last_words(demo: Demo) -> None:
    """Exit code 1, the reason on one line, nothing left."""
    demo.start("--once")
    demo.until(lambda: "taken as stable" in demo.text(), "adoption")
    (daemon,) = [pid for pid, command in demo.processes().items() if " rollout run " in command]
    os.kill(daemon, signal.SIGKILL)
    assert demo.end() == 1
    assert demo.leaves_nothing()
    assert "rollout demo: the daemon ended with -9; it said last:" in demo.text()
    assert "Traceback" not in demo.text()


def test_a_report_that_cannot_be_written_is_said_before_anything_starts(demo: Demo, tmp_path: Path) -> None:
    """Nobody waits half a minute to read that a folder does not exist."""
    demo.start("--once", "--report", str(tmp_path / "nowhere" / "report.json"))
    assert demo.end() == 2
    assert "there is no folder" in demo.text()
    assert demo.leaves_nothing()
