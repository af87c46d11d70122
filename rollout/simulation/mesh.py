"""A mesh in memory, with everything that can go wrong with one. It passes the same contract as Envoy's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rollout.core.model import MeshSeen, ProxySeen, Route, Split
from rollout.ports import Lost, Moved, Refused, Unavailable


@dataclass(frozen=True)
class Written:
    """One write that took effect."""

    route: str
    split: Split
    epoch: int
    home: Split


@dataclass
class _Object:
    splits: tuple[Split, ...]
    version: int = 1
    epoch: int | None = None
    writes: int = 0


@dataclass
class SimulatedProxy:
    """``splits`` by route, as the proxy carries them. Faults: ``unreachable`` (to us; it still takes what is
    written), ``rejects`` (it keeps what it has), ``lags`` (likewise, and says nothing).
    """

    name: str
    ready: dict[str, int] = field(default_factory=dict)
    splits: dict[str, tuple[Split, ...]] = field(default_factory=dict)
    unreachable: str = ""
    rejects: str = ""
    lags: bool = False

    def seen(self, route: str) -> ProxySeen:
        if self.unreachable:
            return ProxySeen(self.name, unreachable=self.unreachable)
        return ProxySeen(self.name, self.splits.get(route, ()), rejected=self.rejects)


class SimulatedMesh:
    """``ports.Mesh`` over objects in memory.

    Faults: ``down`` (nothing can be read or written), ``refuses`` (no write is ever made), ``loses`` (so many
    writes are not made), ``swallows`` (so many are made, but their answer is lost).
    """

    def __init__(self, *proxies: str, ready: Mapping[str, int] | None = None) -> None:
        self.proxies = {name: SimulatedProxy(name, dict(ready or {})) for name in proxies or ("proxy-1",)}
        self.down = ""
        self.refuses = ""
        self.loses = 0
        self.swallows = 0
        self.writes: list[Written] = []
        self.reads = 0
        self._objects: dict[str, _Object] = {}

    # --- the world's hand ------------------------------------------------------------------------

    def put(self, route: Route, *weights: Mapping[str, int]) -> None:
        """A foreign hand writes: one mapping of weights for each entry of the route."""
        splits = tuple(dict.fromkeys(Split.of(entry) for entry in weights))
        thing = self._objects.setdefault(route.key, _Object((), 0))
        thing.splits, thing.version = splits, thing.version + 1
        self.distribute([route.key])

    def forget_fence(self, route: Route) -> None:
        """As if another tool had written the whole object: our mark is gone."""
        thing = self._objects[route.key]
        thing.epoch, thing.writes = None, 0

    def delete(self, route: Route) -> None:
        del self._objects[route.key]

    def set_ready(self, backend: str, count: int, *proxies: str) -> None:
        """Give a backend endpoints, at these proxies or at all."""
        for name in proxies or self.proxies:
            self.proxies[name].ready[backend] = count

    def catch_up(self) -> None:
        """Every proxy takes what is written."""
        for proxy in self.proxies.values():
            proxy.lags, proxy.rejects = False, ""
        self.distribute(self._objects)

    def split(self, route: Route) -> Split:
        """The one split that the object carries."""
        [split] = self._objects[route.key].splits
        return split

    def epoch(self, route: Route) -> int | None:
        return self._objects[route.key].epoch

    def splits(self, route: Route) -> tuple[Split, ...]:
        """What the object carries; nothing, when it is gone."""
        thing = self._objects.get(route.key)
        return thing.splits if thing else ()

    def take_away(self, route: Route) -> object:
        """It is deleted; what it was can be brought back."""
        return self._objects.pop(route.key)

    def bring_back(self, route: Route, thing: object) -> None:
        """It is as it was."""
        assert isinstance(thing, _Object)  # noqa: S101 - from ``take_away``
        self._objects[route.key] = thing
        self.distribute([route.key])

    def claim(self, route: Route, epoch: int) -> None:
        """Another daemon put its mark on the object."""
        thing = self._objects[route.key]
        thing.epoch, thing.version = epoch, thing.version + 1

    def distribute(self, routes: Iterable[str] = ()) -> None:
        """Every proxy that can takes these routes, all if none is named."""
        for key in routes or self._objects:
            for proxy in self.proxies.values():
                if not (proxy.lags or proxy.rejects):
                    proxy.splits[key] = self._objects[key].splits

    # --- the port --------------------------------------------------------------------------------

    async def read(self, route: Route, deadline: float) -> MeshSeen:
        self.reads += 1
        thing = self._find(route)
        answering = [proxy for proxy in self.proxies.values() if not proxy.unreachable]
        known = sorted({backend for proxy in answering for backend in proxy.ready})
        return MeshSeen(
            splits=thing.splits,
            version=str(thing.version),
            ready={name: min(proxy.ready.get(name, 0) for proxy in answering) for name in known},
            proxies=tuple(proxy.seen(route.key) for proxy in self.proxies.values()),
            epoch=thing.epoch,
            writes=thing.writes,
        )

    async def write(self, route: Route, split: Split, *, version: str, home: Split, epoch: int) -> None:
        thing = self._find(route)
        if self.refuses:
            raise Refused(self.refuses)
        if str(thing.version) != version:
            raise Moved(f"{route} has version {thing.version}, not {version}")
        if self.loses:
            self.loses -= 1
            raise Unavailable("the write was lost")
        thing.splits, thing.version = (split,), thing.version + 1
        thing.epoch, thing.writes = epoch, thing.writes + 1
        self.writes.append(Written(route.key, split, epoch, home))
        self.distribute([route.key])
        if self.swallows:
            self.swallows -= 1
            raise Unavailable("the answer was lost")

    def _find(self, route: Route) -> _Object:
        if self.down:
            raise Unavailable(self.down)
        if route.key not in self._objects:
            raise Lost(f"{route} is gone")
        return self._objects[route.key]
