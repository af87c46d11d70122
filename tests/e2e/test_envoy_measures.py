"""What Envoy tells of calls of gRPC, of connections, and of how long answers took (real Envoy, real faults).

The tables are docs/decisions/envoy-counters.md; a row there is a row here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.metrics.envoy import EnvoyStats
from rollout.core.counters import baseline, increment
from rollout.core.model import Latency, Sample, Series
from rollout.demo.envoy import Config, EnvoyProcess, address, bootstrap, cluster, static_listener
from rollout.ports import Question
from rollout.settings import EnvoyMetrics
from tests.e2e.bad_backend import BadBackend, refusing_port
from tests.e2e.test_envoy_counters import HTTP2

TYPES = "type.googleapis.com/envoy.extensions"
FILTER = {
    "name": "envoy.filters.http.grpc_stats",
    "typed_config": {"@type": f"{TYPES}.filters.http.grpc_stats.v3.FilterConfig"},
}
BY_METHOD = {"name": FILTER["name"], "typed_config": FILTER["typed_config"] | {"stats_for_all_methods": True}}  # type: ignore[operator]
TRAILERS: Config = {
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},
        }
    }
}
RETRIED: Config = {"retry_policy": {"retry_on": "unavailable", "num_retries": 2}}


def question(backend: str, *codes: str, latency: bool = False) -> Question:
    return Question((backend,), codes, latency)


async def ask(proxy: EnvoyProcess, about: Question) -> Sample:
    metrics = EnvoyStats(EnvoyMetrics("envoy", (proxy.admin,)), SystemClock())
    [sample] = await metrics.read([about], 2.0)
    await metrics.close()
    assert isinstance(sample, Sample), sample
    return sample


async def count(proxy: EnvoyProcess, about: Question) -> Series:
    sample = await ask(proxy, about)
    assert sample.missing == ()
    [series] = sample.series
    return series


# --- gRPC ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """``path`` at the backend; ``ended``: attempts that are counted, ``failed``: those that went wrong."""

    name: str
    path: str
    ended: int
    failed: int
    to: str = "backend"
    route: Config = field(default_factory=dict)


CALLS = [
    Call("good", "grpc-0", 1, 0),
    Call("good-without-message", "grpc-only-0", 1, 0),
    Call("status-13", "grpc-13", 1, 1),
    Call("status-13-without-message", "grpc-only-13", 1, 1),
    Call("answers-503", "503", 1, 1),
    Call("cut-after-a-message", "cut", 1, 1),
    Call("timeout", "hang", 1, 1, route={"timeout": "0.2s"}),
    Call("timeout-after-a-message", "stall", 1, 1, route={"timeout": "0.3s"}),
    Call("refused", "grpc-0", 1, 1, to="refused"),
    Call("no-endpoint", "grpc-0", 1, 1, to="nowhere"),
    Call("retried-twice", "grpc-only-14", 3, 3, route=RETRIED),
    Call("client-went-away", "hang", 0, 0),
]


@contextlib.asynccontextmanager
async def calls(start_envoy: Any, *filters: Any) -> AsyncIterator[EnvoyProcess]:
    """Each call was made once, through an Envoy with these filters."""
    async with BadBackend().serve() as backend:
        kept, refused = refusing_port()
        raw = [{"match": {"prefix": "/"}, "route": {"cluster": "raw", "timeout": "0s"}}]
        middle = start_envoy(
            "middle", bootstrap([static_listener("middle", raw)], [cluster("raw", backend.port, **TRAILERS)])
        )
        ports: dict[str, list[int]] = {
            "backend": [middle.port("middle")],
            "refused": [refused],
            "nowhere": [],
        }
        routes = [
            {
                "match": {"prefix": f"/{call.name}/"},
                "route": {"cluster": call.name, "prefix_rewrite": f"/{call.path}/", **call.route},
            }
            for call in CALLS
        ]
        front = static_listener("front", routes)
        chain: Any = front["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
        chain[:0] = filters
        proxy = start_envoy(
            "proxy", bootstrap([front], [cluster(call.name, *ports[call.to], **HTTP2) for call in CALLS])
        )
        await asyncio.gather(*(strike(proxy, call) for call in CALLS))
        await asyncio.sleep(0.2)
        yield proxy
        kept.close()


async def strike(proxy: EnvoyProcess, call: Call) -> None:
    url = f"http://127.0.0.1:{proxy.port('front')}/{call.name}/call"
    head = {"content-type": "application/grpc", "te": "trailers"}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as client:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with client.post(url, headers=head, data=bytes(5)) as answer:
                await answer.read()


@pytest.mark.parametrize("filters", [FILTER, BY_METHOD], ids=["all together", "by method"])
async def test_every_call_is_counted_once(start_envoy, filters: Any):
    """By its status, whoever made it up; a call that broke off has none and failed."""
    names = tuple(call.name for call in CALLS)
    async with calls(start_envoy, filters) as proxy:
        sample = await ask(proxy, Question(names, ("grpc",)))
        assert sample.missing == ()
        found = {one.backend: one for one in sample.series}
        for call in CALLS:
            series = found[call.name]
            seen = series.completed, dict(series.codes)["grpc"], series.active
            assert seen == (call.ended, call.failed, 0), call.name
        both = await count(proxy, question("status-13", "5xx", "grpc"))
        assert (both.completed, both.codes) == (1, (("5xx", 0), ("grpc", 1)))


async def test_calls_that_nobody_counts_are_named(start_envoy):
    """Without the filter every failed call looks like an answer 200."""
    async with calls(start_envoy) as proxy:
        [(what, why)] = (await ask(proxy, question("status-13", "grpc"))).missing
        assert what == "grpc"
        assert "envoy.filters.http.grpc_stats" in why


# --- TCP -----------------------------------------------------------------------------------------


async def serve_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """``reset`` is answered by RST; anything else by itself, until the other side ends."""
    with contextlib.suppress(ConnectionError):
        said = await reader.read(100)
        if said == b"reset":
            kernel: socket.socket = writer.get_extra_info("socket")
            kernel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return
        writer.write(said)
        await writer.drain()
        await reader.read(1)
        writer.close()


def tcp_listener(name: str, **more: Any) -> Config:
    typed = {
        "@type": f"{TYPES}.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": name,
        "cluster": name,
        **more,
    }
    chain = {"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": typed}]}
    return {"name": name, "address": address(0), "filter_chains": [chain]}


CONNECTIONS = {
    "good": (1, 0),
    "reset": (1, 0),  # Envoy tells no reset from a good end
    "refused": (1, 1),
    "refused-thrice": (3, 3),
    "nowhere": (1, 1),
    "overflow": (2, 1),
}


async def test_every_connection_is_counted_once(start_envoy):
    """One that was never made failed; what becomes of the others is not told."""
    server = await asyncio.start_server(serve_tcp, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kept, refused = refusing_port()
    ports = {"refused": [refused], "refused-thrice": [refused], "nowhere": []}
    one = {"circuit_breakers": {"thresholds": [{"max_connections": 1, "max_pending_requests": 1}]}}
    clusters = [
        cluster(name, *ports.get(name, [port]), **(one if name == "overflow" else {})) for name in CONNECTIONS
    ]
    thrice = {"refused-thrice": {"max_connect_attempts": 3}}
    listeners = [tcp_listener(name, **thrice.get(name, {})) for name in CONNECTIONS]
    proxy = start_envoy("proxy", bootstrap(listeners, clusters))

    async def connect(name: str, while_open: bool = False) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port(name))
        with contextlib.suppress(ConnectionError):
            writer.write(name.encode())
            await reader.read(10)
            if name == "overflow" and not while_open:
                series = await count(proxy, question(name, "tcp"))
                assert (series.completed, series.active) == (1, 0)
                await connect(name, while_open=True)
        writer.close()

    for name in CONNECTIONS:
        await connect(name)
    await asyncio.sleep(0.2)
    for name, (made, failed) in CONNECTIONS.items():
        series = await count(proxy, question(name, "tcp"))
        assert (series.completed, series.codes, series.started) == (made, (("tcp", failed),), made), name
    server.close()
    kept.close()


# --- latency -------------------------------------------------------------------------------------


async def test_each_answer_is_slow_once_though_envoy_tells_it_late(start_envoy):
    """Looks are more frequent than Envoy's flushes, and requests longer than looks: four of ten took more
    than 250 ms, each is counted once, whether it was seen waiting or not.
    """
    async with BadBackend().serve() as backend:
        routes = [{"match": {"prefix": "/"}, "route": {"cluster": "jazz"}}]
        config = bootstrap([static_listener("front", routes)], [cluster("jazz", backend.port)])
        proxy = start_envoy("proxy", config | {"stats_flush_interval": "1s"})
        url = f"http://127.0.0.1:{proxy.port('front')}/"
        about = question("jazz", "5xx", latency=True)
        loop = asyncio.get_running_loop()

        async def request(path: str) -> None:
            async with client.get(url + path) as answer:
                await answer.read()

        async with aiohttp.ClientSession() as client:
            await request("200")
            await asyncio.sleep(1.3)  # until Envoy has told its first histogram
            before: Sample | None = None
            at, total, slow = loop.time(), 0, 0
            merges: set[object] = set()
            requests: list[asyncio.Task[None]] = []
            for look in range(20):
                sample = await ask(proxy, about)
                elapsed = loop.time() - at if before else None
                at = loop.time()
                counted = increment(before, sample, ("jazz", ""), (Latency(250.0), Latency(None)), elapsed)
                before = baseline(before, sample, elapsed)
                total += counted.tallies[0].stable_n
                slow += counted.tallies[0].stable_x
                merges.add(sample.series[0].edges)
                if look == 1:
                    paths = ["200"] * 6 + ["slow-300", "slow-400", "slow-700", "slow-1600"]
                    requests = [asyncio.create_task(request(path)) for path in paths]
                await asyncio.sleep(0.25)
            await asyncio.gather(*requests)
    assert (total, slow) == (10, 4)
    assert len(merges) < 6, "more looks than flushes"


async def test_latency_that_no_proxy_tells_is_named(start_envoy):
    """Nor does silence stand for quickness where the buckets end too soon."""
    async with BadBackend().serve() as backend:
        routes = [{"match": {"prefix": "/"}, "route": {"cluster": "jazz"}}]
        config = bootstrap([static_listener("front", routes)], [cluster("jazz", backend.port)])
        short = [{"match": {"suffix": "upstream_rq_time"}, "buckets": [10, 100]}]
        config |= {
            "stats_flush_interval": "0.2s",
            "stats_config": {"histogram_bucket_settings": short},
        }
        proxy = start_envoy("proxy", config)
        url = f"http://127.0.0.1:{proxy.port('front')}/"
        about = question("jazz", "5xx", latency=True)
        assert (await ask(proxy, about)).missing == (), "nothing was answered yet"
        async with aiohttp.ClientSession() as client, client.get(url + "200") as answer:
            await answer.read()
        await asyncio.sleep(0.5)
        sample = await ask(proxy, about)
        [(what, why)] = sample.missing
        assert what == "latency"
        assert "end at 100 ms" in why
        assert (sample.series[0].completed, sample.series[0].edges) == (1, ())
