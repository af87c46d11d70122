"""Laws of time: nobody is forgotten, nothing lasts for ever, and in the end all is at rest."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.core.model import FULL, Held, MeshSeen, OnSilence, Ramping, RollingBack, Steady, Unadopted
from rollout.core.reason import Reason
from rollout.simulation.events import (
    Behaves,
    Bug,
    Calm,
    Event,
    Fault,
    Jumped,
    Looked,
    Over,
    Recorded,
    Started,
    Wrote,
)
from rollout.simulation.referee.book import Book, Violation, weight_of
from rollout.simulation.referee.court import Court

UNSEEN = 40.0
"""Seconds between two looks at a rollout at rest, at the most: a heartbeat and more."""
UNWATCHED = 8.0
"""The same while a canary has traffic."""
DEAD, DEAD_REQUESTS = 8.0, 60.0
"""Seconds, and canary requests, in which one that fails half of them or more is seen and sent home, though
nothing is known of the service's noise.
"""
FAILS, LIVES = 0.5, 0.01
"""Shares of failures that leave no doubt: the canary's at the least, stable's at the most."""
BLIND_SLACK = 20.0
LATE = 10.0
"""Seconds after a disk's trouble in which records may be late."""
SILENT_HOMES, SPAN = 2, 600.0


def of_looks(event: Event, court: Court) -> Iterator[Violation]:
    """D3, I12: each rollout is looked at in time, also beside one that breaks."""
    if not isinstance(event, Looked | Fault | Calm) or not court.alive or court.on("stop"):
        return
    slow = court.on("disk hangs", "mesh hangs", "metrics hang", "disk full")
    for book in court.books.values():
        since = max(book.looked_at or book.policy_at, court.started_at)
        limit = UNWATCHED if book.ramp is not None and weight_of(book.state) and not slow else UNSEEN
        if book.policy is None or book.broken or event.at - since <= limit:
            continue
        stranger = book.looked is None or book.reason is Reason.RELEASED
        if stranger and book.key in court.clashing:
            continue  # it comes (back) to a route that another wants: neither has it
        yield Violation(event.at, "D3", book.name, f"was not looked at for {event.at - since:.0f} s")
        book.looked_at = event.at


def of_rest(event: Event, court: Court) -> Iterator[Violation]:
    """I20: at rest nothing is written; what was said last, or what a disk was late with, is of before."""
    if not isinstance(event, Recorded) or event.at - max(court.calm_at, court.disk_at) < LATE:
        return
    decision, book = event.record.decision, court.book(event.record.name)
    same = decision.state == book.state and decision.reason is book.reason and book.told
    if same and isinstance(book.state, Steady) and not (decision.obeyed or event.record.outcome):
        yield Violation(event.at, "I20", book.name, f"{decision.reason.name} is recorded again, at rest")


def of_bugs(event: Event, _court: Court) -> Iterator[Violation]:
    """No exception that nobody expects."""
    if isinstance(event, Bug) and not event.planned:
        yield Violation(event.at, "BUG", event.name, event.what)


def of_blindness(event: Event, court: Court) -> Iterator[Violation]:
    """R1, S5, I14: blindness has its deadline; then home, or a page, as the policy says."""
    if not isinstance(event, Looked):
        return
    book = court.book(event.name)
    ramp = book.ramp
    if book.blind_since is None or ramp is None or not weight_of(book.state):
        return
    lasted, rule = event.at - book.blind_since, ramp.policy.analysis.no_data
    if event.decision.reason is Reason.BLIND and lasted > rule.hold + BLIND_SLACK:
        yield Violation(
            event.at, "I14", book.name, f"blind for {lasted:.0f} s, its deadline is {rule.hold:g} s"
        )
        book.blind_since = event.at


def of_the_held(event: Event, court: Court) -> Iterator[Violation]:
    """I14: who is held for want of evidence has a policy that says hold."""
    if not isinstance(event, Looked) or event.decision.reason is not Reason.BLIND_HELD:
        return
    book, state = court.book(event.name), event.decision.state
    goes = isinstance(state, Ramping) and state.policy.analysis.no_data.then is OnSilence.ROLLBACK
    given = book.read is not None and book.exposure(book.read.splits)
    if goes and given and weight_of(state):
        yield Violation(event.at, "I14", book.name, "is held without evidence, and its policy says rollback")


def of_silent_homes(event: Event, court: Court) -> Iterator[Violation]:
    """I19: few rollouts go home for lack of evidence; many at once mean that the observer is broken."""
    if isinstance(event, Jumped) or (isinstance(event, Started) and event.since is not None):
        court.silent = []  # by its clock, or by its journal, the daemon cannot know of them
    if not isinstance(event, Recorded) or not event.landed:
        return
    if event.record.decision.reason is Reason.NO_DATA_TOO_LONG and not isinstance(
        court.book(event.record.name).state, RollingBack
    ):
        court.silent = [at for at in court.silent if event.at - at < SPAN] + [event.at]
        if len(court.silent) > max(SILENT_HOMES, 0.1 * len(court.books)):
            said = f"the {len(court.silent)}th that goes home for lack of evidence in ten minutes"
            yield Violation(event.at, "I19", event.record.name, said)


def of_the_dead(event: Event, court: Court) -> Iterator[Violation]:
    """A canary that truly fails most requests beside a stable that does not is sent home in seconds."""
    for book in court.books.values():
        ramp = book.ramp
        if not isinstance(book.state, Ramping) or ramp is None or not _condemnable(court, book, ramp):
            book.dead_due = None
            continue
        due = DEAD + DEAD_REQUESTS / (court.rate * book.exposure(book.truth) / FULL)
        if isinstance(event, Fault | Behaves | Wrote) or book.dead_due is None:
            book.dead_due = event.at + due
        if event.at > book.dead_due and isinstance(event, Looked) and event.name == book.name:
            yield Violation(
                event.at, "G14", book.name, f"{ramp.canary} fails, and is not home after {due:.0f} s"
            )
            book.dead_due = event.at + 3600.0


def _condemnable(court: Court, book: Book, ramp: Ramping) -> bool:
    canary, read = ramp.canary.backend, book.read
    if not court.alive or court.at - court.started_at < DEAD or court.raging or book.broken:
        return False
    if not book.confirmed or not isinstance(read, MeshSeen) or min(read.ready.values(), default=0) == 0:
        return False
    if ramp.policy.observe or court.observe or book.truth != (book.written,):
        return False
    exposed = book.exposure(book.truth)
    enough = min(exposed, FULL - exposed) * court.rate >= ENOUGH
    return enough and court.failing.get(canary, 0) >= FAILS and court.failing.get(book.stable, 0) <= LIVES


ENOUGH = 2.0 * 10_000
"""Requests per second of each arm, times 10 000, from which the evidence comes quickly."""


def of_the_end(event: Event, court: Court) -> Iterator[Violation]:
    """I20: when nothing goes wrong any more, all comes to rest, and each rollout is where it should be."""
    if not isinstance(event, Over):
        return
    if not event.rested:
        yield Violation(event.at, "I20", "everybody", "does not come to rest")
    for book in court.books.values():
        for what in _ends(book, court):
            yield Violation(event.at, "I20", book.name, what)


WAITS = frozenset(
    {
        Reason.NOTHING_NEW, Reason.REJECTED_BEFORE, Reason.SAME_BACKEND, Reason.PAUSED, Reason.SUSPENDED,
        Reason.FROZEN, Reason.WINDOW_CLOSED, Reason.REWRITTEN, Reason.SHARED_TARGET, Reason.LOWERED,
        Reason.CONTESTED, Reason.FORGOTTEN, Reason.MIXTURE, Reason.BLIND_HELD, Reason.RELEASED,
        Reason.BROKEN, Reason.BREAKER_OPEN, Reason.BOTH_OVER_LIMIT, Reason.OVER_LIMIT_NOW, Reason.SUSPECT,
        Reason.INCONCLUSIVE, Reason.UNPROVEN, Reason.UNCOMPARED,
    }
)  # fmt: skip
"""Reasons in which a rollout may stay: at rest, or until somebody or something outside speaks."""


def _ends(book: Book, court: Court) -> Iterator[str]:
    reason = book.looked.decision.reason if book.looked else None
    state = book.state
    if book.policy is None and isinstance(state, Steady | Unadopted):
        return
    observes = book.policy is not None and book.policy.observe
    if reason is None or book.broken or court.observe or observes:
        return
    if reason not in WAITS:
        yield f"ends with {reason.name}"
    if reason is Reason.FROZEN and court.frozen_at(book.name) is None:
        yield "ends frozen, and nobody froze it"
    if reason is Reason.REWRITTEN and court.rewritten_at is None:
        yield "ends with a rewritten history, and it is not"
    if reason is Reason.SHARED_TARGET and not court.clashing:
        yield "ends with a shared route, and it is not shared"
    asked = book.policy is None or book.policy.suspend or court.is_contested(book)
    if reason is Reason.SUSPENDED and not asked:
        yield "ends suspended, and git does not say so"
    if (
        reason is Reason.REJECTED_BEFORE
        and book.policy is not None
        and book.policy.revision not in book.decided
        and not court.is_contested(book)
    ):
        yield f"{book.policy.revision} was never rejected, and does not begin"
    if isinstance(state, Held | Unadopted) or (book.policy is not None and book.policy.observe):
        return
    if book.truth and book.exposure(book.truth) > weight_of(state):
        yield f"ends with {book.truth[0]}, more than was authorised"
    if (
        reason is Reason.NOTHING_NEW
        and book.policy is not None
        and book.policy.revision.backend != book.stable
        and not court.is_contested(book)
    ):
        yield f"ends on {book.stable}, and git asks for {book.policy.revision}"
