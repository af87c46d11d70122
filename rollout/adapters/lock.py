"""The daemon's lock: ``flock`` on a file of its own, so that the journal stays readable while it is held.

The kernel drops the lock with the process, however it ends, so nothing is ever left locked. The file says who
holds it; its time of change is the holder's heartbeat. A disk that takes neither does not keep anybody from
holding it: the way home must not need the disk.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rollout.ports import Clock, Refused, Unavailable

FILE = "daemon.lock"
OVERDUE = 5.0
"""Seconds without a heartbeat after which it is worth a word."""
_TRIES = 5
_PAUSE = 0.1
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock, since when, when its heart beat last. ``pid`` is 0 where it has not signed."""

    pid: int
    started: datetime
    beat: datetime

    def overdue(self, now: datetime) -> float:
        """Seconds that the heartbeat is late, 0 when it is not."""
        silent = (now - self.beat).total_seconds()
        return silent if silent > OVERDUE else 0.0

    def say(self, now: datetime) -> str:
        """In a sentence."""
        late = self.overdue(now)
        health = f"its heartbeat is overdue by {late:.0f} s" if late else "its heart beats"
        if not self.pid:
            return "a process that is just starting, or has no room to say who it is, holds the lock"
        return f"pid {self.pid} holds the lock since {self.started:%Y-%m-%d %H:%M:%S} UTC, {health}"


class DaemonLock:
    """The lock, held until ``release`` or the end of the process."""

    def __init__(self, descriptor: int, clock: Clock) -> None:
        self._descriptor = descriptor
        self._clock = clock

    @classmethod
    async def take(cls, directory: Path, clock: Clock) -> DaemonLock:
        """Take it, in a state directory that exists.

        Raises:
            Refused: another process holds it; the sentence names its pid.
            Unavailable: there is no such file, and it cannot be made.
        """
        path = directory / FILE
        descriptor = _opened(path)
        lock = cls(descriptor, clock)
        with ExitStack() as unless_taken:
            unless_taken.callback(lock.release)
            if not await _locked(descriptor, clock):
                other = _read(descriptor)
                raise Refused(
                    f"another daemon works in {directory}: {other.say(clock.now())}; "
                    "end that one, or name another directory in `state`"
                )
            with suppress(OSError):  # a full or read-only disk: it is held all the same
                lock._sign()
            unless_taken.pop_all()
        return lock

    def beat(self) -> None:
        """Say that we live. A disk that does not take it is the journal's to complain about."""
        with suppress(OSError):
            self._mark()

    def release(self) -> None:
        """Let go."""
        os.close(self._descriptor)

    def _sign(self) -> None:
        facts = {"pid": os.getpid(), "started": self._clock.now().isoformat(), "boot": _boot()}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(facts).encode(), 0)
        self._mark()

    def _mark(self) -> None:
        now = self._clock.now().timestamp()
        os.utime(self._descriptor, (now, now))


def holder(directory: Path) -> Holder | None:
    """Who holds the lock of a state directory now; ``None`` when nobody does.

    Raises:
        Unavailable: it cannot be looked at.
    """
    path = directory / FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"cannot look at the lock {path}: {error.strerror}") from error
    try:
        # Shared, and let go at once: a daemon that starts in this moment tries again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    """The file to lock, made if it is missing; only to read where it cannot be written."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        with suppress(OSError):
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        raise Unavailable(
            f"cannot write the lock {path}: {error.strerror}; make room, or chown {path.parent} to the "
            "daemon's user, or name another directory in `state`"
        ) from error


async def _locked(descriptor: int, clock: Clock) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await clock.sleep(_PAUSE)
        else:
            return True
    return False


def _read(descriptor: int) -> Holder:
    beat = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)
    try:
        facts = json.loads(os.pread(descriptor, 4_096, 0))
        return Holder(int(facts["pid"]), datetime.fromisoformat(facts["started"]), beat)
    except (ValueError, KeyError, TypeError):
        return Holder(0, beat, beat)  # its holder is about to sign, or has no room to


def _boot() -> str:
    return _BOOT.read_text(encoding="ascii").strip() if _BOOT.exists() else ""
