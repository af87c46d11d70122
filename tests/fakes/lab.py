"""A world in memory: the true engine over fakes, traffic that follows the weights, time moved by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from rollout.core.model import Decision, Past, Ramping, Route
from rollout.engine.engine import Engine, Outside
from rollout.engine.outbox import Postman
from rollout.engine.rollout import Rollout
from rollout.ports import Mesh, Metrics, PolicySource, Sink
from rollout.settings import EnvoyMesh, EnvoyMetrics, LogSink, Settings, SourceSettings
from rollout.simulation.journal import Memory, SimulatedJournal
from rollout.simulation.mesh import SimulatedMesh
from rollout.simulation.metrics import SimulatedMetrics
from rollout.simulation.parser import SimulatedParser
from rollout.simulation.policy_source import SimulatedPolicySource
from rollout.simulation.sink import SimulatedSink
from tests.fakes.clock import FakeClock

JAZZ = "prod/jazz"
POLICY = """\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: prod, name: {name}}}
spec:
  route: {{envoy: {{routeConfiguration: {name}}}}}
  backend: {backend}
  steps:
    - {{weight: 10, bake: {bake}s}}
    - {{weight: 50, bake: {bake}s}}
    - {{weight: 100, bake: {bake}s}}
{more}"""


def policy(backend: str, name: str = "jazz", *, bake: int = 5, more: str = "") -> str:
    """A policy's text."""
    return POLICY.format(name=name, backend=backend, bake=bake, more=more)


def route(name: str = "jazz") -> Route:
    return Route("envoy", "envoy", name)


class Lab:
    """``rate`` requests per second go to each service, by all proxies of the ``fleet`` alike; ``faults``: the
    share of each backend's that fail.
    """

    def __init__(
        self,
        *names: str,
        backend: str = "v1",
        settings: Settings | None = None,
        clock: FakeClock | None = None,
        fleet: tuple[str, ...] = ("proxy-1",),
    ) -> None:
        self.names = names or ("jazz",)
        self.clock = clock or FakeClock()
        self.memory = Memory()
        self.source = SimulatedPolicySource("main", "prod")
        self.sources: dict[str, PolicySource] = {"main": self.source}
        self.mesh = SimulatedMesh(*fleet)
        self.metrics = SimulatedMetrics(*fleet, uptime=0.0)
        self.meshes: dict[str, Mesh] = {"envoy": self.mesh}
        self.counters: dict[str, Metrics] = {"envoy": self.metrics}
        self.sink = SimulatedSink()
        self.sinks: dict[str, Sink] = {"ops": self.sink}
        self.rate = 200
        self.faults: dict[str, float] = {}
        self.chance = random.Random(7)
        self.settings = settings or Settings(
            Path("state"),
            sources=(SourceSettings("main", "/repository"),),
            meshes=(EnvoyMesh("envoy", Path("rds"), ()),),
            metrics=(EnvoyMetrics("envoy", ()),),
            sinks=(LogSink("ops"),),
        )
        for name in self.names:
            self.mesh.put(route(name), {f"{name}-{backend}": 1})
            for version in ("v1", "v2", "v3"):
                self.mesh.set_ready(f"{name}-{version}", 1)
                self.metrics.known(f"{name}-{version}")
        self.source.commit({f"prod/{name}.yaml": policy(f"{name}-{backend}", name) for name in self.names})
        self.start()

    def start(self) -> None:
        """A new process on the same disk: nothing but the journal is remembered."""
        journal, remembered = SimulatedJournal.open(self.memory, self.clock)
        self.postman = Postman(journal, self.sinks, self.clock)
        outside = Outside(
            self.clock,
            journal,
            self.sources,
            SimulatedParser(),
            self.meshes,
            self.counters,
        )
        self.engine = Engine(self.settings, outside, remembered, self.postman.shout)

    def observing(self) -> None:
        """A new process in observe mode."""
        self.settings = replace(self.settings, observe=True)
        self.start()

    def swap_journal(self, journal: SimulatedJournal) -> None:
        """The same process on a disk that behaves otherwise."""
        self.engine.journal = journal
        self.engine.world = replace(self.engine.world, journal=journal)

    async def ask(self, backend: str, name: str = "jazz", *, bake: int = 5, more: str = "") -> None:
        """A commit asks for another backend, and is polled."""
        self.source.commit({f"prod/{name}.yaml": policy(backend, name, bake=bake, more=more)})
        await self.engine.poll("main")

    async def look(self, name: str = "jazz") -> Decision:
        return await self.engine.look(f"prod/{name}")

    async def run(self, seconds: float, name: str = "jazz") -> list[Decision]:
        """Let traffic flow and look whenever a look is due."""
        end = self.clock.monotonic() + seconds
        decisions: list[Decision] = []
        while True:
            due = min(one.due for one in self.engine.rollouts.values())
            if due > end:
                self.flow(end - self.clock.monotonic())
                return decisions
            self.flow(max(0.0, due - self.clock.monotonic()))
            for one in list(self.engine.rollouts.values()):
                if one.due <= self.clock.monotonic() + 1e-6:
                    decision = await self.engine.look(one.name)
                    if one.name == f"prod/{name}":
                        decisions.append(decision)

    async def adopted(self) -> Lab:
        """The first poll, and the first look at each rollout."""
        await self.engine.poll("main")
        await self.run(1.0)
        return self

    def rollout(self, name: str = "jazz") -> Rollout:
        return self.engine.rollouts[f"prod/{name}"]

    def ramp(self, name: str = "jazz") -> Ramping:
        state = self.rollout(name).state
        assert isinstance(state, Ramping)
        return state

    def past(self, name: str = "jazz") -> Past:
        past = self.rollout(name).past
        assert past is not None
        return past

    def decision(self, name: str = "jazz") -> Decision:
        decision = self.rollout(name).decision
        assert decision is not None
        return decision

    def weight(self, backend: str, name: str = "jazz") -> int:
        return self.mesh.split(route(name)).weight(backend)

    def flow(self, seconds: float) -> None:
        """So many seconds pass, with their requests."""
        self.serve(seconds)
        self.clock.advance(seconds)

    def serve(self, seconds: float) -> None:
        """Requests of so many seconds, split as each proxy is told, failed as the backends do."""
        self.metrics.grow_older(seconds)
        rate = self.rate * seconds / len(self.mesh.proxies)
        for proxy in self.mesh.proxies.values():
            for name in self.names:
                for backend, weight in proxy.splits[route(name).key][0].shares:
                    number = round(rate * weight / 10_000 + self.chance.random() - 0.5)
                    bad = sum(self.chance.random() < self.faults.get(backend, 0.0) for _ in range(number))
                    if number > 0:
                        self.metrics.serve(backend, number, proxy=proxy.name, code_503=bad)

    def reasons(self, name: str = "jazz") -> list[str]:
        """What the history says, each reason once in a row."""
        said = [
            record.decision.reason.name for record in self.memory.records if record.name == f"prod/{name}"
        ]
        return [reason for reason, before in zip(said, ["", *said], strict=False) if reason != before]
