"""What one look sees: the mesh, the counters, people's orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rollout.core.reason import Reason
from rollout.core.traffic import Split


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
    knows; ``-1`` where it cannot say. ``resolution``: the smallest weight the mesh can express. ``writes``:
    how many of our writes the fence counts; it begins anew where the fence was lost. ``verified``: proxies
    themselves were asked; else ``proxies`` are controllers, who can tell only what they accepted.
    """

    splits: tuple[Split, ...]
    version: str
    ready: Mapping[str, int]
    proxies: tuple[ProxySeen, ...] = ()
    epoch: int | None = None
    resolution: int = 1
    writes: int = 0
    verified: bool = True


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
    by asked-for code or class (``5xx``, ``429``), failed calls (``grpc``) or connections (``tcp``: then
    connections are what is counted everywhere). ``uptime`` is the proxy's age in seconds, if it tells.
    ``edges``: how many answers took at most so many milliseconds, in rising order, the last edge infinite;
    that one alone while there was no answer yet, none at all when it was not asked for or is not told.

    Of what is kept to difference against: ``late`` requests were under way for at least ``age`` seconds.
    """

    proxy: str
    backend: str
    started: int
    completed: int
    active: int
    codes: tuple[tuple[str, int], ...]
    uptime: float | None = None
    edges: tuple[tuple[float, int], ...] = ()
    late: int = 0
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class RatioSeen:
    """What a named query counts of one backend at one instance: raw, cumulative, from one scrape."""

    query: str
    backend: str
    instance: str
    bad: int
    total: int


@dataclass(frozen=True, slots=True)
class GaugeSeen:
    """What a named query read of one backend at one instance, and when (seconds since 1970)."""

    query: str
    backend: str
    instance: str
    value: float
    at: float


QuerySeen = RatioSeen | GaugeSeen


@dataclass(frozen=True, slots=True)
class Sample:
    """All series of one rollout from one read, and the proxies that did not answer: (name, why).

    ``rates``, of what is kept to difference against: each proxy's requests per second over its life, as they
    were when none was silent. ``queries``: what the operator's named queries showed. ``missing``: what was
    asked for and cannot be seen here, and why: ``latency``, ``grpc``, a query's name; the rest is judged.
    """

    series: tuple[Series, ...]
    silent: tuple[tuple[str, str], ...] = ()
    rates: tuple[tuple[str, float], ...] = ()
    queries: tuple[QuerySeen, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Noise:
    """By how much more than by chance two equal arms of a service differ (phi; 1: not at all), as so many
    ``minutes`` of stable's history showed it. ``factors``: for each check, pairs of the canary's share of
    traffic and phi; none while too little is known.
    """

    minutes: int = 0
    factors: tuple[tuple[tuple[float, float], ...], ...] = ()


UNHEARD = Noise()
"""Nothing is known of it."""


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
    the backend to adopt, ``full`` for a promotion to the end. ``attempt``: the journey, or the rest after it,
    that the person spoke of; what a disk kept back is not obeyed in the next one.
    """

    id: int
    verb: Verb
    actor: str
    why: str
    at: datetime
    argument: str = ""
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason from outside the rollout why no weight may rise: freeze, rewritten history, shared target."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one look knows. ``elapsed``: monotonic seconds since this rollout's last look, ``None``
    when that cannot be said (first look after a start, a clock anomaly): no time is counted then.
    ``look``: seconds between looks in force. ``epoch``: of this process. ``unwritten``: the write of the pass
    before is known not to have happened. ``observe``: nothing will be written whatever is decided. ``noise``:
    of stable, as far as it is known.
    """

    now: datetime
    elapsed: float | None
    mesh: MeshSeen | Unseen
    sample: Sample | Unseen
    epoch: int
    look: float = 1.0
    orders: tuple[Order, ...] = ()
    holds: tuple[Hold, ...] = ()
    breaker_open: bool = False
    unwritten: bool = False
    observe: bool = False
    noise: Noise = UNHEARD
