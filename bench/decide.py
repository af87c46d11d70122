"""One decision about a ramping rollout: its counters differenced, judged, and the rules asked."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.figures import Figure
from rollout.core.asked import SPIKES
from rollout.core.machine import decide
from rollout.core.model import (
    Analysis,
    Check,
    Clock,
    Comparison,
    GaugeSeen,
    Latency,
    Limit,
    MeshSeen,
    Observation,
    Past,
    Policy,
    ProxySeen,
    Query,
    QuerySeen,
    Ramping,
    RatioSeen,
    Revision,
    Route,
    Sample,
    Series,
    Split,
    Stage,
    Step,
    Tally,
    Weight,
)
from rollout.core.terms import evidence_of

BUDGET, FOUR_BUDGET = 100.0, 200.0
"""Microseconds: for the default check, and for four that ask of different things."""
FOUR: tuple[Check, ...] = (
    Comparison(),
    Comparison(Latency()),
    Comparison(Query("payments")),
    Limit(SPIKES, Query("queue", 250.0), min_requests=10),
)
QUICKER = (0.001, 0.013, 0.14, 0.41, 0.74, 0.96, 0.996, 0.9998, 1.0, 1.0, 1.0)
EDGES = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, math.inf)
"""Milliseconds, and the share of answers within each: five of the edges tell slow from quick."""
BATCH = 50
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUTE = Route("envoy", "envoy", "jazz")
SPLIT = Split.between("jazz-v1", "jazz-v2", Weight(5_000))


def measure(*, quick: bool) -> Iterator[Figure]:
    """The default check alone, and with an absolute limit beside it; the best of many batches."""
    batches = 40 if quick else 400
    yield Figure("the default check", _best((Comparison(),), batches), "us", BUDGET)
    yield Figure("with an absolute limit", _best((Comparison(), Limit(0.05)), batches), "us")
    yield Figure("errors, latency and two queries", _best(FOUR, batches), "us", FOUR_BUDGET)


def _best(checks: tuple[Check, ...], batches: int) -> float:
    """Microseconds for one decision. Each look differs, as it does in life: counters grow, failures come."""
    policy = Policy(
        "prod/jazz",
        ROUTE,
        Revision("jazz-v2"),
        (Step(Weight(1_000), 300.0), Step(Weight(5_000), 600.0), Step(Weight(10_000), 600.0)),
        Analysis(checks=checks),
    )
    everything = len(checks) == len(FOUR)
    seen = [_look(number, everything=everything) for number in range(BATCH + 1)]
    begin = Ramping(
        Past(Revision("jazz-v1"), ROUTE, attempt=1),
        policy,
        Revision("jazz-v2"),
        NOW,
        Stage(1),
        clock=Clock(baked=10.0, carried=True),
        evidence=evidence_of(policy),
        counts=(Tally(),) * len(checks),
    )
    fastest = float("inf")
    for _ in range(batches):
        state = decide(begin, policy, seen[0]).state
        started = time.perf_counter()
        for look in seen[1:]:
            state = decide(state, policy, look).state
        fastest = min(fastest, time.perf_counter() - started)
        assert isinstance(state, Ramping), "a healthy canary was sent home"
    return 1e6 * fastest / BATCH


def _look(number: int, *, everything: bool) -> Observation:
    stable = _series("jazz-v1", number, 1_000_000, everything=everything)
    canary = _series("jazz-v2", number, 1_000, everything=everything)
    mesh = MeshSeen(
        (SPLIT,), "version", {"jazz-v1": 3, "jazz-v2": 3}, (ProxySeen("127.0.0.1:9901", (SPLIT,)),), 1
    )
    now = NOW + timedelta(seconds=number)
    queries = _queries("jazz-v1", number) + _queries("jazz-v2", number) if everything else ()
    return Observation(now, 1.0, mesh, Sample((stable, canary), queries=queries), epoch=1)


def _series(backend: str, number: int, before: int, *, everything: bool) -> Series:
    completed = before + 100 * number
    codes = (("5xx", before // 100 + number),)
    upto = tuple(zip(EDGES, (round(share * completed) for share in QUICKER), strict=True))
    edges = upto if everything else ()
    return Series("127.0.0.1:9901", backend, completed, completed, 0, codes, 1_000.0 + number, edges)


def _queries(backend: str, number: int) -> tuple[QuerySeen, ...]:
    """Of two instances."""
    names = f"{backend}-a", f"{backend}-b"
    ratios = [RatioSeen("payments", backend, name, number // 10, 50 * number) for name in names]
    gauges = [GaugeSeen("queue", backend, name, 100.0, float(number)) for name in names]
    return (*ratios, *gauges)
