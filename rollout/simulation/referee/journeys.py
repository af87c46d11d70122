"""Laws of what is recorded: each step has its proof, in its order, once, for a revision that may have it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rollout.core.model import (
    FULL,
    Cause,
    Held,
    Policy,
    Ramping,
    RollingBack,
    Stage,
    State,
    Steady,
    Unadopted,
    Waiting,
)
from rollout.core.reason import Reason
from rollout.simulation.events import Accepted, Event, Recorded, Wrote
from rollout.simulation.referee.book import DISK, Book, Violation, weight_of
from rollout.simulation.referee.court import Court

LOOK = 1.1
"""Seconds of bake that a record may be ahead of what the referee counted: one look."""
AT_ONCE = 1.5
"""Seconds that a pass which is under way may take to hear what was said meanwhile."""

DISK_PAST = 10.0
"""Seconds after a disk's trouble in which records may be late."""

Said = Iterator[tuple[str, str]]


def of_records(event: Event, court: Court) -> Iterator[Violation]:
    """All that is to be said of one record, before it is remembered."""
    if not isinstance(event, Recorded) or not event.landed:
        return
    book, after = court.book(event.record.name), event.record.decision.state
    said = [*_alone(after, court, book), *_remembers(event, court, book)]
    if rises(book.state, after):
        said += _ladder(book, after)
        if not (court.on(*DISK) or event.at - court.disk_at < DISK_PAST):
            said += _proved(event, court, book)  # a record that came late was decided before all this,
            said += _held(event, court, book)  # and may have been given up
    if isinstance(after, Ramping):
        said += _rejected(event, book, after)
    if isinstance(after, RollingBack) and not isinstance(book.state, RollingBack):
        said += _blamed(court, book, after)
    if book.forgotten and event.record.decision.reason is Reason.ADOPTED:
        said += _unadopted(event)
    for law, what in said:
        yield Violation(event.at, law, book.name, what)


def _unadopted(event: Recorded) -> Said:
    """Q2: a route that bears a mark which nobody remembers is adopted by a person."""
    if not any(not refused for _, refused in event.record.decision.obeyed):
        yield "Q2", "is adopted by itself, and its route bears a mark of what is forgotten"


def _remembers(event: Recorded, court: Court, book: Book) -> Said:
    """D1: no restart forgets a journey; P6: what is under way follows a policy that a disk remembers."""
    after = event.record.decision.state
    lost = isinstance(_journey(after), Unadopted) and event.record.decision.reason is not Reason.RELEASED
    if book.ramp is not None and book.kept and lost:
        yield "D1", f"{book.ramp.canary} was under way, and nobody knows it any more"
    if isinstance(after, Ramping) and after.policy not in court.remembered:
        yield "P6", f"{after.canary} is under way by a policy that no disk remembers"


def _journey(state: State) -> State:
    return state.was if isinstance(state, Held) else state


def rises(before: State, after: State) -> bool:
    """Is the canary given more by this record, or everything?"""
    was = _journey(before)
    if isinstance(after, Ramping):
        if isinstance(was, Steady) and after.past.attempt <= was.past.attempt:
            return False  # that record came late, and the daemon had given it up
        same = isinstance(was, Ramping) and was.past.attempt == after.past.attempt
        return weight_of(after) > (weight_of(before) if same else 0)
    return isinstance(was, Ramping) and isinstance(after, Steady) and after.past.stable == was.canary


def _rungs(policy: Policy) -> list[int]:
    top = FULL - policy.analysis.holdback
    return [step.weight if step.weight < FULL else top for step in policy.steps]


def _ladder(book: Book, after: State) -> Said:
    """I2: one rung at a time: nothing, probes below the first step, each step, and only then everything."""
    was = _journey(book.state)
    if isinstance(after, Steady):
        if not isinstance(was, Ramping) or was.rung != Stage(len(was.policy.steps) - 1):
            yield "I2", f"promoted from {weight_of(was) / 100:g} %, which is not the last step"
        return
    if not isinstance(after, Ramping):
        return
    rungs = _rungs(after.policy)
    before = weight_of(was) if isinstance(was, Ramping) and was.past.attempt == after.past.attempt else 0
    goal = rungs[-1] if after.fast else rungs[0]
    up = dict(pairwise(rungs))
    allowed = (
        up.get(before, 0)
        if before in rungs and isinstance(was, Ramping) and isinstance(was.rung, Stage)
        else goal
    )
    if weight_of(after) > allowed:
        yield "I2", f"from {before / 100:g} % to {weight_of(after) / 100:g} %, over the next rung"


def _proved(event: Recorded, court: Court, book: Book) -> Said:
    """I2: a step is left after its bake, unless a person wanted it so; I17: by true seconds."""
    was = _journey(book.state)
    if not isinstance(was, Ramping) or not isinstance(was.rung, Stage) or court.hasty(event):
        return
    bake = was.policy.steps[was.rung.step].bake
    if not was.policy.observe and not court.observe and book.proven < bake - LOOK:
        yield "I2", f"left a step after {book.proven:.1f} s with evidence, its bake is {bake:g} s"


def _held(event: Recorded, court: Court, book: Book) -> Said:
    """I9: nothing rises under doubt."""
    policy, at, was = book.policy, event.at, _journey(book.state)
    paused = book.paused or (isinstance(was, Ramping) and was.paused is not None)
    if paused and not event.record.decision.obeyed:
        yield "I9", "rises while it is paused"
    frozen = court.frozen_at(book.name)
    if frozen is not None and event.at - frozen > AT_ONCE:
        yield "I9", "rises while it is frozen"
    if court.rewritten_at is not None and at - court.rewritten_at > AT_ONCE:
        yield "G3", "rises though the history was rewritten"
    if policy is None:
        if book.gone_at is not None and at - book.gone_at > AT_ONCE:
            yield "P7", "rises without a policy"
        return
    settled = at - book.policy_at > AT_ONCE
    if policy.suspend and settled:
        yield "I9", "rises while git suspends it"
    after = event.record.decision.state
    if settled and isinstance(was, Ramping) and isinstance(after, Ramping) and after.policy != policy:
        yield "P6", "rises under a policy that is not the one in force"
    clash = court.clashing.get(policy.route.key)
    if clash is not None and at - clash > AT_ONCE:
        yield "P5", "rises while two policies want its route"
    if book.read is not None and book.read.ready.get(book.home, -1) == 0:
        yield "I9", "rises while stable has no endpoint"
    if (
        isinstance(was, Ramping)
        and book.read is not None
        and book.read.ready.get(was.canary.backend, -1) == 0
    ):
        yield "S1", "rises while the canary has no endpoint"
    if policy.windows and settled and not _open(event, policy):
        yield "C2", "rises outside its windows"


def _open(event: Recorded, policy: Policy) -> bool:
    """Windows of one day in UTC are all that a world has."""
    now = event.record.at
    return any(
        now.weekday() in window.days and window.since <= now.time() <= window.until
        for window in policy.windows
        if window.zone == "UTC"
    )


def _rejected(event: Recorded, book: Book, after: Ramping) -> Said:
    """I3: a rejected revision stays rejected until a person retries it."""
    was = _journey(book.state)
    goes_on = isinstance(was, Ramping) and was.past.attempt == after.past.attempt  # an old copy of a journal
    if after.canary not in book.rejected or (goes_on and not rises(book.state, after)):
        return
    freed = any(number for number, refusal in event.record.decision.obeyed if not refusal)
    if not freed:
        yield "I3", f"{after.canary} was rejected at {book.rejected[after.canary]:.1f} s, and begins again"


def _blamed(court: Court, book: Book, after: RollingBack) -> Said:
    """A canary that never failed a request, or got none, is not worse than anybody."""
    canary, stable = after.canary.backend, book.stable
    if after.cause not in (Cause.WORSE, Cause.OVER_LIMIT):
        return
    clean = canary not in court.ever_failed and court.ready.get(canary, 1) and canary not in court.ever_dead
    if clean:
        yield "M1", f"{canary} is condemned beside {stable}, and it never failed a request"
    if waiting(book.state) and after.cause is Cause.WORSE and not book.given:
        yield "M1", f"{canary} is condemned beside {stable} before its first request"


def _alone(after: State, court: Court, book: Book) -> Said:
    """I13: one journey for one route moves traffic; who only observes moves none of anybody's."""
    if not isinstance(after, Ramping) or not weight_of(after) or court.observe:
        return
    for other in court.books.values():
        ramp = other.ramp
        under_way = ramp is not None and weight_of(other.state) and other is not book
        if under_way and ramp is not None and ramp.past.route.key == after.past.route.key:
            yield "I13", f"{other.name} is under way on the same route"


def of_writes(event: Event, court: Court) -> Iterator[Violation]:
    """I2: what was truly served at a step before the next one, whatever the counters said."""
    if not isinstance(event, Wrote) or not event.landed:
        return
    book = court.at_route(event.route.key)
    if book is None or book.reason not in (Reason.STEP_PASSED, Reason.PROMOTED) or book.hasty:
        return
    if event.split not in book.unused:
        return
    checks = book.policy.analysis.checks if book.policy else ()
    needed = max((check.min_requests for check in checks), default=0)
    canary = next((name for name, _ in event.split.shares if name != book.stable), "")
    now = {backend: completed for backend, completed, _ in event.served}
    seen = now.get(canary, 0) - book.served.get(canary, 0)
    if canary and now and seen < needed:
        yield Violation(
            event.at, "R3", book.name, f"left a step after {seen} requests of {needed}, truly served"
        )


def of_sources(event: Event, court: Court) -> Iterator[Violation]:
    """I11, P7, G2, G3: absence is not deletion and deletion is not absence, git never goes back, a rewritten
    history waits for a person.
    """
    if not isinstance(event, Accepted) or event.state.accepted is None:
        return
    known = court.commits.get(event.state.accepted)
    before = court.commits.get(court.accepted or "")
    if known is None:
        yield Violation(event.at, "G2", event.source, "a commit is taken that nobody made")
        return
    if before is not None and known[0] < before[0]:
        yield Violation(event.at, "G2", event.source, "an older commit is taken")
    if before is not None and known[1] > before[1] and court.adopts == court.adopted:
        yield Violation(event.at, "G3", event.source, "a rewritten history is taken, and nobody adopted it")
    if event.policies is not None and event.landed:
        names = {name for name, _ in event.policies}
        for book in court.books.values():
            if book.policy is not None and book.name not in names and book.name in known[2]:
                yield Violation(
                    event.at, "I11", book.name, "its policy is dropped, and git still has the file"
                )
        for name in sorted(names.difference(known[2])):
            yield Violation(event.at, "P7", name, "its policy stays in force, and git has the file no more")


def waiting(state: State) -> bool:
    """At weight 0, before the first raise."""
    return isinstance(state, Ramping) and isinstance(state.rung, Waiting)
