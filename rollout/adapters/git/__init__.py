"""Policies from a git repository: one branch, mirrored bare, read object by object, never checked out."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.adapters.git.remote import Remote
from rollout.ports import Clock, Tree, Unavailable
from rollout.settings import SourceSettings

if TYPE_CHECKING:  # GitPython looks for git as it is imported, which takes a while and may fail
    from rollout.adapters.git.mirror import Mirror


class GitSource:
    """A git repository, branch and path. ``cache`` is a directory that belongs to this process alone.

    Each source has a thread of its own, so that a hung remote holds up nobody else.

    Raises:
        Refused: the settings cannot be used; what to write instead.
    """

    def __init__(self, settings: SourceSettings, cache: Path, clock: Clock) -> None:
        self._settings = settings
        self._remote = Remote.of(settings)
        self._home = cache.absolute() / settings.name
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"git {settings.name}")
        self._mirror: Mirror | None = None

    async def read(self, accepted: str | None) -> Tree:
        given_up = threading.Event()
        reading = asyncio.get_running_loop().run_in_executor(self._thread, self._read, accepted, given_up)
        try:
            return await asyncio.shield(reading)
        finally:
            given_up.set()
            if not reading.done():  # cancelled: git is killed within the blink of an eye
                await asyncio.wait([reading])
                reading.exception()

    def _read(self, accepted: str | None, given_up: threading.Event) -> Tree:
        """All of it, in the source's thread."""
        where = f"source {self._settings.name}"
        no_git = f"{where}: git is not on the PATH: install it (apt-get install git)"
        try:
            from rollout.adapters.git.commands import Abandoned, Overrun, Patience
            from rollout.adapters.git.mirror import Mirror
        except ImportError:
            raise Unavailable(no_git) from None
        deadline = self._clock.monotonic() + self._settings.timeout
        self._mirror = self._mirror or Mirror(self._remote, self._home)
        try:
            return self._mirror.read(accepted, Patience(self._clock, deadline, given_up))
        except Overrun:
            raise Unavailable(
                f"{self._remote.shown}: no answer within {self._settings.timeout:g} s: is the server "
                "hung or the network slow? A large repository may need a longer timeout the first time"
            ) from None
        except Abandoned:
            raise Unavailable(f"{where}: nobody waited for the answer") from None
        except OSError as problem:
            if isinstance(problem, FileNotFoundError) and problem.filename == "git":
                raise Unavailable(no_git) from None
            raise Unavailable(f"{where}: {problem.filename or self._home}: {problem.strerror}") from None
