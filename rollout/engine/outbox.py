"""Deliver what is owed to people: at least once, with back-off, for a day (FAILURES L1-L3).

The journal remembers each alert in the transaction of its transition; here they only leave. Nothing that
moves traffic waits for this.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from rollout.ports import LONGEST_WAIT, Alert, Clock, Dispatch, Later, Outbox, Sink, Unavailable

log = logging.getLogger("rollout")

KEPT_FOR, KEPT_TRIES = timedelta(hours=24), 24
"""An alert is given up after both: a clock that jumps a day ahead does not give up what was hardly tried."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds until the second try, and the most between two."""
BATCH, ALL = 100, 100_000


class Postman:
    """Carries alerts from the outbox to the sinks, each sink on its own: one that hangs delays no other."""

    def __init__(self, outbox: Outbox, sinks: Mapping[str, Sink], clock: Clock) -> None:
        self._outbox = outbox
        self._sinks = sinks
        self._clock = clock
        self._shouts: set[asyncio.Task[None]] = set()
        self._carrying = {name: asyncio.Lock() for name in sinks}
        self._unheard: deque[tuple[str, Alert]] = deque(maxlen=BATCH)
        self._owed = 0

    @property
    def undelivered(self) -> int:
        """Alerts that are owed or were given up within a day, those that no journal holds included."""
        return self._owed + len(self._unheard)

    @property
    def sinks(self) -> Iterable[str]:
        """Their names."""
        return self._sinks

    async def sweep(self) -> None:
        """Try everything that is due at every sink."""
        await asyncio.gather(*map(self.carry, self._sinks))

    async def flush(self) -> None:
        """Try what is due once more, and wait for what was shouted: the process is about to end."""
        await asyncio.gather(self.sweep(), *self._shouts)

    async def carry(self, name: str) -> None:
        """Try what is due at one sink, in order. The first alert that it does not take ends this round, so
        that a dead sink costs one try at a time.
        """
        async with self._carrying[name]:
            await self._shout_again(name)
            try:
                for dispatch in await self._outbox.owed(self._clock.now(), BATCH, name):
                    if not await self._arrives(dispatch):
                        break
                self._owed = await self._outbox.undelivered()
            except Unavailable as trouble:
                log.error("outbox.unusable", extra={"sink": name, "detail": str(trouble)})  # noqa: TRY400

    async def _arrives(self, dispatch: Dispatch) -> bool:
        try:
            await self._sinks[dispatch.sink].deliver(dispatch.alert)
        except Unavailable as trouble:
            log.warning(
                "alert.undelivered",
                extra={"sink": dispatch.sink, "key": dispatch.alert.key, "detail": str(trouble)},
            )
            await self._outbox.failed(dispatch, str(trouble), self._next_try(dispatch, trouble))
            return False
        await self._outbox.delivered(dispatch, self._clock.now())
        return True

    async def disown(self) -> None:
        """Give up what is owed to sinks that the settings no longer name."""
        for dispatch in await self._outbox.owed(self._clock.now(), ALL):
            if dispatch.sink not in self._sinks:
                await self._outbox.failed(dispatch, "the settings name no such sink", None)

    def _next_try(self, dispatch: Dispatch, trouble: Unavailable) -> datetime | None:
        now = self._clock.now()
        pause = min(FIRST_PAUSE * 2.0**dispatch.tries, LONGEST_PAUSE)
        asked = trouble.after if isinstance(trouble, Later) and trouble.after is not None else 0.0
        if now - dispatch.alert.at > KEPT_FOR and dispatch.tries >= KEPT_TRIES:
            return None
        return now + timedelta(seconds=max(pause, min(asked, LONGEST_WAIT.total_seconds())))

    def shout(self, alerts: Sequence[tuple[str, Alert]]) -> None:
        """Tell people at once, without the journal: it cannot be written. What does not arrive is kept in
        memory and tried with every round.
        """
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
            self._unheard.append((name, alert))

    async def _shout_again(self, name: str) -> None:
        """The alerts that no journal holds, in order, until one does not arrive."""
        for one in [one for one in self._unheard if one[0] == name]:
            try:
                await self._sinks[name].deliver(one[1])
            except Unavailable:
                return
            self._unheard.remove(one)
