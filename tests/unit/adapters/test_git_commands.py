"""How a command is started and, above all, how it is ended. Any program will do; git is only one."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from time import monotonic, sleep

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.git.commands import (
    Abandoned,
    Collected,
    Commands,
    Enough,
    Failed,
    Overrun,
    Patience,
    TooMuch,
)

SHELL = {"PATH": os.environ["PATH"]}


def commands(folder: Path, seconds: float = 10.0, given_up: threading.Event | None = None) -> Commands:
    clock = SystemClock()
    return Commands(
        folder, SHELL, Patience(clock, clock.monotonic() + seconds, given_up or threading.Event())
    )


def lives(pid: int) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def dies(pid: int) -> bool:
    """Whether it is dead within a second: a kill takes a moment to arrive."""
    until = monotonic() + 1
    while lives(pid) and monotonic() < until:
        sleep(0.01)
    return not lives(pid)


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_the_output_comes_back_whole(tmp_path: Path):
    assert commands(tmp_path).execute(sh("printf 'a\\nb\\n'; echo noise >&2")) == b"a\nb\n"


def test_a_failure_has_a_status_and_what_was_said(tmp_path: Path):
    with pytest.raises(Failed) as caught:
        commands(tmp_path).execute(sh("echo because >&2; exit 3"))
    assert (caught.value.status, str(caught.value)) == (3, "because\n")


def test_g1_a_hung_command_is_killed_with_its_children(tmp_path: Path):
    """At its own limit or the read's deadline, whichever comes first; also a child that closed every pipe."""
    script = sh("sleep 60 >/dev/null 2>&1 & echo $! > child; sleep 60")
    for run in (
        lambda: commands(tmp_path).execute(script, kill_after_timeout=0.2),
        lambda: commands(tmp_path, 0.2).execute(script),
    ):
        began = monotonic()
        with pytest.raises(Overrun):
            run()
        assert monotonic() - began < 2
        assert dies(int((tmp_path / "child").read_text()))


def test_a_child_that_outlives_its_command_is_killed_and_not_waited_for(tmp_path: Path):
    began = monotonic()
    assert commands(tmp_path).execute(sh("sleep 60 & echo $! > child; echo done")) == b"done\n"
    assert monotonic() - began < 2
    assert dies(int((tmp_path / "child").read_text()))


def test_g1_a_read_that_nobody_waits_for_is_killed(tmp_path: Path):
    given_up = threading.Event()
    threading.Timer(0.2, given_up.set).start()
    began = monotonic()
    with pytest.raises(Abandoned):
        commands(tmp_path, 60, given_up).execute(sh("echo $$ > child; exec sleep 60"))
    assert monotonic() - began < 2
    assert dies(int((tmp_path / "child").read_text()))


def test_nothing_is_started_when_time_is_up(tmp_path: Path):
    with pytest.raises(Overrun):
        commands(tmp_path, 0).execute(sh("touch started"))
    assert not (tmp_path / "started").exists()


def test_endless_output_is_cut(tmp_path: Path):
    with pytest.raises(TooMuch):
        commands(tmp_path).execute(["yes"], output_stream=Collected(1_000_000))


def test_endless_complaints_take_no_memory_and_do_not_block(tmp_path: Path):
    """A remote may say what it likes on stderr: the beginning is kept, the rest passes."""
    with pytest.raises(Failed) as caught:
        commands(tmp_path).execute(sh("yes | head -c 5000000 >&2; exit 1"))
    assert len(caught.value.said) == 65_536


def test_a_listener_that_has_heard_enough_ends_the_command(tmp_path: Path):
    class First:
        def write(self, piece: bytes) -> None:
            raise Enough

    assert commands(tmp_path).execute(["yes"], output_stream=First()) == b""


def test_a_large_answer_to_a_large_question_does_not_lock_up(tmp_path: Path):
    asked = tmp_path / "asked"
    asked.write_bytes(b"x" * 3_000_000)
    collected = Collected(3_000_000)
    with asked.open("rb") as stream:
        commands(tmp_path).execute(["cat"], istream=stream, output_stream=collected)
    assert len(collected.heard) == 3_000_000


def test_the_environment_is_exactly_the_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLACK_URL", "secret")
    said = commands(tmp_path).execute(["env"]).decode()
    assert [line for line in said.splitlines() if not line.startswith("PATH=")] == []


def test_section_3_row_3_no_file_grows_without_bound(tmp_path: Path):
    with pytest.raises(Failed):
        commands(tmp_path).execute(sh("sleep 0.2; exec dd if=/dev/zero of=big bs=1 count=1 seek=3G"))
    assert (tmp_path / "big").stat().st_size <= 2 << 30


def test_section_3_row_3_memory_does_not_grow_without_bound(tmp_path: Path):
    with pytest.raises(Failed, match="MemoryError"):
        commands(tmp_path).execute(
            [sys.executable, "-I", "-c", "import time; time.sleep(0.2); bytearray(2 << 30)"]
        )
