"""Histograms, calls and named queries from Prometheus: what is counted, and what is named instead."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.envoy_admin import Silent
from rollout.adapters.envoy_counters import Told, sample_of
from rollout.adapters.metrics.prometheus import PrometheusCounters, counters, query
from rollout.adapters.prometheus_api import Answer
from rollout.adapters.prometheus_queries import asked, seen
from rollout.core.model import GaugeSeen, RatioSeen, Sample
from rollout.ports import Question
from rollout.settings import Gauge, PrometheusMetrics, Ratio
from tests.unit.adapters.test_envoy_admin import Server, answer
from tests.unit.adapters.test_prometheus import NOW, one, proxy, told

AT = datetime.fromtimestamp(NOW, UTC)
SETTINGS = PrometheusMetrics("p8s", "http://127.0.0.1:1", 5.0)
PAYMENTS = Ratio("payments", 'pay_total{state="bad",', "pay_total{", "version")
QUEUE = Gauge("queue", "queue_length{", "version")


# --- Envoy's own ---------------------------------------------------------------------------------


def bucket(le: str, count: object) -> dict[str, Any]:
    return one("envoy_cluster_upstream_rq_time_bucket", count, le=le)


HISTOGRAM = [bucket("+Inf", 9), bucket("0.5", 1), bucket("100", 7), bucket("10", 3)]


def of_envoy(*samples: dict[str, Any]) -> Told | Silent:
    return counters(Answer([*proxy(9, 0), *samples]), 5.0, "envoy_cluster_name", AT)["a:9901"]


def test_a_histogram_is_put_together_from_its_series():
    shown = of_envoy(*HISTOGRAM)
    assert isinstance(shown, Told)
    [series], missing = sample_of("a", shown, Question(("jazz",), ("5xx",), latency=True))
    assert series.edges == ((0.5, 1), (10.0, 3), (100.0, 7), (math.inf, 9))
    assert missing == []


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (bucket("25", "NaN"), "without a count"),
        (bucket("25", "3.5"), "without a count"),
        (bucket("NaN", "3"), "without rising buckets"),
        (bucket("fast", "3"), "without its edge"),
        (one("envoy_cluster_upstream_rq_time_bucket", 3), "without its edge"),
        (bucket("10", 3), "more than once"),
    ],
)
def test_a_histogram_that_makes_no_sense_silences_its_proxy(sample: dict[str, Any], words: str):
    shown = of_envoy(*HISTOGRAM, sample)
    assert isinstance(shown, Silent)
    assert words in str(shown)


def test_calls_are_added_up_over_their_methods():
    parts = [
        one(
            f"envoy_cluster_grpc_{end}",
            count,
            envoy_grpc_bridge_service="Pay",
            envoy_grpc_bridge_method=method,
        )
        for end, count, method in (
            ("success", 4, "Charge"),
            ("failure", 2, "Charge"),
            ("success", 3, "Refund"),
        )
    ]
    shown = of_envoy(*parts)
    assert isinstance(shown, Told)
    [series], missing = sample_of("a", shown, Question(("jazz",), ("grpc",)))
    assert (series.completed, series.codes, missing) == (10, (("grpc", 3),), [])


def test_histograms_are_asked_for_where_latency_is():
    assert "_bucket" not in query(("jazz",), ("5xx",), SETTINGS)
    assert "upstream_rq_time_bucket" in query(("jazz",), ("5xx",), SETTINGS, latency=True)


# --- named queries -------------------------------------------------------------------------------


def row(values: Mapping[float, object], instance: str = "pod-1", version: str = "jazz-v1") -> dict[str, Any]:
    """A series by age in seconds and value."""
    metric = {"instance": instance, "version": version}
    return {"metric": metric, "values": [[NOW - age, str(value)] for age, value in values.items()]}


def ratio(bad: list[Any], total: list[Any]) -> tuple[Any, ...]:
    return seen(PAYMENTS, (Answer(bad, at=AT), Answer(total, at=AT)), ("jazz-v1", "jazz-v2"), SETTINGS, AT)


def test_a_ratio_is_counted_in_one_scrape_of_each_instance():
    """The newest that both are in; series of one instance are added up, and none is zero."""
    bad = [row({6: 1, 1: 2}), row({6: 3, 1: 4})]
    total = [row({6: 10, 1: 12, 0: 99}), row({6: 5, 1: 6, 0: 99}), row({1: 7}, "pod-2", "jazz-v2")]
    assert ratio(bad, total) == (
        RatioSeen("payments", "jazz-v1", "pod-1", 6, 18),
        RatioSeen("payments", "jazz-v2", "pod-2", 0, 7),
    )


def test_an_instance_that_is_gone_is_not_counted():
    """Pods come and go: silence of one is no trouble while others tell."""
    assert ratio([], [row({1: 7}), row({30: 9}, "pod-2")]) == (
        RatioSeen("payments", "jazz-v1", "pod-1", 0, 7),
    )


@pytest.mark.parametrize(
    ("bad", "total", "words"),
    [
        ([], [], "no young samples"),
        ([], [row({30: 7})], "no young samples"),
        ([row({2: 1})], [row({1: 7})], "different scrapes"),
        ([row({1: 8})], [row({1: 7})], "more bad than all"),
        ([row({1: "NaN"})], [row({1: 7})], "no counts"),
        ([row({1: 0.5})], [row({1: 7})], "no counts"),
        ([], [row({1: -7})], "no counts"),
        ([], [row({1: 7}, version="jazz-v3")], "no matrix"),
        ([], [{"metric": {"version": "jazz-v1"}, "values": [[NOW, "1"]]}], "no matrix"),
        ([], [7], "no matrix"),
    ],
)
def test_a_ratio_that_makes_no_sense_is_silence(bad: list[Any], total: list[Any], words: str):
    with pytest.raises(Silent, match=words):
        ratio(bad, total)


def test_a_gauge_is_its_newest_reading():
    """The highest of an instance's series; a reading that is no number is left to who counts."""
    rows = [row({6: 1, 1: 2}), row({6: 9, 1: 4}), row({1: "NaN"}, "pod-2")]
    first, second = seen(QUEUE, (Answer(rows, at=AT),), ("jazz-v1",), SETTINGS, AT)
    assert first == GaugeSeen("queue", "jazz-v1", "pod-1", 4.0, NOW - 1)
    assert isinstance(second, GaugeSeen)
    assert math.isnan(second.value)


def test_names_of_backends_are_quoted_in_queries():
    bad, total = asked(PAYMENTS, ('a"b', "jazz.v1"), SETTINGS)
    assert bad.startswith('pay_total{state="bad",version=~"a')
    assert total.startswith('pay_total{version=~"a')
    assert r"\"b|jazz\\.v1" in total
    assert total.endswith("[60s]")


ASKED = Question(("jazz",), ("5xx",), queries=("nobody-knows", "payments", "queue"))


async def test_a_query_that_is_not_answered_is_named_and_the_rest_is_told():
    """Each by its own trouble; the requests are counted as ever."""
    queue = {"metric": {"instance": "pod-1", "version": "jazz"}, "values": [[NOW, "3"]]}

    async def talk(writer: asyncio.StreamWriter) -> None:
        path = server.asked[-1]
        if "pay_total" in path:
            said = answer(b"", "500 Sorry")
        else:
            said = told([queue] if "queue_length" in path else proxy())
        writer.write(said.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
        await writer.drain()

    server = Server(talk)
    async with server.serve():
        settings = PrometheusMetrics("p8s", f"http://{server.name}", 5.0, queries=(PAYMENTS, QUEUE))
        metrics = PrometheusCounters(settings, SystemClock())
        [sample] = await metrics.read([ASKED], 2.0)
        await metrics.close()
    assert isinstance(sample, Sample), sample
    assert [one.completed for one in sample.series] == [11]
    assert sample.queries == (GaugeSeen("queue", "jazz", "pod-1", 3.0, NOW),)
    assert dict(sample.missing) == {
        "nobody-knows": "p8s has no query of this name in the settings",
        "payments": "p8s answered with status 500",
    }
