"""What is assumed of a journey: traffic, errors, latency, and what may go wrong when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from rollout.core.model import Policy
from rollout.simulation.latency import MEDIAN


@dataclass(frozen=True, slots=True)
class When:
    """So many ``seconds`` after a step (counted from 1) is reached; without a step: after the start."""

    seconds: float = 0.0
    step: int | None = None


class Kind(Enum):
    """What may go wrong, in words."""

    BLIND = "no counters can be read"
    MESH = "the mesh can be neither read nor written"
    ENDPOINTS = "the canary has no ready endpoint"
    STABLE = "stable has no ready endpoint"
    RESTART = "the daemon is down"
    FREEZE = "everything is frozen"
    INCIDENT = "both versions fail 30 % of their requests more"


@dataclass(frozen=True, slots=True)
class Fault:
    """``when`` is ``None``: in the middle of the first step."""

    kind: Kind
    seconds: float
    when: When | None = None

    def begins(self, policy: Policy) -> When:
        """When it begins under this policy."""
        return self.when or When(policy.steps[0].bake / 2, 1)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is assumed: requests per second, shares (0 to 1) that fail, the medians (milliseconds) of how long
    answers take, since when the canary has its own of both.
    """

    rate: float = 100.0
    stable: float = 0.001
    canary: float = 0.001
    since: When = When()
    faults: tuple[Fault, ...] = ()
    stable_median: float = MEDIAN
    canary_median: float = MEDIAN

    @property
    def is_no_worse(self) -> bool:
        """Is the canary as good as stable?"""
        return self.canary <= self.stable and self.canary_median <= self.stable_median

    @property
    def good(self) -> Scene:
        """The same with a canary that is as good as stable."""
        return replace(self, canary=self.stable, canary_median=self.stable_median)
