"""One rollout in memory: what git asks, what is remembered, and when it is looked at next."""

from __future__ import annotations

import asyncio
import math
import zlib
from dataclasses import dataclass, field

from rollout.core.model import (
    Decision,
    Held,
    Order,
    Past,
    Policy,
    Ramping,
    Route,
    State,
    Steady,
    Unadopted,
    Withdrawn,
)
from rollout.core.reason import Reason
from rollout.ports import Record

SPREAD = 10.0
"""Looks rarer than this (seconds) are spread, so that a thousand rollouts at rest never come due at once."""
A_HAIR = 1e-6
"""Of an interval: a look that comes by a rounding error early is that look, not the one before it."""
CONFIRM = 0.02
"""Seconds from a write to the look that reads it back."""
UNSETTLED = (Reason.SETTLING, Reason.GOING_HOME)
PASSING = (Reason.ADOPTED, Reason.OTHER_ROUTE, Reason.ROLLED_BACK)
"""Reasons of a moment, after which the next look says what comes of it."""


@dataclass(slots=True)
class Rollout:
    """Mutable, owned by the engine; only ``reconcile`` changes its state.

    ``looked_at``: monotonic instant of the last look that was kept, ``None`` before the first.
    ``dirty``: the state is newer than the journal. ``unwritten``: the last write is known not to have been.
    ``outcome``: what became of the last write, for the next record. ``failed``: why it failed, until one
    succeeds. ``kept``: records of the way home that the journal did not take. ``writing``: a record that the
    disk has not taken yet. ``again``: something new was said since the look began.
    """

    name: str
    asked: Policy | Withdrawn
    state: State = field(default=Unadopted())
    decision: Decision | None = None
    orders: list[Order] = field(default_factory=list)
    answers: dict[int, asyncio.Future[str]] = field(default_factory=dict)
    looked_at: float | None = None
    wall_at: float = 0.0
    dirty: bool = False
    unwritten: bool = False
    outcome: str = ""
    failed: str = ""
    kept: tuple[Record, ...] = ()
    writing: asyncio.Future[None] | None = None
    failures: int = 0
    due: float = 0.0
    anchor: float = 0.0
    interval: float = 0.0
    patience: float = CONFIRM
    again: bool = False

    @property
    def policy(self) -> Policy | None:
        """The policy in force: of the journey under way, or what git asks."""
        if isinstance(self.state, Ramping):
            return self.state.policy
        return self.asked if isinstance(self.asked, Policy) else None

    @property
    def past(self) -> Past | None:
        """What is remembered of earlier journeys, if it was ever adopted."""
        state = self.state.was if isinstance(self.state, Held) else self.state
        return None if isinstance(state, Unadopted) else state.past

    @property
    def route(self) -> Route | None:
        """Whose weights move: the route that was adopted, or the one that git names."""
        if self.past is not None and not isinstance(self.state, Steady):
            return self.past.route
        if isinstance(self.asked, Policy):
            return self.asked.route
        return self.past.route if self.past is not None else None

    def answer(self, order: int, said: str) -> None:
        """Tell who gave this order what became of it: why it was refused, or nothing."""
        waiting = self.answers.pop(order, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(said)

    @property
    def phase(self) -> float:
        """Where in an interval its looks fall, from 0 to 1: the same in each process."""
        return zlib.crc32(self.name.encode()) / 2**32

    def pace(self, now: float, interval: float, *, wrote: bool, ripe_in: float | None = None) -> None:
        """Set when to look next: on a grid of ``interval`` from the last write, sooner while it settles.

        The first look that counts comes one whole interval after the write, so that a probe aimed at ten
        requests an interval has had ten. A step that has baked is not made to wait for the grid.
        """
        if wrote:
            self.anchor, self.interval, self.patience = now, interval, CONFIRM
            self.due = now + CONFIRM
            return
        if interval != self.interval:
            self.anchor, self.interval = now - self.phase * interval * (interval > SPREAD), interval
        passed = math.floor((now - self.anchor) / interval + A_HAIR)
        self.due = self.anchor + (passed + 1) * interval
        if ripe_in is not None and self.decision is not None and self.decision.reason is Reason.BAKING:
            self.due = min(self.due, now + max(ripe_in, CONFIRM))
        if self.decision is not None and self.decision.reason in PASSING:
            self.due = now + CONFIRM
        if self.failed or (self.decision is not None and self.decision.reason in UNSETTLED):
            self.patience = min(2 * self.patience, interval)
            self.due = min(self.due, now + self.patience)
        else:
            self.patience = CONFIRM
