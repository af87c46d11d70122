"""Gateway API: weights of an HTTPRoute's, GRPCRoute's, TLSRoute's or TCPRoute's backendRefs.

A backend is the referenced object's name, mostly a Service's (``namespace/name`` for one of another
namespace). Weights are relative; an absent one is 1.
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
from rollout.adapters.meshes.unclear import Unclear

GROUP = "gateway.networking.k8s.io"
ABSENT = 1
CONDITIONS = "Accepted", "ResolvedRefs"


class Routes:
    """``spec.rules[].backendRefs[]``."""

    total = 0
    most = 16

    def entries(self, thing: Thing) -> Iterator[Entry]:
        for index, rule in enumerate(lists(thing, ("spec", "rules"))):
            path = ("spec", "rules", index, "backendRefs")
            if items := lists(thing, path):
                name = rule.get("name")
                names = (str(name), str(index)) if name else (str(index),)
                place = written(path[:3]) + (f" ({name})" if name else "")
                yield Entry(path, names, place, tuple(_target(item, place) for item in items))

    def another(self, target: Thing, backend: str) -> dict[str, Any]:
        namespace, _, name = backend.rpartition("/")
        there = {"namespace": namespace} if namespace else {}
        return {**{key: value for key, value in target.items() if key != "namespace"}, **there, "name": name}

    def words(self, thing: Thing) -> Sequence[Word]:
        """Of each parent's controller; of each parent that none speaks for."""
        said = [
            _word(parent) for parent in lists(thing, ("status", "parents")) if isinstance(parent, Mapping)
        ]
        spoken = [_parent(at(parent, ("parentRef",))) for parent in lists(thing, ("status", "parents"))]
        waiting = [
            _parent(reference)
            for reference in lists(thing, ("spec", "parentRefs"))
            if _parent(reference) not in spoken
        ]
        return [*said, *(Word(f"whoever has {name}", 0) for name in waiting)]


def _target(item: Any, place: str) -> Target:
    name = at(item, ("name",))
    if not isinstance(name, str) or not name:
        raise Unclear(f"{place}: a backendRef without a name")
    namespace, kind = item.get("namespace"), str(item.get("kind") or "Service")
    backend = f"{namespace}/{name}" if namespace else name
    return Target(backend, weight_of(item, "weight", ABSENT, place), f"{kind} {backend}")


def _word(parent: Mapping[str, Any]) -> Word:
    who = f"{_parent(parent.get('parentRef'))} ({parent.get('controllerName')})"
    conditions = {
        condition.get("type"): condition
        for condition in lists(parent, ("conditions",))
        if isinstance(condition, Mapping)
    }
    looked = [int(at(conditions.get(kind), ("observedGeneration",)) or 0) for kind in CONDITIONS]
    refused = [
        f"{kind}: {conditions[kind].get('message') or conditions[kind].get('reason')}"
        for kind in CONDITIONS
        if at(conditions.get(kind), ("status",)) == "False"
    ]
    return Word(who, min(looked), "; ".join(refused))


def _parent(reference: Any) -> str:
    """A parent by kind and name, and by section or port where it says one."""
    if not isinstance(reference, Mapping):
        return "a parent"
    kind = str(reference.get("kind") or "Gateway")
    parts = [reference.get("namespace"), reference.get("name")]
    place = [str(reference[key]) for key in ("sectionName", "port") if reference.get(key)]
    return f"{kind} " + "/".join(str(part) for part in parts if part) + "".join(f":{each}" for each in place)
