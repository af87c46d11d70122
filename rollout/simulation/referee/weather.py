"""What goes wrong in the world now, and what did a moment ago, as the log tells it."""

from __future__ import annotations

from collections import Counter

from rollout.simulation.events import Fault

SHOWN = 2.0
"""Seconds in which the next sample shows what stale counters held back."""
UNDER_WAY = 1.0
"""Seconds in which what a slow disk was given is under way."""


class Weather:
    """``faults``: by (kind, subject), 1 while it is on; ``raging``: the kinds that are. ``disk_at``: when the
    disk failed last.
    """

    def __init__(self) -> None:
        self.at = 0.0
        self.faults: Counter[tuple[str, str]] = Counter()
        self.raging: set[str] = set()
        self.disk_at = -1000.0
        self._turned: dict[str, float] = {}

    def turn(self, event: Fault) -> None:
        """It goes on or off."""
        self.faults[event.kind, event.subject] = int(event.on)
        self.raging = {kind for (kind, _), on in self.faults.items() if on}
        self._turned[event.kind] = event.at
        if event.kind in ("disk full", "disk hangs"):
            self.disk_at = event.at

    def on(self, *kinds: str) -> bool:
        """Is one of these faults on?"""
        return not self.raging.isdisjoint(kinds)

    @property
    def is_slow(self) -> bool:
        """May a record land after what it announces?"""
        return self._lately("disk slow", UNDER_WAY)

    def is_stale(self, looked_at: float | None) -> bool:
        """May counters tell of requests of long ago to who looked then for the last time, or just started?"""
        turned = self._turned.get("metrics stale")
        unseen = turned is not None and (looked_at is None or looked_at <= turned)
        return unseen or self._lately("metrics stale", SHOWN)

    def _lately(self, kind: str, seconds: float) -> bool:
        return self.on(kind) or self.at - self._turned.get(kind, -1000.0) < seconds
