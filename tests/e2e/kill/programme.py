"""What git asks for meanwhile: journey after journey for each service, a good and a bad one in turn."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass

from rollout.core.model import Held, State, Steady, Unadopted
from tests.e2e.kill.house import SERVICES, House, backend

BAKES = (1.0, 1.5, 2.0)
ENDS_WITHIN = 90.0
"""Seconds of peace in which whatever is under way comes to its end, by far."""
ENDS_AT_ALL = 600.0
"""The same while kills go on: each costs the look that was under way."""


class Stuck(AssertionError):  # noqa: N818 - it says what the rollout is
    """A rollout does not come to an end by itself; ``service`` says which."""

    def __init__(self, service: str, what: str) -> None:
        super().__init__(f"prod/{service}: {what}")
        self.service = service


@dataclass(frozen=True, slots=True)
class Journey:
    """What was asked of git, and how it has to end. ``canary`` is the revision as the journal writes it."""

    at: float
    service: str
    canary: str
    healthy: bool
    bake: float


class Programme:
    """The journeys so far, all of chance from one source."""

    def __init__(self, house: House, chance: random.Random) -> None:
        self.journeys: list[Journey] = []
        self.under_way: dict[str, Journey] = {}
        self._house = house
        self._chance = chance
        self._begun: Counter[str] = Counter()
        self._next: dict[str, float] = {}

    def open(self) -> None:
        """Each service as it is, on its first backend: that is adopted."""
        self._house.commit({service: (backend(service, "a"), "0", 1.0) for service in SERVICES})

    def states(self) -> dict[str, State]:
        """What the journal has of each service now."""
        found: dict[str, State] = dict.fromkeys(SERVICES, Unadopted())
        for known in self._house.journal.rollouts():
            assert not known.damaged, known
            if known.decision is not None:
                found[known.name.removeprefix("prod/")] = known.decision.state
        return found

    def asked(self, service: str) -> str:
        """The revision that git asks for."""
        return self.under_way[service].canary if service in self.under_way else f"{service}-a@0"

    def tend(self) -> None:
        """Ask for something new where a journey has ended, a moment later."""
        complaints = [one for source in self._house.journal.sources().values() for one in source.complaints]
        assert not complaints, complaints
        now, asked = time.monotonic(), {}
        for service, state in self.states().items():
            if not self._has_ended(service, state, now):
                continue
            if now >= self._next.setdefault(service, now + self._chance.uniform(0.0, 1.0)):
                del self._next[service]
                asked[service] = self._begin(service, state, now)
        if asked:
            self._house.commit(asked)

    def have_ended(self, since: float) -> bool:
        """Are all at rest, with what was asked promoted or rejected?

        Raises:
            Stuck: one is held, or has had enough time ``since`` then.
        """
        now = time.monotonic()
        ended = [self._has_ended(service, state, now) for service, state in self.states().items()]
        late = next((SERVICES[number] for number, one in enumerate(ended) if not one), "")
        if late and now - since > ENDS_WITHIN:
            raise Stuck(late, f"{self.asked(late)} has not ended after {now - since:.0f} s of peace")
        return all(ended)

    def _has_ended(self, service: str, state: State, now: float) -> bool:
        journey = self.under_way.get(service)
        if isinstance(state, Held):
            raise Stuck(service, f"{self.asked(service)} is held: {state.why.value}")
        if isinstance(state, Steady) and state.intent is None:
            settled = map(str, (state.past.stable, *state.past.rejected))
            if journey is None or journey.canary in settled:
                return True
        if journey is not None and now - journey.at > ENDS_AT_ALL:
            raise Stuck(service, f"{journey.canary} has not ended after {now - journey.at:.0f} s")
        return False

    def _begin(self, service: str, state: State, now: float) -> tuple[str, str, float]:
        """The next journey: backend, content, bake."""
        assert isinstance(state, Steady)
        self._begun[service] += 1
        content = str(self._begun[service])
        healthy = (self._begun[service] + SERVICES.index(service)) % 2 == 0
        other = "b" if state.past.stable.backend == backend(service, "a") else "a"
        kind = other if healthy else self._chance.choice(("faulty", "dead"))
        named, bake = backend(service, kind), self._chance.choice(BAKES)
        journey = Journey(now, service, f"{named}@{content}", healthy, bake)
        self.under_way[service] = journey
        self.journeys.append(journey)
        return named, content, bake
