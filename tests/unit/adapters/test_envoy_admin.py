"""An admin port that does everything but answer well: each way has its sentence, none delays a look."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.envoy_admin import BODY_CAP, Admins, Silent
from rollout.adapters.envoy_counters import UPTIME
from rollout.adapters.meshes.envoy import EnvoyFiles
from rollout.adapters.metrics.envoy import EnvoyStats
from rollout.core.model import Route, Sample, Split, Unseen
from rollout.ports import Question
from rollout.settings import EnvoyMesh, EnvoyMetrics

GOOD = f'{{"stats":[{{"name":"{UPTIME}","value":5}},{{"name":"cluster.jazz.membership_total","value":1}}]}}'
QUESTION = Question(("jazz",), ("5xx",))
ROUTES = """\
resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: jazz
  virtual_hosts: [{name: x, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: jazz}}]}]
"""


def answer(body: bytes = b"", status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"content-length: {len(body) if length is None else length}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(answer(length=1_000))
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()


def say(raw: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return talk


class Server:
    """An admin port on loopback; ``talk`` may be changed while it runs. ``asked`` are the paths."""

    def __init__(self, talk: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.talk = talk
        self.asked: list[str] = []
        self.name = ""

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Server]:
        tasks: set[asyncio.Task[None]] = set()

        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked.append(head.split()[1].decode())
                await self.talk(writer)
            except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
                pass
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(connection, "127.0.0.1", 0)
        self.name = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


BAD = {
    "nothing": (say(b""), "closed the connection without an answer"),
    "garbage": (say(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "did not answer in HTTP"),
    "an error": (say(answer(b"no", "503 Unavailable")), "answered with status 503"),
    "a redirect": (
        say(answer(b"", "302 Found", "location: http://127.0.0.1:1/")),
        "answered with status 302",
    ),
    "a sign-in page": (say(answer(b"<html>Sign in</html>")), "HTML that is not JSON"),
    "half a body": (say(answer(GOOD[:30].encode(), length=len(GOOD))), "broke off in the middle"),
    "half a JSON": (say(answer(GOOD[:-9].encode())), "not JSON"),
    "a bomb": (
        say(answer(gzip.compress(b"x" * 10**7), "200 OK", "content-encoding: gzip")),
        "compressed body, which was not asked for",
    ),
    "a long body": (say(answer(length=BODY_CAP + 1)), f"more than {BODY_CAP} are not read"),
    "a flood": (flood, f"more than {BODY_CAP} bytes"),
    "silence": (hang, "did not answer within 1 s"),
    "a drip": (drip, "did not answer within 1 s"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_answer_silences_its_proxy_alone(name: str):
    """E3: named with the reason, within the deadline; the good proxy's counters are there, and no zeros."""
    talk, words = BAD[name]
    async with Server(talk).serve() as bad, Server(say(answer(GOOD.encode()))).serve() as good:
        metrics = EnvoyStats(EnvoyMetrics("envoy", (bad.name, good.name)), SystemClock())
        began = time.monotonic()
        [sample] = await metrics.read([QUESTION], 1.0)
        assert time.monotonic() - began < 1.5
        await metrics.close()
    assert isinstance(sample, Sample)
    assert [series.proxy for series in sample.series] == [good.name]
    [(silent, why)] = sample.silent
    assert silent == bad.name
    assert words in why


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_answer_makes_a_proxy_unreachable_for_the_mesh(name: str, tmp_path: Path):
    """The file is read all the same, and the proxy is named with the reason."""
    talk, words = BAD[name]
    (tmp_path / "jazz.yaml").write_text(ROUTES)
    async with Server(talk).serve() as bad:
        mesh = EnvoyFiles(EnvoyMesh("edge", tmp_path, (bad.name,)), SystemClock())
        seen = await mesh.read(Route("envoy", "edge", "jazz"), 1.0)
        await mesh.close()
    assert seen.splits == (Split.all_on("jazz"),)
    assert seen.ready == {}
    [proxy] = seen.proxies
    assert (proxy.name, proxy.splits) == (bad.name, ())
    assert words.split(";")[0] in proxy.unreachable or "within" in proxy.unreachable


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("127.0.0.1:1", "cannot be reached"),
        ("no such host:1", "cannot be reached"),
        ("[::1", "address that is not host:port"),
        ("", "address that is not host:port"),
        ("127.0.0.1:99999999", "address that is not host:port"),
        ("ftp://127.0.0.1:1", "address that is not host:port"),
    ],
)
async def test_a_proxy_that_cannot_be_reached_says_so(name: str, words: str):
    metrics = EnvoyStats(EnvoyMetrics("envoy", (name,)), SystemClock())
    [answer] = await metrics.read([QUESTION], 1.0)
    await metrics.close()
    assert isinstance(answer, Unseen)
    assert name in answer.why
    assert words in answer.why


async def test_who_let_a_deadline_pass_is_not_waited_for_again():
    """E1: a hung proxy costs one deadline, then next to nothing, with one question under way at most; when it
    answers again it has the whole deadline again.
    """
    async with Server(hang).serve() as server:
        admins = Admins([server.name], SystemClock())
        [proxy] = admins.proxies
        with pytest.raises(Silent, match=r"did not answer within 0\.3 s"):
            await proxy.ask(["/a"], 0.3)
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(Silent, match="has not answered for"):
                await proxy.ask(["/a"], 0.3)
        assert time.monotonic() - began < 0.5
        assert len(server.asked) == 1
        for task in proxy._asked:
            task.cancel()

        async def slow(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.2)
            writer.write(answer(b"well"))
            await writer.drain()

        server.talk = slow
        with pytest.raises(Silent, match="has not answered for"):
            await proxy.ask(["/a"], 0.3)
        await asyncio.sleep(0.3)
        assert await proxy.ask(["/a"], 0.5) == [b"well"]
        await admins.close()


async def test_one_question_serves_a_batch():
    """Many rollouts, one request for each proxy."""
    async with Server(say(answer(GOOD.encode()))).serve() as server:
        metrics = EnvoyStats(EnvoyMetrics("envoy", (server.name,)), SystemClock())
        answers = await metrics.read([QUESTION, Question(("jazz", "x"), ("429",)), QUESTION], 1.0)
        await metrics.close()
    assert len(server.asked) == 1
    assert all(isinstance(found, Sample) and len(found.series) == 1 for found in answers)


async def test_one_list_of_endpoints_serves_routes_read_together(tmp_path: Path):
    """The list names every cluster of a proxy: it is asked for once, while each route has its own dump."""
    for name in ("jazz", "swing"):
        (tmp_path / f"{name}.yaml").write_text(ROUTES.replace("name: jazz", f"name: {name}"))
    async with Server(say(answer(b"{}"))).serve() as server:
        mesh = EnvoyFiles(EnvoyMesh("edge", tmp_path, (server.name,)), SystemClock())
        await asyncio.gather(*(mesh.read(Route("envoy", "edge", name), 1.0) for name in ("jazz", "swing")))
        await mesh.close()
    assert len([path for path in server.asked if path.startswith("/clusters")]) == 1
    assert len([path for path in server.asked if path.startswith("/config_dump")]) == 2
