"""Laws of the rest: where a calm world stays, something that truly happened keeps it there (I20)."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.core.model import Ramping, Verb
from rollout.core.reason import Reason
from rollout.simulation.events import Committed, Edited, Event, Fault, Over, Recorded, Started, Wrote
from rollout.simulation.referee.book import Book, Violation, weight_of
from rollout.simulation.referee.court import Court

SICK = frozenset({Reason.SUSPECT, Reason.OVER_LIMIT_NOW, Reason.BOTH_OVER_LIMIT})
"""Reasons for which nobody waits who never failed a request."""
MOVING = frozenset({Reason.BLIND_HELD, Reason.BREAKER_OPEN, Reason.RELEASED})


class Rests:
    """What happened to whom, as far as it can keep a rollout where it is."""

    def __init__(self) -> None:
        self._edited: set[str] = set()
        self._bugs: set[str] = set()
        self._paused: set[str] = set()
        self._ahead: set[str] = set()
        self._lost = False
        self._head = ""

    def hear(self, event: Event, court: Court) -> Iterator[Violation]:
        """Before it is remembered."""
        match event:
            case Edited():
                self._edited.add(event.route.key)
            case Fault(kind="bug"):
                self._bugs.add(event.subject)
            case Started(since=float()):
                self._lost = True
            case Committed():
                self._head = event.commit
            case Wrote(landed=True):
                self._wrote(event, court)
            case Recorded(landed=True):
                self._obeyed(event, court)
            case Over():
                yield from self._over(event, court)
            case _:
                pass

    def _wrote(self, event: Wrote, court: Court) -> None:
        """Home before the disk knew of it: who then dies has forgotten why (Q1)."""
        book = court.at_route(event.route.key)
        if book is not None and book.exposure((event.split,)) < weight_of(book.state):
            self._ahead.add(event.route.key)

    def _obeyed(self, event: Recorded, court: Court) -> None:
        for number, refused in event.record.decision.obeyed:
            _, order = court.orders.get(number, (0.0, None))
            if order is not None and order.verb is Verb.PAUSE and not refused:
                self._paused.add(event.record.name)

    def _over(self, event: Over, court: Court) -> Iterator[Violation]:
        _, _, names = court.commits.get(self._head, (0, 0, ()))
        if names and court.accepted not in (self._head, None) and court.rewritten_at is None:
            said = f"git is at {self._head[:8]}, and {court.accepted} is what was taken"
            yield Violation(event.at, "G1", "source main", said)
        for book in court.books.values():
            reason = book.looked.decision.reason if book.looked else None
            if reason is None or book.policy is None or book.broken or court.observe or book.policy.observe:
                continue
            if what := self._groundless(reason, book, court):
                yield Violation(event.at, "I20", book.name, f"ends with {reason.name}, and {what}")

    def _groundless(self, reason: Reason, book: Book, court: Court) -> str:
        """Why nothing that happened explains it."""
        policy, edited, ramp = book.policy, book.key in self._edited, book.ramp
        lowered = edited or self._lost or book.key in self._ahead
        grounds = {
            Reason.PAUSED: (book.name in self._paused, "nobody paused it"),
            Reason.WINDOW_CLOSED: (bool(policy and policy.windows), "its policy has no windows"),
            Reason.LOWERED: (lowered, "nobody touched its weights"),
            Reason.CONTESTED: (edited, "nobody touched its weights"),
            Reason.MIXTURE: (edited or self._lost, "nobody touched its weights"),
            Reason.SAME_BACKEND: (False, "no policy marks its content"),
            Reason.NOTHING_NEW: (book.ramp is None, "a journey is under way"),
        }
        grounds |= {
            one: (ramp is not None and self._sick(book, ramp, court), "nobody failed") for one in SICK
        }
        grounds |= dict.fromkeys(MOVING, (False, "nothing goes wrong any more"))
        explained, lack = grounds.get(reason, (True, ""))
        return "" if explained else lack

    def _sick(self, book: Book, ramp: Ramping, court: Court) -> bool:
        arms = {ramp.canary.backend, book.home, book.stable}
        return bool(arms & (court.ever_failed | court.ever_dead))
