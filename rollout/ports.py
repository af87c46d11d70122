"""What the engine needs of the world, in our own words: each port has one to four methods.

No vendor's name, status code or exception crosses a port. A port that cannot answer now raises
``Unavailable``; the pass then does nothing and the next one asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from rollout.core.model import Decision, MeshSeen, Order, Origin, Policy, Route, Sample, Split, State, Unseen
from rollout.core.reason import Level
from rollout.policy.complaint import Complaint as Complaint  # noqa: PLC0414 - part of these contracts
from rollout.policy.complaint import Parsed as Parsed  # noqa: PLC0414


class Unavailable(Exception):  # noqa: N818 - it says what the thing is, not that an error was made
    """Something outside does not answer; ``str()`` says what and why. Come again later."""


class Lost(Unavailable):
    """It answered, and what was asked for is gone (a deleted route)."""


class Moved(Exception):  # noqa: N818 - as above
    """A conditional write found another version: what was known is old. Nothing was written."""


class Refused(Exception):  # noqa: N818 - as above
    """It will never be done as asked; ``str()`` says why and what to do instead."""


class Clock(Protocol):
    """Time, the only source of it."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; the zero is arbitrary."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until the event is set, at most so many seconds."""
        ...


Job = Callable[[], Awaitable[None]]


class Timetable(Protocol):
    """What belongs to the wall clock. A job never runs twice at once; a late one is done all the same."""

    def start(self) -> None:
        """Begin to turn."""
        ...

    def stop(self) -> None:
        """Begin no more jobs; those under way go on."""
        ...

    def every(
        self, name: str, seconds: float, job: Job, *, first: datetime | None = None, jitter: float = 0.0
    ) -> None:
        """Do it again and again, up to ``jitter`` seconds early; first after ``seconds``, or at ``first``."""
        ...

    def once(self, name: str, at: datetime, job: Job) -> None:
        """Do it at an instant, in the place of what bears this name."""
        ...

    def soon(self, name: str, now: datetime) -> None:
        """Do now what is done again and again."""
        ...


# --- git -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class File:
    """One file of a tree below the source's path. ``refused`` says why it was not read (symlink, too big)."""

    path: str
    text: bytes = b""
    origin: Origin = field(default=Origin())
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole, verified tree of one commit: its files, in order of path.

    ``relation`` of the commit to the one accepted before: ``same``, ``newer`` (a descendant), ``older`` (an
    ancestor: a stale answer), ``rewritten`` (neither), or ``first``. ``files`` is empty for ``same`` and
    ``older``.
    """

    commit: str
    author: str
    subject: str
    at: datetime
    relation: str
    files: tuple[File, ...] = ()


class PolicySource(Protocol):
    """A git repository, branch and path."""

    async def read(self, accepted: str | None) -> Tree:
        """Fetch, and read the head's tree; ``accepted`` is the commit taken last.

        Raises:
            Unavailable: not reachable, branch or path gone, or an answer that cannot be trusted.
        """
        ...


class Parser(Protocol):
    """Text of policies to policies, with bounded time and memory whatever the text."""

    async def parse(self, files: Sequence[File]) -> Sequence[Parsed]:
        """One result for each file, in order."""
        ...


# --- mesh and metrics ----------------------------------------------------------------------------


class Mesh(Protocol):
    """Where weights live."""

    async def read(self, route: Route, deadline: float) -> MeshSeen:
        """What the route carries, and what the proxies say; at most ``deadline`` seconds.

        Raises:
            Lost: the route is known to be gone.
            Refused: its form says nothing that can be understood as a split.
            Unavailable: it cannot be read now.
        """
        ...

    async def write(self, route: Route, split: Split, *, version: str, home: Split, epoch: int) -> None:
        """Make the route carry ``split`` and bear ``epoch``, if it still has ``version``.

        ``home`` is the all-stable split; it is staged before anything rises, so that going home is one move.

        Raises:
            Moved: the route has another version.
            Refused: this mesh cannot express it.
            Unavailable: it may or may not have been written; read again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What one rollout wants counted: of these backends, these response codes or classes (``5xx``, ``429``),
    failed calls (``grpc``) or connections (``tcp``), latencies if asked for, and these named queries.
    """

    backends: tuple[str, ...]
    codes: tuple[str, ...]
    latency: bool = False
    queries: tuple[str, ...] = ()

    @property
    def beyond_http(self) -> tuple[str, ...]:
        """What of it is more than counting responses by their codes."""
        other = (code for code in self.codes if not code[0].isdigit())
        return (*other, *(("latency",) if self.latency else ()), *self.queries)


Hosts = Mapping[tuple[str, str], tuple[int, int]]
"""Of one backend, by proxy and host: requests completed, and those failed with a code of class 5xx, ever."""


class Metrics(Protocol):
    """Where counters live."""

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        """Raw cumulative samples, one answer for each question, all from one read of each proxy."""
        ...

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:
        """The counters of each host of these backends, from the proxies that answer; nothing where this
        source cannot tell hosts apart.
        """
        ...


# --- memory and people ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alert:
    """A message to people about one transition. ``key`` is the same however often it is sent."""

    key: str
    rollout: str
    reason: str
    level: Level
    at: datetime
    headline: str
    fields: tuple[tuple[str, str], ...] = ()
    next: str = ""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An alert on its way to one sink. ``next_try`` is due time; ``tries`` so far."""

    id: int
    sink: str
    alert: Alert
    tries: int
    next_try: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that one pass wants remembered, all or nothing.

    ``noteworthy``: the decision is kept in the history (its reason is new, or it acts); otherwise it only
    replaces the rollout's present one. ``alerts`` are (sink, alert) pairs. ``outcome`` says what became of
    the pass before's write (``written``, ``moved`` ...; empty when it made none). ``anew``: what came before
    may never have been written, so that the evidence is kept whole.
    """

    name: str
    at: datetime
    decision: Decision
    noteworthy: bool
    alerts: tuple[tuple[str, Alert], ...] = ()
    origin: Origin = field(default=Origin())
    outcome: str = ""
    anew: bool = False


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far a source is: the commit accepted, the one attempted last, what stood in the way, and the
    complaints about the files that are quarantined. ``twice``: (name, complaint) of each policy in the commit
    accepted whose name another one there has too; none of them is taken.
    """

    accepted: str | None = None
    attempted: str | None = None
    problem: str = ""
    complaints: tuple[str, ...] = ()
    rewritten: bool = False
    seen_at: datetime | None = None
    twice: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Freeze:
    """Weight may not rise: for one rollout, or for all (``name`` empty)."""

    name: str
    actor: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a start finds: all of it written by ``Journal``. ``new``: there was no journal. ``policies`` by
    source and name; ``owners``: whose policy each rollout went by last, as several may claim one name.
    """

    epoch: int
    new: bool
    states: Mapping[str, State]
    decisions: Mapping[str, Decision]
    policies: Mapping[str, Mapping[str, Policy]]
    sources: Mapping[str, SourceState]
    orders: Mapping[str, tuple[Order, ...]]
    freezes: tuple[Freeze, ...]
    owners: Mapping[str, str]


class Journal(Protocol):
    """Where states and decisions are remembered. Every call is one transaction, durable when it returns.

    Each raises ``Unavailable`` when it cannot be written (disk full, read-only).
    """

    async def record(self, record: Record) -> None:
        """State, decision, evidence, used orders and outbox of one pass."""
        ...

    async def accept(
        self,
        source: str,
        state: SourceState,
        policies: Mapping[str, Policy] | None,
        alerts: Sequence[tuple[str, Alert]] = (),
    ) -> None:
        """How far a source is, and what people are told of it; with ``policies``, these are the source's
        policies from now on.
        """
        ...

    async def order(self, name: str, order: Order) -> Order:
        """Remember a person's command; the answer bears its id."""
        ...

    async def freeze(self, freeze: Freeze, *, lifted: bool) -> None:
        """Begin or lift a freeze."""
        ...


LONGEST_WAIT = timedelta(hours=1)
"""The longest that a dispatch waits for its next try."""


class Outbox(Protocol):
    """The journal's other half: alerts that are owed."""

    async def owed(self, now: datetime, limit: int, sink: str | None = None) -> Sequence[Dispatch]:
        """The dispatches that are due (at one sink), oldest first; also those that would wait for longer than
        any may: the clock was set back.
        """
        ...

    async def delivered(self, dispatch: Dispatch, at: datetime) -> None:
        """It arrived."""
        ...

    async def failed(self, dispatch: Dispatch, why: str, next_try: datetime | None) -> None:
        """It did not; ``None`` gives up for good."""
        ...

    async def undelivered(self) -> int:
        """How many are owed, or were given up in the last 24 hours."""
        ...


class Sink(Protocol):
    """Where alerts go."""

    async def deliver(self, alert: Alert) -> None:
        """Send it.

        Raises:
            Later: not now; try again, at the earliest after so many seconds.
        """
        ...


class Later(Unavailable):
    """A sink did not take an alert; ``after`` is what it asked for (seconds), if it did."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after
