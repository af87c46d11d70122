"""What a policy's route must be beyond its shape: what its mesh can express, and what the operator allows."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.core.model import FULL, Analysis, percent
from rollout.policy import scalars
from rollout.policy.complaint import Fault
from rollout.policy.declared import TOTALS
from rollout.policy.limits import Cluster, Limits
from rollout.policy.loader import Path, at, show
from rollout.policy.scalars import did_you_mean

Finding = tuple[Path, Fault]

ROUTE: Path = ("spec", "route")
PINS: tuple[Path, ...] = (
    *((*ROUTE, kind, "routes") for kind in ("envoy", "appMesh", "istio")),
    (*ROUTE, "gateway", "rules"),
)
"""Lists of the routes inside an object that are ours."""
CLUSTERED = "appMesh", "istio", "gateway", "custom"
APP_MESH_TOTAL = 100
PROTOCOLS = {"grpcRoute": "grpc", "tlsRoute": "tcp", "tcpRoute": "tcp"}
"""What a check must look at to see a route's failures."""


def route_rules(plain: object, limits: Limits | None) -> Iterator[Finding]:
    """All that is wrong with the route, or with the weights for it."""
    yield from _too_fine(plain)
    yield from _blind(plain)
    if limits is None:
        return
    clusters = {cluster.name: cluster for cluster in limits.clusters}
    if isinstance(at(plain, *ROUTE, "envoy"), dict) and limits.meshes is not None:
        envoys = [name for name in limits.meshes if name not in clusters]
        yield from _mesh(plain, "envoy", "envoy", envoys)
    for kind in CLUSTERED:
        if isinstance(at(plain, *ROUTE, kind), dict) and limits.meshes is not None:
            yield from _mesh(plain, kind, "kubernetes", list(clusters))
            cluster = clusters.get(str(at(plain, *ROUTE, kind, "mesh") or "kubernetes"))
            if cluster:
                yield from _allowed(plain, kind, cluster)


def _mesh(plain: object, kind: str, default: str, known: list[str]) -> Iterator[Finding]:
    path: Path = (*ROUTE, kind, "mesh")
    name = at(plain, *path) or default
    if isinstance(name, str) and name not in known:
        what = "mesh" if kind == "envoy" else "Kubernetes mesh"
        hint = did_you_mean(name, sorted(known)) or f"the settings name no {what} at all"
        yield path, Fault("RP074", f"{show(name)} is no {what} that the operator named", hint)


def _allowed(plain: object, kind: str, cluster: Cluster) -> Iterator[Finding]:
    path: Path = (*ROUTE, kind, "namespace")
    there = at(plain, *path) or at(plain, "metadata", "namespace") or "default"
    if isinstance(there, str) and there not in cluster.namespaces:
        allowed = f"allowed: {', '.join(cluster.namespaces)}"
        yield path, Fault("RP079", f"the operator does not let {cluster.name} touch {show(there)}", allowed)
    group = str(at(plain, *ROUTE, kind, "apiVersion") or "").rpartition("/")[0]
    declared = f"{at(plain, *ROUTE, kind, 'kind')}.{group}"
    if kind == "custom" and group and declared not in cluster.custom:
        instead = f"have the operator add it to `custom` of the mesh {cluster.name}"
        yield (*ROUTE, kind, "kind"), Fault("RP079", f"policies may not declare {declared}", instead)


def _blind(plain: object) -> Iterator[Finding]:
    """Routes whose failures no check sees."""
    checks = at(plain, "spec", "analysis", "checks")
    seen = [at(check, "errors", "protocol") for check in checks] if isinstance(checks, list) else []
    for kind, protocol in PROTOCOLS.items():
        if at(plain, *ROUTE, "gateway", kind) is not None and protocol not in seen:
            what = f"no check sees the failures of a {kind}"
            yield (*ROUTE, "gateway", kind), Fault("RP059", what, f"write errors: {{protocol: {protocol}}}")


def _too_fine(plain: object) -> Iterator[Finding]:
    """Weights that the mesh cannot express."""
    total = at(plain, *ROUTE, "custom", "total")
    if isinstance(at(plain, *ROUTE, "appMesh"), dict):
        total = APP_MESH_TOTAL
    if total not in TOTALS or isinstance(total, bool | float):
        return
    unit = FULL // int(total)
    finest = percent(unit)
    steps = at(plain, "spec", "steps")
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        weight = _units(at(step, "weight"))
        if weight is not None and weight % unit:
            what = f"weight {weight / 100:g} is finer than this mesh, whose least is {finest}"
            yield ("spec", "steps", index, "weight"), Fault("RP043", what, "write a multiple of it")
    path: Path = ("spec", "analysis", "holdback")
    try:
        kept = scalars.holdback(at(plain, *path))
    except Fault:
        kept = Analysis().holdback
    if kept % unit:
        what = f"holdback {percent(kept)} is finer than this mesh, whose least is {finest}"
        yield path, Fault("RP043", what, "write a multiple of it")


def _units(value: object) -> int | None:
    try:
        return scalars.weight(value)
    except Fault:
        return None
