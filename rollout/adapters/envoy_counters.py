"""What Envoy's counters of a cluster mean, whoever reads them: its admin interface, or Prometheus.

Not an adapter: it serves no port. What each counter means, and what was measured to find out, is in
docs/decisions/envoy-counters.md. In short: the unit is an *attempt* at an upstream, retried ones included,
and whatever keeps an attempt from ending well (timeout, reset, refused connection, overflow, a body that
breaks off) is an error of class 5xx.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rollout.adapters.envoy_admin import stat_name
from rollout.core.model import Series

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


def series(proxy: str, backend: str, found: Counters, codes: Iterable[str]) -> Series | None:
    """One backend's counters at one proxy; ``None`` where the proxy does not know the backend.

    A counter that is absent was never touched, so it is zero.
    """
    prefix = f"cluster.{stat_name(backend)}."
    if prefix + PRESENT not in found:
        return None

    def total(*keys: str) -> int:
        return sum(found.get(prefix + key, 0) for key in keys)

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
    return Series(
        proxy=proxy,
        backend=backend,
        started=max(total(SENT) + unsent, completed + active),
        completed=completed,
        active=active,
        codes=tuple(
            (code, errors if code == "5xx" else total(f"upstream_rq_{code}", f"retry.upstream_rq_{code}"))
            for code in codes
        ),
        uptime=float(found[UPTIME]),
    )
