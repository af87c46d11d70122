"""Everything around the daemon while it is killed: two Envoys, backends, git, callers, a sink, a witness."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from rollout.adapters.journals.reader import FILE, Reader, read_only
from rollout.demo.envoy import (
    Config,
    EnvoyProcess,
    bootstrap,
    cluster,
    direct_listener,
    rds_listener,
    route_file,
    static_listener,
    weighted_route,
)
from tests.e2e.kill.sink import Sink
from tests.installation import SCRIPT
from tests.repository import Repository

SERVICES = ("bop", "cool", "free", "jive", "modal", "swing")
QUICK = frozenset(SERVICES[::2])
"""Looked at every 250 ms; the others every second, the default."""
RATE = 150
"""Requests per second to each service, over both proxies."""
PROXIES = 2
STATUSES = {"a": "fine", "b": "fine", "faulty": "faulty", "dead": "dead"}
"""What stands behind each of a service's backends."""
FAULT = 20
"""Per cent of a faulty canary's answers that are 503."""
UP_WITHIN = 30.0
ORPHANS_END_WITHIN = 10.0
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)

POLICY = """\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: prod, name: {service}}}
spec:
  route: {{envoy: {{routeConfiguration: {service}}}}}
  backend: {backend}
  revision: "{content}"
  steps:
    - {{weight: 10, bake: {bake:.0f}ms}}
    - {{weight: 50, bake: {bake:.0f}ms}}
    - {{weight: 100, bake: {bake:.0f}ms}}
  analysis: {{look: {look}}}
  alerts: [sink]
"""
SETTINGS = """\
state = "state"
listen = ""

[guard]
min_look = "250ms"

[sources.main]
url = "{url}"
path = "policies"
poll = "1s"

[meshes.envoy]
kind = "envoy"
directory = "{routes}"
admin = {admin}

[sinks.sink]
kind = "webhook"
url = "{sink}"
"""


def backend(service: str, kind: str) -> str:
    """The Envoy cluster of a service's backend."""
    return f"{service}-{kind}"


def answers() -> list[Config]:
    """Listeners that answer as healthy, faulty and dead backends do."""
    share = {"default_value": {"numerator": FAULT, "denominator": "HUNDRED"}}
    bad = {"match": {"prefix": "/", "runtime_fraction": share}, "direct_response": {"status": 503}}
    good = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    return [direct_listener("fine"), direct_listener("dead", 503), static_listener("faulty", [bad, good])]


class House:
    """All of it, from the beginning of the block to its end; the daemon comes and goes meanwhile."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.routes = folder / "routes"
        self.log = folder / "witness.log"
        self.sink = Sink(seed)
        self.proxies: list[EnvoyProcess] = []
        self.daemon: subprocess.Popen[bytes] | None = None
        self._kept = set(children(set()))
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(reaping())
            self._open(stack)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()
        self._running.close()

    def _open(self, stack: contextlib.ExitStack) -> None:
        stack.enter_context(self.sink)
        self.routes.mkdir()
        for service in SERVICES:
            text = route_file(service, weighted_route({backend(service, "a"): 10_000}))
            (self.routes / f"{service}.yaml").write_text(text, encoding="utf-8")
        behind = stack.enter_context(EnvoyProcess(self.folder / "backends", bootstrap(answers(), [])))
        clusters = [
            cluster(backend(service, kind), behind.port(listener))
            for service in SERVICES
            for kind, listener in STATUSES.items()
        ]
        listeners = [rds_listener(service, self.routes, service) for service in SERVICES]
        for number in range(PROXIES):
            config = bootstrap(listeners, clusters)
            self.proxies.append(stack.enter_context(EnvoyProcess(self.folder / f"proxy-{number}", config)))
        self.repository = Repository.create(self.folder / "policies.git")
        settings = SETTINGS.format(
            url=self.repository.url,
            routes=self.routes,
            admin=json.dumps([proxy.admin for proxy in self.proxies]),
            sink=self.sink.url,
        )
        (self.folder / "rollout.toml").write_text(settings, encoding="utf-8")
        ports = [str(proxy.port(service)) for proxy in self.proxies for service in SERVICES]
        traffic = stack.enter_context(program("traffic", str(RATE / PROXIES), *ports))
        self._kept |= {behind.pid, traffic.pid, *(proxy.pid for proxy in self.proxies)}

    @contextlib.contextmanager
    def witnessed(self) -> Iterator[None]:
        """The witness looks until the block ends; its log is whole then."""
        what = {
            "journal": str(self.state / FILE),
            "routes": str(self.routes),
            "services": SERVICES,
            "admins": [proxy.admin for proxy in self.proxies],
            "log": str(self.log),
        }
        with program("witness", json.dumps(what)) as witness:
            self._kept.add(witness.pid)
            yield

    def commit(self, asked: Mapping[str, tuple[str, str, float]]) -> None:
        """Ask in git for (backend, content, bake) of some services, in one commit."""
        files = {}
        for service, (named, content, bake) in asked.items():
            look = "250ms" if service in QUICK else "1s"
            files[f"policies/{service}.yaml"] = POLICY.format(
                service=service, backend=named, content=content, bake=1000 * bake, look=look
            )
        self.repository.commit(files, ", ".join(sorted(asked)))

    # --- the daemon ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon."""
        with (self.folder / "daemon.log").open("ab") as log:
            self.daemon = subprocess.Popen(
                [str(SCRIPT), "run"], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def is_up(self) -> bool:
        """Does the daemon take orders? It has read its journal then. One that ended by itself raises."""
        assert self.daemon is not None
        assert self.daemon.poll() is None, f"the daemon ended by itself:\n{self.said}"
        with socket.socket(socket.AF_UNIX) as link:
            return link.connect_ex(str(self.state / "control.sock")) == 0

    @contextlib.contextmanager
    def proxies_stopped(self) -> Iterator[None]:
        """The proxies stand still until the block ends: what is written now, they see afterwards."""
        for proxy in self.proxies:
            os.kill(proxy.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for proxy in self.proxies:
                os.kill(proxy.pid, signal.SIGCONT)

    def wait_up(self) -> None:
        """Until it does."""
        until = time.monotonic() + UP_WITHIN
        while not self.is_up:
            assert time.monotonic() < until, f"the daemon does not come up:\n{self.said}"
            time.sleep(0.005)

    def kill(self) -> None:
        """``kill -9``, no more and no less; then it is gone."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGKILL)

    def bury(self) -> None:
        """Wait until the killed one has let go of everything."""
        assert self.daemon is not None
        ended = self.daemon.wait(10)
        assert ended == -signal.SIGKILL, (
            f"the daemon had ended with {ended} before it was killed:\n{self.said}"
        )
        self.daemon = None

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self.daemon is not None
        self.daemon.terminate()
        code = self.daemon.wait(20)
        self.daemon = None
        return code

    @property
    def said(self) -> str:
        """The end of what the daemon wrote."""
        return (self.folder / "daemon.log").read_text(encoding="utf-8")[-3000:]

    @property
    def journal(self) -> Reader:
        """Its journal, to look at."""
        return read_only(self.state)

    # --- what is left ----------------------------------------------------------------------------

    def orphans(self) -> Sequence[str]:
        """Processes that dead daemons left behind and that do not end: their command lines."""
        until = time.monotonic() + ORPHANS_END_WITHIN
        own = self._kept | ({self.daemon.pid} if self.daemon else set())
        while left := children(own):
            if time.monotonic() > until:
                return list(left.values())
            time.sleep(0.05)
        return []


@contextlib.contextmanager
def program(name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of the programs beside this file, until the block ends; it ends with its input."""
    command = [sys.executable, "-m", f"tests.e2e.kill.{name}", *arguments]
    root = Path(__file__).parents[3]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=root)
    try:
        yield child
        assert child.poll() is None, f"the {name} ended too early, with {child.returncode}"
    finally:
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextlib.contextmanager
def reaping() -> Iterator[None]:
    """Whose parent dies becomes our child (prctl(2)): no process can hide from ``children``."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_SUBREAPER, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        libc.prctl(_SUBREAPER, 0, 0, 0, 0)


def children(own: Collection[int]) -> dict[int, str]:
    """Our children but for our ``own``, by their command lines. Those that have ended are reaped."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):
            after_name = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
            state, parent = after_name.split()[:2]
            if int(parent) != os.getpid() or pid in own:
                continue
            if state == "Z":
                os.waitpid(pid, os.WNOHANG)
            else:
                said = (folder / "cmdline").read_bytes()
                found[pid] = said.replace(b"\0", b" ").decode(errors="replace")
    return found
