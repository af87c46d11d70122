"""What is forgotten with the journal: an old copy was put back, or it was lost."""

from __future__ import annotations

from rollout.core.model import Unadopted
from rollout.simulation.events import Started
from rollout.simulation.referee.book import Book, place_of, weight_of


def forget(book: Book, event: Started, since: float) -> None:
    """The journal of a life that begins is an old copy of ``since``, or none (below 0): what was written
    since must not be taken for its own.

    One write that leads home, or to where the copy is, is no journey (Q1): what it may have rejected,
    nobody can know.
    """
    decision = dict(event.decisions).get(book.name)
    unknown = [at for at in book.writes if at > since]
    book.leads = frozenset({0, weight_of(decision.state) if decision else 0} if len(unknown) == 1 else ())
    stands = {book.exposure(book.truth), book.exposure((book.written,) if book.written else ())}
    led = bool(stands & book.leads)
    # a route made anew counts its writes anew; to who remembers nothing, any mark is a stranger's
    marked = book.fenced and (since < 0 or book.bare_at <= since)
    book.forgotten = bool(unknown) and marked and not led
    if not book.forgotten:
        book.rejected = {one: at for one, at in book.rejected.items() if at <= since}
    state = decision.state if decision else Unadopted()
    if place_of(state) != place_of(book.state):
        book.served = {}
    book.moves(state)
    book.state, book.adopts = state, ""
    book.reason = decision.reason if decision else None
    book.stable = book.home or book.stable
    book.lowered, book.looked = None, None
    # a copy from after a promote may not know yet what came of it
    book.haste = "all" if book.promoted_at is not None and book.promoted_at <= since else ""
    if book.aborted_at is not None and book.aborted_at > since:
        book.aborted_at = None
    book.begun, book.paused = book.ramp.policy if book.ramp else None, False
    book.raised.clear()
