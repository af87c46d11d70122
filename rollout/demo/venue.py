"""Everything that plays in the demo, started in order and ended in order, whatever happens in between."""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rollout.demo import djapp
from rollout.demo.envoy import LOOPBACK, EnvoyProcess
from rollout.demo.processes import Child, child, listening, port_of, reserved, running
from rollout.demo.receiver import Receiver, receiving
from rollout.demo.repository import Repository
from rollout.demo.tape import Tape
from rollout.demo.weights import Witness

DAEMON_GRACE = 12.0
"""Seconds that the daemon may take to end: it finishes a write that is under way."""


@dataclass(frozen=True, slots=True)
class Venue:
    """All of it while it runs. ``home`` is the temporary directory that everything lives in."""

    home: Path
    repository: Repository
    settings: Path
    state: Path
    envoy: EnvoyProcess
    dj_url: str
    listen: str
    children: tuple[Child, ...]
    receiver: Receiver
    tape: Tape
    witness: Witness

    def check(self) -> None:
        """Raises ``DemoFailed`` when a part of it has ended by itself."""
        for one in self.children:
            one.check()


@asynccontextmanager
async def opened() -> AsyncIterator[Venue]:
    """The venue, until the block ends; then no process and no file of it is left.

    Raises:
        DemoFailed: a part of it does not come up.
        EnvoyFailed: Envoy does not come up.
    """
    async with AsyncExitStack() as stack:
        home = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="rollout-demo-", ignore_cleanup_errors=True)
            )
        )
        for name in ("policies", "routes", "logs"):
            (home / name).mkdir()
        receiver = await stack.enter_async_context(receiving(_secret(home)))
        repository = await Repository.create(home / "policies")
        stable = {service: djapp.policy(service, djapp.stable_of(service)) for service in djapp.SERVICES}
        await repository.commit("jazz and metal on v1", **stable)
        backends, ports = await _backends(stack, home)
        djapp.write_routes(home / "routes")
        envoy = await stack.enter_async_context(running(djapp.proxy(home / "envoy", home / "routes", ports)))
        dj, dj_url = await _dj(stack, home, envoy)
        listen = f"{LOOPBACK}:{stack.enter_context(reserved())}"
        settings = _settings(home, envoy, receiver, listen)
        daemon = await stack.enter_async_context(
            child(
                "the daemon",
                ["rollout", "run", "--config", str(settings)],
                home / "logs" / "daemon.log",
                grace=DAEMON_GRACE,
            )
        )
        yield Venue(
            home=home,
            repository=repository,
            settings=settings,
            state=home / "state",
            envoy=envoy,
            dj_url=dj_url,
            listen=listen,
            children=(*backends, dj, daemon),
            receiver=receiver,
            tape=Tape(home / "logs" / "dj.answers"),
            witness=Witness(envoy.admin),
        )


def _secret(home: Path) -> str:
    """What the daemon signs alerts with, in a file of ours alone."""
    secret, path = secrets.token_hex(16), home / "secret"
    path.touch(mode=0o600)
    path.write_text(secret, encoding="ascii")
    return secret


async def _backends(stack: AsyncExitStack, home: Path) -> tuple[list[Child], dict[str, int]]:
    """Both versions of jazz and metal: the processes, and their ports by backend."""
    children, ports = [], {}
    for name, answer in djapp.PLAYS.items():
        with listening() as listener:
            arguments = ["--name", name, "--answer", answer, "--fault", str(djapp.FAULTS.get(name, 0.0))]
            ports[name] = port_of(listener)
            children.append(await _program(stack, home, "backend", name, listener, arguments))
    return children, ports


async def _dj(stack: AsyncExitStack, home: Path, envoy: EnvoyProcess) -> tuple[Child, str]:
    """dj, who asks jazz and metal through Envoy: the process, and its own address."""
    urls = [f"{service}=http://{LOOPBACK}:{envoy.port(service)}/" for service in djapp.SERVICES]
    arguments = ["--log", str(home / "logs" / "dj.answers"), "--rate", str(djapp.RATE), *urls]
    with listening() as listener:
        made = await _program(stack, home, "dj", "dj", listener, arguments)
        return made, f"http://{LOOPBACK}:{port_of(listener)}/"


async def _program(
    stack: AsyncExitStack, home: Path, module: str, name: str, listener: socket.socket, arguments: list[str]
) -> Child:
    command = [f"rollout.demo.{module}", "--socket", str(listener.fileno()), *arguments]
    log = home / "logs" / f"{name}.log"
    return await stack.enter_async_context(child(name, command, log, sockets=[listener]))


def _settings(home: Path, envoy: EnvoyProcess, receiver: Receiver, listen: str) -> Path:
    """The daemon's settings file."""
    path = home / "rollout.toml"
    text = djapp.settings(
        state=home / "state",
        listen=listen,
        repository=home / "policies",
        routes=home / "routes",
        admin=envoy.admin,
        webhook=receiver.url,
        secret=home / "secret",
    )
    path.write_text(text, encoding="utf-8")
    return path
