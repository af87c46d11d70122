"""What every timetable keeps to. ``wait`` lets a moment of the timetable's own seconds pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollout.ports import Timetable


@dataclass
class Hall:
    """A timetable, its wall clock, and how to let its seconds pass."""

    timetable: Timetable
    now: Callable[[], datetime]
    wait: Callable[[float], Awaitable[None]]


Opens = Callable[[], AbstractAsyncContextManager[Hall]]


class TimetableContract:
    """Subclass it, and give ``hall``."""

    def hall(self) -> AbstractAsyncContextManager[Hall]:
        raise NotImplementedError

    async def test_a_job_is_done_again_and_again(self):
        async with self.hall() as hall:
            done: list[datetime] = []
            hall.timetable.every("poll", 0.02, _noting(done, hall))
            hall.timetable.start()
            await hall.wait(0.3)
            assert len(done) > 1

    async def test_the_first_time_can_be_now(self):
        async with self.hall() as hall:
            done: list[datetime] = []
            hall.timetable.every("poll", 3600.0, _noting(done, hall), first=hall.now())
            hall.timetable.start()
            await hall.wait(0.2)
            assert len(done) == 1

    async def test_soon_is_now_and_does_not_end_what_is_done_again(self):
        async with self.hall() as hall:
            done: list[datetime] = []
            hall.timetable.every("poll", 3600.0, _noting(done, hall))
            hall.timetable.start()
            await hall.wait(0.05)
            assert done == []
            hall.timetable.soon("poll", hall.now())
            await hall.wait(0.2)
            hall.timetable.soon("poll", hall.now())
            await hall.wait(0.2)
            assert len(done) == 2

    async def test_a_job_never_runs_twice_at_once(self):
        async with self.hall() as hall:
            under_way: list[str] = []
            most: list[int] = []

            async def slow() -> None:
                under_way.append("one")
                most.append(len(under_way))
                await hall.wait(0.1)
                under_way.pop()

            hall.timetable.every("slow", 0.02, slow)
            hall.timetable.start()
            await hall.wait(0.4)
            assert set(most) == {1}

    async def test_a_bug_in_a_job_does_not_end_what_is_done_again(self):
        async with self.hall() as hall:
            done: list[datetime] = []

            async def broken() -> None:
                done.append(hall.now())
                raise ValueError("nobody thought of it")

            hall.timetable.every("poll", 0.02, broken)
            hall.timetable.start()
            await hall.wait(0.3)
            assert len(done) > 1

    async def test_at_an_instant_is_done_once_and_the_newest_of_a_name_counts(self):
        async with self.hall() as hall:
            done: list[datetime] = []
            hall.timetable.start()
            hall.timetable.once("window", hall.now() + timedelta(hours=1), _noting(done, hall))
            at = hall.now() + timedelta(seconds=0.1)
            hall.timetable.once("window", at, _noting(done, hall))
            await hall.wait(0.4)
            [when] = done
            assert when >= at

    async def test_what_is_under_way_goes_on_when_it_is_stopped(self):
        """D2: an alert that arrived is remembered, or it would be sent again."""
        async with self.hall() as hall:
            done: list[str] = []

            async def slow() -> None:
                done.append("begun")
                await hall.wait(0.2)
                done.append("ended")

            hall.timetable.every("slow", 3600.0, slow, first=hall.now())
            hall.timetable.start()
            await hall.wait(0.1)
            hall.timetable.stop()
            await hall.wait(0.4)
            assert done == ["begun", "ended"]

    async def test_what_is_stopped_begins_no_more(self):
        async with self.hall() as hall:
            done: list[datetime] = []
            hall.timetable.every("poll", 0.02, _noting(done, hall))
            hall.timetable.start()
            hall.timetable.stop()
            await hall.wait(0.2)
            assert done == []


def _noting(done: list[datetime], hall: Hall) -> Callable[[], Awaitable[None]]:
    async def note() -> None:
        done.append(hall.now())

    return note


Halls = AsyncIterator[Hall]
