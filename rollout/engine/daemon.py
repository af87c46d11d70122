"""The loops: looks on monotonic time, and what belongs to the wall clock by a timetable (DESIGN 14.16).

Nothing that goes home depends on the wall clock, on another rollout, on git or on an alert's delivery.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from rollout.core.model import Steady, Unadopted
from rollout.core.reason import Reason
from rollout.core.schedule import opens
from rollout.engine import history
from rollout.engine.engine import Engine
from rollout.engine.outbox import Postman
from rollout.engine.rollout import Rollout
from rollout.ports import Timetable, Unavailable

log = logging.getLogger("rollout")

BEAT = 1.0
MISSED_BEATS = 3
SWEEP = 1.0
HOUSEKEEPING = 3600.0
AFTER_START = timedelta(minutes=1)
"""When to keep house first: not while every rollout wants its first look recorded."""
JITTER = 0.1
"""A poll comes up to this share of its interval early, so that daemons do not ask in step."""
FAILURES = 5
"""Bugs in a row after which a rollout is left alone."""
LEFT_ALONE, TRIED_AGAIN = 3600.0, 60.0
"""Seconds for which; the second while a canary may have traffic, and has to be watched or taken home."""
GRACE = 8.0
"""Seconds for passes under way and alerts owed when the daemon is told to stop; closing has two more."""


class Daemon:
    """Turns an engine in time until ``stop``. ``beat`` is called each second by the loop that looks."""

    def __init__(  # noqa: PLR0913 - the edges of a process
        self,
        engine: Engine,
        postman: Postman,
        timetable: Timetable,
        *,
        beat: Callable[[], None],
        prune: Callable[[], Awaitable[None]],
        observed: Callable[[Rollout, float], None] = lambda _rollout, _late: None,
        gone: Callable[[str], None] = lambda _name: None,
        grace: float = GRACE,
    ) -> None:
        self._engine = engine
        self._postman = postman
        self._beat = beat
        self._prune = prune
        self._observed = observed
        self._gone = gone
        self._grace = grace
        self._order = itertools.count()
        self._due: list[tuple[float, int, str]] = []
        self._wake = asyncio.Event()
        self._passes: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._timetable = timetable
        self._back: asyncio.Task[None] | None = None
        self._back_due = engine.clock.monotonic()
        self.beat_at = engine.clock.monotonic()

    # --- looks -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until ``stop``: then no new pass begins, those under way end, and stopping changes no weight."""
        engine = self._engine
        engine.changed, engine.driven = self._enqueue, True
        for rollout in engine.rollouts.values():
            self._enqueue(rollout)
        self._schedule()
        try:
            await self._turn()
        finally:
            self._timetable.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._grace):
                    await self._end()

    async def _end(self) -> None:
        if self._back is not None:
            self._back.cancel()
            await asyncio.gather(self._back, return_exceptions=True)
        if self._passes:
            await asyncio.wait(self._passes.values())
        self._engine.excuse("the daemon stops; the next start obeys it")
        await self._postman.flush()

    def stop(self) -> None:
        """Begin no more."""
        self._stopping.set()
        self._wake.set()

    @property
    def is_alive(self) -> bool:
        """Did the loop that looks beat lately? This, not an HTTP answer, is health (FAILURES D4)."""
        return self._engine.clock.monotonic() - self.beat_at < MISSED_BEATS * BEAT

    def _enqueue(self, rollout: Rollout) -> None:
        heapq.heappush(self._due, (rollout.due, next(self._order), rollout.name))
        self._wake.set()

    async def _turn(self) -> None:
        clock = self._engine.clock
        while not self._stopping.is_set():
            self._start_due(clock.monotonic())
            self._look_back(clock.monotonic())
            self._beat_now()
            self._wake.clear()
            wait = min(self._due[0][0] - clock.monotonic(), BEAT) if self._due else BEAT
            if wait > 0:
                await clock.wait(self._wake, wait)

    def _beat_now(self) -> None:
        now = self._engine.clock.monotonic()
        if now - self.beat_at >= BEAT:
            self.beat_at = now
            self._beat()

    def _look_back(self, now: float) -> None:
        """Each minute, by the clock that looks go by: what is judged may not depend on the wall clock."""
        if now >= self._back_due and (self._back is None or self._back.done()):
            self._back_due = now + history.EVERY
            self._back = asyncio.create_task(self._engine.look_back())

    def _start_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            due, _, name = heapq.heappop(self._due)
            rollout = self._engine.rollouts.get(name)
            if rollout is None or name in self._passes or due < rollout.due:
                continue
            task = asyncio.create_task(self._pass(rollout, now - due))
            self._passes[name] = task
            task.add_done_callback(functools.partial(self._ended, name))

    def _ended(self, name: str, _: asyncio.Task[None]) -> None:
        del self._passes[name]
        rollout = self._engine.rollouts.get(name)
        if rollout is None:
            self._gone(name)
        else:
            self._enqueue(rollout)

    async def _pass(self, rollout: Rollout, late: float) -> None:
        """One look, at the edge of one rollout: a bug in it stops here, and the neighbours go on (law 10)."""
        before = rollout.decision
        try:
            await self._engine.look(rollout.name)
            rollout.failures = 0
        except Exception as bug:
            rollout.failures += 1
            log.exception("rollout.bug", extra={"rollout": rollout.name, "times": rollout.failures})
            if rollout.failures < FAILURES:
                return
            resting = isinstance(rollout.state, Steady | Unadopted)
            rollout.due = self._engine.clock.monotonic() + (LEFT_ALONE if resting else TRIED_AGAIN)
            await self._engine.leave(rollout, bug)
        self._observed(rollout, late)
        decision = rollout.decision
        if decision is None or self._stopping.is_set():
            return
        if decision.reason.level and (before is None or before.reason is not decision.reason):
            self._sweep_soon()
        if decision.reason is Reason.WINDOW_CLOSED:
            self._await_window(rollout)

    # --- the wall clock --------------------------------------------------------------------------

    def _schedule(self) -> None:
        now, timetable = self._engine.clock.now(), self._timetable
        for source in self._engine.settings.sources:
            poll = functools.partial(self._engine.poll, source.name)
            early = source.poll * JITTER / 2
            timetable.every(f"source {source.name}", source.poll, poll, first=now, jitter=early)
        for sink in self._postman.sinks:
            timetable.every(f"sink {sink}", SWEEP, functools.partial(self._postman.carry, sink))
        timetable.every("house", HOUSEKEEPING, self._keep_house, first=now + AFTER_START)
        timetable.start()

    def _sweep_soon(self) -> None:
        for sink in self._postman.sinks:
            self._timetable.soon(f"sink {sink}", self._engine.clock.now())

    async def _keep_house(self) -> None:
        """What is needed now and then: limits on what is remembered, alerts to sinks that are no more."""
        try:
            await self._prune()
            await self._postman.disown()
        except Unavailable as trouble:
            log.error("housekeeping.failed", extra={"detail": str(trouble)})  # noqa: TRY400

    def _await_window(self, rollout: Rollout) -> None:
        """Look at the instant when the window opens, if that comes before the next look."""
        now, policy = self._engine.clock.now(), rollout.policy
        opening = opens(policy.windows, now) if policy else now
        if now < opening and (opening - now).total_seconds() < rollout.due - self._engine.clock.monotonic():
            look = functools.partial(self._look_now, rollout.name)
            self._timetable.once(f"window {rollout.name}", opening, look)

    async def _look_now(self, name: str) -> None:
        rollout = self._engine.rollouts.get(name)
        if rollout is not None:
            self._engine.look_soon(rollout)
