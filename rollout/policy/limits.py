"""What the operator allows a policy: the settings' guard rails and names, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollout.core.model import FULL


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kubernetes mesh: its name, the namespaces whose routes may move, and the custom resources that may be
    declared (``Kind.group``).
    """

    name: str
    namespaces: tuple[str, ...]
    custom: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator allows: guard rails (seconds, shares, weights out of 10 000), and the names that the
    settings know; ``None`` where that cannot be said. ``clusters``: of the meshes, those that are Kubernetes,
    with the namespaces and the custom resources that policies may name there. ``queries``: of each source of
    metrics, (name, whether it is a gauge).
    """

    min_look: float = 1.0
    min_bake: float = 0.0
    max_first_weight: int = FULL
    max_error_limit: float = 0.5
    meshes: tuple[str, ...] | None = None
    clusters: tuple[Cluster, ...] = ()
    metrics: tuple[str, ...] | None = None
    sinks: tuple[str, ...] | None = None
    queries: Mapping[str, Mapping[str, bool]] | None = None
