"""Our own programs as child processes: each is known by its handle, and ended by it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rollout.demo.envoy import LOOPBACK, EnvoyProcess

SAID_LAST = 2_000


class DemoFailed(Exception):  # noqa: N818 - it says what happened
    """The demo cannot go on; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running program of ours; ``log`` is where it writes."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def ended(self) -> bool:
        """Has it ended?"""
        return self.process.returncode is not None

    def check(self) -> None:
        """Raises ``DemoFailed`` with its last words if it has ended by itself."""
        if self.ended:
            said = self.log.read_text(encoding="utf-8", errors="replace")[-SAID_LAST:].strip()
            raise DemoFailed(f"{self.name} ended with {self.process.returncode}; it said last:\n{said}")


@asynccontextmanager
async def child(
    name: str,
    arguments: Sequence[str],
    log: Path,
    *,
    sockets: Sequence[socket.socket] = (),
    grace: float = 3.0,
) -> AsyncIterator[Child]:
    """``python -m arguments``, until the block ends; then ``grace`` seconds to end politely.

    It is in a session of its own: Ctrl-C on the terminal is for the demo, which ends it in order.
    """
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment(),
            pass_fds=[each.fileno() for each in sockets],
            start_new_session=True,
        )
    try:
        yield Child(name, process, log)
    finally:
        await _end(process, grace)


async def _end(process: asyncio.subprocess.Process, grace: float) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def running(envoy: EnvoyProcess) -> AsyncIterator[EnvoyProcess]:
    """Envoy, until the block ends. Its start takes a moment, and may be called off in the middle."""
    starting = asyncio.create_task(asyncio.to_thread(envoy.start))
    try:
        await asyncio.shield(starting)
        yield envoy
    finally:
        await asyncio.wait([starting])
        await asyncio.to_thread(envoy.stop)


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket that listens on a free loopback port, for a child to take over."""
    with socket.create_server((LOOPBACK, 0), backlog=1024) as made:
        yield made


@contextmanager
def reserved() -> Iterator[int]:
    """A free loopback port for a child that binds it itself. The kernel gives it to nobody else meanwhile,
    but to a server that reuses addresses, as ours do.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, 0))
        yield port_of(held)


def port_of(listener: socket.socket) -> int:
    """Where it listens."""
    return int(listener.getsockname()[1])


def environment() -> dict[str, str]:
    """Ours, without what git sets for its hooks: a demo run from one would write to the wrong repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
