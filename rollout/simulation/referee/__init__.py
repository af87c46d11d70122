"""The referee: laws that no world may break, however it ends (FAILURES 2.5).

It hears each event, first as a judge, then as a clerk. I5 (one writer by epoch) has its place in
``weights`` when several replicas write; I10, I12 and I21 compare whole worlds (``twins``).
"""

from __future__ import annotations

from rollout.simulation.events import Event, Log
from rollout.simulation.referee import ends, journeys, weights
from rollout.simulation.referee.alerts import Ears
from rollout.simulation.referee.audit import Orders, Outcomes
from rollout.simulation.referee.book import Violation
from rollout.simulation.referee.court import Court
from rollout.simulation.referee.proofs import Truth
from rollout.simulation.referee.reactions import Dues, Sights
from rollout.simulation.referee.replays import Replays
from rollout.simulation.referee.rests import Rests

LAWS = (
    weights.of_writes,
    weights.going_home,
    journeys.of_records,
    journeys.of_writes,
    journeys.of_sources,
    ends.of_looks,
    ends.of_rest,
    ends.of_bugs,
    ends.of_blindness,
    ends.of_the_held,
    ends.of_silent_homes,
    ends.of_the_dead,
    ends.of_the_end,
)


class Referee:
    """``rate``: requests per second and service, where it is known."""

    def __init__(self, sinks: tuple[str, ...] = (), rate: float = 0.0) -> None:
        self.court = Court()
        self.court.rate = rate
        self.violations: list[Violation] = []
        remembering = (Ears(sinks), Dues(), Sights(), Truth(), Outcomes(), Orders(), Rests(), Replays())
        self._laws = (*LAWS, *(law.hear for law in remembering))

    def hear(self, event: Event) -> None:
        """One event, as it happens."""
        for law in self._laws:
            self.violations += law(event, self.court)
        self.court.write(event)


def judge(log: Log, sinks: tuple[str, ...] = (), rate: float = 0.0) -> list[Violation]:
    """A whole log."""
    referee = Referee(sinks, rate)
    for event in log.events:
        referee.hear(event)
    return referee.violations


__all__ = ["Referee", "Violation", "judge"]
