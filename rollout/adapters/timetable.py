"""What belongs to the wall clock, turned by apscheduler (DESIGN 14.16).

Nothing that goes home may depend on it. Its defaults drop a job that comes a second late: never here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from rollout.ports import Job


class Timetable:
    """``ports.Timetable`` on the running loop. Every job is a coroutine: others would get a thread."""

    def __init__(self) -> None:
        quiet = logging.getLogger("rollout.scheduler")
        quiet.setLevel(logging.ERROR)  # a job that outlasts its interval is no news
        defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler = AsyncIOScheduler(timezone="UTC", logger=quiet, job_defaults=defaults)

    def start(self) -> None:
        """Begin to turn."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no more jobs. Those under way go on: an alert that arrives is to be remembered."""
        self._scheduler.remove_all_jobs()
        self._scheduler.pause()

    def every(
        self, name: str, seconds: float, job: Job, *, first: datetime | None = None, jitter: float = 0.0
    ) -> None:
        """Do it again and again."""
        more = {} if first is None else {"next_run_time": first}
        self._scheduler.add_job(
            _run, "interval", args=[job], seconds=seconds, jitter=jitter or None, id=name, **more
        )

    def once(self, name: str, at: datetime, job: Job) -> None:
        """Do it at an instant."""
        self._scheduler.add_job(_run, DateTrigger(at), args=[job], id=name, replace_existing=True)

    def soon(self, name: str, now: datetime) -> None:
        """Do now what is done again and again."""
        self._scheduler.modify_job(name, next_run_time=now)


async def _run(job: Job) -> None:
    with contextlib.suppress(asyncio.CancelledError):  # the daemon stops: nothing to report
        await job()
