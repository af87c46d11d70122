"""A world: the true daemon, engine, core, parser and outbox over ports in memory, on virtual time, and
everything that a plan does to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rollout.core.model import MeshSeen, Ramping, RollingBack, Route
from rollout.core.reason import Reason
from rollout.engine.daemon import Daemon
from rollout.engine.engine import Engine, Outside
from rollout.engine.outbox import Postman
from rollout.engine.rollout import Rollout
from rollout.ports import Alert, SourceState
from rollout.settings import EnvoyMesh, EnvoyMetrics, LogSink, Settings, SourceSettings
from rollout.simulation.events import (
    Bug,
    Calm,
    Ended,
    Fault,
    Log,
    Looked,
    MeshRead,
    Over,
    Recorded,
    Shouted,
    Started,
)
from rollout.simulation.hands import Hands
from rollout.simulation.journal import Memory, SimulatedJournal, Torn
from rollout.simulation.loop import VirtualClock, run
from rollout.simulation.mesh import SimulatedMesh
from rollout.simulation.metrics import SimulatedMetrics
from rollout.simulation.parser import SimulatedParser
from rollout.simulation.plan import VERSIONS, Plan
from rollout.simulation.policy_source import SimulatedPolicySource
from rollout.simulation.repository import FOLDER, Repository
from rollout.simulation.sink import SimulatedSink
from rollout.simulation.timetable import SimulatedTimetable
from rollout.simulation.traffic import Traffic
from rollout.simulation.troubles import Deaf, Planted, TroubledMesh, TroubledMetrics, TroubledSink
from rollout.simulation.watch import (
    Cut,
    Process,
    WatchedClock,
    WatchedJournal,
    WatchedMesh,
    WatchedMetrics,
    WatchedSink,
    WatchedSource,
)

POLL = 3.0
SINKS = ("ops", "pager")
RESTING = 40.0
"""Seconds without any change after which a world is at rest: more than a heartbeat."""
LONGEST = 400.0
"""Seconds after the calm in which every rollout has to come to rest."""


def settings(plan: Plan) -> Settings:
    """The operator's, of a world."""
    return Settings(
        Path("state"),
        sources=(SourceSettings("main", "/repository", poll=POLL),),
        meshes=(EnvoyMesh("envoy", Path("rds"), ()),),
        metrics=(EnvoyMetrics("envoy", ()),),
        sinks=tuple(LogSink(name) for name in SINKS),
        observe=plan.observe,
    )


MOVING = frozenset({Reason.MEASURING, Reason.SETTLING, Reason.PROBING, Reason.BAKING, Reason.BLIND})
"""Reasons that time alone ends."""


class World:
    """One world of one plan. ``cut``: the first daemon dies there."""

    def __init__(self, plan: Plan, cut: Cut | None = None) -> None:
        self.plan = plan
        self.log = Log()
        self.cut = cut
        self.wrote = 0
        self.clock = VirtualClock()
        self.memory = Memory()
        self.backups: list[tuple[float, Memory]] = []
        self.since: float | None = None
        self.told = 0
        self.process: Process | None = None
        self.daemon: Daemon | None = None
        self.engine: Engine | None = None
        self.down = 0.5
        self.read: dict[str, MeshRead] = {}
        self.hidden: dict[str, object] = {}
        self.down_stables: dict[str, str] = {}
        self._living: asyncio.Task[None] | None = None
        self._lives: list[tuple[Process, Daemon]] = []
        fleet = tuple(f"proxy-{number}" for number in range(1, plan.fleet + 1))
        self.routes = {name: Route("envoy", "envoy", name) for name, _ in plan.services}
        mesh, metrics = SimulatedMesh(*fleet), SimulatedMetrics(*fleet, uptime=0.0)
        self.traffic = Traffic(
            mesh, metrics, self.routes, random.Random(f"traffic {plan.seed}"), self.clock.monotonic
        )
        self.traffic.timed = frozenset(name for name, terms in plan.services if terms.latency)
        self.traffic.clock.seed(f"clock {plan.seed}")
        self.mesh = TroubledMesh(mesh, self.traffic, self.clock)
        self.objects, self.counters = mesh, metrics
        self.metrics = TroubledMetrics(metrics, self.traffic, self.clock)
        self.sinks = {name: TroubledSink(SimulatedSink(), self.clock) for name in SINKS}
        self.repository = Repository(SimulatedPolicySource("main", FOLDER))
        self.log.listeners.append(self._note)
        self._furnish(mesh, metrics)

    def _furnish(self, mesh: SimulatedMesh, metrics: SimulatedMetrics) -> None:
        for name, route in self.routes.items():
            mesh.put(route, {f"{name}-v1": 1})
            self.traffic.rate[name] = self.plan.rate
            for version in VERSIONS:
                mesh.set_ready(f"{name}-{version}", 1)
                metrics.known(f"{name}-{version}")

    def _note(self, event: object) -> None:
        if isinstance(event, MeshRead):
            self.read[event.route.key] = event
        elif isinstance(event, Recorded) and event.record.noteworthy:
            self.told += 1

    @property
    def now(self) -> float:
        """The world's seconds."""
        return self.clock.monotonic()

    # --- the daemon's lives ----------------------------------------------------------------------

    def start(self) -> None:
        """A new process on the same disk."""
        if self.process is not None:
            return
        process = self.process = Process(self.log, self.clock.monotonic, cut=self.cut, earlier=self.wrote)
        clock = WatchedClock(self.clock, process)
        inner, remembered = SimulatedJournal.open(self.memory, clock)
        journal = WatchedJournal(inner, process, lambda trouble: isinstance(trouble, Torn))
        mesh = WatchedMesh(self.mesh, process, self.objects.splits, self.traffic.served)
        metrics = WatchedMetrics(self.metrics, process, lambda: not self.traffic.stale)
        sinks = {
            name: WatchedSink(name, sink, process, lambda trouble: isinstance(trouble, Deaf))
            for name, sink in self.sinks.items()
        }
        postman = Postman(journal, sinks, clock)

        def shout(alerts: tuple[tuple[str, Alert], ...]) -> None:
            for name, alert in () if process.dead else alerts:
                self.log.add(Shouted(self.now, name, alert))
            postman.shout(alerts)

        outside = Outside(
            clock,
            journal,
            {"main": WatchedSource(self.repository, process)},
            SimulatedParser(),
            {"envoy": mesh},
            {"envoy": metrics},
        )
        engine = self.engine = Engine(settings(self.plan), outside, remembered, shout)
        daemon = self.daemon = Daemon(
            engine,
            postman,
            SimulatedTimetable(clock),
            beat=lambda: None,
            prune=_nothing,
            observed=self._looked,
        )
        swapped = self.since is not None
        policies = {name: one for kept in remembered.policies.values() for name, one in kept.items()}
        self.log.add(
            Started(
                self.now,
                self.memory.epoch,
                self.plan.observe,
                self.since,
                tuple(remembered.decisions.items()) if swapped else (),
                tuple(policies.items()) if swapped else (),
                remembered.freezes if swapped else (),
                remembered.sources.get("main", SourceState()).rewritten,
            )
        )
        self.since = None
        process.die = lambda: self._died(process)
        self._lives.append((process, daemon))  # what waits in a dead one for ever is not to be collected
        self._living = asyncio.get_running_loop().create_task(daemon.run())
        self._living.add_done_callback(lambda task: self._over(task, process))

    def _over(self, living: asyncio.Task[None], process: Process) -> None:
        """A daemon that ends by an exception is a defect; the supervisor starts another."""
        if not living.cancelled() and (bug := living.exception()) is not None:
            self.log.add(Bug(self.now, "daemon", repr(bug)))
            process.kill()

    def _died(self, process: Process) -> None:
        self.wrote, self.cut = process.wrote, None
        self.process = self.engine = self.daemon = None
        self.log.add(Ended(self.now, killed=True))
        asyncio.get_running_loop().call_later(self.down, self.start)

    def kill(self, down: float) -> None:
        """``kill -9``, and so many seconds until the next start."""
        self.down = down
        if self.process is not None:
            self.process.kill()

    async def stop(self, down: float) -> None:
        """SIGTERM."""
        process, daemon, living = self.process, self.daemon, self._living
        if process is None or daemon is None or living is None:
            return
        self.log.add(Fault(self.now, "stop", "", on=True))
        daemon.stop()
        await asyncio.wait({living}, timeout=15.0)
        self.log.add(Fault(self.now, "stop", "", on=False))
        if not living.done() and not process.dead:
            self.log.add(Bug(self.now, "daemon", "it does not stop"))
        if self.process is not process:
            return
        process.dead = True
        self.wrote, self.process, self.engine, self.daemon = process.wrote, None, None, None
        self.log.add(Ended(self.now, killed=False))
        asyncio.get_running_loop().call_later(down, self.start)

    def _looked(self, rollout: Rollout, _late: float) -> None:
        engine, decision = self.engine, rollout.decision
        if engine is None or decision is None or engine.rollouts.get(rollout.name) is not rollout:
            return
        ready, past, route = -1, rollout.past, rollout.route
        read = self.read.get(route.key) if route else None
        if past is not None and read is not None and isinstance(read.seen, MeshSeen):
            ready = read.seen.ready.get(past.stable.backend, -1)
        ramp = rollout.state
        held = bool(engine.holds(rollout.name)) or (isinstance(ramp, Ramping) and ramp.paused is not None)
        broken = engine.world.breaker.is_open(self.now)
        self.log.add(Looked(self.now, rollout.name, decision, ready, held, broken))

    # --- time ------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        """All of the plan, then the calm, until everything is at rest."""
        hands = Hands(self)
        hands.first()
        self.start()
        for at, do in sorted(hands.timetable(), key=lambda one: one[0]):
            await self.clock.sleep(max(0.0, at - self.now))
            do()
        await self.clock.sleep(max(0.0, self.plan.calm - self.now))
        hands.calm()
        self.log.add(Calm(self.now))
        began = changed = self.now
        before = self._written()
        while self.now - changed < RESTING and self.now - began < LONGEST:
            await self.clock.sleep(5.0)
            if (count := self._written()) != before or self._moving():
                before, changed = count, self.now
        owed = sum(entry.ended is None for entry in self.memory.outbox)
        self.log.add(Over(self.now, self.now - changed >= RESTING, owed))

    def _written(self) -> tuple[int, int]:
        return len(self.objects.writes), self.told

    def _moving(self) -> bool:
        engine = self.engine
        if engine is None or any(entry.ended is None for entry in self.memory.outbox):
            return True
        return any(
            isinstance(one.state, RollingBack) or (one.decision is not None and one.decision.reason in MOVING)
            for one in engine.rollouts.values()
        )

    def swap(self, since: float, memory: Memory) -> None:
        """Another journal on the same disk; it knows what happened until ``since``."""
        memory.unwritable, memory.slow = self.memory.unwritable, self.memory.slow
        self.since, self.memory = since, memory

    def back_up(self) -> None:
        """Somebody copies the journal; an old one that no daemon began on yet knows nothing newer."""
        self.backups.append((self.now if self.since is None else self.since, copied(self.memory)))

    def run(self) -> Log:
        """Everything, from the first commit to the last rest."""
        with _quiet(self):
            run(self._turn(), lambda what: self.log.add(Bug(self.now, "loop", what)))
        return self.log


async def _nothing() -> None:
    """No house to keep."""


def copied(memory: Memory) -> Memory:
    """A copy of a disk."""
    whole = copy.copy(memory)
    for name, value in vars(memory).items():
        if isinstance(value, dict | list):
            setattr(whole, name, copy.copy(value))
    whole.outbox = [replace(entry) for entry in memory.outbox]
    return whole


class _Bugs(logging.Handler):
    """Defects that the daemon caught at a rollout's edge and logged: the world wants to know."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            bug = record.exc_info[1]
            name = getattr(record, "rollout", "")
            self._world.log.add(Bug(self._world.now, name, repr(bug), planned=isinstance(bug, Planted)))


@contextlib.contextmanager
def _quiet(world: World) -> Iterator[None]:
    """What the daemon says goes nowhere, but for its defects."""
    log, handler = logging.getLogger("rollout"), _Bugs(world)
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate
