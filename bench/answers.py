"""An answer of Envoy's about a thousand rollouts that ask for latency: read, and all decided on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import orjson

from bench.decide import NOW, ROUTE
from bench.figures import Figure
from rollout.adapters.envoy_counters import UPTIME, sample_of
from rollout.adapters.metrics.envoy import inquire, told
from rollout.core.machine import decide
from rollout.core.model import (
    Analysis,
    Clock,
    Comparison,
    Latency,
    MeshSeen,
    Observation,
    Past,
    Policy,
    ProxySeen,
    Ramping,
    Revision,
    Sample,
    Split,
    Stage,
    Step,
    Tally,
    Weight,
)
from rollout.core.terms import evidence_of
from rollout.ports import Question

BUDGET, LOOK, LOAD = 30.0, 5.0, 0.3
"""Milliseconds for five megabytes; and the share of a core, with looks at everybody each five seconds."""
MEGABYTES = 5.0
ROLLOUTS = 1_000
PROXY = "127.0.0.1:9901"
BOUNDS = (
    *(0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000),
    *(3e5, 6e5, 1_800_000, 3_600_000),
)
QUICKER = (0.0, 0.0, 0.001, 0.013, 0.14, 0.41, 0.74, 0.96, 0.996, 0.9998, *(1.0,) * 9)
COUNTED = ("upstream_rq_2xx", "upstream_rq_5xx", "upstream_rq_total", "membership_total")
CHECKS = (Comparison(), Comparison(Latency()))


def measure(*, quick: bool) -> Iterator[Figure]:
    """The best of some readings."""
    rounds = 3 if quick else 20
    names = tuple(f"service-{number}-v{version}" for number in range(1_700) for version in (1, 2))
    body = _answer(names, 1)
    inquiry = inquire(names, ("5xx",), latency=True)
    size = len(body) / 1e6
    read = _best(lambda: told(body, inquiry), rounds) * MEGABYTES / size
    yield Figure("five megabytes with histograms", 1e3 * read, "ms", BUDGET)
    floor = _best(lambda: orjson.loads(body), rounds) * MEGABYTES / size
    yield Figure("of that, orjson alone", 1e3 * floor, "ms")
    yield Figure("1 000 ramping rollouts, a look each 5 s", _load(rounds), "of a core", LOAD)


def _best(do: Callable[[], object], rounds: int) -> float:
    """Seconds."""
    fastest = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        do()
        fastest = min(fastest, time.perf_counter() - started)
    return fastest


def _answer(names: tuple[str, ...], look: int) -> bytes:
    """As Envoy gives it at a look: what grows, grows."""
    stats: list[object] = [{"name": UPTIME, "value": 1_000 + 5 * look}]
    histograms = []
    completed = 1_000 + 100 * look
    for name in names:
        values = (completed - completed // 100, completed // 100, completed, 3)
        stats += [
            {"name": f"cluster.{name}.{key}", "value": value}
            for key, value in zip(COUNTED, values, strict=True)
        ]
        buckets = [
            {"upper_bound": bound, "interval": round(100 * share), "cumulative": round(completed * share)}
            for bound, share in zip(BOUNDS, QUICKER, strict=True)
        ]
        histograms.append({"name": f"cluster.{name}.upstream_rq_time", "buckets": buckets})
    return orjson.dumps({"stats": [*stats, {"histograms": histograms}]})


def _load(rounds: int) -> float:
    """The share of a core that reading and deciding take, at the best of the looks."""
    rollouts = [_ramping(number) for number in range(ROLLOUTS)]
    questions = [
        Question((ramp.past.stable.backend, ramp.canary.backend), ("5xx",), latency=True) for ramp in rollouts
    ]
    names = tuple(backend for question in questions for backend in question.backends)
    inquiry = inquire(names, ("5xx",), latency=True)
    fastest = float("inf")
    for look in range(rounds + 2):
        body = _answer(names, look)
        started = time.perf_counter()
        answer = told(body, inquiry)
        for number, question in enumerate(questions):
            series, missing = sample_of(PROXY, answer, question)
            sample = Sample(tuple(series), missing=tuple(missing))
            ramp = rollouts[number]
            after = decide(ramp, ramp.policy, _seen(ramp, sample, look)).state
            assert isinstance(after, Ramping), "a healthy canary was sent home"
            rollouts[number] = after
        if look > 1:  # the first two choose the edges, and have nothing to count from
            fastest = min(fastest, time.perf_counter() - started)
    return fastest / LOOK


def _ramping(number: int) -> Ramping:
    stable, canary = (Revision(f"service-{number}-v{version}") for version in (1, 2))
    steps = (Step(Weight(1_000), 300.0), Step(Weight(5_000), 6_000.0), Step(Weight(10_000), 600.0))
    policy = Policy(f"prod/service-{number}", ROUTE, canary, steps, Analysis(checks=CHECKS))
    return Ramping(
        Past(stable, ROUTE, attempt=1),
        policy,
        canary,
        NOW,
        Stage(1),
        clock=Clock(baked=10.0, carried=True),
        evidence=evidence_of(policy),
        counts=(Tally(),) * len(CHECKS),
    )


def _seen(ramp: Ramping, sample: Sample, look: int) -> Observation:
    stable, canary = ramp.past.stable.backend, ramp.canary.backend
    split = Split.between(stable, canary, Weight(5_000))
    mesh = MeshSeen((split,), "version", {stable: 3, canary: 3}, (ProxySeen(PROXY, (split,)),), 1)
    return replace(Observation(NOW + timedelta(seconds=LOOK * look), LOOK, mesh, sample, epoch=1), look=LOOK)
