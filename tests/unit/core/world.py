"""A small world around `decide`: one route, one or more proxies, traffic that is counted, and a clock.

Nothing is random. A look moves the clock, lets requests flow by the weights that the mesh carries,
asks the core, and makes the write that it decides on, unless the world is told to lose it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rollout.core.action import wanted_split
from rollout.core.machine import decide
from rollout.core.model import (
    NOTHING,
    Analysis,
    Decision,
    Hold,
    MeshSeen,
    Noise,
    Observation,
    Order,
    Past,
    Policy,
    ProxySeen,
    Ramping,
    Revision,
    Route,
    Rung,
    Sample,
    Series,
    SetSplit,
    Split,
    Stage,
    State,
    Steady,
    Step,
    Tally,
    Unadopted,
    Unseen,
    Verb,
    Weight,
    Withdrawn,
)
from rollout.core.noise import quiet
from rollout.core.past import past_of
from rollout.core.terms import evidence_of

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ROUTE = Route("envoy", "edge", "jazz")
STEPS = (Step(Weight(1000), 60.0), Step(Weight(5000), 60.0), Step(Weight(10_000), 60.0))
TEN, FIFTY, LAST = Stage(0), Stage(1), Stage(2)
V1, V2, V3 = "jazz-v1", "jazz-v2", "jazz-v3"


def policy(backend: str = V2, **changes: Any) -> Policy:
    """Git asks for `backend` in three steps of a minute."""
    asked = Policy("prod/jazz", ROUTE, Revision(backend), STEPS)
    return replace(asked, **changes)


def judged(**changes: Any) -> Analysis:
    return replace(Analysis(), **changes)


@dataclass
class Proxy:
    """One proxy's own view. `splits`: what it routes by, if that is not what the route's object says."""

    splits: tuple[Split, ...] | None = None
    rejected: str = ""
    unreachable: str = ""
    uptime: float | None = None


@dataclass
class World:
    """`failing`: share of its requests that each backend fails. `loses`: so many writes are not made. `slow`:
    share of its answers that take over 250 ms, `tail` of these over a second; nothing is told of how long any
    takes while it is empty.
    """

    asked: Policy | Withdrawn = field(default_factory=policy)
    state: State = field(default_factory=Unadopted)
    rate: float = 100.0
    failing: dict[str, float] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    tail: float = 0.1
    splits: tuple[Split, ...] = (Split.all_on(V1),)
    version: int = 1
    mesh_epoch: int | None = None
    mesh_writes: int = 0
    epoch: int = 1
    ready: dict[str, int] = field(default_factory=lambda: {V1: 2, V2: 2, V3: 2})
    proxies: dict[str, Proxy] = field(default_factory=lambda: {"edge-1": Proxy()})
    resolution: int = 1
    verified: bool = True
    now: datetime = NOON
    look_every: float = 1.0
    holds: tuple[Hold, ...] = ()
    breaker_open: bool = False
    observe: bool = False
    noise: Noise = field(default_factory=lambda: quiet(3))
    mesh_gone: Unseen | None = None
    metrics_gone: Unseen | None = None
    hanging: dict[str, int] = field(default_factory=dict)
    loses: int = 0
    writes: list[SetSplit] = field(default_factory=list)
    last: Decision | None = None
    _done: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _slow: dict[tuple[str, str], int] = field(default_factory=dict)
    _owed: dict[str, float] = field(default_factory=dict)
    _unwritten: bool = False

    # --- the world's hand ------------------------------------------------------------------------

    def foreign(self, *weights: Mapping[str, int]) -> None:
        """Somebody else writes the route, one mapping for each of its entries."""
        self.splits = tuple(dict.fromkeys(Split.of(entry) for entry in weights))
        self.version += 1

    def asks(self, **changes: Any) -> None:
        """Another commit: the same policy but for these fields."""
        assert isinstance(self.asked, Policy)
        self.asked = replace(self.asked, **changes)

    @property
    def weight(self) -> Weight:
        """What the newer version gets at most, as the mesh shows it."""
        return max((split.weight(V2) for split in self.splits), default=NOTHING)

    def count(self, proxy: str, backend: str, completed: int, failed: int = 0) -> None:
        """Requests come to their end."""
        done = self._done.setdefault((proxy, backend), [0, 0])
        done[0] += completed
        done[1] += failed
        slow = self._whole(f"{proxy} {backend} slow", completed * self.slow.get(backend, 0.0))
        self._slow[proxy, backend] = self._slow.get((proxy, backend), 0) + slow

    def reset(self, proxy: str) -> None:
        """The proxy starts again: its counters are gone."""
        for name, backend in self._done:
            if name == proxy:
                self._done[name, backend] = [0, 0]
                self._slow[name, backend] = 0

    def _flow(self, seconds: float) -> None:
        names = [name for name, proxy in self.proxies.items()]
        for split in self.splits[:1]:
            for backend in (V1, V2, V3):
                for name in names:
                    due = self.rate * seconds * split.weight(backend) / 10_000 / len(names)
                    completed = self._whole(f"{name} {backend}", due)
                    failed = self._whole(f"{name} {backend} bad", completed * self.failing.get(backend, 0.0))
                    self.count(name, backend, completed, failed)

    def edges(self, proxy: str, backend: str) -> tuple[tuple[float, int], ...]:
        """How many answers took at most so many milliseconds."""
        completed, slow = self._done[proxy, backend][0], self._slow.get((proxy, backend), 0)
        within = completed - slow, completed - int(slow * self.tail)
        return (*zip((250.0, 1000.0), within, strict=True), (math.inf, completed)) if self.slow else ()

    def _whole(self, key: str, amount: float) -> int:
        total = self._owed.get(key, 0.0) + amount
        whole = int(total + 1e-9)
        self._owed[key] = total - whole
        return whole

    # --- what a look sees ------------------------------------------------------------------------

    def mesh(self) -> MeshSeen | Unseen:
        if self.mesh_gone is not None:
            return self.mesh_gone
        seen = tuple(
            ProxySeen(
                name,
                () if proxy.unreachable else self.splits if proxy.splits is None else proxy.splits,
                proxy.rejected,
                proxy.unreachable,
            )
            for name, proxy in self.proxies.items()
        )
        return MeshSeen(
            self.splits,
            f"v{self.version}",
            dict(self.ready),
            seen,
            self.mesh_epoch,
            self.resolution,
            0 if self.mesh_epoch is None else self.mesh_writes,
            self.verified,
        )

    def sample(self) -> Sample | Unseen:
        if self.metrics_gone is not None:
            return self.metrics_gone
        silent = tuple((name, proxy.unreachable) for name, proxy in self.proxies.items() if proxy.unreachable)
        return Sample(
            tuple(
                Series(
                    name,
                    backend,
                    completed + self.hanging.get(backend, 0),
                    completed,
                    self.hanging.get(backend, 0),
                    (("429", 0), ("5xx", failed)),
                    self.proxies[name].uptime,
                    self.edges(name, backend),
                )
                for (name, backend), (completed, failed) in sorted(self._done.items())
                if name in self.proxies and not self.proxies[name].unreachable
            ),
            silent,
        )

    def seen(self, elapsed: float | None = 1.0, orders: Iterable[Order] = ()) -> Observation:
        return Observation(
            self.now,
            elapsed,
            self.mesh(),
            self.sample(),
            self.epoch,
            look=self.look_every,
            orders=tuple(orders),
            holds=self.holds,
            breaker_open=self.breaker_open,
            unwritten=self._unwritten,
            observe=self.observe,
            noise=self.noise,
        )

    # --- looks -----------------------------------------------------------------------------------

    def look(
        self, seconds: float = 1.0, *, elapsed: float | None = -1.0, orders: Iterable[Order] = ()
    ) -> Decision:
        """One look after so many seconds. `elapsed` is what the daemon knows of them, if that differs."""
        self.now += timedelta(seconds=seconds)
        self._flow(seconds)
        seen = self.seen(seconds if elapsed == -1.0 else elapsed, orders)
        decision = decide(self.state, self.asked, seen)
        assert decision.reason.say(decision.facts)
        self.state, self.last, self._unwritten = decision.state, decision, False
        for action in decision.actions:
            self._write(action)
        return decision

    def _write(self, action: SetSplit) -> None:
        assert sum(weight for _, weight in action.split.shares) == 10_000
        assert action.home.sole is not None
        if self.loses:
            self.loses -= 1
            return
        if action.version != f"v{self.version}":
            self._unwritten = True
            return
        self.mesh_writes = 1 if self.mesh_epoch is None else self.mesh_writes + 1
        self.splits, self.version, self.mesh_epoch = (action.split,), self.version + 1, self.epoch
        self.writes.append(action)

    def looks(self, seconds: float, every: float = 1.0) -> list[Decision]:
        return [self.look(every) for _ in range(round(seconds / every))]

    def until(self, *reasons: object, most: int = 1000, every: float = 1.0) -> Decision:
        """Look until one of the reasons is given."""
        for _ in range(most):
            decision = self.look(every)
            if decision.reason in reasons:
                return decision
        raise AssertionError(f"none of {reasons} in {most} looks; at last {self.last}")

    def order(self, verb: Verb, argument: str = "", *, actor: str = "ana", why: str = "because") -> Decision:
        """A person orders something; the look that obeys it."""
        return self.look(0.0, orders=[order(verb, argument, actor=actor, why=why)])

    @property
    def ramp(self) -> Ramping:
        assert isinstance(self.state, Ramping)
        return self.state

    @property
    def past(self) -> Past:
        past = past_of(self.state)
        assert past is not None
        return past


def order(
    verb: Verb, argument: str = "", *, number: int = 1, actor: str = "ana", why: str = "because"
) -> Order:
    return Order(number, verb, actor, why, NOON, argument)


def steady(stable: str = V1, **past: Any) -> Steady:
    return Steady(replace(Past(Revision(stable), ROUTE), **past))


def at(rung: Rung = TEN, *, asked: Policy | None = None, **world: Any) -> World:
    """A world with a canary that the mesh is seen carrying at `rung`, counted from here."""
    asked = asked or policy()
    state = Ramping(
        Past(Revision(V1), asked.route, attempt=1),
        asked,
        asked.revision,
        NOON,
        rung,
        evidence=evidence_of(asked),
        counts=(Tally(),) * len(asked.analysis.checks),
    )
    made = World(asked, state, mesh_epoch=1)
    wanted = wanted_split(state)
    assert wanted is not None
    made.splits = (wanted,)
    for name, value in world.items():
        setattr(made, name, value)
    for name in made.proxies:
        for backend in (V1, V2):
            made.count(name, backend, 1000, 10)
    made.look(0.0)
    made.look(1.0)
    return made
