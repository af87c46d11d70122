"""I6: what people must hear of is told, nothing else is, and no more often than a death explains."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.core.past import attempt_of
from rollout.core.reason import Level
from rollout.simulation.events import (
    Accepted,
    Delivered,
    Ended,
    Event,
    Over,
    Recorded,
    Settled,
    Shouted,
    Started,
)
from rollout.simulation.referee.book import DISK, Violation
from rollout.simulation.referee.court import Court
from rollout.simulation.referee.reactions import DISK_PAST

IN_ORDER_TRIES = 5
"""Tries after which an alert no longer keeps those behind it waiting."""


class Ears:
    """What people are owed and have heard, by (sink, key)."""

    def __init__(self, sinks: tuple[str, ...]) -> None:
        self._sinks = sinks
        self._owed: dict[tuple[str, str], tuple[str, float]] = {}
        self._recorded_ever: dict[tuple[str, str], float] = {}
        self._heard: dict[tuple[str, str], int] = {}
        self._excused: dict[tuple[str, str], int] = {}
        self._given_up: set[tuple[str, str]] = set()
        self._shouted: set[tuple[str, str]] = set()
        self._tries: dict[tuple[str, str], int] = {}
        self._journeys: dict[tuple[str, str], int] = {}
        self._unsettled: set[tuple[str, str]] = set()

    def hear(self, event: Event, court: Court) -> Iterator[Violation]:
        """Before it is remembered."""
        match event:
            case Recorded():
                yield from self._recorded(event, court)
            case Accepted(landed=True):
                self._owe(tuple((sink, alert.key) for sink, alert in event.alerts), event.source, event.at)
            case Shouted():
                self._shouted.add((event.sink, event.alert.key))
                if not (court.on(*DISK) or court.is_slow) and event.at - court.disk_at > DISK_PAST:
                    said = f"is told past a journal that works: {event.alert.key}"
                    yield Violation(event.at, "I6", event.alert.rollout, said)
            case Delivered():
                yield from self._delivered(event)
            case Settled():
                self._settled(event)
            case Started():
                if event.since is not None:
                    self._owed = {one: owed for one, owed in self._owed.items() if owed[1] <= event.since}
                    self._excused |= dict.fromkeys(self._heard, 1)
            case Ended():
                self._excused |= dict.fromkeys(self._unsettled, 1)  # told, and nothing remembers it
            case Over():
                yield from self._over(event)
            case _:
                pass

    def _recorded(self, event: Recorded, court: Court) -> Iterator[Violation]:
        record = event.record
        pairs = tuple((sink, alert.key) for sink, alert in record.alerts)
        if event.landed:
            self._owe(pairs, record.name, event.at)
            yield from self._keyed(event, pairs)
        book, reason = court.book(record.name), record.decision.reason
        last = book.looked.decision.reason if book.looked else book.reason
        new = reason is not book.reason and reason is not last
        if event.landed and reason.level is not Level.EVENT and new and not pairs:
            yield Violation(event.at, "I6", record.name, f"{reason.name} is recorded, and nobody is told")
        if reason.level is Level.EVENT and pairs:
            yield Violation(
                event.at, "I6", record.name, f"people are told of {reason.name}, which is no news"
            )

    def _keyed(self, event: Recorded, pairs: tuple[tuple[str, str], ...]) -> Iterator[Violation]:
        """Two journeys never share an alert's key: the second one's would be taken for told."""
        attempt = attempt_of(event.record.decision.state)
        for pair in pairs:
            if not pair[1].startswith(f"{event.record.name}/"):
                continue  # it is everybody's
            if self._journeys.setdefault(pair, attempt) != attempt:
                said = f"{pair[1]} was owed for an earlier journey"
                yield Violation(event.at, "I6", event.record.name, said)

    def _owe(self, pairs: tuple[tuple[str, str], ...], name: str, at: float) -> None:
        for pair in pairs:
            self._owed.setdefault(pair, (name, at))
            self._recorded_ever.setdefault(pair, at)

    def _delivered(self, event: Delivered) -> Iterator[Violation]:
        pair = (event.sink, event.alert.key)
        if pair not in self._recorded_ever and pair not in self._shouted:
            yield Violation(
                event.at, "I6", event.alert.rollout, f"told, and never recorded: {event.alert.key}"
            )
        if not event.arrived:
            return
        if self._heard.get(pair, 0) and not self._excused.get(pair, 0) and pair not in self._shouted:
            yield Violation(event.at, "I6", event.alert.rollout, f"told twice: {event.alert.key}")
        yield from self._in_order(event, pair)
        self._heard[pair] = self._heard.get(pair, 0) + 1
        self._unsettled.add(pair)
        self._excused[pair] = int(not event.told)

    def _in_order(self, event: Delivered, pair: tuple[str, str]) -> Iterator[Violation]:
        if pair not in self._owed or self._heard.get(pair) or pair in self._shouted:
            return
        name, at = self._owed[pair]
        if self._recorded_ever[pair] < at:
            return  # it was owed before a journal was swapped, and may be so in an old copy
        for other, (whose, when) in self._owed.items():
            waits = other[0] == pair[0] and whose == name and when < at and not self._heard.get(other)
            if waits and other not in self._given_up and self._tries.get(other, 0) < IN_ORDER_TRIES:
                said = f"{event.alert.key} is told before {other[1]}"
                yield Violation(event.at, "I6", event.alert.rollout, said)

    def _settled(self, event: Settled) -> None:
        pair = (event.sink, event.key)
        if event.how == "given up":
            self._given_up.add(pair)
        if event.how == "failed":
            self._tries[pair] = self._tries.get(pair, 0) + 1
        if event.how == "delivered" and event.landed:
            self._unsettled.discard(pair)
        if event.how == "delivered" and not (event.landed and event.told):
            self._excused[pair] = 1

    def _over(self, event: Over) -> Iterator[Violation]:
        for pair, (name, _) in self._owed.items():
            if pair in self._given_up:
                if self._tries.get(pair, 0) < LEAST_TRIES:
                    yield Violation(event.at, "I6", name, f"given up, hardly tried: {pair[1]}")
            elif not self._heard.get(pair):
                yield Violation(event.at, "I6", name, f"never told at {pair[0]}: {pair[1]}")


LEAST_TRIES = 20
"""Tries before an alert may be given up, whatever the clock says."""
