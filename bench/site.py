"""A true site to measure on: an Envoy in front, backends behind it, a git repository, the daemon, callers.

Only programs and files are shared with the daemon. Each lane is a service of its own: a route, a stable
and a canary backend, its policy, and a process that calls it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from rollout.demo.envoy import (
    Config,
    EnvoyProcess,
    bootstrap,
    cluster,
    rds_listener,
    route_file,
    weighted_route,
)

POLL = 1.0
"""Seconds between two looks at git: the shortest that the settings allow."""
_SETTINGS = """\
state = "{folder}/state"
listen = ""

[sources.bench]
url = "{folder}/git"
poll = "{poll:g}s"

[meshes.envoy]
kind = "envoy"
directory = "{folder}/routes"
admin = ["{admin}"]

[sinks.log]
kind = "log"
"""


ARMS = ("stable", "canary")
FAULT, FAULT_TYPE = (
    "envoy.filters.http.fault",
    "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
)


class Stuck(Exception):  # noqa: N818 - it says what became of the run
    """What was waited for did not happen; ``str()`` says what."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One service; ``port`` is where it is called."""

    name: str
    rate: float
    port: int

    @property
    def stable(self) -> str:
        """The name of its stable backend."""
        return f"{self.name}-stable"

    @property
    def canary(self) -> str:
        """The name of the backend that its policy asks for."""
        return f"{self.name}-canary"


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of a caller's log; ``word`` is the body's first, a backend says who it is."""

    sent: float
    received: float
    status: int
    word: str


class Site:
    """Everything, until the block ends. ``rates``: requests a second of each lane; ``guard``: settings."""

    def __init__(self, rates: Sequence[float], guard: str = "") -> None:
        self._rates = rates
        self._guard = guard
        self._open = contextlib.ExitStack()
        self._committing = threading.Lock()
        self._read: dict[str, int] = {}
        self.daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rollout-bench-")))
            for name in ("routes", "answers", "git", "calls"):
                (self.folder / name).mkdir()
            names = [f"lane-{number}" for number in range(len(self._rates))]
            for name in names:
                for arm in ARMS:
                    self.answer(f"{name}-{arm}", 200)
                route = weighted_route({f"{name}-stable": 100})
                self._put(self.folder / "routes" / f"{name}.yaml", route_file(name, route))
            self.backends = stack.enter_context(EnvoyProcess(self.folder / "backends", self._behind(names)))
            self.front = stack.enter_context(EnvoyProcess(self.folder / "front", self._before(names)))
            self.lanes = [
                Lane(name, rate, self.front.port(name)) for name, rate in zip(names, self._rates, strict=True)
            ]
            self._git("init", "--quiet", "--initial-branch", "main")
            settings = _SETTINGS.format(folder=self.folder, poll=POLL, admin=self.front.admin)
            (self.folder / "rollout.toml").write_text(settings + self._guard, encoding="ascii")
            stack.callback(self.stop)
            for lane in self.lanes:
                stack.enter_context(self._calling(lane))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _behind(self, names: Sequence[str]) -> Config:
        backends = [f"{name}-{arm}" for name in names for arm in ARMS]
        return bootstrap([_late(rds_listener(each, self.folder / "answers", each)) for each in backends], [])

    def _before(self, names: Sequence[str]) -> Config:
        backends = [f"{name}-{arm}" for name in names for arm in ARMS]
        clusters = [cluster(each, self.backends.port(each)) for each in backends]
        return bootstrap([rds_listener(name, self.folder / "routes", name) for name in names], clusters)

    def _put(self, path: Path, text: str) -> None:
        draft = path.with_name(f".{path.name}.put")
        draft.write_text(text, encoding="utf-8")
        draft.rename(path)

    # --- the world ---------------------------------------------------------------------------------

    def answer(self, backend: str, status: int, share: float = 1.0, delay: float = 0.0) -> None:
        """Let a backend answer this share of its requests with this status from now on, and the rest well;
        all of them after ``delay`` seconds.
        """
        chance = {"default_value": {"numerator": round(share * 1_000_000), "denominator": "MILLION"}}
        routes: list[Config] = [
            {
                "match": {"prefix": "/", "runtime_fraction": chance},
                "direct_response": _reply(backend, status),
            },
            {"match": {"prefix": "/"}, "direct_response": _reply(backend, 200)},
        ]
        if delay:
            late = {"fixed_delay": f"{delay:g}s", "percentage": {"numerator": 100}}
            for route in routes:
                route["typed_per_filter_config"] = {FAULT: {"@type": FAULT_TYPE, "delay": late}}
        self._put(self.folder / "answers" / f"{backend}.yaml", route_file(backend, *routes))

    @contextlib.contextmanager
    def _calling(self, lane: Lane) -> Any:
        arguments = ["bench.load", str(lane.port), str(lane.rate), str(self._log(lane))]
        process = subprocess.Popen([sys.executable, "-m", *arguments])
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def _log(self, lane: Lane) -> Path:
        return self.folder / "calls" / lane.name

    def answers(self, lane: Lane) -> list[Answer]:
        """What the lane's callers were answered since this was asked last."""
        with self._log(lane).open("rb") as log:
            log.seek(self._read.get(lane.name, 0))
            raw = log.read()
        whole = raw[: raw.rfind(b"\n") + 1]
        self._read[lane.name] = self._read.get(lane.name, 0) + len(whole)
        return [_answer(line) for line in whole.decode("ascii").splitlines()]

    def commit(self, policies: Mapping[Lane, str]) -> float:
        """Commit the policies of these lanes; answers when it was done."""
        with self._committing:
            for lane, text in policies.items():
                (self.folder / "git" / f"{lane.name}.yaml").write_text(text, encoding="ascii")
            self._git("add", ".")
            self._git("commit", "--quiet", "--message", "bench")
            return time.time()

    def _git(self, *arguments: str) -> None:
        author = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0"]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        subprocess.run(["git", *author, *arguments], cwd=self.folder / "git", check=True, env=plain)

    # --- the daemon ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon."""
        with (self.folder / "daemon.log").open("ab") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "rollout", "run", "--config", str(self.folder / "rollout.toml")],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """End the daemon, if it runs."""
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait(15)
            self.daemon = None

    def kill(self) -> float:
        """End the daemon as a power cut does; answers when."""
        assert self.daemon is not None
        self.daemon.kill()
        at = time.time()
        self.daemon.wait()
        return at

    # --- what the journal and Envoy say ----------------------------------------------------------------

    def ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Read the journal as any program may."""
        uri = f"{(self.folder / 'state' / 'journal.sqlite').as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as journal:
            return journal.execute(query, values).fetchall()

    def state(self, lane: Lane) -> dict[str, Any]:
        """The lane's present state; empty before the daemon knows it."""
        with contextlib.suppress(sqlite3.OperationalError):
            for (decision,) in self.ask("SELECT decision FROM rollouts WHERE name = ?", f"bench/{lane.name}"):
                found: dict[str, Any] = json.loads(decision)["state"]
                return found
        return {}

    def wait_steady(self, lanes: Sequence[Lane], seconds: float = 30.0) -> None:
        """Until all of them are at rest.

        Raises:
            Stuck: they are not within these seconds.
        """
        until = time.time() + seconds
        while any(self.state(lane).get("type") != "Steady" for lane in lanes):
            if time.time() > until:
                log = (self.folder / "daemon.log").read_text(encoding="utf-8")
                raise Stuck(f"not at rest within {seconds:g} s; the daemon said last:\n{log[-2000:]}")
            time.sleep(0.02)

    def carried(self, lane: Lane) -> int:
        """What the canary has in the lane's route file, out of 10 000."""
        text = (self.folder / "routes" / f"{lane.name}.yaml").read_text(encoding="utf-8")
        response = yaml.load(text, yaml.CSafeLoader)
        action = response["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]
        weights: dict[str, int] = {
            each["name"]: each["weight"] for each in action["weighted_clusters"]["clusters"]
        }
        return round(10_000 * weights.get(lane.canary, 0) / sum(weights.values()))


def _late(listener: Config) -> Config:
    """A listener whose routes can say that answers take their time."""
    http = listener["filter_chains"][0]["filters"][0]["typed_config"]
    http["http_filters"] = [{"name": FAULT, "typed_config": {"@type": FAULT_TYPE}}, *http["http_filters"]]
    return listener


def _reply(backend: str, status: int) -> Config:
    return {"status": status, "body": {"inline_string": backend.rpartition("-")[2]}}


def _answer(line: str) -> Answer:
    sent, received, status, word = line.split(" ")
    return Answer(float(sent), float(received), int(status), word)


def policy(lane: Lane, backend: str, steps: str, *, revision: int = 0, analysis: str = "") -> str:
    """A policy's text; ``steps`` and ``analysis`` in YAML's flow style."""
    more = f"  analysis: {analysis}\n" if analysis else ""
    return f"""\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: bench, name: {lane.name}}}
spec:
  route: {{envoy: {{routeConfiguration: {lane.name}}}}}
  backend: {backend}
  revision: run-{revision}
  steps: {steps}
{more}"""
