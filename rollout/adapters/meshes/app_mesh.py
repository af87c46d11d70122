"""App Mesh: weights under a VirtualService (v1beta1) or under the VirtualRouter that it names (v1beta2).

Backends are virtual nodes by name (``namespace/name`` for one of another namespace). Weights are whole per
cents that sum to 100.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rollout.adapters.meshes.kubernetes_targets import (
    Entry,
    Target,
    Thing,
    Word,
    at,
    lists,
    weight_of,
    written,
)
from rollout.adapters.meshes.unclear import Absent, Unclear

GROUP = "appmesh.k8s.aws"
TOTAL = 100
MOST = 10


class VirtualServices:
    """Of v1beta1: ``spec.routes[].http.action.weightedTargets[].virtualNodeName``."""

    total = TOTAL
    most = MOST

    def entries(self, thing: Thing) -> Iterator[Entry]:
        return _entries(thing, ("http", "http2", "grpc", "tcp"), _name_1)

    def another(self, target: Thing, backend: str) -> dict[str, Any]:
        return {**target, "virtualNodeName": backend}

    def words(self, thing: Thing) -> Sequence[Word]:
        """Its controller does not say which generation it speaks of: only a refusal tells anything."""
        refused = _refusals(thing, {"VirtualServiceActive", "VirtualRouterActive", "RoutesActive"})
        return [Word("App Mesh's controller", None, refused)] if refused else []


class VirtualRouters:
    """Of v1beta2: ``spec.routes[].httpRoute.action.weightedTargets[].virtualNodeRef.name``."""

    total = TOTAL
    most = MOST

    def entries(self, thing: Thing) -> Iterator[Entry]:
        return _entries(thing, ("httpRoute", "http2Route", "grpcRoute", "tcpRoute"), _name_2)

    def another(self, target: Thing, backend: str) -> dict[str, Any]:
        if "virtualNodeRef" not in target:
            raise Unclear(
                "a virtual node named by its ARN has no neighbour by name: name it by virtualNodeRef"
            )
        namespace, _, name = backend.rpartition("/")
        reference = {"namespace": namespace, "name": name} if namespace else {"name": name}
        return {**target, "virtualNodeRef": reference}

    def words(self, thing: Thing) -> Sequence[Word]:
        """It speaks of every route or of none: its generation lags while one of them cannot be reconciled."""
        status = at(thing, ("status",))
        if not status:
            return [Word("App Mesh's controller", 0)]
        known = at(status, ("routeARNs",)) or {}
        missing = [name for name in _names(thing) if name not in known]
        seen = 0 if missing else at(status, ("observedGeneration",)) or 0
        return [Word("App Mesh's controller", seen, _refusals(thing, {"VirtualRouterActive"}))]


def router_of(service: Thing) -> tuple[str, str]:
    """Namespace and name of the VirtualRouter behind a VirtualService of v1beta2.

    Raises:
        Absent: it has none.
        Unclear: it sends everything to one virtual node.
    """
    here = str(at(service, ("metadata", "namespace")) or "")
    provider = at(service, ("spec", "provider")) or {}
    reference = at(provider, ("virtualRouter", "virtualRouterRef"))
    if isinstance(reference, Mapping) and reference.get("name"):
        return str(reference.get("namespace") or here), str(reference["name"])
    name = at(service, ("metadata", "name"))
    if at(provider, ("virtualRouter", "virtualRouterARN")):
        raise Unclear(f"{name} names its virtual router by ARN: name it by virtualRouterRef")
    if "virtualNode" in provider:
        raise Unclear(f"{name} sends everything to one virtual node: put a virtual router between them")
    raise Absent(f"{name} has no virtual router")


def hostname_of(node: Thing) -> str:
    """The DNS name under which a virtual node's endpoints are found; empty if it has none."""
    found = at(node, ("spec", "serviceDiscovery", "dns")) or {}
    return str(found.get("hostname") or found.get("hostName") or "") if isinstance(found, Mapping) else ""


def _entries(thing: Thing, protocols: Sequence[str], name_of: Any) -> Iterator[Entry]:
    names = _names(thing)
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise Unclear(f"two routes are named {', '.join(twice)}: App Mesh refuses that")
    for index, route in enumerate(lists(thing, ("spec", "routes"))):
        for protocol in protocols:
            under = ("spec", "routes", index, protocol, "action", "weightedTargets")
            items = lists(thing, under)
            if not items:
                continue
            name = str(route.get("name") or "")
            place = written(under[:3]) + (f" ({name})" if name else "")
            targets = [Target(name_of(item, place), weight_of(item, "weight", 0, place)) for item in items]
            names_of = (name, f"routes[{index}]") if name else (f"routes[{index}]",)
            yield Entry(under, names_of, place, tuple(targets))


def _names(thing: Thing) -> list[str]:
    routes = lists(thing, ("spec", "routes"))
    return [str(route.get("name") or "") for route in routes if isinstance(route, Mapping)]


def _name_1(target: Any, place: str) -> str:
    name = at(target, ("virtualNodeName",))
    if not isinstance(name, str) or not name:
        raise Unclear(f"{place}: a weighted target without virtualNodeName")
    return name


def _name_2(target: Any, place: str) -> str:
    reference, arn = at(target, ("virtualNodeRef",)), at(target, ("virtualNodeARN",))
    if isinstance(reference, Mapping) and reference.get("name"):
        namespace = reference.get("namespace")
        return f"{namespace}/{reference['name']}" if namespace else str(reference["name"])
    if isinstance(arn, str) and arn:
        return arn
    raise Unclear(f"{place}: a weighted target with neither virtualNodeRef nor virtualNodeARN")


def _refusals(thing: Thing, kinds: set[str]) -> str:
    said = [
        f"{condition.get('type')}: {condition.get('message') or condition.get('reason') or 'False'}"
        for condition in lists(thing, ("status", "conditions"))
        if isinstance(condition, Mapping)
        and condition.get("type") in kinds
        and condition.get("status") == "False"
    ]
    return "; ".join(said)
