"""When many rollouts lose their evidence together, the observer is broken, not they (FAILURES I19)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from rollout.core.model import State
from rollout.core.past import past_of
from rollout.ports import Clock

SPAN = 600.0
LEAST = 2
SHARE = 0.1
AT_ONCE, COMMON_LEAST, COMMON_SHARE = 60.0, 4, 0.5
"""More than this share of at least so many active rollouts failing within a minute have a common cause."""


class Breaker:
    """Open once rollbacks for lack of evidence reach max(2, 10 % of those active) within ten minutes.

    Instants are monotonic seconds: a clock that is set neither opens nor closes it.
    """

    def __init__(self, active: Callable[[], int]) -> None:
        self._active = active
        self._at: deque[float] = deque()
        self._condemned: deque[float] = deque()

    def count(self, now: float) -> None:
        """A rollout went home for lack of evidence."""
        self._at.append(now)

    def recall(self, states: Iterable[State], clock: Clock) -> None:
        """What the journal knows of: a restart does not close it."""
        pasts = filter(None, map(past_of, states))
        ages = [(clock.now() - past.silent_at).total_seconds() for past in pasts if past.silent_at]
        self._at.extend(clock.monotonic() - max(0.0, age) for age in sorted(ages, reverse=True))

    def condemns(self, now: float) -> bool:
        """A canary was condemned by its evidence: do most of the active ones fail together? Told once, at the
        rollback that makes it so.
        """
        self._condemned.append(now)
        while now - self._condemned[0] > AT_ONCE:
            self._condemned.popleft()
        active = self._active() + len(self._condemned)
        common = active >= COMMON_LEAST and len(self._condemned) > COMMON_SHARE * active
        if common:
            self._condemned.clear()
        return common

    def is_open(self, now: float) -> bool:
        """Must lack of evidence hold instead of roll back?"""
        while self._at and now - self._at[0] > SPAN:
            self._at.popleft()
        count = len(self._at)
        # Counting who is active goes through all rollouts: not at each look of each of them.
        return count >= LEAST and count >= SHARE * self._active()
