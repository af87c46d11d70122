"""A Prometheus that does everything but answer well, and answers that must not be believed (R1, R2, E3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import orjson
import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.envoy_admin import Silent
from rollout.adapters.envoy_counters import Told
from rollout.adapters.metrics.prometheus import PrometheusCounters, counters, query
from rollout.adapters.prometheus_api import Answer, literal
from rollout.core.model import Sample, Unseen
from rollout.ports import Question
from rollout.settings import PrometheusMetrics, Reference
from tests.unit.adapters.test_envoy_admin import BAD, Server, answer, hang, say

QUESTION = Question(("jazz",), ("5xx", "429"))
SETTINGS = PrometheusMetrics("p8s", "http://127.0.0.1:1", interval=5.0)
NOW = time.time()


def one(
    metric: str, value: object, *, age: float = 1.0, instance: str = "a:9901", **labels: str
) -> dict[str, Any]:
    """One series of a matrix, with its newest sample last."""
    if metric.startswith("envoy_cluster_"):
        labels |= {"envoy_cluster_name": labels.get("cluster", "jazz")}
    labels.pop("cluster", None)
    values = [[NOW - age - 5, "0"], [NOW - age, str(value)]]
    return {"metric": {"__name__": metric, "instance": instance, **labels}, "values": values}


def proxy(completed: int = 10, failed: int = 2, **more: Any) -> list[dict[str, Any]]:
    """What one Envoy shows of a cluster."""
    return [
        one("envoy_server_uptime", 100, **more),
        one("envoy_cluster_membership_total", 1, **more),
        one("envoy_cluster_upstream_rq_total", completed, **more),
        one("envoy_cluster_upstream_rq_xx", completed - failed, envoy_response_code_class="2", **more),
        one("envoy_cluster_upstream_rq_xx", failed, envoy_response_code_class="5", **more),
        one("envoy_cluster_upstream_rq", failed, envoy_response_code="503", **more),
        one("envoy_cluster_retry_upstream_rq_xx", 1, envoy_response_code_class="5", **more),
        one("envoy_cluster_upstream_rq_retry", 1, **more),
    ]


def told(result: object, **more: object) -> bytes:
    body = {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}
    return answer(orjson.dumps(body), "200 OK", f"date: {formatdate(NOW, usegmt=True)}")


async def read(
    talk: Callable[[asyncio.StreamWriter], Awaitable[None]], deadline: float = 2.0
) -> Sample | Unseen:
    async with Server(talk).serve() as server:
        metrics = PrometheusCounters(PrometheusMetrics("p8s", f"http://{server.name}", 5.0), SystemClock())
        [sample] = await metrics.read([QUESTION], deadline)
        await metrics.close()
        return sample


async def test_counters_are_those_of_the_newest_scrape():
    """The same statistics as from Envoy's own interface: attempts, retried ones included."""
    sample = await read(say(told([*proxy(), *proxy(30, 3, instance="b:9901")])))
    assert isinstance(sample, Sample)
    assert [(one.proxy, one.backend, one.completed, one.uptime) for one in sample.series] == [
        ("a:9901", "jazz", 11, 100.0),
        ("b:9901", "jazz", 31, 100.0),
    ]
    assert sample.series[0].codes == (("5xx", 3), ("429", 0))
    assert not sample.silent


@pytest.mark.parametrize("name", BAD)
async def test_r1_a_bad_answer_is_silence_with_its_reason(name: str):
    """Whatever it answers, within the deadline: no zeros, no exception, no redirect followed."""
    began = time.monotonic()
    sample = await read(BAD[name][0], 1.0)
    assert isinstance(sample, Unseen), sample
    assert sample.why.startswith("p8s ")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "422 Unprocessable", "429 Too Many", "500 No", "503 No"]
)
async def test_r1_a_refusal_is_named_and_not_repeated(status: str):
    """The next look asks again; a server that is overloaded is not asked three times."""
    async with Server(say(answer(b"{}", status))).serve() as server:
        metrics = PrometheusCounters(PrometheusMetrics("p8s", f"http://{server.name}", 5.0), SystemClock())
        [sample] = await metrics.read([QUESTION], 2.0)
        assert sample == Unseen(f"p8s answered with status {status[:3]}")
        assert len(server.asked) == 1
        await metrics.close()


async def test_who_hangs_is_waited_for_once():
    """The second look comes at once, with how long it has been."""
    async with Server(hang).serve() as server:
        metrics = PrometheusCounters(PrometheusMetrics("p8s", f"http://{server.name}", 5.0), SystemClock())
        assert await metrics.read([QUESTION], 0.2) == [Unseen("p8s did not answer within 0.2 s")]
        began = time.monotonic()
        [sample] = await metrics.read([QUESTION], 1.0)
        assert time.monotonic() - began < 0.5
        assert sample == Unseen("p8s has not answered for 0 s")
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"warnings": ["partial response"]}, "answered with a warning: partial response"),
        ({"status": "error", "error": "query timed out"}, "without a success"),
        ({"data": None}, "not Prometheus'"),
        ({"data": {"result": {}}}, "not Prometheus'"),
        ({"data": {"result": [1]}}, "no matrix of samples"),
        ({"data": {"result": [{"metric": {}, "values": [[1, "1"]]}]}}, "no matrix of samples"),
        ({"data": {"result": [{"metric": {"instance": "a"}, "values": []}]}}, "no matrix of samples"),
        (
            {"data": {"result": [{"metric": {"instance": "a"}, "values": [["x", "1"]]}]}},
            "no matrix of samples",
        ),
    ],
)
async def test_r2_what_is_not_whole_is_no_answer(body: dict[str, Any], words: str):
    sample = await read(say(told(proxy(), **body)))
    assert isinstance(sample, Unseen)
    assert words in sample.why


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1", "1.5", "1e300"])
def test_r2_a_counter_that_is_no_count_silences_its_proxy(value: str):
    """Neither a pass nor a failure; its neighbour is believed."""
    bad = one("envoy_cluster_upstream_rq_total", value, instance="bad:1")
    found = counters(Answer([bad, *proxy()]), 5.0, "envoy_cluster_name", datetime.fromtimestamp(NOW, UTC))
    assert isinstance(found["bad:1"], Silent)
    assert "without a count" in str(found["bad:1"])
    assert not isinstance(found["a:9901"], Silent)


@pytest.mark.parametrize(("age", "words"), [(12.0, "12 s ago"), (-7.0, "ahead of the server's own clock")])
def test_r2_an_old_scrape_and_one_of_the_future_are_silence(age: float, words: str):
    found = counters(Answer(proxy(age=age)), 5.0, "envoy_cluster_name", datetime.fromtimestamp(NOW, UTC))
    assert words in str(found["a:9901"])


def test_r2_what_the_newest_scrape_does_not_show_is_gone():
    """A counter of before a restart is not that of after it."""
    old = one("envoy_cluster_upstream_rq_xx", 99, age=6.0, envoy_response_code_class="4")
    found = counters(Answer([*proxy(), old]), 5.0, "envoy_cluster_name", datetime.fromtimestamp(NOW, UTC))
    told_now = found["a:9901"]
    assert isinstance(told_now, Told)
    assert "cluster.jazz.upstream_rq_4xx" not in told_now.counters


def test_r2_a_proxy_that_two_jobs_scrape_is_named():
    """Its requests would be counted twice."""
    twice = one("envoy_server_uptime", 100, job="other")
    found = counters(Answer([*proxy(), twice]), 5.0, "envoy_cluster_name", datetime.fromtimestamp(NOW, UTC))
    assert "more than once" in str(found["a:9901"])


def test_one_query_asks_for_everything():
    """Raw samples by a range selector; a name matches itself alone, whatever it holds."""
    asked = query(
        ('a"b\\c', "jazz-v1.prod"), ("5xx", "503"), PrometheusMetrics("p", "http://p", 30.0, 'job="e"')
    )
    assert asked.endswith(',job="e"}[150s]')
    assert "envoy_cluster_upstream_rq|" in asked
    assert "rate(" not in asked
    assert 'envoy_cluster_name=~"a\\\\\\"b' in asked
    assert literal('"\\\n') == '"\\"\\\\\\n"'


async def test_a_token_is_read_for_each_question(tmp_path: Path):
    """By reference; one that cannot be read is silence that names the reference, not what it held."""
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    async with Server(say(told(proxy()))).serve() as server:
        settings = PrometheusMetrics("p8s", f"http://{server.name}", 5.0, token=Reference(file=secret))
        metrics = PrometheusCounters(settings, SystemClock())
        [sample] = await metrics.read([QUESTION], 2.0)
        assert isinstance(sample, Sample)
        secret.unlink()
        [sample] = await metrics.read([QUESTION], 2.0)
        assert isinstance(sample, Unseen)
        assert str(secret) in sample.why
        assert "s3cret" not in sample.why
        await metrics.close()
