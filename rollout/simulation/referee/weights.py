"""Laws of each write to the true mesh: what it may carry, and what must have been recorded before it."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.core.model import FULL, Held, MeshSeen, Ramping, RollingBack, Split, Why
from rollout.simulation.events import Ended, Event, Recorded, Wrote
from rollout.simulation.referee.book import DISK, Book, Violation, weight_of
from rollout.simulation.referee.court import Court

IN_FLIGHT = 2.0
"""Seconds in which a write that was under way may still land."""
SLOW = 0.25
"""The same at a mesh that is slow."""


def of_writes(event: Event, court: Court) -> Iterator[Violation]:
    """All that is to be said of one write, before it is remembered."""
    if not isinstance(event, Wrote):
        return
    book = court.at_route(event.route.key)
    if book is None:
        yield Violation(
            event.at, "I15", str(event.route), "was written, and no rollout of it was ever recorded"
        )
        return
    said = [*_observing(event, court, book)]
    if event.landed:
        said += [
            *_conserves(event, book),
            *_announced(event, court, book),
            *_lives(event, book),
            *_authorised(event, court, book),
            *_foreign(event, book),
            *_forgotten(event, book),
        ]
    for law, what in said:
        yield Violation(event.at, law, book.name, what)


Said = Iterator[tuple[str, str]]


def is_raise(event: Wrote, book: Book) -> bool:
    """Does anybody but stable get more than before?"""
    return bool(book.stable) and book.exposure((event.split,)) > book.exposure(event.before)


def _observing(_event: Wrote, court: Court, book: Book) -> Said:
    """I23: in observe mode no mutating call is made, not even one that fails."""
    if court.observe or (
        book.policy is not None and book.policy.observe and book.policy_at < court.at - IN_FLIGHT
    ):
        yield "I23", "wrote in observe mode"


def _conserves(event: Wrote, book: Book) -> Said:
    """I1: whole weights that sum to everything, to stable and the canary alone; home is all on stable."""
    weights = [weight for _, weight in event.split.shares]
    if sum(weights) != FULL or min(weights) < 0 or any(not isinstance(one, int) for one in weights):
        yield "I1", f"{event.split} does not sum to {FULL}"
    ramp = book.ramp
    known = {book.stable, book.home, ramp.canary.backend if ramp else book.home}
    if foreign := [name for name, _ in event.split.shares if name not in known]:
        yield "I1", f"{event.split} gives to {', '.join(foreign)}, which takes no part"
    if event.home != Split.all_on(book.home) and event.home != Split.all_on(book.stable):
        yield "I1", f"the way home that was staged, {event.home}, does not lead to stable"


def _announced(event: Wrote, court: Court, book: Book) -> Said:
    """I15, I9: the intent of each write is on the disk before it; going home alone may go without (Q1)."""
    if event.split in book.unused:
        return
    lower = book.exposure((event.split,)) < book.exposure(event.before) or event.split.sole == book.home
    allowed = book.exposure((event.split,)) <= weight_of(book.state) or event.split.sole is not None
    if lower and allowed and (court.on(*DISK) or court.is_slow or court.at - court.disk_at < DISK_PAST):
        return
    yield "I15", f"{event.split} was written, and no intent of it is on the disk"


DISK_PAST = 70.0
"""Seconds after a disk's trouble in which a way home may still be unrecorded."""


def _lives(event: Wrote, book: Book) -> Said:
    """I8: who gets more has a ready endpoint, as read in the same pass."""
    read = book.read
    if read is None or book.read_at < event.at - IN_FLIGHT:
        yield "I8", "was written without a look at the mesh"
        return
    for name, weight in event.split.shares:
        gains = any(weight > split.weight(name) for split in event.before)
        if gains and read.ready.get(name, -1) == 0:
            yield "I8", f"{name} gets more, and it has no ready endpoint"


def _authorised(event: Wrote, court: Court, book: Book) -> Said:
    """I4, I7, I22, I9: never more than the last record allows, nothing on the way home or after an abort."""
    rises = is_raise(event, book)
    if not rises:
        return
    state = book.state
    promoted = event.split.sole is not None and event.split.sole == book.home
    if isinstance(state, RollingBack) and not promoted:
        yield "I7", f"{event.split} on the way home"
    elif not promoted and book.exposure((event.split,)) > weight_of(state):
        yield "I4", f"{event.split} is more than {weight_of(state) / 100:g} %, which was authorised"
    late = book.aborted_at is not None and event.at - book.aborted_at > IN_FLIGHT
    if late and event.split.sole != book.refuge:
        yield "I22", f"{event.split} after an abort was taken"
    if isinstance(state, Ramping) and state.paused is not None and not promoted:
        yield "I9", f"{event.split} while it is paused"
    if isinstance(state, Ramping):
        book.raised[state.past.attempt, weight_of(state)] += 1
        if book.raised[state.past.attempt, weight_of(state)] > 1:
            yield "I4", f"raised to {weight_of(state) / 100:g} % a second time in the same journey"
    frozen = court.frozen_at(book.name)
    under_way = court.on("mesh slow") and frozen is not None and event.at - frozen <= SLOW
    if not promoted and frozen is not None and not under_way:
        yield "I9", f"{event.split} while it is frozen"
    if isinstance(state, Held) and state.why is not Why.LOWERED:
        yield "I9", f"{event.split} while it is held"


def _foreign(event: Wrote, book: Book) -> Said:
    """I18: what a foreign hand lowered stays there until a person speaks."""
    if book.lowered is not None and is_raise(event, book) and book.reads_of_lowered:
        yield "I18", f"{event.split} after somebody lowered the canary to {book.lowered / 100:g} %"


def _forgotten(event: Wrote, book: Book) -> Said:
    """Q2: without memory of what is written there, nothing is written until a person adopts it."""
    if book.forgotten and event.split.sole != (book.adopts or None):
        yield "Q2", f"{event.split} was written by a journal that does not know the route's last state"


def going_home(event: Event, court: Court) -> Iterator[Violation]:
    """I7: a canary that was sent home is there in ten seconds, if stable lives and the mesh answers."""
    for book in court.books.values():
        if not isinstance(book.state, RollingBack) or not book.truth or _hindered(court, book):
            book.home_due = None
            continue
        if book.exposure(book.truth) == 0:
            book.home_due = None
            continue
        if book.home_due is None:
            book.home_due = event.at + HOME
        if event.at > book.home_due and not isinstance(event, Ended | Wrote | Recorded):
            yield Violation(event.at, "I7", book.name, f"is not home {HOME:g} s after it was sent")
            book.home_due = event.at + 3600.0


HOME = 10.0
HINDERS = ("stop", "mesh away", "mesh refuses", "mesh loses", "mesh hangs", "route gone", "bug", "disk hangs")


def _hindered(court: Court, book: Book) -> bool:
    read = book.read
    dead = isinstance(read, MeshSeen) and read.ready.get(book.home, -1) == 0
    another_s = isinstance(read, MeshSeen) and read.epoch is not None and read.epoch > court.epoch
    barred = court.on(*HINDERS) or book.broken or book.forgotten or another_s
    return not court.alive or barred or dead or court.ready.get(book.home, 1) == 0
