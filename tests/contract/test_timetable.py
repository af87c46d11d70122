"""Both timetables: apscheduler's on the true clock, and the world's on a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import contextlib

from rollout.adapters.clock import SystemClock
from rollout.adapters.timetable import Timetable
from rollout.simulation.timetable import SimulatedTimetable
from tests.contract.timetable import Hall, Halls, TimetableContract
from tests.fakes.clock import QuickClock


class TestApscheduler(TimetableContract):
    @contextlib.asynccontextmanager
    async def hall(self) -> Halls:
        timetable = Timetable()
        yield Hall(timetable, SystemClock().now, asyncio.sleep)
        timetable.stop()


class TestSimulated(TimetableContract):
    @contextlib.asynccontextmanager
    async def hall(self) -> Halls:
        clock = QuickClock(1.0)
        timetable = SimulatedTimetable(clock)
        yield Hall(timetable, clock.now, clock.sleep)
        timetable.stop()


async def test_no_job_is_dropped_because_it_is_late_and_none_gets_a_thread():
    """Apscheduler's defaults do both."""
    timetable = Timetable()

    async def nothing() -> None:
        """Nothing."""

    timetable.every("poll", 1.0, nothing, jitter=0.1)
    timetable.start()
    [job] = timetable._scheduler.get_jobs()
    timetable.stop()
    assert asyncio.iscoroutinefunction(job.func)
    assert job.coalesce
    assert job.max_instances == 1
    assert job.misfire_grace_time is None
