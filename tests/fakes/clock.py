"""A clock that stands still until it is moved."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class FakeClock:
    """``ports.Clock``: sleeping moves it, and so does ``advance``."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        if not event.is_set():
            await self.sleep(seconds)

    def advance(self, seconds: float) -> None:
        self._seconds += seconds

    def set(self, now: datetime) -> None:
        """Move the wall clock alone, either way."""
        self._start += now - self.now()


class QuickClock(FakeClock):
    """The true clock, for tests of what really runs at the same time: its seconds pass ``speed`` times as
    fast. The wall clock is the machine's own.
    """

    def __init__(self, speed: float = 50.0) -> None:
        super().__init__()
        self._speed = speed
        self._began = time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds / self._speed):
                await event.wait()
