"""The contract of counters, held by Prometheus that scrapes real Envoys."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from rollout.adapters.clock import SystemClock
from rollout.adapters.metrics.prometheus import PrometheusCounters
from rollout.adapters.prometheus_queries import FRESH, SLACK
from rollout.core.model import GaugeSeen, RatioSeen, Sample, Unseen
from rollout.demo.envoy import route_file, weighted_route
from rollout.ports import Metrics, Question
from rollout.settings import Gauge, PrometheusMetrics, Ratio
from tests.conftest import need
from tests.contract.metrics import BOTH, MetricsContract
from tests.contract.test_metrics import CODES, EnvoyWorld
from tests.envoys import Site
from tests.servers.build import binary

INTERVAL = 0.2


def free() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def prometheus(folder: Path, *targets: str) -> Iterator[str]:
    """A server that scrapes the targets; its address."""
    need("Prometheus: `make servers` builds it", binary("prometheus").exists())
    folder.mkdir()
    scrape = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": list(targets)}],
    }
    settings = {
        "global": {
            "scrape_interval": f"{INTERVAL * 1000:.0f}ms",
            "scrape_timeout": f"{INTERVAL * 1000:.0f}ms",
        },
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yml").write_text(json.dumps(settings))
    port = free()
    command = [
        str(binary("prometheus")),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            _until_ready(url, server)
            yield url
        finally:
            server.send_signal(signal.SIGCONT)
            server.terminate()


def _until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        assert server.poll() is None, "Prometheus ended"
        try:
            if requests.get(f"{url}/-/ready", timeout=1).ok:
                return
        except requests.RequestException:
            assert time.monotonic() < until, "Prometheus is not ready"
        time.sleep(0.05)


class PrometheusWorld(EnvoyWorld):
    def __init__(self, site: Site, url: str) -> None:
        super().__init__(site)
        self.metrics = PrometheusCounters(PrometheusMetrics("prometheus", url, INTERVAL), SystemClock())

    async def request(self, proxy: str, backend: str, number: int) -> None:
        await super().request(proxy, backend, number)
        await asyncio.sleep(3 * INTERVAL)  # until it was scraped

    def hang(self, proxy: str) -> None:
        super().hang(proxy)
        time.sleep(FRESH * INTERVAL + SLACK + 1.5)

    def restart(self, proxy: str) -> None:
        super().restart(proxy)
        time.sleep(3 * INTERVAL)


class TestPrometheus(MetricsContract):
    tells_hosts = False

    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[PrometheusWorld]:
        text = route_file("jazz", *(weighted_route({name: 1}, prefix=f"/{name}") for name in CODES))
        with (
            Site(tmp_path / "site", CODES, proxies=2, text=text) as site,
            prometheus(tmp_path / "prometheus", *(proxy.admin for proxy in site.proxies)) as url,
        ):
            world = PrometheusWorld(site, url)
            await seen(world.metrics, 2)
            yield world
            for proxy in world.names:
                world.mend(proxy)
            await world.metrics.close()


async def seen(metrics: Metrics, proxies: int) -> None:
    """Wait for the first scrape of each."""
    until = time.monotonic() + 10
    while True:
        [answer] = await metrics.read([BOTH], 2.0)
        if isinstance(answer, Sample) and len({one.proxy for one in answer.series}) == proxies:
            return
        assert time.monotonic() < until, answer
        await asyncio.sleep(0.05)


async def test_r1_a_server_that_is_away_is_named():
    metrics = PrometheusCounters(PrometheusMetrics("p8s", f"http://127.0.0.1:{free()}"), SystemClock())
    [answer] = await metrics.read([Question(("jazz-v1",), ("5xx",))], 2.0)
    assert answer == Unseen("p8s cannot be reached: ConnectionError")
    await metrics.close()


QUERIES = (
    Ratio(
        "failed",
        'envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",',
        "envoy_cluster_upstream_rq_xx{",
    ),
    Gauge("members", "envoy_cluster_membership_total{"),
    Ratio("nothing", "no_such_metric{", "no_such_metric{"),
)


async def test_latency_and_named_queries_are_told_by_a_real_server(tmp_path: Path):
    """Histograms once Envoy has merged them; raw counters of the operator's own choice; what is not there is
    named.
    """
    text = route_file("jazz", *(weighted_route({name: 1}, prefix=f"/{name}") for name in CODES))
    with (
        Site(tmp_path / "site", CODES, proxies=1, text=text) as site,
        prometheus(tmp_path / "prometheus", site.proxies[0].admin) as url,
    ):
        world = PrometheusWorld(site, url)
        metrics = PrometheusCounters(PrometheusMetrics("p8s", url, INTERVAL, queries=QUERIES), SystemClock())
        await seen(metrics, 1)
        await world.request(world.names[0], "jazz-v1", 3)
        await world.request(world.names[0], "jazz-v2", 2)
        backends = ("jazz-v1", "jazz-v2", "jazz-v3")
        about = Question(backends, ("5xx",), True, ("failed", "members", "nothing"))
        until = time.monotonic() + 20
        while True:
            [sample] = await metrics.read([about], 2.0)
            assert isinstance(sample, Sample), sample
            edges = {one.backend: one.edges for one in sample.series}
            if edges["jazz-v2"][-1][1]:
                break
            assert time.monotonic() < until, "Envoy merges its histograms every five seconds"
            await asyncio.sleep(0.2)
        await metrics.close()
        await world.metrics.close()
    assert [edges[backend][-1] for backend in about.backends] == [(math.inf, 3), (math.inf, 2), (math.inf, 0)]
    assert len(edges["jazz-v1"]) == len(edges["jazz-v2"]) > len(edges["jazz-v3"]) == 1
    assert dict(sample.missing).keys() == {"nothing"}
    [instance] = site.metrics.admin
    ratios = {one for one in sample.queries if isinstance(one, RatioSeen)}
    assert ratios == {
        RatioSeen("failed", "jazz-v1", instance, 0, 3),
        RatioSeen("failed", "jazz-v2", instance, 2, 2),
    }
    gauges = [(one.backend, one.value) for one in sample.queries if isinstance(one, GaugeSeen)]
    assert sorted(gauges) == [(backend, 1.0) for backend in backends]
