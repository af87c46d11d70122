"""Troubles that the ports in memory do not have by themselves: to hang, to break, to hear and not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from rollout.core.model import MeshSeen, Route, Sample, Split, Unseen
from rollout.ports import Alert, Clock, Hosts, Later, Question, Unavailable
from rollout.simulation.mesh import SimulatedMesh
from rollout.simulation.metrics import SimulatedMetrics
from rollout.simulation.sink import SimulatedSink
from rollout.simulation.traffic import Traffic


class Planted(Exception):  # noqa: N818 - it is what it is called
    """A defect of the program, planted by the world."""


class TroubledMesh:
    """``hangs``: no answer within the deadline. ``slow``: seconds that an answer is on its way, and that a
    write is. ``broken``: routes at which a look breaks (D3).
    """

    def __init__(self, mesh: SimulatedMesh, traffic: Traffic, clock: Clock) -> None:
        self._mesh = mesh
        self._traffic = traffic
        self._clock = clock
        self.hangs = False
        self.slow = 0.0
        self.broken: set[str] = set()

    async def read(self, route: Route, deadline: float) -> MeshSeen:
        """As the mesh."""
        if route.key in self.broken:
            raise Planted(f"a look at {route} breaks")
        if self.hangs:
            await self._clock.sleep(deadline)
            raise Unavailable("no answer in time")
        seen = await self._mesh.read(route, deadline)
        if self.slow:
            await self._clock.sleep(self.slow)
        return seen

    async def write(self, route: Route, split: Split, *, version: str, home: Split, epoch: int) -> None:
        """As the mesh."""
        if self.slow:
            await self._clock.sleep(self.slow)
        self._traffic.flow()
        await self._mesh.write(route, split, version=version, home=home, epoch=epoch)


class TroubledMetrics:
    """``hangs``: no answer within the deadline."""

    def __init__(self, metrics: SimulatedMetrics, traffic: Traffic, clock: Clock) -> None:
        self._metrics = metrics
        self._traffic = traffic
        self._clock = clock
        self.hangs = False

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        """As the source."""
        if self.hangs:
            await self._clock.sleep(deadline)
            return [Unseen("no answer in time")] * len(questions)
        self._traffic.flow()
        return await self._metrics.read(questions, deadline)

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:
        """As the source."""
        if self.hangs:
            await self._clock.sleep(deadline)
            return {}
        return await self._metrics.hosts(backends, deadline)


class Mood(Enum):
    """How a sink takes an alert. ``DEAF``: it arrives, and nobody hears so."""

    WELL = "well"
    AWAY = "away"
    THROTTLES = "throttles"
    HANGS = "hangs"
    DEAF = "deaf"


PATIENCE = 10.0
"""Seconds until a sink that hangs is given up."""


class Deaf(Later):
    """It arrived, and nobody hears so."""


class TroubledSink:
    """A sink in a mood."""

    def __init__(self, sink: SimulatedSink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self.mood = Mood.WELL

    async def deliver(self, alert: Alert) -> None:
        """As the sink."""
        match self.mood:
            case Mood.WELL:
                await self._sink.deliver(alert)
            case Mood.AWAY:
                raise Later("connection refused")
            case Mood.THROTTLES:
                raise Later("429 Too Many Requests", after=3.0)
            case Mood.HANGS:
                await self._clock.sleep(PATIENCE)
                raise Later("no answer in time")
            case Mood.DEAF:
                await self._sink.deliver(alert)
                raise Deaf("the answer was lost")
