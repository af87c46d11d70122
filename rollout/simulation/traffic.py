"""Requests: they follow what each proxy carries, fail as their backends do, and are counted where they pass.

They flow lazily: when somebody is about to look, or something about them is about to change.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from rollout.core.model import FULL, Route, Split
from rollout.simulation import latency
from rollout.simulation.mesh import SimulatedMesh
from rollout.simulation.metrics import SimulatedMetrics

FEW = 30.0
"""Failures expected; above, a normal draw is as good as Poisson's."""


@dataclass(slots=True)
class Arm:
    """What a backend truly did: requests completed, and failed."""

    completed: int = 0
    failed: int = 0


@dataclass
class Traffic:
    """``rate`` requests per second to each service, ``failing`` the share of each backend's that fail,
    ``incident`` a share of each service's besides, ``arrives``: the part of a service's canary's share
    that it sees; stable sees the rest.
    ``panics``: backends that get and answer requests though no endpoint is ready, as Envoy does in panic.
    ``stale``: what is counted is not shown until it is over.
    ``timed``: the services whose answers are timed, all of them as long, by a chance of their own, ``clock``.
    """

    mesh: SimulatedMesh
    metrics: SimulatedMetrics
    routes: dict[str, Route]
    chance: random.Random
    seconds: Callable[[], float]
    rate: dict[str, float] = field(default_factory=dict)
    failing: dict[str, float] = field(default_factory=dict)
    incident: dict[str, float] = field(default_factory=dict)
    arrives: dict[str, float] = field(default_factory=dict)
    panics: set[str] = field(default_factory=set)
    stale: bool = False
    timed: frozenset[str] = frozenset()
    clock: random.Random = field(default_factory=lambda: random.Random("clock"))
    arms: dict[str, Arm] = field(default_factory=dict)
    _until: float = 0.0
    _unshown: list[tuple[str, str, int, int, latency.Upto | None]] = field(default_factory=list)
    _age: float = 0.0

    def served(self) -> tuple[tuple[str, int, int], ...]:
        """(backend, completed, failed) until now."""
        self.flow()
        return tuple((name, arm.completed, arm.failed) for name, arm in self.arms.items())

    def flow(self) -> None:
        """All requests until now."""
        passed = self.seconds() - self._until
        if passed <= 0:
            return
        self._until += passed
        self._age += passed
        for proxy in self.mesh.proxies.values():
            for service, route in self.routes.items():
                splits = proxy.splits.get(route.key)
                if splits:
                    self._serve(proxy.name, service, splits[0], passed / len(self.mesh.proxies))
        self._show()

    def _serve(self, proxy: str, service: str, split: Split, seconds: float) -> None:
        for position, (backend, weight) in enumerate(split.shares):
            part = self.arrives.get(service, 1.0)
            share = part * weight / FULL + (1.0 - part) * (position == 0)
            expected = self.rate[service] * seconds * share
            number = int(expected + self.chance.random())
            if not number:
                continue
            ready = self.mesh.proxies[proxy].ready.get(backend, 0)
            answers = ready or backend in self.panics
            failing = max(self.failing.get(backend, 0.0), self.incident.get(service, 0.0)) if answers else 1.0
            failed = min(number, self._draw(number * failing)) if failing < 1.0 else number
            arm = self.arms.setdefault(backend, Arm())
            arm.completed += number
            arm.failed += failed
            upto = latency.answers(number, latency.MEDIAN, self.clock) if service in self.timed else None
            self._unshown.append((proxy, backend, number, failed, upto))

    def _draw(self, mean: float) -> int:
        """Poisson: by Knuth's product while there are few."""
        if mean <= 0.0:
            return 0
        if mean > FEW:
            return max(0, round(self.chance.gauss(mean, math.sqrt(mean))))
        limit, product, number = math.exp(-mean), self.chance.random(), 0
        while product > limit:
            product *= self.chance.random()
            number += 1
        return number

    def _show(self) -> None:
        if self.stale:
            return
        self.metrics.grow_older(self._age)
        for proxy, backend, number, failed, upto in self._unshown:
            self.metrics.serve(backend, number, proxy=proxy, code_503=failed)
            if upto is not None:
                self.metrics.took(backend, upto, proxy=proxy)
        self._unshown.clear()
        self._age = 0.0
