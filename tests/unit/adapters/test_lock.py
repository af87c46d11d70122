"""One daemon for a state directory, and who it is."""

import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from rollout.adapters.lock import FILE, DaemonLock, Holder, holder
from rollout.ports import Refused, Unavailable
from tests.fakes.clock import START, FakeClock

HOLD = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from rollout.adapters.clock import SystemClock
from rollout.adapters.lock import DaemonLock
lock = asyncio.run(DaemonLock.take(Path(sys.argv[2]), SystemClock()))
print("held", flush=True)
sys.stdin.read()
"""


async def test_q2_a_second_daemon_is_refused_by_name(tmp_path: Path):
    """Q2: the second daemon learns who holds the lock, since when, whether it lives, and what to do."""
    clock = FakeClock()
    lock = await DaemonLock.take(tmp_path, clock)
    clock.advance(2)
    with pytest.raises(Refused) as refusal:
        await DaemonLock.take(tmp_path, clock)
    assert str(refusal.value) == (
        f"another daemon works in {tmp_path}: pid {os.getpid()} holds the lock since 2026-03-02 09:00:00 "
        "UTC, its heart beats; end that one, or name another directory in `state`"
    )
    lock.release()
    (await DaemonLock.take(tmp_path, clock)).release()


async def test_an_overdue_heartbeat_is_told(tmp_path: Path):
    """A daemon that holds the lock and does not turn its loop any more is named with how long that is."""
    clock = FakeClock()
    lock = await DaemonLock.take(tmp_path, clock)
    clock.advance(60)
    lock.beat()
    clock.advance(17)
    found = holder(tmp_path)
    assert found == Holder(os.getpid(), START, START + timedelta(seconds=60))
    assert found.overdue(clock.now()) == 17.0
    assert found.say(clock.now()).endswith(
        "holds the lock since 2026-03-02 09:00:00 UTC, its heartbeat is overdue by 17 s"
    )
    lock.beat()
    found = holder(tmp_path)
    assert found
    assert found.overdue(clock.now()) == 0.0
    lock.release()


async def test_d1_a_killed_daemon_leaves_no_lock(tmp_path: Path):
    """D1: after kill -9 the lock is free at once, whatever the file still says."""
    command = [sys.executable, "-c", HOLD, str(Path(__file__).parents[3]), str(tmp_path)]
    other = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)  # noqa: ASYNC220 - a moment
    assert other.stdout
    assert other.stdout.readline() == "held\n"
    found = holder(tmp_path)
    assert found
    assert found.pid == other.pid
    with pytest.raises(Refused, match=f"pid {other.pid} holds the lock"):
        await DaemonLock.take(tmp_path, FakeClock())
    other.kill()
    other.communicate()
    assert holder(tmp_path) is None
    lock = await DaemonLock.take(tmp_path, FakeClock())
    assert json.loads((tmp_path / FILE).read_text())["pid"] == os.getpid()
    lock.release()


async def test_looking_takes_nothing(tmp_path: Path):
    """Who looks whether a daemon runs does not keep one from starting, and a lock never taken is nobody's."""
    assert holder(tmp_path) is None
    lock = await DaemonLock.take(tmp_path, FakeClock())
    for _ in range(100):
        assert holder(tmp_path)
    lock.release()
    assert holder(tmp_path) is None


async def test_a_lock_that_is_not_signed_yet(tmp_path: Path):
    """Between taking and signing a process has no name; nobody is told to kill pid 0."""
    lock = await DaemonLock.take(tmp_path, FakeClock())
    (tmp_path / FILE).write_text("")
    found = holder(tmp_path)
    assert found
    assert found.say(START) == (
        "a process that is just starting, or has no room to say who it is, holds the lock"
    )
    lock.release()


async def test_the_lock_cannot_be_made(tmp_path: Path):
    """A place that cannot be written, or a link somebody put there, is a sentence."""
    with pytest.raises(Unavailable, match=r"cannot write the lock .*No such file or directory"):
        await DaemonLock.take(tmp_path / "none", FakeClock())
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="cannot write the lock"):
        await DaemonLock.take(tmp_path, FakeClock())
    with pytest.raises(Unavailable, match="cannot look at the lock"):
        holder(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


async def test_the_lock_file_is_its_owner_s(tmp_path: Path):
    """Nobody else can write a pid into it for an operator to kill."""
    lock = await DaemonLock.take(tmp_path, FakeClock())
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    lock.release()


async def test_q1_a_lock_that_cannot_be_written_is_held_all_the_same(tmp_path: Path):
    """The way home must not need the disk. Nobody may write to a program that runs, not even root."""
    program = tmp_path / FILE
    shutil.copy2(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "60"]) as running:  # noqa: ASYNC220 - a moment
        try:
            with pytest.raises(OSError, match="Text file busy"):
                program.open("r+b")
            lock = await DaemonLock.take(tmp_path, FakeClock())
            found = holder(tmp_path)
            assert found
            assert found.pid == 0
            with pytest.raises(Refused, match="has no room to say who it is"):
                await DaemonLock.take(tmp_path, FakeClock())
            lock.release()
            assert holder(tmp_path) is None
        finally:
            running.kill()


async def test_q1_a_disk_that_takes_no_heartbeat_stops_nobody():
    """The way home must not need the disk: what cannot be marked is not marked, and the daemon lives on."""
    lost = 2**20 - 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.utime(lost)
    DaemonLock(lost, FakeClock()).beat()
