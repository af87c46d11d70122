"""A world in memory around the real daemon: its mesh, its counters and its git cost next to nothing, so that
what is measured is ours. Run as a process of its own by the bench `steady`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import quantile
from rollout.adapters.clock import SystemClock
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.adapters.parsing import ChildParser
from rollout.adapters.sinks.log import Log
from rollout.adapters.timetable import Timetable
from rollout.core.model import MeshSeen, Origin, ProxySeen, Route, Sample, Series, Split, Stage, Unseen
from rollout.engine.daemon import Daemon
from rollout.engine.engine import Engine, Outside
from rollout.engine.outbox import Postman
from rollout.engine.rollout import Rollout
from rollout.ports import File, Hosts, Moved, Question, Tree
from rollout.server.exposition import Exposition
from rollout.settings import EnvoyMesh, EnvoyMetrics, LogSink, Settings, SourceSettings
from rollout.settings.limits import limits

STEADY, RAMPING = 1_000, 100
RATE = 100.0
"""Requests a second of each service."""
SETTLE = 5.0
"""Seconds between the last rollout's arrival at its step and the begin of the measurement."""
_POLICY = """\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: bench, name: {name}}}
spec:
  route: {{envoy: {{routeConfiguration: {name}}}}}
  backend: {name}-{backend}
  steps: [{{weight: 10, bake: 1h}}, {{weight: 50, bake: 1h}}, {{weight: 100, bake: 1h}}]
"""


class MemoryMesh:
    """The port ``Mesh`` on a dictionary. ``writes`` counts, by route."""

    def __init__(self) -> None:
        self.writes: dict[str, int] = {}
        self._splits: dict[str, Split] = {}
        self._epochs: dict[str, int] = {}

    def split(self, name: str) -> Split:
        """What a route carries: all on its stable, before anything was written."""
        return self._splits.get(name) or Split.all_on(f"{name}-stable")

    async def read(self, route: Route, deadline: float) -> MeshSeen:  # noqa: ARG002 - the port's signature
        split = self.split(route.name)
        return MeshSeen(
            (split,),
            str(self.writes.get(route.name, 0)),
            {f"{route.name}-stable": 2, f"{route.name}-canary": 2},
            (ProxySeen("memory", (split,)),),
            self._epochs.get(route.name),
        )

    async def write(self, route: Route, split: Split, *, version: str, home: Split, epoch: int) -> None:  # noqa: ARG002
        if version != str(self.writes.get(route.name, 0)):
            raise Moved(route.name)
        self.writes[route.name] = self.writes.get(route.name, 0) + 1
        self._splits[route.name], self._epochs[route.name] = split, epoch


class MemoryMetrics:
    """The port ``Metrics``: each service has the same traffic, one request in a thousand fails."""

    def __init__(self, mesh: MemoryMesh) -> None:
        self._mesh = mesh
        self._counts: dict[str, float] = {}
        self._read_at: dict[str, float] = {}

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:  # noqa: ARG002
        now = time.monotonic()
        return [self._sample(question, now) for question in questions]

    def _sample(self, question: Question, now: float) -> Sample:
        split = self._mesh.split(question.backends[0].removesuffix("-stable"))
        return Sample(tuple(self._series(backend, split, now) for backend in question.backends))

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:  # noqa: ARG002
        return {}

    def _series(self, backend: str, split: Split, now: float) -> Series:
        seconds = now - self._read_at.get(backend, now)
        self._read_at[backend] = now
        count = self._counts.get(backend, 0.0) + RATE * seconds * split.weight(backend) / 10_000
        self._counts[backend] = count
        done = int(count)
        return Series("memory", backend, done, done, 0, (("5xx", done // 1_000),), 1e6)


class MemorySource:
    """The port ``PolicySource``: all at rest; a second commit, once it ``asks``, wants the canaries."""

    def __init__(self, steady: int, ramping: int) -> None:
        self.asks = False
        self._steady = [f"steady-{number}" for number in range(steady)]
        self._ramping = [f"ramping-{number}" for number in range(ramping)]

    async def read(self, accepted: str | None) -> Tree:
        at, author, subject = datetime.now(UTC), "bench <bench@example.com>", "bench"
        commit = "second" if self.asks else "first"
        if accepted == commit:
            return Tree(commit, author, subject, at, "same")
        relation = "newer" if accepted else "first"
        backend = "canary" if self.asks else "stable"
        wanted = dict.fromkeys(self._steady, "stable") | dict.fromkeys(self._ramping, backend)
        files = (
            File(
                f"{name}.yaml",
                _POLICY.format(name=name, backend=backend).encode(),
                Origin("git", f"{name}.yaml", commit, author, subject),
            )
            for name, backend in wanted.items()
        )
        return Tree(commit, author, subject, at, relation, tuple(files))


async def run(
    folder: Path, seconds: float, *, steady: int = STEADY, ramping: int = RAMPING, settle: float = SETTLE
) -> dict[str, float]:
    """The daemon, for so many seconds once everybody is where they stay."""
    clock, mesh, source = SystemClock(), MemoryMesh(), MemorySource(steady, ramping)
    settings = Settings(
        folder,
        sources=(SourceSettings("git", "memory"),),
        meshes=(EnvoyMesh("envoy", folder, ()),),
        metrics=(EnvoyMetrics("envoy", ()),),
        sinks=(LogSink("log"),),
    )
    journal, remembered = SqliteJournal.open(folder, clock)
    parser = ChildParser(limits(settings))
    postman = Postman(journal, {"log": Log()}, clock)
    outside = Outside(
        clock, journal, {"git": source}, parser, {"envoy": mesh}, {"envoy": MemoryMetrics(mesh)}
    )
    engine = Engine(settings, outside, remembered, postman.shout)
    await _bring_to_rest(engine, postman)
    source.asks = True
    exposition, lateness = Exposition(), list[float]()

    def observed(rollout: Rollout, late: float) -> None:
        lateness.append(late)
        exposition.observe(rollout, late)

    async def prune() -> None:
        await journal.prune(clock.now())

    daemon = Daemon(engine, postman, Timetable(), beat=lambda: None, prune=prune, observed=observed)
    running = asyncio.create_task(daemon.run())
    while _arrived(engine) < ramping:  # noqa: ASYNC110 - it is watched from outside
        await asyncio.sleep(0.2)
    await asyncio.sleep(settle)
    lateness.clear()
    mesh.writes.clear()
    found = await _watch(folder, seconds)
    found |= {
        "late": quantile(lateness, 0.99),
        "looks": len(lateness) / seconds,
        "mesh_writes": sum(count for name, count in mesh.writes.items() if name.startswith("steady")),
    }
    daemon.stop()
    await running
    await parser.close()
    await journal.close()
    return found


async def _bring_to_rest(engine: Engine, postman: Postman) -> None:
    """Everybody is adopted and has had a look at rest: what comes once is behind us."""
    await engine.poll("git")
    for _ in range(2):
        await asyncio.gather(*map(engine.look, engine.rollouts))
    while postman.undelivered:
        await postman.sweep()
    await postman.sweep()


async def _watch(folder: Path, seconds: float) -> dict[str, float]:
    """What this process uses and what it writes, over so many seconds."""
    began, cpu, looks = time.monotonic(), _cpu(), _rows(folder, "SELECT count(*) FROM evidence")
    since = datetime.now(UTC).isoformat(timespec="microseconds")
    await asyncio.sleep(seconds)
    span = time.monotonic() - began
    at_rest = "SELECT count(*) FROM rollouts WHERE name LIKE 'bench/steady-%' AND at > ?"
    return {
        "cpu": 100 * (_cpu() - cpu) / span,
        "rss": _rss(),
        "recorded": (_rows(folder, "SELECT count(*) FROM evidence") - looks) / span,
        "journal_writes": _rows(folder, at_rest, since),
    }


def _arrived(engine: Engine) -> int:
    """How many are at a step."""
    stages = [getattr(rollout.state, "rung", None) for rollout in engine.rollouts.values()]
    return sum(isinstance(rung, Stage) for rung in stages)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _rows(folder: Path, query: str, *values: str) -> int:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
        return int(journal.execute(query, values).fetchone()[0])


def main(seconds: str) -> None:
    """Print the figures as JSON."""
    logging.getLogger("rollout").addHandler(logging.NullHandler())
    logging.getLogger("apscheduler").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(prefix="rollout-bench-") as folder:
        print(json.dumps(asyncio.run(run(Path(folder), float(seconds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
