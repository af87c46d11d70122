"""What git says about one rollout: the policy. Durations are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from enum import Enum

from rollout.core.traffic import Weight


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
class CustomForm:
    """Where a resource that nobody here knows keeps its weights: ``targets`` leads to the list (lists), and
    ``backend`` and ``weight`` are a target's keys. ``absent`` is what a missing weight means, ``total`` what
    weights sum to (0: it does not matter), ``ready`` the condition that says the resource is in force.
    """

    api_version: str
    kind: str
    targets: str
    backend: str = "name"
    weight: str = "weight"
    absent: int = 0
    total: int = 0
    ready: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Whose weights move. ``only`` pins the routes inside the object that are ours; empty: all of them.
    ``form``: of a custom resource.
    """

    kind: str
    mesh: str
    name: str
    namespace: str = ""
    only: tuple[str, ...] = ()
    form: CustomForm | None = None

    @property
    def key(self) -> str:
        """The target's canonical name: no two policies may share one."""
        kind = f"{self.form.kind}.{self.form.api_version}" if self.form else self.kind
        return f"{kind}/{self.mesh}/{self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """A weight and the least time (seconds) to bake at it."""

    weight: Weight
    bake: float


class Protocol(Enum):
    """By what a failure is known: the response code, the gRPC status, or the fate of a connection."""

    HTTP = "http"
    GRPC = "grpc"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Errors:
    """Bad is what failed: a request by its response code (``codes``), or what ``protocol`` calls failed."""

    codes: tuple[str, ...] = ("5xx",)
    protocol: Protocol = Protocol.HTTP

    @property
    def counted(self) -> tuple[str, ...]:
        """Under which names a source counts them: ``5xx``, ``429``, ``grpc``, ``tcp``."""
        return self.codes if self.protocol is Protocol.HTTP else (self.protocol.value,)


@dataclass(frozen=True, slots=True)
class Latency:
    """Bad is a request that took longer than ``over`` milliseconds: than the least edge of the source's
    buckets that is not below it. ``None``: at every edge where stable's latency says something (ANALYSIS 6).
    """

    over: float | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Bad is what the operator's query ``name`` counts as bad; of a gauge, a reading above ``over``."""

    name: str
    over: float | None = None


Measure = Errors | Latency | Query
"""What is bad."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A check without ``max``: is the canary worse than the concurrent stable? (ANALYSIS 3.1-3.3, 3.6b)."""

    of: Measure = Errors()
    min_requests: int = 20


@dataclass(frozen=True, slots=True)
class Limit:
    """A check with ``max``: is more than a share ``max`` (0 to 1) of what the canary did bad?

    Of a latency that is 1 - ``quantile``: a 99 % quantile of at most 500 ms is at most 1 % slower than that.
    Of a gauge ``SPIKES``: so many of its readings may be above the level.
    """

    max: float
    of: Measure = Errors()
    min_requests: int = 100


SPIKES = 0.1
"""The share of a gauge's readings that may be above its limit: one reading is no state."""
SPARSE = 10
"""Readings of a gauge that are enough, unless the policy says it: they come once a scrape."""


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


class Inconclusive(Enum):
    """What to do when a step's bake is long over and its requests still prove too little."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLLBACK = "rollback"


HOLDBACK = Weight(500)
"""What stable keeps in the last step, so that a control remains."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """How a canary is judged. ``look`` is the wished seconds between looks, ``None`` for the default."""

    metrics: str = "envoy"
    checks: tuple[Check, ...] = (Comparison(),)
    no_data: NoDataRule = NoDataRule()
    holdback: Weight = HOLDBACK
    look: float | None = None
    inconclusive: Inconclusive = Inconclusive.HOLD

    @property
    def main(self) -> int:
        """The check whose counts speak for the rollout: the first about errors, or else the first."""
        errors = (index for index, check in enumerate(self.checks) if isinstance(check.of, Errors))
        return next(errors, 0)


@dataclass(frozen=True, slots=True)
class Window:
    """When weight may rise. ``days``: 0 (Monday) to 6; an ``until`` not after ``since`` is past midnight."""

    days: tuple[int, ...]
    since: time
    until: time
    zone: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a policy came from: the commit that last changed its file, the ``line`` its document is at."""

    source: str = ""
    path: str = ""
    commit: str = ""
    author: str = ""
    subject: str = ""
    line: int = 1


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
