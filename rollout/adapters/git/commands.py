"""How git is started: GitPython builds the command lines, this starts them more carefully than it would.

GitPython hands its own environment on and, at a timeout, looks for git's children with another program, so
that a hung ``ssh`` or ``git-remote-https`` may live on. Here each git gets exactly the environment it was
given, leads a session of its own, has a deadline and limits of memory and file size, and is killed together
with all its children when it is late, says too much, or nobody wants the answer any more.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import git

from rollout.ports import Clock

MOST_MEMORY = 1 << 30
MOST_FILE = 2 << 30
_LIMITS = {resource.RLIMIT_DATA: MOST_MEMORY, resource.RLIMIT_FSIZE: MOST_FILE, resource.RLIMIT_CORE: 0}
_MOST_SAID = 65_536
_CHUNK = 65_536
_GLANCE = 0.05


class Failed(Exception):  # noqa: N818 - it says what became of the command
    """Git ended with something else than 0; ``said`` is the beginning of what it wrote to stderr."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.said = said
        self.status = status


class Overrun(Exception):  # noqa: N818 - as above
    """The deadline came first; git and its children were killed."""


class Abandoned(Exception):  # noqa: N818 - as above
    """Nobody waits for the answer any more; git and its children were killed."""


class TooMuch(Exception):  # noqa: N818 - as above
    """Git would not stop talking; it and its children were killed."""


class Enough(Exception):  # noqa: N818 - as above
    """Raised by a listener that has heard all it wants: git is ended, and that is no failure."""


class Listener(Protocol):
    """Where git's output goes, piece by piece."""

    def write(self, piece: bytes, /) -> object:
        """Take a piece; may raise ``Enough`` or ``TooMuch``."""
        ...


@dataclass(slots=True)
class Collected:
    """A listener that keeps everything up to ``most`` bytes."""

    most: int
    heard: bytearray = field(default_factory=bytearray)

    def write(self, piece: bytes) -> None:
        self.heard += piece
        if len(self.heard) > self.most:
            raise TooMuch(f"git said more than {self.most} bytes")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the answers are wanted: until ``deadline`` (monotonic), and unless ``given_up``."""

    clock: Clock
    deadline: float
    given_up: threading.Event

    def left(self, deadline: float) -> float:
        """Seconds until the earlier of two deadlines.

        Raises:
            Overrun: there are none.
            Abandoned: nobody waits.
        """
        if self.given_up.is_set():
            raise Abandoned
        left = min(self.deadline, deadline) - self.clock.monotonic()
        if left <= 0:
            raise Overrun
        return left


class Commands(git.Git):
    """Git in one directory, with one environment, for one read."""

    def __init__(self, directory: Path, environment: Mapping[str, str], patience: Patience) -> None:
        super().__init__(str(directory))
        self._exact_environment = environment
        self._patience = patience

    def execute(  # type: ignore[override]
        self,
        command: Sequence[str],
        istream: IO[bytes] | None = None,
        output_stream: Listener | None = None,
        kill_after_timeout: float | None = None,
        with_extended_output: bool = False,
        **_: Any,
    ) -> bytes:
        """Run it; the output, or nothing where ``output_stream`` listens; then stderr's, if asked.

        The options bear GitPython's names, as its methods hand them on.

        Raises:
            Failed, Overrun, Abandoned, TooMuch: as they say.
        """
        own = float("inf") if kill_after_timeout is None else kill_after_timeout
        deadline = self._patience.clock.monotonic() + own
        self._patience.left(deadline)
        listener = output_stream or (collected := Collected(_MOST_SAID))
        said = _Beginning()
        child = subprocess.Popen(
            command,
            stdin=istream or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.working_dir,
            env=self._exact_environment,
            start_new_session=True,
        )
        try:
            _limit(child.pid)
            self._listen(child, listener, said, deadline)
        except Enough:
            return b""
        finally:
            status = _end(child)
        if status:
            raise Failed(status, said.heard.decode(errors="replace"))
        heard = b"" if output_stream else bytes(collected.heard)
        return heard + bytes(said.heard) if with_extended_output else heard

    def _listen(self, child: subprocess.Popen[bytes], out: Listener, said: Listener, deadline: float) -> None:
        """Hand on what git says until it has ended; a child of its own that lives on is not waited for."""
        with selectors.DefaultSelector() as selector:
            for pipe, listener in ((child.stdout, out), (child.stderr, said)):
                if pipe:
                    selector.register(pipe, selectors.EVENT_READ, listener.write)
            while selector.get_map():
                ready = selector.select(min(self._patience.left(deadline), _GLANCE))
                for key, _ in ready:
                    if piece := os.read(key.fd, _CHUNK):
                        key.data(piece)
                    else:
                        selector.unregister(key.fileobj)
                if not ready and _has_ended(child):
                    return
        while not _has_ended(child):
            self._patience.left(deadline)
            self._patience.given_up.wait(0.001)


class _Beginning:
    """A listener that keeps the first words and lets the rest pass."""

    def __init__(self) -> None:
        self.heard = bytearray()

    def write(self, piece: bytes) -> None:
        self.heard += piece[: max(0, _MOST_SAID - len(self.heard))]


def _limit(pid: int) -> None:
    """Bound what a hostile repository can make git take: memory of its own and the size of a file.

    The first moments of its life are unbounded; nothing has come from the repository by then.
    """
    with contextlib.suppress(ProcessLookupError):
        for what, most in _LIMITS.items():
            _, hard = resource.prlimit(pid, what)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(pid, what, (least, least))


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it has, without reaping it: until then its number cannot belong to anybody else."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(child: subprocess.Popen[bytes]) -> int:
    """Kill whatever is left of its session, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    for pipe in (child.stdout, child.stderr):
        if pipe:
            pipe.close()
    return child.wait()
