"""An event loop whose time is virtual: where it would wait, its time moves on at once.

No sockets, no threads, no signals: what runs on it is the same in each process and on each machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday morning."""


class Stalled(Exception):  # noqa: N818 - it says what the world is
    """Everybody waits for somebody, and nobody for time: a deadlock."""


class _Waiting:
    """In the place of a selector: nothing ever arrives, so waiting only moves the time."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stalled("nothing is due, and nothing can happen any more")
        self.now += timeout
        return []

    def close(self) -> None:
        pass


class VirtualLoop(asyncio.BaseEventLoop):
    """``run_until_complete`` as ever; ``time()`` begins at 0 and costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Waiting()

    def time(self) -> float:
        """Virtual seconds."""
        return self._selector.now

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


def run(main: Coroutine[Any, Any, T], trouble: Callable[[str], None]) -> T:
    """Run it to its end on a loop of its own, and what it left behind to nothing. ``trouble`` is told of
    exceptions that nobody waited for.
    """
    loop = VirtualLoop()
    loop.set_exception_handler(lambda _, about: trouble(str(about.get("exception") or about["message"])))
    try:
        return loop.run_until_complete(main)
    finally:
        loop.set_exception_handler(lambda *_: None)
        while left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left, timeout=1.0))
        loop.close()


class VirtualClock:
    """``ports.Clock`` on the running virtual loop. ``jump`` moves the wall clock alone, either way."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start

    def now(self) -> datetime:
        """The wall clock."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """The loop's seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until it is set, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._start += timedelta(seconds=seconds)
