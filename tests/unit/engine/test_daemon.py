"""The loops on a true event loop: nobody waits for a neighbour, stopping is clean, bugs stay where they are.

The clock runs fifty times as fast as the world's; what hangs here hangs for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from apscheduler.schedulers.base import STATE_PAUSED

from rollout.adapters.timetable import Timetable
from rollout.core.model import MeshSeen, Ramping, Route, Sample, Split, Steady, Unseen, Verb, Window
from rollout.core.reason import Level, Reason
from rollout.engine.daemon import Daemon
from rollout.engine.rollout import Rollout
from rollout.ports import Alert, Dispatch, Job, Question, Record, Tree
from rollout.settings import EnvoyMetrics, LogSink
from rollout.simulation.mesh import SimulatedMesh
from rollout.simulation.metrics import SimulatedMetrics
from rollout.simulation.policy_source import SimulatedPolicySource
from rollout.simulation.sink import SimulatedSink
from tests.fakes.clock import QuickClock
from tests.fakes.lab import JAZZ, Lab, policy, route

PATIENCE = 10.0
"""True seconds after which a test has failed."""


async def hang() -> None:
    await asyncio.Event().wait()


class StuckMesh(SimulatedMesh):
    """Of these routes nothing can be read or written: it takes for ever, or ``bug`` is raised."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck: set[str] = set()
        self.stuck_writes: set[str] = set()
        self.bug: Exception | None = None
        self.tried = 0

    async def read(self, route: Route, deadline: float) -> MeshSeen:
        if route.key in self.stuck:
            self.tried += 1
            if self.bug is not None:
                raise self.bug
            await hang()
        return await super().read(route, deadline)

    async def write(self, route: Route, split: Split, *, version: str, home: Split, epoch: int) -> None:
        await super().write(route, split, version=version, home=home, epoch=epoch)
        if route.key in self.stuck_writes:
            await hang()


class StuckMetrics(SimulatedMetrics):
    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        await hang()
        return []


class StuckSource(SimulatedPolicySource):
    async def read(self, accepted: str | None) -> Tree:
        await hang()
        return await super().read(accepted)


class StuckSink(SimulatedSink):
    async def deliver(self, alert: Alert) -> None:
        await hang()


@dataclass
class House:
    """A lab whose daemon runs, and what was seen of it. ``late`` are seconds of the quick clock."""

    lab: Lab
    mesh: StuckMesh
    daemon: Daemon
    timetable: Timetable
    task: asyncio.Task[None]
    late: dict[str, list[float]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    beats: int = 0
    trouble: list[Any] = field(default_factory=list)

    async def until(self, what: Any) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not what():
                assert not self.task.done(), self.task
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self.daemon.stop()
        async with asyncio.timeout(PATIENCE):
            await self.task

    def looks(self, name: str) -> int:
        return len(self.late.get(name, ()))


def quick_lab(*names: str) -> tuple[Lab, StuckMesh]:
    """A lab in true time, whose mesh can get stuck."""
    lab, mesh = Lab(*names, clock=QuickClock()), StuckMesh()
    for name in lab.names:
        mesh.put(route(name), {f"{name}-v1": 1})
        for version in ("v1", "v2", "v3"):
            mesh.set_ready(f"{name}-{version}", 1)
    lab.mesh = lab.meshes["envoy"] = mesh
    lab.settings = replace(
        lab.settings, sources=tuple(replace(source, poll=0.05) for source in lab.settings.sources)
    )
    lab.start()
    return lab, mesh


class Ear(logging.Handler):
    """Keeps what it hears of errors."""

    def __init__(self, heard: list[Any]) -> None:
        super().__init__(logging.ERROR)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record)


@contextlib.asynccontextmanager
async def turning(lab: Lab, mesh: StuckMesh, *, grace: float = 0.2) -> AsyncIterator[House]:
    """Run the daemon, and traffic that follows the weights."""
    house: House
    gone: list[str] = []

    def observed(rollout: Rollout, late: float) -> None:
        house.late.setdefault(rollout.name, []).append(late)

    def beat() -> None:
        house.beats += 1

    async def prune() -> None:
        """Nothing to prune."""

    timetable = Timetable()
    daemon = Daemon(
        lab.engine,
        lab.postman,
        timetable,
        beat=beat,
        prune=prune,
        observed=observed,
        gone=gone.append,
        grace=grace,
    )
    house = House(lab, mesh, daemon, timetable, asyncio.create_task(daemon.run()), gone=gone)
    asyncio.get_running_loop().set_exception_handler(lambda _, about: house.trouble.append(about))
    traffic = asyncio.create_task(_serve(lab))
    ear = Ear(house.trouble)
    logging.getLogger("apscheduler").addHandler(ear)
    try:
        yield house
    finally:
        traffic.cancel()
        daemon.stop()
        if not house.task.done():
            house.task.cancel()
        await asyncio.wait({house.task, traffic}, timeout=1)
    logging.getLogger("apscheduler").removeHandler(ear)
    gc.collect()  # what a task raised and nobody asked for is told when the task goes
    assert house.trouble == []


async def _serve(lab: Lab) -> None:
    then = lab.clock.monotonic()
    while True:
        await asyncio.sleep(0.005)
        now = lab.clock.monotonic()
        lab.serve(now - then)
        then = now


# --- neighbours ----------------------------------------------------------------------------------


def stick_mesh(lab: Lab, mesh: StuckMesh) -> None:
    mesh.stuck.add(route("metal").key)


def stick_metrics(lab: Lab, mesh: StuckMesh) -> None:
    """metal asks a source of metrics of its own."""
    lab.settings = replace(lab.settings, metrics=(*lab.settings.metrics, EnvoyMetrics("slow", ())))
    lab.counters["slow"] = StuckMetrics()
    more = "  analysis: {metrics: slow}\n"
    lab.source.commit({"prod/metal.yaml": policy("metal-v2", "metal", more=more)})


def stick_git(lab: Lab, mesh: StuckMesh) -> None:
    """The source hangs at the next poll, after jazz-v2 was asked for."""
    stuck = StuckSource("main", "prod")
    lab.engine._ports["main"] = stuck  # type: ignore[index]


def stick_sink(lab: Lab, mesh: StuckMesh) -> None:
    lab.settings = replace(lab.settings, sinks=(LogSink("dead"), *lab.settings.sinks))
    lab.sinks["dead"] = StuckSink()


def stick_disk(lab: Lab, mesh: StuckMesh) -> None:
    """The journal takes a second for each write, and each rollout waits for its own."""
    lab.memory.slow = 1.0


@pytest.mark.parametrize("stick", [stick_mesh, stick_metrics, stick_sink, stick_disk])
async def test_who_hangs_delays_no_neighbour(stick: Any):
    """Law 10: metal's mesh or metrics, a sink or the disk hang; jazz is promoted in its own time."""
    lab, mesh = quick_lab("jazz", "metal")
    stick(lab, mesh)
    lab.start()
    async with turning(lab, mesh) as house:
        await house.until(lambda: JAZZ in lab.engine.rollouts and isinstance(lab.rollout().state, Steady))
        lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=2)})
        await house.until(lambda: lab.weight("jazz-v2") == 10_000)
        await house.until(lambda: lab.sink.arrived or stick is stick_disk)


async def test_g1_a_git_that_hangs_delays_no_look():
    """What was accepted goes on: the weights rise to the end though no poll ever ends again."""
    lab, mesh = quick_lab()
    async with turning(lab, mesh) as house:
        await house.until(lambda: JAZZ in lab.engine.rollouts and isinstance(lab.rollout().state, Steady))
        lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=2)})
        await house.until(lambda: isinstance(lab.rollout().state, Ramping))
        stick_git(lab, mesh)
        await house.until(lambda: lab.weight("jazz-v2") == 10_000)


async def test_looks_come_at_their_pace():
    """A second between looks while ramping, and a beat of the heart for each."""
    lab, mesh = quick_lab()
    async with turning(lab, mesh) as house:
        await house.until(lambda: JAZZ in lab.engine.rollouts and isinstance(lab.rollout().state, Steady))
        lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=600)})
        await house.until(lambda: lab.weight("jazz-v2") == 1000)
        looks, beats, began = house.looks(JAZZ), house.beats, lab.clock.monotonic()
        await asyncio.sleep(0.5)
        passed = lab.clock.monotonic() - began
        assert 0.25 * passed <= house.looks(JAZZ) - looks <= passed + 2
        assert 0.25 * passed <= house.beats - beats <= passed + 2


async def test_i19_all_who_go_blind_in_one_look_do_not_all_go_home():
    """Six looks at the same moment, each past its deadline: two go home, then the breaker is open."""
    names = tuple("abcdef")
    lab = await Lab(*names).adopted()
    more = "  analysis: {noData: {hold: 60s}}\n"
    lab.source.commit({f"prod/{name}.yaml": policy(f"{name}-v2", name, bake=60, more=more) for name in names})
    await lab.engine.poll("main")
    await lab.run(6, "a")
    lab.metrics.proxies["proxy-1"].silent = "connection refused"
    for _ in range(80):
        lab.flow(1.0)
        await asyncio.gather(*(lab.engine.look(f"prod/{name}") for name in names))
    assert sum(lab.weight(f"{name}-v2", name) == 0 for name in names) == 2


# --- bugs ----------------------------------------------------------------------------------------


async def test_d3_a_bug_in_one_rollout_stops_there():
    """Five in a row, then it is left alone, said once to people and to the journal; jazz is promoted
    meanwhile; a new commit has it looked at again, and it lives on.
    """
    lab, mesh = quick_lab("jazz", "metal")
    async with turning(lab, mesh) as house:
        await house.until(lambda: len(lab.engine.rollouts) == 2 and house.looks("prod/metal"))
        metal = policy("metal-v2", "metal", bake=600)
        lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=2), "prod/metal.yaml": metal})
        await house.until(lambda: lab.weight("metal-v2", "metal") == 1000)
        mesh.stuck.add(route("metal").key)
        mesh.bug = ValueError("a proxy that nobody thought of")
        await house.until(lambda: lab.weight("jazz-v2") == 10_000)
        await house.until(lambda: "BROKEN" in [alert.reason for alert in lab.sink.arrived])
        assert mesh.tried == 5
        assert lab.rollout("metal").due > lab.clock.monotonic() + 20
        [told] = [alert for alert in lab.sink.arrived if alert.reason == "BROKEN"]
        assert told.level is Level.NOTIFY
        assert "failed 5 times in a row (ValueError: a proxy that nobody thought of)" in told.headline
        assert lab.memory.decisions["prod/metal"].reason is Reason.BROKEN
        mesh.bug = None
        mesh.stuck.clear()
        lab.source.commit({"prod/metal.yaml": policy("metal-v3", "metal", bake=2)})
        await house.until(lambda: lab.weight("metal-v3", "metal") == 10_000)
        assert lab.rollout("metal").failures == 0


async def test_d3_an_order_to_a_broken_rollout_is_answered():
    """Nobody waits for ever: the answer says why it is not done yet, and it is done when that works."""
    lab, mesh = quick_lab()
    async with turning(lab, mesh) as house:
        await house.until(lambda: house.looks(JAZZ))
        lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=600)})
        await house.until(lambda: lab.weight("jazz-v2") == 1000)
        mesh.stuck.add(route().key)
        mesh.bug = ValueError("oops")
        await house.until(lambda: mesh.tried)
        async with asyncio.timeout(PATIENCE):
            said = await lab.engine.order(JAZZ, Verb.ABORT, "ada", "it burns")
        assert said.startswith("not done: looking at it fails (ValueError: oops)")
        mesh.stuck.clear()
        async with asyncio.timeout(PATIENCE):
            await lab.engine.order(JAZZ, Verb.PAUSE, "ada", "look again")
        assert lab.weight("jazz-v2") == 0


async def test_d3_a_bug_in_the_journal_is_told_without_it():
    """Not even the record of the failure works: people hear of it all the same."""
    lab, mesh = quick_lab()

    class Broken:
        async def record(self, record: Any) -> None:
            raise TypeError("no such state")

    lab.engine.world = replace(lab.engine.world, journal=Broken())  # type: ignore[arg-type]
    lab.engine.journal = lab.engine.world.journal
    lab.engine.journal.accept = lab.postman._outbox.accept  # type: ignore[attr-defined, method-assign]
    async with turning(lab, mesh) as house:
        await house.until(lambda: "BROKEN" in [alert.reason for alert in lab.sink.arrived])
        assert not house.task.done()


async def test_q1_an_order_that_cannot_be_recorded_is_answered():
    """The disk is full between the order and its look: why it is not done, and it is done later."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(6)
    given = asyncio.ensure_future(lab.engine.order(JAZZ, Verb.PAUSE, "ada", "lunch"))
    await asyncio.sleep(0)
    assert lab.rollout().orders
    lab.memory.unwritable = "disk full"
    async with asyncio.timeout(PATIENCE):
        said = await given
    assert said == "not done: the journal cannot be used: disk full; it is done as soon as that works"
    lab.memory.unwritable = ""
    await lab.run(2)
    assert lab.rollout().decision is not None
    assert lab.reasons()[-1] == "PAUSED"


# --- stopping ------------------------------------------------------------------------------------


async def test_d2_stopping_ends_the_pass_under_way_and_changes_no_weight():
    """The write under way is finished, what it owes is delivered, no look begins; the weight stays."""
    lab, mesh = quick_lab()
    async with turning(lab, mesh, grace=8.0) as house:
        await house.until(lambda: house.looks(JAZZ))
        lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=600)})
        await house.until(lambda: lab.weight("jazz-v2") == 1000)
        lab.memory.slow = 0.5
        looks, writes = house.looks(JAZZ), len(lab.mesh.writes)
        await house.until(lambda: house.daemon._passes)
        await house.stop()
        assert house.looks(JAZZ) <= looks + 1
        assert len(lab.mesh.writes) == writes
        assert lab.weight("jazz-v2") == 1000
        assert lab.postman.undelivered == 0
        assert "STARTED" in [alert.reason for alert in lab.sink.arrived]


async def test_d2_news_of_the_last_pass_leaves_with_it():
    """The daemon is told to stop while a decision for people is being recorded."""
    lab, mesh = quick_lab()
    journal, reached, goes_on = lab.engine.world.journal, asyncio.Event(), asyncio.Event()

    class Slow:
        async def record(self, record: Record) -> None:
            if record.decision.reason is Reason.PAUSED:
                reached.set()
                await goes_on.wait()
            await journal.record(record)

    lab.engine.world = replace(lab.engine.world, journal=Slow())  # type: ignore[arg-type]
    async with turning(lab, mesh) as house:
        await house.until(lambda: house.looks(JAZZ))
        lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=600)})
        await house.until(lambda: lab.weight("jazz-v2") == 1000)
        given = asyncio.ensure_future(lab.engine.order(JAZZ, Verb.PAUSE, "ada", "lunch"))
        await house.until(reached.is_set)
        house.daemon.stop()
        await house.until(lambda: house.timetable._scheduler.state == STATE_PAUSED)
        goes_on.set()
        await house.stop()
        assert await given == ""
        assert "PAUSED" in [alert.reason for alert in lab.sink.arrived]


@pytest.mark.parametrize("stick", [stick_sink, stick_mesh])
async def test_d2_stopping_waits_for_nobody_who_hangs(stick: Any):
    """A sink or a proxy that hangs gets the grace and not more."""
    lab, mesh = quick_lab("jazz", "metal")
    stick(lab, mesh)
    lab.start()
    async with turning(lab, mesh, grace=0.2) as house:
        await house.until(lambda: house.looks(JAZZ))
        began = asyncio.get_running_loop().time()
        await house.stop()
        assert asyncio.get_running_loop().time() - began < 2.0


async def test_d2_who_waits_for_an_answer_hears_of_the_stop():
    """The order is remembered, and the next process obeys it."""
    lab, mesh = quick_lab()
    async with turning(lab, mesh) as house:
        await house.until(lambda: house.looks(JAZZ))
        lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=600)})
        await house.until(lambda: lab.weight("jazz-v2") == 1000)
        await house.until(lambda: not house.daemon._passes)
        house.daemon.stop()
        given = asyncio.ensure_future(lab.engine.order(JAZZ, Verb.ABORT, "ada", "it burns"))
        async with asyncio.timeout(PATIENCE):
            await house.task
            assert await given == "not done: the daemon stops; the next start obeys it"
        assert lab.weight("jazz-v2") == 1000
    lab.start()
    await lab.look()
    assert lab.weight("jazz-v2") == 0


# --- the wall clock ------------------------------------------------------------------------------


async def test_housekeeping_prunes_and_gives_up_what_nobody_takes():
    """The journal's limits are applied, and alerts to a sink that is no more are ended."""
    lab = Lab()
    lab.settings = replace(lab.settings, sinks=(*lab.settings.sinks, LogSink("old")))
    lab.sinks["old"] = SimulatedSink()
    lab.start()
    await lab.adopted()
    lab.settings = replace(lab.settings, sinks=lab.settings.sinks[:1])
    del lab.sinks["old"]
    lab.start()
    pruned = []

    async def prune() -> None:
        pruned.append(True)

    daemon = Daemon(lab.engine, lab.postman, Timetable(), beat=lambda: None, prune=prune)
    await daemon._keep_house()
    assert pruned == [True]
    owed: Sequence[Dispatch] = await lab.postman._outbox.owed(lab.clock.now(), 10)
    assert {one.sink for one in owed} == {"ops"}
    lab.memory.unwritable = "disk full"
    await daemon._keep_house()


class Noted(Timetable):
    """Keeps what is to be done at an instant, and does not do it."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: dict[str, tuple[datetime, Job]] = {}

    def once(self, name: str, at: datetime, job: Job) -> None:
        self.noted[name] = (at, job)


async def test_a_window_that_opens_before_the_next_look_is_waited_for():
    """Looks ten minutes apart, an opening in five: the scheduler looks then, and once."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(6)
    rollout, now = lab.rollout(), lab.clock.now()
    assert isinstance(rollout.state, Ramping)
    opening = now + timedelta(minutes=5)
    window = Window(tuple(range(7)), opening.time(), time(23, 59), "UTC")
    rollout.state = replace(rollout.state, policy=replace(rollout.state.policy, windows=(window,)))

    async def prune() -> None:
        """Nothing to prune."""

    timetable = Noted()
    daemon = Daemon(lab.engine, lab.postman, timetable, beat=lambda: None, prune=prune)
    rollout.due = lab.clock.monotonic() + 120
    daemon._await_window(rollout)
    assert timetable.noted == {}
    rollout.due = lab.clock.monotonic() + 600
    daemon._await_window(rollout)
    daemon._await_window(rollout)
    [(at, look)] = timetable.noted.values()
    assert at == opening
    await look()
    assert rollout.due == lab.clock.monotonic()
    await daemon._look_now("prod/gone")


async def test_a_rollout_that_is_released_is_forgotten():
    """Its policy went, nothing is under way: its series may go."""
    lab, mesh = quick_lab("jazz", "metal")
    async with turning(lab, mesh) as house:
        await house.until(lambda: len(house.late) == 2)
        lab.source.commit({"prod/metal.yaml": None})
        await house.until(lambda: "prod/metal" in house.gone)
        assert set(lab.engine.rollouts) == {JAZZ}
