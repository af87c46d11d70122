"""The words of the project as types (the policy, what is seen, what is remembered, what is decided).

Every hop of a pass speaks in these; nothing here acts. Weights are integers out of ``FULL``,
durations are seconds, instants of the wall clock are aware ``datetime`` values in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import Enum
from typing import NewType

from rollout.core.reason import Reason

FULL = 10_000
"""The weight that stands for all traffic: one unit is 0.01 %."""

Weight = NewType("Weight", int)
"""Share of traffic to the canary, an integer from 0 to ``FULL``."""

NOTHING = Weight(0)
EVERYTHING = Weight(FULL)


def percent(weight: int) -> str:
    """Write a weight as people do: ``Weight(50)`` is ``0.5 %``."""
    return f"{weight / 100:g} %"


# --- what git says -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Revision:
    """What is being rolled out: a backend and what is known to run behind it.

    ``content`` is the policy's ``spec.revision``, free text such as an image digest, empty when unset.
    A rejection belongs to a revision, not to the policy's other lines.
    """

    backend: str
    content: str = ""

    def __str__(self) -> str:
        return f"{self.backend}@{self.content}" if self.content else self.backend


@dataclass(frozen=True, slots=True)
class Route:
    """Whose weights move. ``only`` pins the routes inside the object that are ours; empty: all of them."""

    kind: str
    mesh: str
    name: str
    namespace: str = ""
    only: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The target's canonical name: no two policies may share one."""
        return "/".join((self.kind, self.mesh, self.namespace, self.name))

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """A weight and the least time (seconds) to bake at it."""

    weight: Weight
    bake: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The check ``errors: {}``: is the canary worse than the concurrent stable? (ANALYSIS 3.1-3.3, 3.6b)."""

    codes: tuple[str, ...] = ("5xx",)
    min_requests: int = 20


@dataclass(frozen=True, slots=True)
class Limit:
    """The check ``errors: {max: ...}``: does the canary fail more than ``max`` (0 to 1) of its requests?"""

    max: float
    codes: tuple[str, ...] = ("5xx",)
    min_requests: int = 100


Check = Comparison | Limit


class OnSilence(Enum):
    """What to do when evidence has been missing for too long."""

    ROLLBACK = "rollback"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class NoDataRule:
    """How long (seconds) to hold without evidence, and what then."""

    hold: float = 600.0
    then: OnSilence = OnSilence.ROLLBACK


@dataclass(frozen=True, slots=True)
class Analysis:
    """How a canary is judged. ``look`` is the wished seconds between looks, ``None`` for the default."""

    metrics: str = "envoy"
    checks: tuple[Check, ...] = (Comparison(),)
    no_data: NoDataRule = NoDataRule()
    holdback: Weight = Weight(500)
    look: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """When weight may rise: ``days`` are 0 (Monday) to 6; ``until`` at or before ``since`` runs past midnight."""

    days: tuple[int, ...]
    since: time
    until: time
    zone: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a policy came from: the commit that last changed its file."""

    source: str = ""
    path: str = ""
    commit: str = ""
    author: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What git says about one rollout. ``name`` is ``namespace/name``."""

    name: str
    route: Route
    revision: Revision
    steps: tuple[Step, ...]
    analysis: Analysis = Analysis()
    stable: str | None = None
    windows: tuple[Window, ...] = ()
    alerts: tuple[str, ...] = ()
    suspend: bool = False
    observe: bool = False
    revert_window: float = 86_400.0
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Git no longer has the policy (a whole, verified, newer tree lacks it)."""

    name: str
    origin: Origin = field(default=Origin(), compare=False)


# --- traffic -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets how much: (backend, weight) pairs in order of name, without zeros, that sum to ``FULL``."""

    shares: tuple[tuple[str, Weight], ...]

    @classmethod
    def of(cls, weights: Mapping[str, int]) -> Split:
        """Make a split from any relative weights, by largest remainder.

        Raises:
            ValueError: a weight is negative, or all are zero.
        """
        total = sum(weights.values())
        if total <= 0 or min(weights.values()) < 0:
            msg = f"no split can be made of {dict(weights)}"
            raise ValueError(msg)
        floors = {name: weight * FULL // total for name, weight in weights.items()}
        by_remainder = sorted(weights, key=lambda name: (-(weights[name] * FULL % total), name))
        for name in by_remainder[: FULL - sum(floors.values())]:
            floors[name] += 1
        return cls(tuple((name, Weight(floors[name])) for name in sorted(floors) if floors[name]))

    @classmethod
    def all_on(cls, backend: str) -> Split:
        """Everybody on one backend."""
        return cls(((backend, EVERYTHING),))

    @classmethod
    def between(cls, stable: str, canary: str, weight: int) -> Split:
        """``weight`` to the canary, the rest to stable."""
        return cls.of({stable: FULL - weight, canary: weight})

    def weight(self, backend: str) -> Weight:
        """The backend's share; zero when it is not in the split."""
        return next((weight for name, weight in self.shares if name == backend), NOTHING)

    @property
    def sole(self) -> str | None:
        """The backend that carries everything, if one does."""
        return self.shares[0][0] if len(self.shares) == 1 else None

    def __str__(self) -> str:
        return ", ".join(f"{name} {percent(weight)}" for name, weight in self.shares)


# --- what is seen --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProxySeen:
    """One proxy's own word: the distinct splits it routes by, or why it is not counted on."""

    name: str
    splits: tuple[Split, ...] = ()
    rejected: str = ""
    unreachable: str = ""


@dataclass(frozen=True, slots=True)
class MeshSeen:
    """What the mesh shows for one route.

    ``splits``: the distinct splits of the route object's managed entries (one, when they agree).
    ``version``: what a write is conditional on. ``epoch``: of the writer whose fence the object bears,
    ``None`` for an object we never wrote. ``ready``: ready endpoints of each backend that the mesh
    knows; ``-1`` where it cannot say. ``resolution``: the smallest weight the mesh can express.
    """

    splits: tuple[Split, ...]
    version: str
    ready: Mapping[str, int]
    proxies: tuple[ProxySeen, ...] = ()
    epoch: int | None = None
    resolution: int = 1


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something could not be read, and why; ``lost`` when it is known to be gone."""

    why: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Raw cumulative counters of one backend at one proxy, from one answer of that proxy.

    ``started`` counts requests sent on, ``completed`` those answered (every attempt, also the proxy's own
    answers for a backend that failed it), ``active`` those under way now, ``codes`` the completed ones
    by asked-for code or class (``5xx``, ``429``). ``uptime`` is the proxy's age in seconds, if it tells.
    """

    proxy: str
    backend: str
    started: int
    completed: int
    active: int
    codes: tuple[tuple[str, int], ...]
    uptime: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """All series of one rollout from one read, and the proxies that did not answer: (name, why)."""

    series: tuple[Series, ...]
    silent: tuple[tuple[str, str], ...] = ()


class Verb(Enum):
    """What a person may order."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"
    RETRY = "retry"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Order:
    """A person's command: journalled first, then part of the next decision. ``argument`` is the verb's own:
    the backend to adopt, ``full`` for a promotion to the end."""

    id: int
    verb: Verb
    actor: str
    why: str
    at: datetime
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason from outside the rollout why no weight may rise: freeze, rewritten history, shared target."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one look knows. ``elapsed``: monotonic seconds since this rollout's last look, ``None``
    when that cannot be said (first look after a start, a clock anomaly): nothing is counted then."""

    now: datetime
    elapsed: float | None
    mesh: MeshSeen | Unseen
    sample: Sample | Unseen
    epoch: int
    orders: tuple[Order, ...] = ()
    holds: tuple[Hold, ...] = ()
    breaker_open: bool = False


# --- what is remembered --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bet:
    """An e-process with restarts (ANALYSIS 3.2): capital not yet bet, and the stakes running on each
    alternative. Evidence is ``unbet + sum(stakes)``, 1 at the start."""

    unbet: float
    stakes: tuple[float, ...]
    fresh: bool = True

    @property
    def evidence(self) -> float:
        """The capital: odds against the null."""
        return self.unbet + sum(self.stakes)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of both arms over some span: completed (``n``) and bad (``x``) requests."""

    canary_n: int = 0
    canary_x: int = 0
    stable_n: int = 0
    stable_x: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.canary_n + other.canary_n,
            self.canary_x + other.canary_x,
            self.stable_n + other.stable_n,
            self.stable_x + other.stable_x,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class ComparisonEvidence:
    """State of a ``Comparison``: its bets, the block being gathered, stable's latest looks (newest last)."""

    mixture: Bet
    gross: Bet
    block: Tally = Tally()
    pending: Tally = Tally()
    recent: tuple[Tally, ...] = ()
    step: Tally = Tally()


@dataclass(frozen=True, slots=True)
class LimitEvidence:
    """State of a ``Limit``: its bet, and the counts at the present rung."""

    bet: Bet
    step: Tally = Tally()


Evidence = ComparisonEvidence | LimitEvidence


@dataclass(frozen=True, slots=True)
class Promoted:
    """A revision that served everybody, and until when (``None``: it still does)."""

    revision: Revision
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What outlives a journey: stable, the revisions that were rejected and those that were promoted
    (newest last, both bounded), and how many journeys have begun."""

    stable: Revision
    rejected: tuple[Revision, ...] = ()
    promoted: tuple[Promoted, ...] = ()
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """The last write we meant to make, and the object's version it was conditional on."""

    version: str
    at: datetime
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """Weights that others wrote: how many looks in a row showed them, and when we set them right."""

    reads: int = 0
    corrected: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Paused:
    """Who stopped the rise, and why."""

    actor: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """The rung at weight 0, before the first raise."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A rung below the first step. ``aimed``: it was chosen knowing the request rate."""

    weight: Weight
    aimed: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of the policy, by index."""

    step: int


Rung = Waiting | Probe | Stage


class Haste(Enum):
    """Rungs whose bake and sample sizes a person waived."""

    NONE = "none"
    ONE = "one"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds of the present rung: baked (seen at its weight, evidence arriving), spent settling, blind
    (no evidence), quiet (since the last completed canary request) and in all."""

    baked: float = 0.0
    settling: float = 0.0
    blind: float = 0.0
    quiet: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Unadopted:
    """We do not know yet which backend is stable. Nothing is written."""


@dataclass(frozen=True, slots=True)
class Steady:
    """All on stable; nothing is under way."""

    past: Past
    intent: Intent | None = None
    drift: Drift = Drift()


@dataclass(frozen=True, slots=True)
class Ramping:
    """A canary on its way up, judged under ``policy`` (the one in force when its evidence was gathered)."""

    past: Past
    policy: Policy
    canary: Revision
    began: datetime
    rung: Rung = Waiting()
    fast: bool = False
    intent: Intent | None = None
    clock: Clock = Clock()
    evidence: tuple[Evidence, ...] = ()
    baseline: Sample | None = None
    paused: Paused | None = None
    haste: Haste = Haste.NONE
    drift: Drift = Drift()


class Cause(Enum):
    """Why a canary goes home."""

    WORSE = "worse"
    OVER_LIMIT = "over_limit"
    NO_DATA = "no_data"
    NOT_READY = "not_ready"
    LOST_ENDPOINTS = "lost_endpoints"
    ABORTED = "aborted"
    WITHDRAWN = "withdrawn"
    REVERTED = "reverted"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class RollingBack:
    """All on stable; ends when the mesh is seen there. ``was`` is the weight that the canary had."""

    past: Past
    canary: Revision
    cause: Cause
    began: datetime
    was: Weight = NOTHING
    intent: Intent | None = None
    total: float = 0.0


class Why(Enum):
    """Why a rollout is held until a person speaks."""

    LOWERED = "lowered"
    CONTESTED = "contested"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Held:
    """What it was, never more: ``weight`` is the most the canary may have until a person says how to go on."""

    was: Unadopted | Steady | Ramping
    why: Why
    weight: Weight = NOTHING


State = Unadopted | Steady | Ramping | RollingBack | Held


# --- what is decided -----------------------------------------------------------------------------


class Verdict(Enum):
    """The answer to a check. One failure outweighs any silence; silence outweighs success."""

    PASSING = "passing"
    FAILING = "failing"
    NO_DATA = "no_data"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SetSplit:
    """The one action: make the route carry ``split``, if it still has ``version``. ``home`` is the
    all-stable split, staged beforehand."""

    split: Split
    version: str
    home: Split


Fact = str | int | float
"""A number or name that a reason rests on."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one look came to. ``facts`` are the numbers behind ``reason``; ``obeyed`` pairs each order's
    id with why it was refused (empty: done); ``counted`` is this look's increment for each check."""

    state: State
    reason: Reason
    facts: Mapping[str, Fact]
    verdict: Verdict | None = None
    actions: tuple[SetSplit, ...] = ()
    obeyed: tuple[tuple[int, str], ...] = ()
    counted: tuple[Tally, ...] = ()
