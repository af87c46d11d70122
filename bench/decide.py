"""One decision about a ramping rollout: its counters differenced, judged, and the rules asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.figures import Figure
from rollout.core.machine import decide
from rollout.core.model import (
    Analysis,
    Clock,
    Comparison,
    Limit,
    MeshSeen,
    Observation,
    Past,
    Policy,
    ProxySeen,
    Ramping,
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

BUDGET = 100.0
BATCH = 50
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUTE = Route("envoy", "envoy", "jazz")
SPLIT = Split.between("jazz-v1", "jazz-v2", Weight(5_000))


def measure(*, quick: bool) -> Iterator[Figure]:
    """The default check alone, and with an absolute limit beside it; the best of many batches."""
    batches = 40 if quick else 400
    yield Figure("the default check", _best((Comparison(),), batches), "us", BUDGET)
    yield Figure("with an absolute limit", _best((Comparison(), Limit(0.05)), batches), "us")


def _best(checks: tuple[Comparison | Limit, ...], batches: int) -> float:
    """Microseconds for one decision. Each look differs, as it does in life: counters grow, failures come."""
    policy = Policy(
        "prod/jazz",
        ROUTE,
        Revision("jazz-v2"),
        (Step(Weight(1_000), 300.0), Step(Weight(5_000), 600.0), Step(Weight(10_000), 600.0)),
        Analysis(checks=checks),
    )
    seen = [_look(number) for number in range(BATCH + 1)]
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


def _look(number: int) -> Observation:
    stable = _series("jazz-v1", number, 1_000_000)
    canary = _series("jazz-v2", number, 1_000)
    mesh = MeshSeen(
        (SPLIT,), "version", {"jazz-v1": 3, "jazz-v2": 3}, (ProxySeen("127.0.0.1:9901", (SPLIT,)),), 1
    )
    now = NOW + timedelta(seconds=number)
    return Observation(now, 1.0, mesh, Sample((stable, canary)), epoch=1)


def _series(backend: str, number: int, before: int) -> Series:
    completed = before + 100 * number
    codes = (("5xx", before // 100 + number),)
    return Series("127.0.0.1:9901", backend, completed, completed, 0, codes, 1_000.0 + number)
