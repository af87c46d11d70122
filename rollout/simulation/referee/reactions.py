"""Laws of the due reaction: what must be done in seconds when something happens (FAILURES 2.1).

Each law is a condition under which something is overdue; a clock for each rollout says since when it holds
without a break. What stands in the daemon's way stops the clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rollout.core.model import (
    FULL,
    Cause,
    Held,
    MeshSeen,
    Policy,
    Ramping,
    RollingBack,
    Steady,
    Unseen,
    Why,
)
from rollout.core.reason import Reason
from rollout.simulation.events import Accepted, Event, Fault, Jumped, Looked, MeshRead, Recorded, Started
from rollout.simulation.referee.book import DISK, Book, Violation, weight_of
from rollout.simulation.referee.court import Court

SOON = 8.0
"""Seconds in which a look at a journey comes, decides and is recorded."""
HEARTBEAT = 45.0
"""The same for a rollout at rest, which is looked at twice before it is set right."""
SETTLED = 90.0
"""Seconds after which a mesh that does not carry a weight is a page: a minute, and what looks may miss."""
STANDS = ("mesh away", "mesh hangs", "mesh refuses", "mesh loses", "route gone", "bug", "proxy away")
DISK_PAST = 70.0
"""Seconds after a disk's trouble in which records may be late."""


@dataclass(slots=True)
class Journal:
    """What the daemon's journal can know. ``read``: git was read since the journal was lost; ``blank``: what
    people said before this time may have been lost with it.
    """

    read: bool = True
    blank: float = -1.0


Said = Iterator[tuple[str, str]]
Overdue = Callable[[Book, Court, Journal], str]
"""What is not done yet and should be; nothing, if all is well or it cannot be known."""


Law = tuple[str, float, Overdue]


class Dues:
    """The clocks: when each (law, rollout) became overdue, and which were said already."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], float] = {}
        self._settling: dict[str, float] = {}
        self._journal = Journal()

    def hear(self, event: Event, court: Court) -> Iterator[Violation]:
        """Before it is remembered."""
        if isinstance(event, Started | Jumped | Fault):
            self._since.clear()
        if isinstance(event, Started | Jumped):
            self._settling.clear()
        if isinstance(event, Started) and event.since is not None:
            self._journal = Journal(read=False, blank=event.at)
        if isinstance(event, Accepted) and event.told and not event.state.problem:
            self._journal.read = True
        if not isinstance(event, Looked):
            return
        book = court.book(event.name)
        free = not hindered(book, court)
        for law in LAWS:
            what = law[2](book, court, self._journal) if free else ""
            yield from self._late(event, law, what)
        yield from self._paged(event)

    def _late(self, event: Looked, law: Law, what: str) -> Iterator[Violation]:
        name, limit, overdue = law
        key = (overdue.__name__, event.name)
        if not what:
            self._since.pop(key, None)
        elif event.at - self._since.setdefault(key, event.at) > limit:
            yield Violation(event.at, name, event.name, f"{what} for {limit:g} s")
            self._since[key] = event.at + 3600.0

    def _paged(self, event: Looked) -> Iterator[Violation]:
        """I14, M1: a mesh that does not carry what was written is a page after a minute."""
        if event.decision.reason not in (Reason.SETTLING, Reason.GOING_HOME):
            self._settling.pop(event.name, None)
        elif event.at - self._settling.setdefault(event.name, event.at) > SETTLED:
            yield Violation(event.at, "I14", event.name, f"settles for {SETTLED:g} s, and nobody is told")
            self._settling[event.name] = event.at


def hindered(book: Book, court: Court) -> bool:
    """Can the daemon not do what it should: it is down or just began, or the way is barred?"""
    barred = court.on(*STANDS, *DISK) or court.at - court.disk_at < DISK_PAST
    young = court.at - court.started_at < SOON
    return barred or young or not court.alive or court.observe or book.broken or dreams(book)


def dreams(book: Book) -> bool:
    """Is it in observe mode by its policy?"""
    ramp = book.ramp
    return any(
        policy is not None and policy.observe for policy in (book.policy, ramp.policy if ramp else None)
    )


def _stable_lives(book: Book, court: Court) -> bool:
    known = book.read.ready.get(book.stable, 1) if book.read else 1
    return court.ready.get(book.stable, 1) > 0 and known > 0


def _lost_canary(book: Book, court: Court, _journal: Journal) -> str:
    """S2: a canary with traffic and without endpoints goes home, if stable lives."""
    ramp = book.ramp
    if not isinstance(book.state, Ramping) or ramp is None or not weight_of(book.state):
        return ""
    dead = court.ready.get(ramp.canary.backend, 1) == 0
    return f"{ramp.canary} has no endpoints, and keeps traffic" if dead and _stable_lives(book, court) else ""


def _unasked(book: Book, court: Court, journal: Journal) -> str:
    """P6, P7: a journey that git does not ask for any more goes home."""
    ramp = book.ramp
    forgotten = isinstance(book.state, Held) and book.state.why is not Why.LOWERED
    if ramp is None or forgotten or not journal.read or not _stable_lives(book, court):
        return ""
    if ramp.past.route.key in court.clashing or court.is_contested(book):
        return ""
    if book.policy is None:
        return "git has no policy for it, and it stays under way" if book.gone_at is not None else ""
    if asks_otherwise(book.begun or ramp.policy, book.policy):
        return f"git asks for {book.policy.revision} on other terms, and {ramp.canary} stays under way"
    return ""


def asks_otherwise(old: Policy, new: Policy) -> bool:
    """Another revision, other weights or shorter bakes: what no evidence can be carried over to."""
    steps = zip(old.steps, new.steps, strict=False)
    return (
        old.revision != new.revision
        or len(old.steps) != len(new.steps)
        or any(one.weight != other.weight or other.bake < one.bake for one, other in steps)
    )


def _foreign_rise(book: Book, court: Court, _journal: Journal) -> str:
    """T3: more than was authorised, by a foreign hand, is set back or held as a fight."""
    if not _bound(book, court):
        return ""
    above = isinstance(book.state, Ramping) and book.exposure(book.truth) > weight_of(book.state)
    return f"the mesh carries {book.truth[0]}, over what was authorised" if above else ""


def _foreign_rest(book: Book, court: Court, _journal: Journal) -> str:
    """T3, at rest."""
    if not isinstance(book.state, Steady) or not _bound(book, court):
        return ""
    return f"the mesh carries {book.truth[0]}, at rest" if book.exposure(book.truth) else ""


def _bound(book: Book, court: Court) -> bool:
    """Is it known what the route carries and may carry, and is it this rollout's alone?"""
    known = bool(book.truth and book.stable) and book.policy is not None and _stable_lives(book, court)
    return known and not court.clashing and len(court.on_route(book.key)) == 1 and not book.forgotten


def _abort_waits(book: Book, _court: Court, journal: Journal) -> str:
    """I22: an abort that was taken is obeyed."""
    taken = book.aborted_at is not None and book.aborted_at > journal.blank
    return "an abort was taken, and it stays under way" if taken and isinstance(book.state, Ramping) else ""


LAWS: tuple[Law, ...] = (
    ("S2", SOON, _lost_canary),
    ("P6", SOON + 4.0, _unasked),
    ("T3", SOON, _foreign_rise),
    ("T3", HEARTBEAT, _foreign_rest),
    ("I22", SOON, _abort_waits),
)


class Sights:
    """What the last read of each route showed, for laws of decisions that rest on it."""

    def __init__(self) -> None:
        self._seen: dict[str, MeshSeen | Unseen] = {}

    def hear(self, event: Event, court: Court) -> Iterator[Violation]:
        """Before it is remembered."""
        if isinstance(event, MeshRead):
            self._seen[event.route.key] = event.seen
        late = (
            court.on(*DISK) or court.is_slow or event.at - court.disk_at < DISK_PAST
        )  # such a record is of an earlier read
        if not isinstance(event, Recorded) or not event.landed or late:
            return
        book = court.book(event.record.name)
        read = self._seen.get(book.key)
        if not isinstance(read, MeshSeen) or dreams(book) or court.observe:
            return
        for law, what in (*_no_home(event, book, read), *_not_carried(event, book, read)):
            yield Violation(event.at, law, book.name, what)


def _no_home(event: Recorded, book: Book, read: MeshSeen) -> Said:
    """S3, R1: nobody is sent home to a stable without endpoints, but by a person; nor for a silence that is
    the mesh's.
    """
    after = event.record.decision.state
    if not isinstance(after, RollingBack) or isinstance(book.state, RollingBack) or not weight_of(book.state):
        return
    if after.cause is Cause.NO_DATA and not book.exposure(read.splits):
        yield "R1", f"{after.canary} is rejected for its silence, and the mesh gives it nothing"
    known = [one for one in (book.begun, book.ramp.policy if book.ramp else None) if one]
    if (
        after.cause is Cause.CHANGED
        and book.policy
        and not any(asks_otherwise(one, book.policy) for one in known)
    ):
        yield "P6", "is sent home, and its policy is only tighter"
    if after.cause is not Cause.ABORTED and read.ready.get(after.past.stable.backend, -1) == 0:
        yield "S3", f"is sent home to {after.past.stable}, which has no endpoints"


def _not_carried(event: Recorded, book: Book, read: MeshSeen) -> Said:
    """M2: a rung is left only when the route and each proxy that answers were seen to carry its weight."""
    ramp = book.ramp
    if ramp is None or event.record.decision.reason not in RISEN:
        return
    weight, canary = weight_of(ramp), ramp.canary.backend
    answering = [proxy for proxy in read.proxies if not proxy.unreachable]
    for proxy in answering:
        if proxy.rejected:
            yield "M2", f"rises, and {proxy.name} rejected what it has"
    for split in (*read.splits, *(split for proxy in answering for split in proxy.splits)):
        if (split.weight(canary), split.weight(book.home)) != (weight, FULL - weight):
            yield "M2", f"leaves {weight / 100:g} %, and the mesh shows {split}"


RISEN = (Reason.RAISED, Reason.STEP_PASSED, Reason.PROMOTED)
