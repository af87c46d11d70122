"""What is remembered between looks: the states, each with only what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rollout.core.asked import Policy, Revision, Route
from rollout.core.seen import UNHEARD, Noise, Sample
from rollout.core.traffic import NOTHING, Split, Weight


@dataclass(frozen=True, slots=True)
class Bet:
    """An e-process with restarts (ANALYSIS 3.2): capital not yet bet, and the stakes running on each
    alternative. Evidence is ``unbet + sum(stakes)``, 1 at the start.
    """

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
class Control:
    """What stable failed since the canary's first weight, for when it has no traffic left: counts, its
    ``worst`` share in a minute, and the minute that is being counted.
    """

    stable_n: int = 0
    stable_x: int = 0
    worst: float = 0.0
    window_n: int = 0
    window_x: int = 0
    window_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ComparisonEvidence:
    """State of a ``Comparison``: its bets; the blocks that the mixture (with the betting bet) and the gross
    bet are gathering; stable's latest blocks (newest last); the counts that prove the present rung; seconds
    since the first weight, and what stable was like in them.
    """

    mixture: Bet
    gross: Bet
    block: Tally = Tally()
    gross_block: Tally = Tally()
    recent: tuple[Tally, ...] = ()
    step: Tally = Tally()
    betting: Bet = Bet(1.0, (0.0,) * 4)
    guard: Bet = Bet(1.0, (0.0,) * 4)
    age: float = 0.0
    control: Control = Control()


@dataclass(frozen=True, slots=True)
class LimitEvidence:
    """State of a ``Limit``: its bet that the canary breaks it, the bets that it is worse than stable by the
    same codes, and the counts at the present rung.
    """

    bet: Bet
    worse: ComparisonEvidence
    step: Tally = Tally()


@dataclass(frozen=True, slots=True)
class EdgeEvidence:
    """State of a latency comparison at one edge (milliseconds): its bet with the block it is gathering, the
    counts that prove the present rung, and all that was counted since its write. ``x``: slower than the edge.
    """

    edge: float
    bet: Bet
    block: Tally = Tally()
    step: Tally = Tally()
    counts: Tally = Tally()


@dataclass(frozen=True, slots=True)
class LatencyEvidence:
    """State of a ``Comparison`` of latencies: one bet for each edge, chosen by what stable showed before.

    ``None`` until that is known; empty when no edge of the buckets tells slow from quick. ``age``: seconds
    since the first weight.
    """

    edges: tuple[EdgeEvidence, ...] | None = None
    age: float = 0.0

    @property
    def step(self) -> Tally:
        """The counts that prove the present rung, at the edge that speaks most against the canary."""
        worst = self.worst
        return worst.step if worst else Tally()

    @property
    def worst(self) -> EdgeEvidence | None:
        """The edge that speaks most against the canary; the lowest of equals."""
        return max(self.edges, key=lambda each: each.bet.evidence) if self.edges else None


Evidence = ComparisonEvidence | LimitEvidence | LatencyEvidence


@dataclass(frozen=True, slots=True)
class Promoted:
    """A revision that served everybody, and until when (``None``: it still does)."""

    revision: Revision
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Real:
    """What was true when observe mode began, and is again when it ends; see ``Past``."""

    stable: Revision
    route: Route
    rejected: tuple[Revision, ...]
    promoted: tuple[Promoted, ...]
    epoch: int
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """What outlives a journey: stable on its route, the revisions that were rejected and that were promoted
    (newest last, both bounded), and how many journeys have begun. ``virtual``: lived in observe mode, where
    nothing of it was written; when that ends it is forgotten for what was ``real`` before (``None``: not yet
    adopted). ``epoch``: a newer fence on the route that a person overruled by adopting it. ``writes``: what
    the fence counts after the last write that was decided; a route that counts more was written by somebody
    who remembers more than this journal. ``silent_at``: when a canary went home for lack of evidence last.
    """

    stable: Revision
    route: Route
    rejected: tuple[Revision, ...] = ()
    promoted: tuple[Promoted, ...] = ()
    attempt: int = 0
    virtual: bool = False
    epoch: int = 0
    real: Real | None = None
    writes: int = 0
    silent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """The last write we meant to make, the object's version it was conditional on, and the splits that the
    object showed then. ``confirmed``: it was seen in force.
    """

    version: str
    at: datetime
    confirmed: bool = False
    shown: tuple[Split, ...] = ()


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
    (no evidence), quiet (since the last completed canary request) and without a ready endpoint.
    ``carried``: the last look saw the mesh carry the rung's weight. ``pace``: what was counted in spans of
    known length, for rates; a restart's first count spans nobody knows how much.
    """

    baked: float = 0.0
    settling: float = 0.0
    blind: float = 0.0
    quiet: float = 0.0
    unready: float = 0.0
    carried: bool = False
    pace: Tally = Tally()


@dataclass(frozen=True, slots=True)
class Flow:
    """Does the traffic follow the weight? The counts since the last answer, and how many answers in a row
    were no: a single one may hold requests that were under way when the weight moved (FAILURES M3).
    """

    window: Tally = Tally()
    misses: int = 0

    @property
    def follows(self) -> bool:
        """It does, as far as is known."""
        return self.misses < 2  # noqa: PLR2004 - two in a row, as M3 says


@dataclass(frozen=True, slots=True)
class Unadopted:
    """We do not know yet which backend is stable. Nothing is written. ``attempt``: journeys begun before."""

    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Steady:
    """All on stable; nothing is under way."""

    past: Past
    intent: Intent | None = None
    drift: Drift = Drift()


@dataclass(frozen=True, slots=True)
class Ramping:
    """A canary on its way up, judged under ``policy`` (the one in force when its evidence was gathered).

    ``looks``: so many were taken so far. ``counts``: for each check, all that was counted since this rung's
    write. ``fast``: a return to a known
    revision goes from the probe straight to the last step. ``baseline``: what to difference against next.
    ``noise``: the newest that is known.
    """

    past: Past
    policy: Policy
    canary: Revision
    began: datetime
    rung: Rung = Waiting()
    fast: bool = False
    intent: Intent | None = None
    clock: Clock = Clock()
    evidence: tuple[Evidence, ...] = ()
    counts: tuple[Tally, ...] = ()
    flow: Flow = Flow()
    baseline: Sample | None = None
    paused: Paused | None = None
    haste: Haste = Haste.NONE
    drift: Drift = Drift()
    noise: Noise = UNHEARD
    looks: int = 0


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
    INCONCLUSIVE = "inconclusive"


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
    """What it was, never more: ``weight`` is the most the canary may have until a person speaks."""

    was: Unadopted | Steady | Ramping
    why: Why
    weight: Weight = NOTHING


State = Unadopted | Steady | Ramping | RollingBack | Held
