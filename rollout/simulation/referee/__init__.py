"""The referee: laws that no world may break, however it ends (FAILURES 2.5).

It hears each event, first as a judge, then as a clerk. I5 (one writer by epoch) has its place in
``weights`` when several replicas write; I10, I12 and I21 compare whole worlds (``twins``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rollout.simulation.events import (
    Accepted,
    Bug,
    Calm,
    Committed,
    Delivered,
    Edited,
    Ended,
    Event,
    Fault,
    Jumped,
    Log,
    Looked,
    MeshRead,
    Ordered,
    Over,
    Recorded,
    Settled,
    Shouted,
    Started,
    Wrote,
)
from rollout.simulation.referee import ends, journeys, weights
from rollout.simulation.referee.alerts import Ears
from rollout.simulation.referee.audit import Orders, Outcomes
from rollout.simulation.referee.book import Violation
from rollout.simulation.referee.court import Court
from rollout.simulation.referee.proofs import Truth
from rollout.simulation.referee.reactions import Dues, Sights
from rollout.simulation.referee.replays import Replays
from rollout.simulation.referee.rests import Rests

Law = Callable[[Event, Court], Iterable[Violation]]
Kinds = tuple[type[Event], ...]

LAWS: tuple[tuple[Law, Kinds], ...] = (
    (weights.of_writes, (Wrote,)),
    (weights.going_home, ()),
    (journeys.of_records, (Recorded,)),
    (journeys.of_writes, (Wrote,)),
    (journeys.of_sources, (Accepted,)),
    (ends.of_looks, (Looked, Fault, Calm)),
    (ends.of_rest, (Recorded,)),
    (ends.of_bugs, (Bug,)),
    (ends.of_blindness, (Looked,)),
    (ends.of_the_held, (Looked,)),
    (ends.of_silent_homes, (Jumped, Started, Recorded)),
    (ends.of_the_dead, ()),
    (ends.of_the_end, (Over,)),
)
"""Each law, and the kinds of events that it is about; every one, if none is named."""


class Referee:
    """``rate``: requests per second and service, where it is known."""

    def __init__(self, sinks: tuple[str, ...] = (), rate: float = 0.0) -> None:
        self.court = Court()
        self.court.rate = rate
        self.violations: list[Violation] = []
        self._laws: tuple[tuple[Law, Kinds], ...] = (
            *LAWS,
            (Ears(sinks).hear, (Recorded, Accepted, Shouted, Delivered, Settled, Started, Ended, Over)),
            (Dues().hear, (Started, Jumped, Fault, Accepted, Looked)),
            (Sights().hear, (MeshRead, Recorded)),
            (Truth().hear, (Started, Recorded, Wrote)),
            (Outcomes().hear, (Started, Ended, Fault, Recorded, Wrote)),
            (Orders().hear, (Started, Jumped, Ordered, Recorded, Looked)),
            (Replays().hear, (Started, Recorded)),
            (Rests().hear, (Edited, Fault, Started, Committed, Recorded, Wrote, Over)),
        )
        self._about: dict[type[Event], tuple[Law, ...]] = {}

    def hear(self, event: Event) -> None:
        """One event, as it happens."""
        kind = type(event)
        if kind not in self._about:
            self._about[kind] = tuple(law for law, kinds in self._laws if not kinds or kind in kinds)
        for law in self._about[kind]:
            self.violations += law(event, self.court)
        self.court.write(event)


def judge(log: Log, sinks: tuple[str, ...] = (), rate: float = 0.0) -> list[Violation]:
    """A whole log."""
    referee = Referee(sinks, rate)
    for event in log.events:
        referee.hear(event)
    return referee.violations


__all__ = ["Referee", "Violation", "judge"]
