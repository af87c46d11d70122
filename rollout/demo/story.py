"""What the daemon says of itself: its journal, read from outside. Nothing about a rollout is made up here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from rollout.adapters.journals.reader import Entry, Known, Reader
from rollout.core.model import Steady
from rollout.core.reason import Reason
from rollout.ports import Unavailable


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a rollout's history in a sentence; ``reason`` is ``None`` for a person's order."""

    at: datetime
    rollout: str
    reason: Reason | None
    text: str


@dataclass(slots=True)
class Story:
    """The journal so far. ``known`` is each rollout's present state and reason."""

    reader: Reader
    known: dict[str, Known] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)

    def read(self) -> list[Line]:
        """What is new since the last time, oldest first; nothing while there is no journal yet."""
        try:
            self.known = {known.name: known for known in self.reader.rollouts()}
            lines = [line for name in self.known for line in self._new(name)]
        except Unavailable:
            return []
        return sorted(lines, key=lambda line: line.at)

    def _new(self, name: str) -> Iterator[Line]:
        last = self._last.get(name, -1)
        for entry in self.reader.history(name):
            if entry.id > last:
                self._last[name] = entry.id
                line = _line(name, entry)
                if line is not None:
                    yield line

    def sentence(self, name: str) -> str:
        """Why the rollout is where it is, at the latest look."""
        known = self.known.get(name)
        if known is None or known.decision is None:
            return ""
        return known.decision.reason.say(known.decision.facts)

    def stable(self, name: str) -> str:
        """The backend that serves everybody, once the rollout rests; empty before."""
        state = self._state(name)
        return state.past.stable.backend if state else ""

    def rejected(self, name: str) -> tuple[str, ...]:
        """The backends that a resting rollout remembers as rejected."""
        state = self._state(name)
        return tuple(revision.backend for revision in state.past.rejected) if state else ()

    def _state(self, name: str) -> Steady | None:
        known = self.known.get(name)
        state = known.decision.state if known and known.decision else None
        return state if isinstance(state, Steady) else None


def _line(name: str, entry: Entry) -> Line | None:
    said = entry.said
    match entry.kind:
        case "decision" | "intent":
            reason = Reason[said["reason"]]
            return Line(entry.at, name, reason, reason.say(said["facts"]))
        case "order":
            why = f": {said['why']}" if said.get("why") else ""
            return Line(entry.at, name, None, f"{said['actor']} asked to {str(said['verb']).lower()}{why}")
        case _:
            return None
