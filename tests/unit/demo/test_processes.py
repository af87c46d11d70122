"""Children end with their block; the sockets they inherit are theirs."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from rollout.demo.djapp import SERVED_BY
from rollout.demo.processes import Child, DemoFailed, child, environment, listening, port_of, reserved


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@asynccontextmanager
async def backend(folder: Path, fault: float) -> AsyncIterator[tuple[Child, str]]:
    words = ["rollout.demo.backend", "--name", "metal-v2", "--answer", "loud", "--fault", str(fault)]
    async with AsyncExitStack() as stack:
        with listening() as listener:
            command = [*words, "--socket", str(listener.fileno())]
            started = child("metal-v2", command, folder / "log", sockets=[listener])
            yield await stack.enter_async_context(started), f"http://127.0.0.1:{port_of(listener)}"


async def test_a_backend_fails_by_its_share_and_stays_well(tmp_path: Path) -> None:
    """The fault is seen by callers alone: /ping says ok."""
    async with backend(tmp_path, 0.2) as (running, url), aiohttp.ClientSession() as session:
        statuses = []
        for _ in range(200):
            async with session.get(url) as answer:
                statuses.append(answer.status)
                assert answer.headers[SERVED_BY] == "metal-v2"
        assert set(statuses) == {200, 503}
        assert 10 <= statuses.count(503) <= 80
        async with session.get(f"{url}/ping") as answer:
            assert answer.status == 200
        running.check()
    assert gone(running.pid)


async def test_a_child_that_ends_by_itself_is_named_with_its_last_words(tmp_path: Path) -> None:
    """So that "the daemon ended" comes with why."""
    async with child("the daemon", ["rollout.demo.backend"], tmp_path / "log") as running:
        await running.process.wait()
        with pytest.raises(DemoFailed, match=r"the daemon ended with 2(.|\n)*required: --name"):
            running.check()


async def test_a_child_that_does_not_want_to_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grace is over: nothing is left."""
    (tmp_path / "deaf.py").write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\ntime.sleep(60)\n",
        encoding="ascii",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with child("deaf", ["deaf"], tmp_path / "log", grace=0.2) as running:
        async with asyncio.timeout(20):
            while "deaf" not in running.log.read_text(encoding="ascii"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
    assert gone(running.pid)


def test_a_reserved_port_goes_to_a_server_that_reuses_addresses() -> None:
    """The daemon can bind it; nobody else is given it meanwhile."""
    with reserved() as port:
        with socket.create_server(("127.0.0.1", port)) as server:
            assert port_of(server) == port
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))


def test_git_of_a_hook_does_not_reach_the_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo run from a git hook commits to its own repository."""
    monkeypatch.setenv("GIT_DIR", "/somewhere/else")
    assert "GIT_DIR" not in environment()
    assert environment()["PATH"] == os.environ["PATH"]
