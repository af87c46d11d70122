"""Laws of what was truly served: no counter's word, but what each backend did to people's requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rollout.core.model import Cause, Held, Probe, Ramping, RollingBack, Rung
from rollout.core.reason import Reason
from rollout.simulation.events import Event, Recorded, Started, Wrote
from rollout.simulation.referee.book import Book, Place, Violation, place_of
from rollout.simulation.referee.court import Court
from rollout.simulation.referee.weights import is_raise

GRAVE, SOUND = 0.5, 0.02
"""Shares of failures that leave no doubt: the canary's at the least, stable's at the most."""
ENOUGH = 20
"""Requests of each arm after which such shares are no chance."""
LOOKS = 5
"""Canary requests without which a probe has shown nothing."""


@dataclass(slots=True)
class _Rung:
    """What a route had served when its present rung was first written, and when its journey began; that rung,
    and the one that was left last.
    """

    served: dict[str, tuple[int, int]] = field(default_factory=dict)
    begun: dict[str, tuple[int, int]] = field(default_factory=dict)
    place: Place | None = None
    left: Rung | None = None


class Truth:
    """What was served since each route's last write."""

    def __init__(self) -> None:
        self._rungs: dict[str, _Rung] = {}

    def hear(self, event: Event, court: Court) -> Iterator[Violation]:
        """Before it is remembered."""
        if isinstance(event, Started) and event.since is not None:
            self._rungs.clear()  # what an old copy takes up again began it does not know when
        if isinstance(event, Recorded) and event.landed:
            book = court.book(event.record.name)
            was = book.state.was if isinstance(book.state, Held) else book.state
            self._of(book.name).left = was.rung if isinstance(was, Ramping) else None
        if not isinstance(event, Wrote) or not event.landed:
            return
        found = court.at_route(event.route.key)
        if found is None:
            return
        rung, now = self._of(found.name), {name: (n, x) for name, n, x in event.served}
        if not found.exposure(event.before):
            rung.begun = now
        if not court.is_stale(found.looked_at):
            yield from self._blamed(event, found, rung, now)
        raised = is_raise(event, found)
        if now and raised and found.exposure(event.before):
            yield from self._judge(event, court, found, rung, now)
        home = not found.exposure((event.split,))
        place = place_of(found.state)
        if home or (raised and place != rung.place):  # what mends a foreign hand's deed begins no rung
            rung.served, rung.place = now, place
        rung.left = None

    def _of(self, name: str) -> _Rung:
        return self._rungs.setdefault(name, _Rung())

    def _blamed(
        self, event: Wrote, book: Book, rung: _Rung, now: dict[str, tuple[int, int]]
    ) -> Iterator[Violation]:
        """M1: who failed nothing since its journey began is not worse than anybody."""
        state = book.state
        if not isinstance(state, RollingBack) or state.cause is not Cause.WORSE or not now or not rung.begun:
            return
        canary = state.canary.backend
        requests, failed = now.get(canary, (0, 0))
        before = rung.begun.get(canary, (0, 0))
        if failed == before[1]:
            said = f"{canary} is condemned after {requests - before[0]} requests, and none of them failed"
            yield Violation(event.at, "M1", book.name, said)

    def _judge(
        self, event: Wrote, court: Court, book: Book, rung: _Rung, now: dict[str, tuple[int, int]]
    ) -> Iterator[Violation]:
        if not rung.served:
            return
        canary = next((name for name, _ in event.split.shares if name != book.stable), "")
        stable = next((name for split in event.before for name, _ in split.shares if name != canary), "")
        (canary_n, canary_x), (stable_n, stable_x) = (_since(rung, now, name) for name in (canary, stable))
        lost = event.split.sole == book.home and book.reason is not Reason.PROMOTED
        if (
            not lost  # a promotion whose last write was lost is made all the same: nobody judges it any more
            and not court.is_stale(book.looked_at)  # who begins to repeat himself is not doubted at once
            and min(canary_n, stable_n) >= ENOUGH
            and canary_x >= GRAVE * canary_n
            and stable_x <= SOUND * stable_n
        ):
            said = f"rises, and {canary} failed {canary_x} of {canary_n}, {stable} {stable_x} of {stable_n}"
            yield Violation(event.at, "G14", book.name, said)
        aimed = isinstance(rung.left, Probe) and rung.left.aimed
        if aimed and not book.hasty and book.reason is Reason.RAISED and canary_n < LOOKS:
            yield Violation(
                event.at, "I2", book.name, f"left a probe after {canary_n} requests, truly served"
            )


def _since(rung: _Rung, now: dict[str, tuple[int, int]], name: str) -> tuple[int, int]:
    before, after = rung.served.get(name, (0, 0)), now.get(name, (0, 0))
    return after[0] - before[0], after[1] - before[1]
