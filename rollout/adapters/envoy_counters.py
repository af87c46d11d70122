"""What Envoy's counters of a cluster mean, whoever reads them: its admin interface, or Prometheus.

Not an adapter: it serves no port. What each counter means, and what was measured to find out, is in
docs/decisions/envoy-counters.md. In short: the unit is an *attempt* at an upstream, retried ones included,
and whatever keeps an attempt from ending well (timeout, reset, refused connection, overflow, a body that
breaks off) is an error of class 5xx.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from rollout.adapters.envoy_admin import Silent, stat_name
from rollout.core.model import Series
from rollout.ports import Question

Counters = Mapping[str, int]
"""By the name that Envoy's own statistics have: ``cluster.jazz-v1.upstream_rq_2xx``."""

UPTIME = "server.uptime"
PRESENT = "membership_total"
"""Every cluster has this gauge from birth: a cluster without it does not exist at this proxy."""

CLASSES = ("2xx", "3xx", "4xx", "5xx", "unknown")
FINAL = tuple(f"upstream_rq_{code}" for code in CLASSES)
RETRIED = tuple(f"retry.upstream_rq_{code}" for code in CLASSES)
RETRIES = "upstream_rq_retry"
UPGRADED = "upstream_rq_101"

UNSENT = (
    "upstream_rq_pending_overflow",
    "upstream_rq_active_overflow",
    "upstream_rq_maintenance_mode",
    "upstream_cx_none_healthy",
)
"""Attempts that failed before they reached a host."""

EJECTED = "upstream_rq_pending_failure_eject"
"""HTTP/1: attempts whose connection failed. HTTP/2: also streams of a connection that broke."""

CANCELLED = "upstream_rq_cancelled"
BROKEN = (*UNSENT, EJECTED, "upstream_rq_timeout", "upstream_rq_rx_reset")
"""Disjoint ways for an attempt to fail, before its headers (then it is a 5xx as well) or after them."""

CUT = "upstream_cx_destroy_remote_with_active_rq"
"""Connections that the upstream closed in the middle of a request. HTTP/1: one attempt each."""

MULTIPLEXED = ("upstream_cx_http2_total", "upstream_cx_http3_total")
SENT = "upstream_rq_total"
ACTIVE = ("upstream_rq_active", "upstream_rq_pending_active")
ASKED = (PRESENT, *FINAL, *RETRIED, RETRIES, UPGRADED, CANCELLED, *BROKEN, CUT, *MULTIPLEXED, SENT, *ACTIVE)

CALLED, FAILED_CALLS = "grpc.success", "grpc.failure"
"""What the filter ``grpc_stats`` counts when a call ends with a status, over all services and methods."""

UNCONNECTED = (
    "upstream_cx_connect_fail",
    "upstream_cx_none_healthy",
    "upstream_cx_overflow",
    "upstream_rq_pending_overflow",
)
"""TCP: connections that were never made. What ends one that was made cannot be told from its good end."""
CONNECTING = "upstream_rq_pending_active"

TIME = "upstream_rq_time"
"""The histogram of answers, in milliseconds. Those that a proxy made up itself are not in it."""
LONG = 60_000.0
"""Milliseconds that the last of a histogram's buckets must reach: Envoy tells of none beyond it."""

EXTRA: Mapping[str, tuple[str, ...]] = MappingProxyType({"grpc": (CALLED, FAILED_CALLS), "tcp": UNCONNECTED})
"""What has to be asked for beside ``ASKED``, by what fails."""

Edges = tuple[tuple[float, int], ...]
NO_ANSWER: Edges = ((math.inf, 0),)


@dataclass(frozen=True, slots=True)
class Told:
    """What one proxy told: its counters, and its histograms by name as cumulative edges (milliseconds).

    ``edges`` raises ``Silent`` for one that makes no sense.
    """

    counters: Counters
    edges: Callable[[str], Edges | None] = lambda _: None

    def of(self, backend: str, key: str) -> int:
        """One counter of a cluster. One that is absent was never touched, so it is zero."""
        return self.counters.get(f"cluster.{stat_name(backend)}.{key}", 0)

    def knows(self, backend: str) -> bool:
        """Does the proxy have this cluster?"""
        return f"cluster.{stat_name(backend)}.{PRESENT}" in self.counters

    def times(self, backend: str) -> Edges | None:
        """The cluster's histogram of answers; ``None`` while there is none."""
        return self.edges(f"cluster.{stat_name(backend)}.{TIME}")


def keys_of(codes: Iterable[str]) -> tuple[str, ...]:
    """The counters of a cluster that have to be asked for to count these codes and failures."""
    keys = list(ASKED)
    for code in codes:
        keys += EXTRA.get(code, (f"upstream_rq_{code}", f"retry.upstream_rq_{code}"))
    return tuple(dict.fromkeys(keys))


def sample_of(proxy: str, told: Told, question: Question) -> tuple[list[Series], list[tuple[str, str]]]:
    """One proxy's series for a question, and what of it cannot be seen at this proxy, and why.

    Raises:
        Silent: a histogram makes no sense.
    """
    known = [backend for backend in question.backends if told.knows(backend)]
    found = [_series(proxy, backend, told, question) for backend in known]
    return found, list(_missing(proxy, told, question, known))


def _series(proxy: str, backend: str, told: Told, question: Question) -> Series:
    attempts = _attempts(told, backend)
    started, completed, active = attempts.started, attempts.completed, attempts.active
    codes = tuple((code, _bad(told, backend, code, attempts)) for code in question.codes)
    match question.codes:
        case ("tcp",):
            completed = told.of(backend, SENT) + codes[0][1]
            active = told.of(backend, CONNECTING)
            started = completed + active
        case ("grpc",):
            completed = told.of(backend, CALLED) + codes[0][1]
            started = max(started, completed + active)
        case _:
            pass
    edges = (told.times(backend) or NO_ANSWER) if question.latency else ()
    edges = edges if not edges or edges[-1][0] == math.inf else ()
    uptime = float(told.counters[UPTIME])
    return Series(proxy, backend, started, completed, active, codes, uptime, edges)


@dataclass(frozen=True, slots=True)
class _Attempts:
    """What became of the attempts at an upstream: ``errors`` are the completed ones of class 5xx."""

    started: int
    completed: int
    active: int
    errors: int


def _attempts(told: Told, backend: str) -> _Attempts:
    def total(*keys: str) -> int:
        return sum(told.of(backend, key) for key in keys)

    # A retried attempt that had no response (reset, timeout, refused) moves only the count of retries.
    unanswered = max(0, total(RETRIES) - total(*RETRIED))
    completed = total(*FINAL, UPGRADED, *RETRIED) + unanswered
    multiplexed = total(*MULTIPLEXED) > 0
    cut = 0 if multiplexed else max(0, total(CUT) - total(UPGRADED))
    errors = total("upstream_rq_5xx", "retry.upstream_rq_5xx") + unanswered
    # Each of these is one of the errors above, or it broke after good headers and is seen nowhere else.
    errors = min(completed, max(errors, total(*BROKEN) + cut))
    unsent = total(*UNSENT, CANCELLED) + (0 if multiplexed else total(EJECTED))
    active = total(*ACTIVE)
    return _Attempts(max(total(SENT) + unsent, completed + active), completed, active, errors)


def _bad(told: Told, backend: str, code: str, attempts: _Attempts) -> int:
    match code:
        case "5xx":
            return attempts.errors
        case "grpc":
            # A call that was retried failed; one that broke off has no status, and is one of the errors.
            return max(told.of(backend, FAILED_CALLS) + told.of(backend, RETRIES), attempts.errors)
        case "tcp":
            return sum(told.of(backend, key) for key in UNCONNECTED)
        case _:
            return told.of(backend, f"upstream_rq_{code}") + told.of(backend, f"retry.upstream_rq_{code}")


def _missing(proxy: str, told: Told, question: Question, known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What a proxy does not count though there was something to count, of any of the backends."""
    answered = [backend for backend in known if (of := _attempts(told, backend)).completed > of.errors]
    if "grpc" in question.codes and answered and not any(_calls(told, backend) for backend in answered):
        yield (
            "grpc",
            f"{proxy} counts no gRPC calls: give its listener the filter envoy.filters.http.grpc_stats",
        )
    if not question.latency or not answered:
        return
    histograms = [edges for backend in answered if (edges := told.times(backend))]
    if not histograms:
        yield "latency", f"{proxy} has no histogram {TIME} (Envoy tells it 5 s after the first answer)"
    elif short := [edges[-1][0] for edges in histograms if edges[-1][0] != math.inf]:
        why = (
            f"{proxy} has buckets of {TIME} that end at {short[0]:g} ms, and tells nothing of what is slower"
        )
        yield "latency", f"{why}: add one of {LONG:g} ms"


def _calls(told: Told, backend: str) -> int:
    return told.of(backend, CALLED) + told.of(backend, FAILED_CALLS)


def edges_of(name: str, pairs: Iterable[tuple[Any, Any]]) -> Edges:
    """A histogram's edges from (upper bound in milliseconds, cumulative count) in rising order.

    Nothing beyond the last one is told, so it stands for every answer; but not where it is below ``LONG``.

    Raises:
        Silent: they are no such thing.
    """
    edges = tuple(pairs)
    bounds = [bound for bound, _ in edges]
    sound = all(type(count) is int and count >= 0 for _, count in edges) and all(
        type(bound) in {int, float} for bound in bounds
    )
    if not edges or not sound or not bounds[0] >= 0 or not all(low < high for low, high in pairwise(bounds)):
        raise Silent(f"answered {name} without rising buckets of counts")
    return (*edges[:-1], (math.inf, edges[-1][1])) if bounds[-1] >= LONG else edges
