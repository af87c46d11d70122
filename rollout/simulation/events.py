"""What happens in a world, as a log: all that crosses a port, and what the world itself does.

The referee knows nothing else. A log is made by the watchers (``watch``) around the ports, simulated or
real; what only a simulated world can know (foreign hands, faults, what became of a lost answer) is there too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from rollout.core.model import Decision, MeshSeen, Order, Policy, Route, Sample, Split, Unseen, Verb
from rollout.ports import Alert, Freeze, Question, Record, SourceState


@dataclass(frozen=True, slots=True)
class Event:
    """``at``: seconds of the world's own time, which only grows and is not the daemon's wall clock."""

    at: float


# --- the process ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A daemon begins. ``observe``: it may write nothing, anywhere. ``since``: of what came after this time
    its journal knows nothing (lost, or an old copy); ``None`` when it knows all that landed.
    """

    epoch: int
    observe: bool
    since: float | None = None
    decisions: tuple[tuple[str, Decision], ...] = ()
    policies: tuple[tuple[str, Policy], ...] = ()
    freezes: tuple[Freeze, ...] = ()
    rewritten: bool = False
    """What such a journal knows."""


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """A daemon ends. ``killed``: at once, wherever it was; else it was told to stop."""

    killed: bool


@dataclass(frozen=True, slots=True)
class Looked(Event):
    """One pass is over. ``stable_ready``: endpoints of stable as last read (-1: not known)."""

    name: str
    decision: Decision
    stable_ready: int
    held: bool
    breaker_open: bool


# --- journal and people --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded(Event):
    """``Journal.record``. ``landed``: it is on the disk; ``told``: the caller heard that it is."""

    record: Record
    landed: bool
    told: bool


@dataclass(frozen=True, slots=True)
class Accepted(Event):
    """``Journal.accept``: what a source says from now on; ``policies`` is ``None`` when they stay."""

    source: str
    state: SourceState
    policies: tuple[tuple[str, Policy], ...] | None
    alerts: tuple[tuple[str, Alert], ...]
    landed: bool
    told: bool


@dataclass(frozen=True, slots=True)
class Ordered(Event):
    """``Journal.order``: a person's command."""

    name: str
    order: Order
    landed: bool
    told: bool


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """What a person who gave an order was told: why it was refused, or nothing."""

    name: str
    verb: Verb
    said: str


@dataclass(frozen=True, slots=True)
class Froze(Event):
    """``Journal.freeze``: begun, or lifted."""

    freeze: Freeze
    lifted: bool
    landed: bool
    told: bool


@dataclass(frozen=True, slots=True)
class Settled(Event):
    """The outbox hears what became of a dispatch: ``delivered``, ``failed`` (again later) or ``given up``."""

    sink: str
    key: str
    how: str
    landed: bool
    told: bool


@dataclass(frozen=True, slots=True)
class Delivered(Event):
    """A sink was given an alert. ``arrived``: people have it; ``told``: the caller heard so."""

    sink: str
    alert: Alert
    arrived: bool
    told: bool


@dataclass(frozen=True, slots=True)
class Shouted(Event):
    """An alert leaves without the journal, which cannot be written."""

    sink: str
    alert: Alert


# --- mesh and metrics ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MeshRead(Event):
    """``Mesh.read``: what was answered."""

    route: Route
    seen: MeshSeen | Unseen


@dataclass(frozen=True, slots=True)
class Wrote(Event):
    """``Mesh.write``. ``before``: what the true object carried. ``landed``: it carries ``split`` now;
    ``told``: the caller heard so. ``served``: (backend, completed, failed) until now, all proxies, truly.
    """

    route: Route
    before: tuple[Split, ...]
    split: Split
    home: Split
    version: str
    epoch: int
    landed: bool
    told: bool
    served: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Sampled(Event):
    """``Metrics.read``: what was asked and answered. ``fresh``: the answers are of now, and true."""

    questions: tuple[Question, ...]
    answers: tuple[Sample | Unseen, ...]
    fresh: bool = True


# --- the world's hand ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edited(Event):
    """A foreign hand changed a route's weights; ``splits`` is empty when it deleted the route. ``fenced``:
    our mark is still on it.
    """

    route: Route
    splits: tuple[Split, ...]
    fenced: bool = True


@dataclass(frozen=True, slots=True)
class Endpoints(Event):
    """From now on a backend truly has so many ready endpoints."""

    backend: str
    ready: int


@dataclass(frozen=True, slots=True)
class Behaves(Event):
    """From now on a backend truly fails this share of its requests."""

    backend: str
    failing: float


@dataclass(frozen=True, slots=True)
class Fault(Event):
    """A fault begins (``on``) or ends; ``subject``: whose (a proxy, a sink), if not everybody's."""

    kind: str
    subject: str
    on: bool


@dataclass(frozen=True, slots=True)
class Committed(Event):
    """Somebody moved a branch of git. ``names``: of the policies whose files the tree has, good or not;
    ``rewritten``: what was there before is no ancestor.
    """

    source: str
    commit: str
    what: str
    names: tuple[str, ...]
    rewritten: bool = False


@dataclass(frozen=True, slots=True)
class Jumped(Event):
    """The wall clock jumped by so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Calm(Event):
    """From now on nothing goes wrong any more and nobody does anything (I20)."""


@dataclass(frozen=True, slots=True)
class Bug(Event):
    """A defect of the program showed itself: an exception that nobody expects, a stall, an open task."""

    name: str
    what: str
    planned: bool = False
    """The world itself planted it, to see that the neighbours live (D3)."""


@dataclass(frozen=True, slots=True)
class Over(Event):
    """The world ends. ``rested``: everything had come to rest long before; ``owed``: alerts that nobody got
    yet.
    """

    rested: bool
    owed: int


@dataclass(slots=True)
class Log:
    """Everything that happened, in order. ``listen`` is told each event at once."""

    events: list[Event] = field(default_factory=list)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """It happened; nothing does after the end."""
        if self.events and isinstance(self.events[-1], Over):
            return
        self.events.append(event)
        for listen in self.listeners:
            listen(event)

    def hash(self) -> str:
        """The same for the same events, in any process (I21)."""
        digest = hashlib.sha256()
        for event in self.events:
            digest.update(repr(event).encode())
        return digest.hexdigest()
