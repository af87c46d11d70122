"""Around each port: what crosses it is logged, and a process that is dead is never answered.

The same watchers stand around the simulated ports and the real ones, so one referee judges both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeVar

from rollout.core.model import MeshSeen, Order, Policy, Route, Sample, Split, Unseen
from rollout.ports import (
    Alert,
    Clock,
    Dispatch,
    Freeze,
    Hosts,
    Journal,
    Lost,
    Mesh,
    Metrics,
    Moved,
    Outbox,
    PolicySource,
    Question,
    Record,
    Refused,
    Sink,
    SourceState,
    Tree,
    Unavailable,
)
from rollout.simulation.events import (
    Accepted,
    Delivered,
    Event,
    Froze,
    Log,
    MeshRead,
    Ordered,
    Recorded,
    Sampled,
    Settled,
    Wrote,
)

T = TypeVar("T")


class Side(Enum):
    """Where a process dies at a write: before it, when it is done but nobody has heard so, or after."""

    BEFORE = "before"
    UNHEARD = "unheard"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Cut:
    """Die at the write of this number (from 1), counted over all that is durable or outside."""

    number: int
    side: Side


class Process:
    """One life of the daemon. ``wrote`` counts its writes, beginning after ``earlier`` ones of lives before.

    ``die`` is called when the ``cut`` is reached; once it is ``dead``, nothing that it asks is answered.
    """

    def __init__(
        self, log: Log, seconds: Callable[[], float], *, cut: Cut | None = None, earlier: int = 0
    ) -> None:
        self.log = log
        self.seconds = seconds
        self.cut = cut
        self.wrote = earlier
        self.dead = False
        self._never: list[asyncio.Future[None]] = []
        self.die: Callable[[], None] = lambda: None

    async def alive(self) -> None:
        """Go on, or never again."""
        if self.dead:
            self._never.append(asyncio.get_running_loop().create_future())
            await self._never[-1]

    def kill(self) -> None:
        """``kill -9``."""
        if not self.dead:
            self.dead = True
            self.die()

    async def write(
        self,
        do: Callable[[], Awaitable[T]],
        landed: Callable[[Exception | None], bool],
        tell: Callable[[bool, bool], None],
    ) -> T:
        """Do one write. ``landed``: is it done, whatever was answered? ``tell`` logs (landed, told)."""
        await self.alive()
        self.wrote += 1
        side = self.cut.side if self.cut and self.cut.number == self.wrote else None
        if side is Side.BEFORE:
            self.kill()
            await self.alive()
        trouble: Exception | None = None
        try:
            answer = await do()
        except asyncio.CancelledError:
            trouble = Unavailable("nobody waits for it any more")
            raise
        except (Unavailable, Moved, Refused) as error:
            trouble = error
            raise
        finally:
            done, told = landed(trouble), trouble is None and not self.dead and side is not Side.UNHEARD
            if done or not self.dead:
                tell(done, told)
            if side is Side.UNHEARD:
                self.kill()
            await self.alive()
        if side is Side.AFTER:
            asyncio.get_running_loop().call_soon(self.kill)
        return answer


class WatchedClock:
    """Time, for one life."""

    def __init__(self, clock: Clock, process: Process) -> None:
        self._clock = clock
        self._process = process

    def now(self) -> datetime:
        """The wall clock."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; the dead do not wake."""
        await self._clock.sleep(seconds)
        await self._process.alive()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until it is set, at most so long; the dead do not wake."""
        await self._clock.wait(event, seconds)
        await self._process.alive()


class WatchedSource:
    """Git."""

    def __init__(self, source: PolicySource, process: Process) -> None:
        self._source = source
        self._process = process

    async def read(self, accepted: str | None) -> Tree:
        """As the source."""
        await self._process.alive()
        return await self._source.read(accepted)


class WatchedMesh:
    """A mesh. ``peek`` says what the true route carries, ``served`` what was truly served until now."""

    def __init__(
        self,
        mesh: Mesh,
        process: Process,
        peek: Callable[[Route], tuple[Split, ...]],
        served: Callable[[], tuple[tuple[str, int, int], ...]] = tuple,
    ) -> None:
        self._mesh = mesh
        self._process = process
        self._peek = peek
        self._served = served

    async def read(self, route: Route, deadline: float) -> MeshSeen:
        """As the mesh."""
        await self._process.alive()
        seen: MeshSeen | Unseen = Unseen("it broke")
        try:
            seen = await self._mesh.read(route, deadline)
            return seen
        except (Unavailable, Refused) as trouble:
            seen = Unseen(str(trouble), lost=isinstance(trouble, Lost))
            raise
        finally:
            await self._process.alive()
            self._process.log.add(MeshRead(self._process.seconds(), route, seen))

    async def write(self, route: Route, split: Split, *, version: str, home: Split, epoch: int) -> None:
        """As the mesh."""
        before = self._peek(route)

        def landed(trouble: Exception | None) -> bool:
            uncertain = isinstance(trouble, Unavailable) and before != (split,)
            return trouble is None or (uncertain and self._peek(route) == (split,))

        def tell(done: bool, told: bool) -> None:
            self._process.log.add(
                Wrote(
                    self._process.seconds(),
                    route,
                    before,
                    split,
                    home,
                    version,
                    epoch,
                    done,
                    told,
                    self._served(),
                )
            )

        async def do() -> None:
            nonlocal before
            before = self._peek(route)
            await self._mesh.write(route, split, version=version, home=home, epoch=epoch)

        await self._process.write(do, landed, tell)


class WatchedMetrics:
    """Counters. ``fresh`` says whether they are of now, and true."""

    def __init__(self, metrics: Metrics, process: Process, fresh: Callable[[], bool] = lambda: True) -> None:
        self._metrics = metrics
        self._process = process
        self._fresh = fresh

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        """As the source."""
        await self._process.alive()
        answers = await self._metrics.read(questions, deadline)
        await self._process.alive()
        if any(len(question.backends) > 1 for question in questions):  # else nobody looks: it is for history
            self._process.log.add(
                Sampled(self._process.seconds(), tuple(questions), tuple(answers), self._fresh())
            )
        return answers

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:
        """As the source."""
        await self._process.alive()
        return await self._metrics.hosts(backends, deadline)


class Keeps(Journal, Outbox, Protocol):
    """A journal, both halves."""


class WatchedJournal:
    """Memory. ``landed`` says of a refusal whether the disk took the write all the same."""

    def __init__(
        self, journal: Keeps, process: Process, landed: Callable[[Exception], bool] = lambda _: False
    ) -> None:
        self._journal = journal
        self._process = process
        self._landed = landed

    async def record(self, record: Record) -> None:
        """As the journal."""
        await self._write(
            lambda: self._journal.record(record),
            lambda at, landed, told: Recorded(at, record, landed, told),
        )

    async def accept(
        self,
        source: str,
        state: SourceState,
        policies: Mapping[str, Policy] | None,
        alerts: Sequence[tuple[str, Alert]] = (),
    ) -> None:
        """As the journal."""
        kept = None if policies is None else tuple(sorted(policies.items()))
        await self._write(
            lambda: self._journal.accept(source, state, policies, alerts),
            lambda at, landed, told: Accepted(at, source, state, kept, tuple(alerts), landed, told),
        )

    async def order(self, name: str, order: Order) -> Order:
        """As the journal."""
        given = order

        async def do() -> Order:
            nonlocal given
            given = await self._journal.order(name, order)
            return given

        return await self._write(do, lambda at, landed, told: Ordered(at, name, given, landed, told))

    async def freeze(self, freeze: Freeze, *, lifted: bool) -> None:
        """As the journal."""
        await self._write(
            lambda: self._journal.freeze(freeze, lifted=lifted),
            lambda at, landed, told: Froze(at, freeze, lifted, landed, told),
        )

    async def owed(self, now: datetime, limit: int, sink: str | None = None) -> Sequence[Dispatch]:
        """As the outbox."""
        await self._process.alive()
        return await self._journal.owed(now, limit, sink)

    async def delivered(self, dispatch: Dispatch, at: datetime) -> None:
        """As the outbox."""
        await self._settle(dispatch, "delivered", lambda: self._journal.delivered(dispatch, at))

    async def failed(self, dispatch: Dispatch, why: str, next_try: datetime | None) -> None:
        """As the outbox."""
        how = "failed" if next_try else "given up"
        await self._settle(dispatch, how, lambda: self._journal.failed(dispatch, why, next_try))

    async def undelivered(self) -> int:
        """As the outbox."""
        await self._process.alive()
        return await self._journal.undelivered()

    async def _settle(self, dispatch: Dispatch, how: str, do: Callable[[], Awaitable[None]]) -> None:
        sink, key = dispatch.sink, dispatch.alert.key
        await self._write(do, lambda at, landed, told: Settled(at, sink, key, how, landed, told))

    async def _write(self, do: Callable[[], Awaitable[T]], event: Callable[[float, bool, bool], Event]) -> T:
        def tell(done: bool, told: bool) -> None:
            self._process.log.add(event(self._process.seconds(), done, told))

        return await self._process.write(do, lambda trouble: trouble is None or self._landed(trouble), tell)


class WatchedSink:
    """People. ``heard`` says of a refusal whether the alert had arrived all the same."""

    def __init__(
        self, name: str, sink: Sink, process: Process, heard: Callable[[Exception], bool] = lambda _: False
    ) -> None:
        self._name = name
        self._sink = sink
        self._process = process
        self._heard = heard

    async def deliver(self, alert: Alert) -> None:
        """As the sink."""

        def tell(done: bool, told: bool) -> None:
            self._process.log.add(Delivered(self._process.seconds(), self._name, alert, done, told))

        await self._process.write(
            lambda: self._sink.deliver(alert),
            lambda trouble: trouble is None or self._heard(trouble),
            tell,
        )
