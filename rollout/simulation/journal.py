"""A journal in memory, held to the same contract as the real one, that can be told to fail.

``Memory`` is the disk: it outlives the journals that are opened on it, as a file outlives its daemons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rollout.core.model import Decision, Judged, Order, Policy
from rollout.core.past import attempt_of
from rollout.core.replay import settled
from rollout.core.testimony import kept
from rollout.ports import (
    LONGEST_WAIT,
    Alert,
    Clock,
    Dispatch,
    Freeze,
    Record,
    Remembered,
    SourceState,
    Unavailable,
)

IN_ORDER_TRIES = 5


@dataclass
class Owed:
    """One dispatch, and what became of it."""

    dispatch: Dispatch
    ended: datetime | None = None
    arrived: bool = False


@dataclass
class Memory:
    """What is on the disk, and what the disk is told to do to the next writes.

    ``unwritable`` is why nothing can be written (empty: it can); ``slow`` is seconds that each write takes;
    ``torn``: the next write lands, but its caller is told that it did not.
    """

    epoch: int = 0
    decisions: dict[str, Decision] = field(default_factory=dict)
    policies: dict[str, dict[str, Policy]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    sources: dict[str, SourceState] = field(default_factory=dict)
    orders: list[tuple[str, Order]] = field(default_factory=list)
    obeyed: dict[int, str] = field(default_factory=dict)
    freezes: dict[str, Freeze] = field(default_factory=dict)
    outbox: list[Owed] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    unwritable: str = ""
    slow: float = 0.0
    torn: bool = False

    def looks(self, name: str, attempt: int) -> tuple[Judged, ...]:
        """What is kept of the looks at one canary."""
        found = (
            kept(record.decision, anew=record.anew)
            for record in self.records
            if record.name == name and attempt_of(record.decision.state) == attempt
        )
        return settled(look for look in found if look is not None)


class Torn(Unavailable):
    """What was to be written landed all the same."""


class SimulatedJournal:
    """``ports.Journal`` and ``ports.Outbox``."""

    def __init__(self, memory: Memory, clock: Clock) -> None:
        self.memory = memory
        self._clock = clock

    @classmethod
    def open(cls, memory: Memory, clock: Clock) -> tuple["SimulatedJournal", Remembered]:
        """Begin a new epoch on this memory."""
        new = memory.epoch == 0
        memory.epoch += 1
        waiting: dict[str, tuple[Order, ...]] = {}
        for name, order in memory.orders:
            if order.id not in memory.obeyed:
                waiting[name] = (*waiting.get(name, ()), order)
        remembered = Remembered(
            epoch=memory.epoch,
            new=new,
            states={name: decision.state for name, decision in memory.decisions.items()},
            decisions=dict(memory.decisions),
            policies={source: dict(policies) for source, policies in memory.policies.items() if policies},
            sources=dict(memory.sources),
            orders=waiting,
            freezes=tuple(memory.freezes[name] for name in sorted(memory.freezes)),
            owners=dict(memory.owners),
        )
        return cls(memory, clock), remembered

    async def record(self, record: Record) -> None:
        await self._writable()
        self.memory.records.append(record)
        self.memory.decisions[record.name] = record.decision
        self.memory.owners[record.name] = record.origin.source
        for order, refused in record.decision.obeyed:
            self.memory.obeyed.setdefault(order, refused)
        for sink, alert in record.alerts:
            self._owe(sink, alert, record.at)
        self._tear()

    async def accept(
        self,
        source: str,
        state: SourceState,
        policies: Mapping[str, Policy] | None,
        alerts: Sequence[tuple[str, Alert]] = (),
    ) -> None:
        await self._writable()
        self.memory.sources[source] = state
        for sink, alert in alerts:
            self._owe(sink, alert, self._clock.now())
        if policies is not None:
            self.memory.policies[source] = dict(policies)
        self._tear()

    async def order(self, name: str, order: Order) -> Order:
        await self._writable()
        for known_name, known in self.memory.orders:
            if known_name == name and replace(known, id=order.id) == order:
                return known
        given = replace(order, id=len(self.memory.orders) + 1)
        self.memory.orders.append((name, given))
        self._tear()
        return given

    async def freeze(self, freeze: Freeze, *, lifted: bool) -> None:
        await self._writable()
        if lifted:
            self.memory.freezes.pop(freeze.name, None)
        else:
            self.memory.freezes[freeze.name] = freeze
        self._tear()

    async def owed(self, now: datetime, limit: int, sink: str | None = None) -> Sequence[Dispatch]:
        owed = [
            entry.dispatch
            for entry in self.memory.outbox
            if entry.ended is None and sink in {None, entry.dispatch.sink}
        ]
        waiting = {
            (one.sink, one.alert.rollout): one.id
            for one in reversed(owed)
            if now < one.next_try <= now + LONGEST_WAIT and one.tries < IN_ORDER_TRIES
        }
        due = [
            one
            for one in owed
            if not now < one.next_try <= now + LONGEST_WAIT
            and one.id <= waiting.get((one.sink, one.alert.rollout), one.id)
        ]
        return tuple(due[:limit])

    async def delivered(self, dispatch: Dispatch, at: datetime) -> None:
        await self._writable()
        entry = self._entry(dispatch)
        entry.ended, entry.arrived = at, True
        self._tear()

    async def failed(self, dispatch: Dispatch, why: str, next_try: datetime | None) -> None:
        await self._writable()
        entry = self._entry(dispatch)
        due = next_try or entry.dispatch.next_try
        entry.dispatch = replace(entry.dispatch, tries=entry.dispatch.tries + 1, next_try=due)
        entry.ended = None if next_try else self._clock.now()
        self._tear()

    async def undelivered(self) -> int:
        since = self._clock.now() - timedelta(hours=24)
        return sum(
            entry.ended is None or (not entry.arrived and entry.ended > since) for entry in self.memory.outbox
        )

    async def close(self) -> None:
        """Nothing is held."""

    async def _writable(self) -> None:
        if self.memory.slow:
            await self._clock.sleep(self.memory.slow)
        if self.memory.unwritable:
            raise Unavailable(f"the journal cannot be used: {self.memory.unwritable}")

    def _tear(self) -> None:
        if self.memory.torn:
            self.memory.torn = False
            raise Torn("the journal cannot be used: it was cut off, and may have been written")

    def _owe(self, sink: str, alert: Alert, at: datetime) -> None:
        if any(
            entry.dispatch.sink == sink and entry.dispatch.alert.key == alert.key
            for entry in self.memory.outbox
        ):
            return
        self.memory.outbox.append(Owed(Dispatch(len(self.memory.outbox) + 1, sink, alert, 0, at)))

    def _entry(self, dispatch: Dispatch) -> Owed:
        return next(entry for entry in self.memory.outbox if entry.dispatch.id == dispatch.id)
