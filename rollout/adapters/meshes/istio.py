"""Istio: weights of a VirtualService's destinations, of http, tls and tcp routes.

A backend is a subset's name, or a host's where no subset is named: a Service of the same namespace by its
short name, another by its whole one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
from rollout.adapters.meshes.unclear import Unclear

GROUP = "networking.istio.io"
SECTIONS = "http", "tls", "tcp"


class VirtualServices:
    """``spec.http[].route[]``; likewise of ``tls`` and ``tcp``."""

    total = 0
    most = 1000

    def entries(self, thing: Thing) -> Iterator[Entry]:
        namespace = _namespace(thing)
        for section in SECTIONS:
            for index, rule in enumerate(lists(thing, ("spec", section))):
                path = ("spec", section, index, "route")
                if items := lists(thing, path):
                    yield _entry(path, rule, items, namespace)

    def another(self, target: Thing, backend: str) -> dict[str, Any]:
        destination = at(target, ("destination",)) or {}
        if destination.get("subset"):
            return {**target, "destination": {**destination, "subset": backend}}
        short, dot, domain = str(destination.get("host", "")).partition(".")
        host = backend + (dot + domain if short and "." not in backend else "")
        return {**target, "destination": {**destination, "host": host}}

    def words(self, thing: Thing) -> Sequence[Word]:  # noqa: ARG002 - a form's signature
        """Istio says nothing of a VirtualService that could be relied on."""
        return []


def delegate_of(thing: Thing, only: Sequence[str]) -> tuple[str, str] | None:
    """Namespace and name of the VirtualService that does this one's routing; ``None``: it does its own.

    Raises:
        Unclear: it has several delegates.
    """
    found: dict[tuple[str, str], None] = {}
    for index, rule in enumerate(lists(thing, ("spec", "http"))):
        if only and not set(only) & set(_names(("spec", "http", index, "route"), rule)):
            continue
        if isinstance(rule, Mapping) and rule.get("route"):
            return None
        if name := at(rule, ("delegate", "name")):
            found[str(at(rule, ("delegate", "namespace")) or _namespace(thing)), str(name)] = None
    if len(found) > 1:
        several = ", ".join(f"{namespace}/{name}" for namespace, name in found)
        raise Unclear(f"it delegates to {several}: name the one that is ours in the policy")
    return next(iter(found), None)


def subsets(rules: Sequence[Thing], host: str, namespace: str) -> set[str]:
    """The subsets that DestinationRules define for a host."""
    wanted = whole(host, namespace)
    return {
        str(subset.get("name"))
        for rule in rules
        if whole(str(at(rule, ("spec", "host")) or ""), _namespace(rule)) == wanted
        for subset in lists(rule, ("spec", "subsets"))
        if isinstance(subset, Mapping)
    }


def whole(host: str, namespace: str) -> str:
    """A host's whole name: a short one is a Service of the namespace."""
    return host if "." in host or not host else f"{host}.{namespace}.svc.cluster.local"


def destinations(thing: Thing, entries: Sequence[Entry]) -> dict[str, tuple[str, str]]:
    """Host and subset (may be empty) of each backend in the entries."""
    found = {}
    for entry in entries:
        for target, item in zip(entry.targets, lists(thing, entry.path), strict=True):
            destination = item["destination"]
            found[target.backend] = str(destination["host"]), str(destination.get("subset") or "")
    return found


def _entry(path: tuple[str | int, ...], rule: Any, items: list[Any], namespace: str) -> Entry:
    names = _names(path, rule)
    place = written(path[:3]) + (f" ({names[0]})" if len(names) > 1 else "")
    targets = [_target(item, namespace, place) for item in items]
    if len(targets) == 1:  # a lone destination gets everything, whatever its weight
        targets = [replace(targets[0], weight=1)]
    return Entry(path, names, place, tuple(targets))


def _names(path: tuple[str | int, ...], rule: Any) -> tuple[str, ...]:
    name = rule.get("name") if isinstance(rule, Mapping) else None
    here = f"{path[1]}[{path[2]}]"
    return (str(name), here) if name else (here,)


def _target(item: Any, namespace: str, place: str) -> Target:
    destination = at(item, ("destination",))
    if not isinstance(destination, Mapping) or not destination.get("host"):
        raise Unclear(f"{place}: a route without a destination's host")
    host, subset = str(destination["host"]), str(destination.get("subset") or "")
    weight = weight_of(item, "weight", 0, place)
    name = short(host, namespace)
    return Target(subset, weight, f"{subset} of {name}") if subset else Target(name, weight)


def short(host: str, namespace: str) -> str:
    """A host's name as a policy says it: that of a Service alone, where it is of the namespace."""
    name, local, _ = host.partition(f".{namespace}.svc.")
    return name if local and "." not in name else host


def _namespace(thing: Thing) -> str:
    return str(at(thing, ("metadata", "namespace")) or "")
