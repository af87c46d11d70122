"""What belongs to the wall clock, by the clock of the world."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from rollout.ports import Clock, Job


class _Told:
    """A bug inside is told to the loop, and goes no further."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, bug: BaseException | None, _trace: object) -> bool:
        if isinstance(bug, Exception):
            about = {"message": f"the job {self._name} failed", "exception": bug}
            asyncio.get_running_loop().call_exception_handler(about)
        return isinstance(bug, Exception)


class SimulatedTimetable:
    """``ports.Timetable``: a task for each job, which sleeps until it is due. Jitter is left out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, tuple[float, Job, datetime | None]] = {}
        self._instants: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[str] = set()
        self._stopped = False

    def start(self) -> None:
        """Begin to turn."""
        for name in self._jobs:
            self._begin(self._turn(name))

    def stop(self) -> None:
        """Begin no more jobs; those under way go on."""
        self._stopped = True

    def every(
        self, name: str, seconds: float, job: Job, *, first: datetime | None = None, jitter: float = 0.0
    ) -> None:
        """Do it again and again; before ``start`` only."""
        self._jobs[name] = (seconds, job, first)

    def once(self, name: str, at: datetime, job: Job) -> None:
        """Do it at an instant."""
        if before := self._instants.get(name):
            before.cancel()
        self._instants[name] = self._begin(self._once(at, job))

    def soon(self, name: str, now: datetime) -> None:
        """Do now what is done again and again."""
        self._begin(self._do(name))

    def _begin(self, doing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _turn(self, name: str) -> None:
        seconds, _, first = self._jobs[name]
        await self._clock.sleep(self._until(first) if first else seconds)
        while not self._stopped:
            await self._do(name)
            await self._clock.sleep(seconds)

    async def _do(self, name: str) -> None:
        """A bug in a job is told to the loop at once; the next time comes all the same."""
        if self._stopped or name in self._under_way:
            return
        self._under_way.add(name)
        with _Told(name):
            await self._jobs[name][1]()
        self._under_way.discard(name)

    async def _once(self, at: datetime, job: Job) -> None:
        await self._clock.sleep(self._until(at))
        if not self._stopped:
            await job()

    def _until(self, at: datetime) -> float:
        return max(0.0, (at - self._clock.now()).total_seconds())
