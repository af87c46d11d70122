"""How long the present rung can have baked: seconds between samples that bear witness, and that a look saw
to its end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rollout.core.model import FULL, Sample
from rollout.simulation.events import Sampled
from rollout.simulation.referee.book import Book, weight_of

if TYPE_CHECKING:
    from rollout.simulation.referee.court import Court

QUIET_LOOKS, QUIET_REQUESTS = 7.0, 25.0
"""Seconds, and requests that should have come at the rate that was seen since the write, after which counters
that stand still are silence.
"""
DEADLINE = 0.5
"""Seconds that a look may wait for an answer."""
LONGEST_LOOK = 3.0
"""Seconds between two samples of which a look can have counted bake."""
WINDOW, WINDOWS = 130.0, 4
"""Requests that a realised share is weighed by, a few more than are needed; and so many such weighings, after
which a share that is far from the weight must have been seen."""
HANG = 0.6
"""Seconds after which an answer that does not come is silence."""


def sampled(court: Court, event: Sampled) -> None:
    """A sample that bears witness, or not."""
    for question, answer in zip(event.questions, event.answers, strict=True):
        for book in court.books.values():
            ramp = book.ramp
            if ramp is None or ramp.canary.backend not in question.backends:
                continue
            if not isinstance(answer, Sample) or _few(answer) or _quiet(court, event, book):
                # the next good look bears witness since this one
                book.sample = (event.at - DEADLINE, 0.0, book.strayed)
                continue
            before = book.sampled_at if book.confirmed else None
            gained = 0.0 if before is None else min(event.at - before, LONGEST_LOOK)
            strayed = _strayed(court, book, gained)
            book.sample = (event.at, gained if strayed <= _borne(court) else 0.0, strayed)


def looked(book: Book, *, whole: bool) -> None:
    """The look that a sample was for is over; one that broke saw nothing."""
    if whole and book.sample is not None:
        book.sampled_at, gained, book.strayed = book.sample
        book.proof += gained
    book.sample = None


def _few(answer: Sample) -> bool:
    """Do so few proxies answer that they speak for nobody, whatever each of them carries?"""
    answering, silent = {series.proxy for series in answer.series}, len(answer.silent)
    return silent >= 2 * len(answering)


def _strayed(court: Court, book: Book, gained: float) -> float:
    """M3: seconds in which requests did not follow the weight, this look's included."""
    service, leans = book.name.partition("/")[2], weight_of(book.state) >= FULL // 2
    carried = book.written is not None and book.exposure((book.written,)) == weight_of(book.state)
    if court.faults["traffic strays", service] or (leans and court.faults["traffic leans", service]):
        return book.strayed + (gained if carried else 0.0)
    return 0.0


def _borne(court: Court) -> float:
    """So many of them need not have been seen."""
    return float(WINDOWS * (math.ceil(WINDOW / court.rate) if court.rate else 60))


def _quiet(court: Court, event: Sampled, book: Book) -> bool:
    """Were the counters those of before for so long that it must have been seen?"""
    service = book.name.partition("/")[2]
    faults = (court.faults[kind, service] for kind in ("no traffic", "traffic strays"))
    quiet = not event.fresh or any(faults)
    book.quiet_since = None if not quiet else event.at if book.quiet_since is None else book.quiet_since
    if book.quiet_since is None:
        return False
    seconds = event.at - book.quiet_since
    before = max(0.0, book.quiet_since - book.written_at)
    rate = court.rate * book.exposure(book.truth) / FULL * before / (before + seconds or 1.0)
    return seconds > 60.0 or (seconds > QUIET_LOOKS and rate * seconds > QUIET_REQUESTS)
