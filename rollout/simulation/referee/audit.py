"""Laws of the audit: what became of each write is on the disk, and each order was answered by a decision."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.core.model import Verb
from rollout.core.reason import Reason
from rollout.simulation.events import Ended, Event, Jumped, Looked, Ordered, Recorded, Started, Wrote
from rollout.simulation.referee.book import DISK, Violation
from rollout.simulation.referee.court import Court
from rollout.simulation.referee.reactions import DISK_PAST, STANDS

HEARD = 10.0
"""Seconds in which a person's order is part of a decision."""


class Outcomes:
    """I15: what became of a write, as the daemon heard it, is in the next record, but for a death."""

    def __init__(self) -> None:
        self._unsaid: dict[str, float] = {}

    def hear(self, event: Event, court: Court) -> Iterator[Violation]:
        """Before it is remembered."""
        if (
            isinstance(event, Started | Ended)
            or court.on(*DISK)
            or court.is_slow
            or event.at - court.disk_at < DISK_PAST
        ):
            self._unsaid.clear()
        elif isinstance(event, Wrote) and event.told and (book := court.at_route(event.route.key)):
            self._unsaid[book.name] = event.at
        elif (
            isinstance(event, Recorded) and event.landed and event.record.decision.reason is not Reason.BROKEN
        ):
            at = self._unsaid.pop(event.record.name, None)
            if at is not None and not event.record.outcome:
                said = f"what became of its write at {at:.2f} s is not recorded"
                yield Violation(event.at, "I15", event.record.name, said)


class Orders:
    """I22: each order that was taken is obeyed or refused by the next looks, and that is recorded."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[str, float]] = {}

    def hear(self, event: Event, court: Court) -> Iterator[Violation]:
        """Before it is remembered."""
        match event:
            case Started(since=float()):
                self._waiting.clear()  # its journal may know nothing of them
            case Started() | Jumped():
                self._waiting = {number: (name, event.at) for number, (name, _) in self._waiting.items()}
            case Ordered(landed=True) if event.order.id > 0:  # an untold one bears no number yet
                self._waiting[event.order.id] = (event.name, event.at)
            case Recorded(landed=True):
                yield from self._obeyed(event, court)
            case Looked():
                yield from self._late(event, court)
            case _:
                pass

    def _obeyed(self, event: Recorded, court: Court) -> Iterator[Violation]:
        """An abort wins: beside it nobody is told that a promotion was done."""
        done = set()
        for number, refused in event.record.decision.obeyed:
            self._waiting.pop(number, None)
            if not refused and number in court.orders:
                done.add(court.orders[number][1].verb)
        if done >= {Verb.ABORT, Verb.PROMOTE}:
            yield Violation(event.at, "I22", event.record.name, "a promotion is done beside an abort")

    def _late(self, event: Looked, court: Court) -> Iterator[Violation]:
        barred = court.on(*STANDS, *DISK) or event.at - court.disk_at < DISK_PAST
        for number, (name, at) in list(self._waiting.items()):
            book = court.book(name)
            if barred or book.broken or book.policy is None:
                self._waiting[number] = (name, event.at)
            elif event.at - at > HEARD:
                del self._waiting[number]
                yield Violation(
                    event.at, "I22", name, f"order {number} waits for {HEARD:g} s, and nobody decided"
                )
