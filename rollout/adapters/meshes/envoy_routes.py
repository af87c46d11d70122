"""What an Envoy RouteConfiguration says about weights, in plain values: the file's and the proxies' alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rollout.adapters.meshes.unclear import Absent, Unclear, families
from rollout.core.model import Route, Split


@dataclass(frozen=True, slots=True)
class Entry:
    """A route that sends requests on. ``host`` and ``index`` are its place; ``weights`` may be all there is
    to say (``weighted_clusters``) or stand for a plain ``cluster``.
    """

    host: int
    index: int
    name: str
    weights: Mapping[str, int]

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"virtual_hosts[{self.host}].routes[{self.index}]" + (f" ({self.name})" if self.name else "")

    @property
    def split(self) -> Split:
        """Its weights as shares.

        Raises:
            Unclear: all are zero.
        """
        if not any(self.weights.values()):
            raise Unclear(f"{self.place}: every weight is 0; Envoy rejects that")
        return Split.of(self.weights)


def managed(configuration: Any, route: Route) -> list[Entry]:
    """The entries whose weights are ours.

    With ``route.only``, the routes of those names. Without it all routes that send requests on; they must
    then belong together (each shares a backend with another), as nothing else says which are foreign.

    Raises:
        Absent: there is no such route.
        Unclear: the entries do not belong together, or one routes by something else than weights.
    """
    entries = list(_forwarding(configuration, set(route.only)))
    missing = sorted(set(route.only) - {entry.name for entry in entries})
    if missing:
        raise Absent(f"{route.name} has no forwarding route named {', '.join(missing)}")
    if not entries:
        raise Absent(f"{route.name} has no route that sends requests to a cluster")
    if not route.only and len(groups := families(entry.weights for entry in entries)) > 1:
        backends = " and ".join(f"{{{', '.join(sorted(group))}}}" for group in groups)
        raise Unclear(
            f"{route.name} routes to unrelated backends, {backends}: give the routes that are ours a name "
            "and pin them in the policy with `routes: [NAME]`"
        )
    return entries


def splits(entries: Iterable[Entry]) -> tuple[Split, ...]:
    """The distinct splits, in order of appearance.

    Raises:
        Unclear: all weights of an entry are zero.
    """
    return tuple(dict.fromkeys(entry.split for entry in entries))


def _forwarding(configuration: Any, only: set[str]) -> Iterable[Entry]:
    for h, host in enumerate(_list(configuration, "virtual_hosts")):
        for r, route in enumerate(_list(host, "routes")):
            action = route.get("route") if isinstance(route, dict) else None
            name = str(route.get("name") or "") if isinstance(route, dict) else ""
            if not isinstance(action, dict) or (only and name not in only):
                continue
            place = f"virtual_hosts[{h}].routes[{r}]" + (f" ({name})" if name else "")
            if "weighted_clusters" in action:
                yield Entry(h, r, name, _weights(action["weighted_clusters"], place))
            elif isinstance(action.get("cluster"), str):
                yield Entry(h, r, name, {action["cluster"]: 1})


def _list(thing: Any, key: str) -> list[Any]:
    found = thing.get(key) if isinstance(thing, dict) else None
    return found if isinstance(found, list) else []


def _weights(weighted: Any, place: str) -> dict[str, int]:
    weights: dict[str, int] = {}
    for cluster in _list(weighted, "clusters"):
        name = cluster.get("name") if isinstance(cluster, dict) else None
        if not isinstance(name, str) or not name:
            raise Unclear(f"{place}: an entry of weighted_clusters without a cluster's name")
        weights[name] = weights.get(name, 0) + _weight(cluster.get("weight", 0), f"{place}, {name}")
    if not weights:
        raise Unclear(f"{place}: weighted_clusters without clusters")
    return weights


def _weight(value: Any, place: str) -> int:
    """A UInt32Value in any of the forms that protobuf's JSON allows."""
    try:
        weight = float(value or 0)
    except (TypeError, ValueError):
        weight = -1.0
    if not (weight.is_integer() and 0 <= weight < 1 << 32):
        raise Unclear(f"{place}: the weight {value!r} is not a whole number from 0")
    return int(weight)
