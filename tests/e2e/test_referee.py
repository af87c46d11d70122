"""The referee of the simulated worlds judges the real thing: real Envoy, git, SQLite and traffic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rollout import wiring
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.adapters.timetable import Timetable
from rollout.core.model import MeshSeen, Route, Sample, Split
from rollout.engine.daemon import Daemon
from rollout.engine.engine import Outside
from rollout.engine.rollout import Rollout
from rollout.ports import Outbox, Sink
from rollout.settings.load import load
from rollout.simulation.events import (
    Behaves,
    Committed,
    Ended,
    Event,
    Log,
    Looked,
    MeshRead,
    Over,
    Recorded,
    Sampled,
    Started,
    Wrote,
)
from rollout.simulation.referee import judge
from rollout.simulation.watch import (
    Process,
    WatchedClock,
    WatchedJournal,
    WatchedMesh,
    WatchedMetrics,
    WatchedSink,
    WatchedSource,
)
from tests.e2e.conftest import StartSite
from tests.installation import Installation, Traffic

RATE = 100


@dataclass
class Witness:
    """Writes down what crosses the real ports, and remembers what it needs to say what was before."""

    log: Log = field(default_factory=Log)
    shown: dict[str, tuple[Split, ...]] = field(default_factory=dict)
    served: dict[str, tuple[int, int]] = field(default_factory=dict)
    ready: int = -1
    reasons: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.process = Process(self.log, self.seconds)
        self.log.listeners.append(self._note)

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def _note(self, event: Event) -> None:
        match event:
            case MeshRead(route=route, seen=MeshSeen() as seen):
                self.shown[route.key] = seen.splits
                self.ready = min(seen.ready.values(), default=-1)
            case Wrote(route=route, split=split, landed=True):
                self.shown[route.key] = (split,)
            case Sampled(answers=answers):
                for answer in answers:
                    for one in answer.series if isinstance(answer, Sample) else ():
                        self.served[one.backend] = (one.completed, dict(one.codes).get("5xx", 0))

    def peek(self, route: Route) -> tuple[Split, ...]:
        return self.shown.get(route.key, ())

    def counts(self) -> tuple[tuple[str, int, int], ...]:
        return tuple((name, *counts) for name, counts in self.served.items())

    def around(
        self, outside: Outside, outbox: Outbox, sinks: Mapping[str, Sink]
    ) -> tuple[Outside, Outbox, Mapping[str, Sink]]:
        process = self.process
        assert isinstance(outbox, SqliteJournal)
        journal = WatchedJournal(outbox, process)
        watched = replace(
            outside,
            clock=WatchedClock(outside.clock, process),
            journal=journal,
            sources={name: WatchedSource(one, process) for name, one in outside.sources.items()},
            meshes={
                name: WatchedMesh(one, process, self.peek, self.counts)
                for name, one in outside.meshes.items()
            },
            metrics={name: WatchedMetrics(one, process) for name, one in outside.metrics.items()},
        )
        return watched, journal, {name: WatchedSink(name, one, process) for name, one in sinks.items()}

    def committed(self, commit: str, what: str) -> None:
        self.log.add(Committed(self.seconds(), "main", commit, what, ("prod/jazz",)))

    def looked(self, rollout: Rollout, _late: float) -> None:
        if rollout.decision is not None:
            self.reasons.add(rollout.decision.reason.name)
            self.log.add(Looked(self.seconds(), rollout.name, rollout.decision, self.ready, False, False))


async def nothing() -> None:
    """No house to keep."""


async def until(what: str, witness: Witness, *, seconds: float = 60) -> None:
    """Wait until a reason was looked at."""
    async with asyncio.timeout(seconds):
        while what not in witness.reasons:  # noqa: ASYNC110 - the daemon tells the witness
            await asyncio.sleep(0.05)


async def test_a_promotion_and_a_rollback_on_real_envoy_break_no_law(tmp_path: Path, start_site: StartSite):
    """jazz-v2 climbs and is promoted, jazz-bad goes home; and the log without its records is found out."""
    site = start_site({"jazz-v1": 200, "jazz-v2": 200, "jazz-bad": 503})
    folder = tmp_path / "house"
    folder.mkdir()
    witness = Witness()
    with Traffic(site.address(), RATE), Installation(folder, site) as house:
        witness.committed(house.commit("jazz-v1"), "the first commit")
        settings = load(house.settings)
        async with wiring.open_all(settings, witness.around) as opened:
            epoch = opened.engine.world.epoch
            witness.log.add(Started(witness.seconds(), epoch, observe=False))
            witness.log.add(Behaves(witness.seconds(), "jazz-bad", 1.0))
            daemon = Daemon(
                opened.engine,
                opened.postman,
                Timetable(),
                beat=lambda: None,
                prune=nothing,
                observed=witness.looked,
            )
            turning = asyncio.create_task(daemon.run())
            await until("NOTHING_NEW", witness)
            witness.committed(house.commit("jazz-v2", bake="3s"), "jazz asks for v2")
            await until("PROMOTED", witness)
            witness.committed(house.commit("jazz-bad", bake="3s"), "jazz asks for a bad one")
            await until("REJECTED_BEFORE", witness)
            daemon.stop()
            await turning
            witness.log.add(Ended(witness.seconds(), killed=False))
            witness.log.add(
                Over(witness.seconds(), rested=True, owed=await opened.postman._outbox.undelivered())
            )
    sinks = tuple(sink.name for sink in settings.sinks)
    assert [str(one) for one in judge(witness.log, sinks, float(RATE))] == []
    writes = [one for one in witness.log.events if isinstance(one, Wrote) and one.landed]
    assert len(writes) >= 5
    robbed = Log(
        [
            one
            for one in witness.log.events
            if not isinstance(one, Recorded) or not one.record.decision.actions
        ]
    )
    assert {one.law for one in judge(robbed, sinks, float(RATE))} >= {"I15"}
