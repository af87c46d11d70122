"""What each fault of a backend does to Envoy's counters, and what we make of it (real Envoy, real faults).

The table is docs/decisions/envoy-counters.md; a row there is a row here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.metrics.envoy import EnvoyStats
from rollout.core.model import Sample, Series
from rollout.demo.envoy import Config, EnvoyProcess, bootstrap, cluster, static_listener
from rollout.ports import Question
from rollout.settings import EnvoyMetrics
from tests.e2e.bad_backend import BadBackend, refusing_port

HTTP2: Config = {
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
}
RETRY: Config = {"retry_policy": {"retry_on": "5xx,reset,connect-failure", "num_retries": 2}}
ONE_AT_A_TIME: Config = {
    "circuit_breakers": {"thresholds": [{"max_connections": 1, "max_pending_requests": 1, "max_requests": 1}]}
}
PER_TRY: Config = {
    "timeout": "5s",
    "retry_policy": {"retry_on": "5xx", "num_retries": 2, "per_try_timeout": "0.2s"},
}


@dataclass(frozen=True)
class Fault:
    """``path`` at the backend; ``route`` and ``cluster`` are Envoy's options for it. ``to`` is where the
    cluster points: the backend, a port that refuses, nowhere, or an Envoy that speaks HTTP/2. ``patience`` is
    the client's, in seconds. Expected: attempts completed, those of class 5xx, and attempts started (as many
    as completed where not said).
    """

    name: str
    path: str
    completed: int
    errors: int
    started: int | None = None
    requests: int = 1
    to: str = "backend"
    route: Config = field(default_factory=dict)
    cluster: Config = field(default_factory=dict)
    patience: float = 5.0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its cluster's name and its path at the proxy."""
        return re.sub(r"\W+", "-", self.name.lower())


FAULTS = [
    Fault("good", "200", 1, 0),
    Fault("plain 503", "503", 1, 1),
    Fault("plain 500", "500", 1, 1),
    Fault("not found", "404", 1, 0),
    Fault("connection refused", "200", 1, 1, to="refused"),
    Fault("connection refused, retried", "200", 3, 3, to="refused", route=RETRY),
    Fault("no endpoint", "200", 1, 1, to="nowhere"),
    Fault("timeout", "hang", 1, 1, route={"timeout": "0.2s"}),
    Fault("timeout of each try, retried", "hang", 3, 3, route=PER_TRY),
    Fault("reset before headers", "reset", 1, 1),
    Fault("reset before headers, retried", "every-other-reset", 2, 1, route=RETRY),
    Fault("cut in the body", "cut", 1, 1),
    Fault("timeout in the body", "stall", 1, 1, route={"timeout": "0.3s"}),
    Fault("timeout of a try in the body", "stall", 1, 1, route=PER_TRY | {"timeout": "0.4s"}),
    Fault("idle timeout", "hang", 0, 0, started=1, route={"timeout": "0s", "idle_timeout": "0.2s"}),
    Fault("100, then 200", "continue", 1, 0, headers={"expect": "100-continue"}),
    Fault("status of no class", "799", 1, 0),
    Fault("retried 503, then 200", "every-other", 2, 1, route=RETRY),
    Fault("503 at every try", "503", 3, 3, route=RETRY),
    Fault("overflow", "hang", 4, 4, requests=4, route={"timeout": "0.3s"}, cluster=ONE_AT_A_TIME),
    Fault("body that ends with the connection", "until-close", 1, 0),
    Fault(
        "upgraded connection closed by the server",
        "upgrade",
        1,
        0,
        route={"upgrade_configs": [{"upgrade_type": "websocket"}]},
        headers={"upgrade": "websocket", "connection": "upgrade"},
    ),
    Fault("client went away", "hang", 0, 0, started=1, patience=0.2),
    Fault("client went away in the body", "stall", 1, 0, patience=0.2),
    Fault("HTTP/2: good", "200", 1, 0, to="http2", cluster=HTTP2),
    Fault("HTTP/2: 503", "503", 1, 1, to="http2", cluster=HTTP2),
    Fault("HTTP/2: cut in the body", "cut", 1, 1, to="http2", cluster=HTTP2),
    Fault("HTTP/2: timeout", "hang", 1, 1, to="http2", cluster=HTTP2, route={"timeout": "0.2s"}),
    Fault("HTTP/2: timeout in the body", "stall", 1, 1, to="http2", cluster=HTTP2, route={"timeout": "0.3s"}),
    Fault("HTTP/2: connection refused", "200", 1, 1, to="refused", cluster=HTTP2),
    Fault("HTTP/2: no endpoint", "200", 1, 1, to="nowhere", cluster=HTTP2),
    Fault(
        "HTTP/2: overflow",
        "hang",
        4,
        4,
        requests=4,
        to="http2",
        route={"timeout": "0.3s"},
        cluster=HTTP2 | ONE_AT_A_TIME,
    ),
]


class Bench:
    """One Envoy in front of the bad backend, with a cluster for each fault."""

    def __init__(self, proxy: EnvoyProcess, middle: EnvoyProcess) -> None:
        self.proxy, self.middle = proxy, middle
        self.metrics = EnvoyStats(EnvoyMetrics("envoy", (proxy.admin,)), SystemClock())

    async def strike(self, fault: Fault, requests: int = 0) -> None:
        """Send the fault's requests at once and wait for their end."""
        address = f"http://127.0.0.1:{self.proxy.port('front')}/{fault.key}/"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=fault.patience)) as client:

            async def request() -> None:
                try:
                    async with client.get(address, headers=fault.headers) as answer:
                        await answer.read()
                except (aiohttp.ClientError, TimeoutError):
                    pass

            await asyncio.gather(*(request() for _ in range(requests or fault.requests)))

    async def count(self, fault: Fault, *codes: str) -> Series:
        question = Question((fault.key,), ("5xx", *codes))
        [sample] = await self.metrics.read([question], 2.0)
        assert isinstance(sample, Sample), sample
        [series] = sample.series
        return series


def fault_named(name: str) -> Fault:
    return next(fault for fault in FAULTS if fault.name == name)


@pytest.fixture
async def bench(start_envoy) -> AsyncIterator[Bench]:
    async with BadBackend().serve() as backend:
        kept, refused = refusing_port()
        raw = [{"match": {"prefix": "/"}, "route": {"cluster": "raw", "timeout": "0s"}}]
        middle = start_envoy(
            "middle", bootstrap([static_listener("middle", raw)], [cluster("raw", backend.port)])
        )
        ports: dict[str, list[int]] = {
            "backend": [backend.port],
            "refused": [refused],
            "nowhere": [],
            "http2": [middle.port("middle")],
        }
        clusters = [cluster(fault.key, *ports[fault.to], **fault.cluster) for fault in FAULTS]
        routes: list[dict[str, Any]] = [
            {
                "match": {"prefix": f"/{fault.key}/"},
                "route": {"cluster": fault.key, "prefix_rewrite": f"/{fault.path}", **fault.route},
            }
            for fault in FAULTS
        ]
        proxy = start_envoy("proxy", bootstrap([static_listener("front", routes)], clusters))
        bench = Bench(proxy, middle)
        yield bench
        await bench.metrics.close()
        kept.close()


async def test_every_fault_is_counted_once(bench: Bench):
    """Each fault's attempts are completed, and those that went wrong for the backend are of class 5xx."""
    await asyncio.gather(*(bench.strike(fault) for fault in FAULTS))
    await asyncio.sleep(0.3)
    for fault in FAULTS:
        series = await bench.count(fault)
        expected = fault.completed if fault.started is None else fault.started
        seen = series.started, series.completed, series.active, dict(series.codes)["5xx"]
        assert seen == (expected, fault.completed, 0, fault.errors), fault.name


async def test_every_fault_is_counted_each_time(bench: Bench):
    """Counts grow by the same step whenever a fault comes again: nothing is a one-off."""
    for _ in range(3):
        await asyncio.gather(*(bench.strike(fault) for fault in FAULTS))
    await asyncio.sleep(0.3)
    for fault in FAULTS:
        series = await bench.count(fault)
        assert (series.completed, dict(series.codes)["5xx"]) == (3 * fault.completed, 3 * fault.errors), (
            fault.name
        )


async def test_what_is_under_way_is_active(bench: Bench):
    """A hanging backend shows in ``active`` and in ``started``, before anything is completed."""
    hanging = fault_named("client went away")
    under_way = asyncio.create_task(bench.strike(hanging))
    await asyncio.sleep(0.1)
    series = await bench.count(hanging)
    assert (series.started, series.completed, series.active) == (1, 0, 1)
    await under_way


async def test_exact_codes_count_retried_answers(bench: Bench):
    """``503`` counts final and retried answers; a code never seen is zero."""
    fault = fault_named("503 at every try")
    await bench.strike(fault)
    series = await bench.count(fault, "503", "429")
    assert dict(series.codes) == {"5xx": 3, "503": 3, "429": 0}


async def test_streams_cut_with_their_http2_connection_are_all_errors(bench: Bench):
    """A dead HTTP/2 peer takes all its streams along, in the middle of good answers too: each is an error."""
    fault = fault_named("HTTP/2: timeout in the body")
    under_way = asyncio.create_task(bench.strike(fault, 3))
    await asyncio.sleep(0.15)
    bench.middle.kill()
    await under_way
    series = await bench.count(fault)
    assert (series.started, series.completed, series.active) == (3, 3, 0)
    assert dict(series.codes)["5xx"] == 3
