"""Histograms, calls of gRPC and connections in answers of Envoy's admin interface, true and mutilated."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from rollout.adapters.envoy_admin import Silent
from rollout.adapters.envoy_counters import sample_of
from rollout.adapters.metrics.envoy import inquire, told
from rollout.core.model import Series
from rollout.ports import Question
from tests.unit.adapters.test_envoy_stats import of

BOTH = "jazz-v1", "jazz-v2"
CHARGE = "cluster.jazz-v2.grpc.shop.Pay.Charge"
BOUNDS = (0.5, 10, 100, 3e5, 3600000)


def histogram(backend: str, *counts: int, bounds: tuple[float, ...] = BOUNDS) -> dict[str, Any]:
    """As Envoy prints it: cumulative counts, and those since its last flush."""
    buckets = [
        {"upper_bound": bound, "interval": 0, "cumulative": count}
        for bound, count in zip(bounds, counts, strict=True)
    ]
    return {"name": f"cluster.{backend}.upstream_rq_time", "buckets": buckets}


def body(stats: dict[str, int], *histograms: dict[str, Any]) -> bytes:
    plain: list[Any] = [{"name": name, "value": value} for name, value in stats.items()]
    return orjson.dumps({"stats": [*plain, *([{"histograms": histograms}] if histograms else [])]})


def read(answer: bytes, question: Question) -> tuple[list[Series], list[tuple[str, str]]]:
    inquiry = inquire(BOTH, question.codes, latency=question.latency)
    return sample_of("edge", told(answer, inquiry), question)


SLOW = Question(("jazz-v2",), ("5xx",), latency=True)
BUSY = of(upstream_rq_2xx=9, upstream_rq_total=9)


def test_a_histogram_is_told_by_its_edges():
    """The last bucket stands for every answer, as Envoy tells of none beyond it."""
    [series], missing = read(body(BUSY, histogram("jazz-v2", 1, 3, 8, 9, 9)), SLOW)
    assert series.edges == ((0.5, 1), (10, 3), (100, 8), (3e5, 9), (math.inf, 9))
    assert missing == []


def test_latency_is_told_where_it_is_asked_for_only():
    """Histograms are long: who does not ask for them is not sent any."""
    [series], _ = read(body(BUSY), Question(("jazz-v2",), ("5xx",)))
    assert series.edges == ()
    assert "histogram" not in inquire(BOTH, ("5xx",)).path
    assert "histogram_buckets=cumulative" in inquire(BOTH, ("5xx",), latency=True).path


def test_a_backend_without_answers_has_none_of_any_length():
    """It is a baseline, and nothing is missing: a proxy shows a histogram from its first answer on."""
    idle = BUSY | of("jazz-v1")
    [stable, _], missing = read(
        body(idle, histogram("jazz-v2", 1, 3, 8, 9, 9)), Question(BOTH, ("5xx",), True)
    )
    assert stable.edges == ((math.inf, 0),)
    assert missing == []


def test_answers_without_any_histogram_are_named():
    """Statistics that an operator switched off are no quick answers; those of the proxy's own making are in
    no histogram.
    """
    _, missing = read(body(BUSY), SLOW)
    assert [what for what, _ in missing] == ["latency"]
    _, missing = read(body(of(upstream_rq_5xx=9, upstream_rq_timeout=9)), SLOW)
    assert missing == []


BAD: dict[str, dict[str, Any]] = {
    "no buckets": {"name": "cluster.jazz-v2.upstream_rq_time"},
    "no list": {"name": "cluster.jazz-v2.upstream_rq_time", "buckets": 7},
    "empty": histogram("jazz-v2", bounds=()),
    "a word": histogram("jazz-v2", 1, 3, 8, 9, "9"),  # type: ignore[arg-type]
    "half a count": histogram("jazz-v2", 1, 3, 8, 9, 9.5),  # type: ignore[arg-type]
    "negative": histogram("jazz-v2", -1, 3, 8, 9, 9),
    "true": histogram("jazz-v2", True, 3, 8, 9, 9),
    "bounds that fall": histogram("jazz-v2", 1, 3, 8, 9, 9, bounds=(0.5, 10, 5, 3e5, 36e5)),
    "a bound twice": histogram("jazz-v2", 1, 3, 8, 9, 9, bounds=(0.5, 10, 10, 3e5, 36e5)),
    "a bound below zero": histogram("jazz-v2", 1, 3, 8, 9, 9, bounds=(-0.5, 10, 100, 3e5, 36e5)),
    "no bound": histogram("jazz-v2", 1, 3, 8, 9, 9, bounds=("x", 10, 100, 3e5, 36e5)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", BAD)
def test_a_histogram_that_makes_no_sense_is_silence(name: str):
    """Nothing of such an answer is believed, its other counters neither."""
    with pytest.raises(Silent, match="buckets"):
        read(body(BUSY, BAD[name]), SLOW)


def test_calls_are_added_up_over_services_and_methods():
    """However the filter is told to name them."""
    calls = of(upstream_rq_2xx=9, grpc__success=1, grpc__failure=2)
    calls |= {f"{CHARGE}.success": 4, f"{CHARGE}.failure": 2}
    [series], missing = read(body(calls), Question(("jazz-v2",), ("grpc",)))
    assert (series.completed, series.codes, missing) == (9, (("grpc", 4),), [])
    assert r"grpc%5C..%2B%5C.%28%3F%3Asuccess" in inquire(BOTH, ("grpc",)).path


def test_a_statistic_of_a_call_that_was_not_asked_for_is_silence():
    """Only ends of calls are added up."""
    with pytest.raises(Silent, match="not asked for"):
        read(body(of() | {f"{CHARGE}.total": 4}), Question(("jazz-v2",), ("grpc",)))


def test_a_canary_that_ends_no_call_has_failed_where_stable_ends_them():
    """It answers 503 without a status of gRPC: the filter is there, as stable's calls show."""
    stats = of("jazz-v1", upstream_rq_2xx=9, grpc__success=9) | of(upstream_rq_5xx=5)
    [_, canary], missing = read(body(stats), Question(BOTH, ("grpc",)))
    assert (canary.completed, canary.codes, missing) == (5, (("grpc", 5),), [])


def test_connections_are_counted_where_tcp_is_asked_for():
    """Those that were made, and those that were not; beside codes, requests are counted."""
    stats = of(
        upstream_rq_total=7, upstream_cx_connect_fail=2, upstream_cx_overflow=1, upstream_rq_pending_active=1
    )
    [series], missing = read(body(stats), Question(("jazz-v2",), ("tcp",)))
    assert (series.started, series.completed, series.active, series.codes) == (11, 10, 1, (("tcp", 3),))
    assert missing == []
