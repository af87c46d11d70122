"""Deliver what is owed to people: at least once, with back-off, for a day (FAILURES L1-L3).

The journal remembers each alert in the transaction of its transition; here they only leave. Nothing that
moves traffic waits for this.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from rollout.ports import Alert, Clock, Dispatch, Later, Outbox, Sink, Unavailable

log = logging.getLogger("rollout")

KEPT_FOR = timedelta(hours=24)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds until the second try, and the most between two."""
BATCH = 100


class Postman:
    """Carries alerts from the outbox to the sinks."""

    def __init__(self, outbox: Outbox, sinks: Mapping[str, Sink], clock: Clock) -> None:
        self._outbox = outbox
        self._sinks = sinks
        self._clock = clock
        self._shouts: set[asyncio.Task[None]] = set()
        self._sweeping = asyncio.Lock()
        self.undelivered = 0

    async def sweep(self) -> None:
        """Try everything that is due, each sink on its own, each rollout's alerts in order."""
        async with self._sweeping:
            try:
                owed = await self._outbox.owed(self._clock.now(), BATCH)
                by_sink: dict[str, list[Dispatch]] = {}
                for dispatch in owed:
                    by_sink.setdefault(dispatch.sink, []).append(dispatch)
                await asyncio.gather(*(self._carry(sink, dispatches) for sink, dispatches in by_sink.items()))
                self.undelivered = await self._outbox.undelivered()
            except Unavailable as trouble:
                log.error("outbox.unreadable", extra={"detail": str(trouble)})  # noqa: TRY400

    async def _carry(self, name: str, dispatches: Sequence[Dispatch]) -> None:
        sink = self._sinks.get(name)
        behind: set[str] = set()
        for dispatch in dispatches:
            if dispatch.alert.rollout in behind:
                continue
            if sink is None:
                await self._outbox.failed(dispatch, "the settings name no such sink", None)
                continue
            try:
                await sink.deliver(dispatch.alert)
            except Unavailable as trouble:
                behind.add(dispatch.alert.rollout)
                next_try = self._next_try(dispatch, trouble)
                log.warning(
                    "alert.undelivered",
                    extra={"sink": name, "key": dispatch.alert.key, "detail": str(trouble)},
                )
                await self._outbox.failed(dispatch, str(trouble), next_try)
            else:
                await self._outbox.delivered(dispatch, self._clock.now())

    def _next_try(self, dispatch: Dispatch, trouble: Unavailable) -> datetime | None:
        now = self._clock.now()
        pause = min(FIRST_PAUSE * 2.0**dispatch.tries, LONGEST_PAUSE)
        asked = trouble.after if isinstance(trouble, Later) and trouble.after is not None else 0.0
        if now - dispatch.alert.at > KEPT_FOR:
            return None
        return now + timedelta(seconds=max(pause, min(asked, KEPT_FOR.total_seconds())))

    def shout(self, alerts: Sequence[tuple[str, Alert]]) -> None:
        """Tell people at once, without the journal: it cannot be written. Tried once, in the background."""
        for name, alert in alerts:
            log.error("alert.unjournalled", extra={"sink": name, "key": alert.key, "said": alert.headline})
            if name in self._sinks:
                task = asyncio.create_task(self._shout(name, alert))
                self._shouts.add(task)
                task.add_done_callback(self._shouts.discard)

    async def _shout(self, name: str, alert: Alert) -> None:
        try:
            await self._sinks[name].deliver(alert)
        except Unavailable as trouble:
            log.error("alert.undelivered", extra={"sink": name, "key": alert.key, "detail": str(trouble)})  # noqa: TRY400
