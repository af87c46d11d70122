"""Real Envoys for tests: a folder of route files, proxies that watch it, backends behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from rollout.core.model import Route
from rollout.demo.envoy import (
    Config,
    EnvoyProcess,
    bootstrap,
    cluster,
    direct_listener,
    rds_listener,
    route_file,
    weighted_route,
)
from rollout.settings import EnvoyMesh, EnvoyMetrics

LISTENER = "front"
HEALTHY = {"jazz-v1": 200, "jazz-v2": 200}


class Site:
    """``backends`` answer with their status and, as the body, their name; all proxies share one folder.

    ``extra`` are further clusters of every proxy; ``text`` is the route file to begin with.
    """

    def __init__(
        self,
        folder: Path,
        backends: Mapping[str, int] = HEALTHY,
        *,
        proxies: int = 1,
        route: str = "jazz",
        extra: tuple[Config, ...] = (),
        text: str = "",
    ) -> None:
        self.routes = folder / "routes"
        self.route = Route("envoy", "edge", route)
        self._folder = folder
        self._text = text or route_file(route, weighted_route({next(iter(backends)): 100}))
        self._extra = extra
        self._statuses = backends
        self._count = proxies
        self._running = contextlib.ExitStack()
        self.proxies: list[EnvoyProcess] = []

    def __enter__(self) -> Self:
        self.routes.mkdir(parents=True)
        self.put(self._text)
        listeners = [direct_listener(name, status) for name, status in self._statuses.items()]
        self.backends = self._running.enter_context(
            EnvoyProcess(self._folder / "backends", bootstrap(listeners, []))
        )
        self.clusters = [cluster(name, self.backends.port(name)) for name in self._statuses]
        for number in range(self._count):
            self.add_proxy(number)
        return self

    def add_proxy(self, number: int) -> EnvoyProcess:
        front = rds_listener(LISTENER, self.routes, self.route.name)
        config = bootstrap([front], [*self.clusters, *self._extra])
        proxy = EnvoyProcess(self._folder / f"proxy-{number}", config)
        self.proxies.append(self._running.enter_context(proxy))
        return proxy

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def path(self) -> Path:
        return self.routes / f"{self.route.name}.yaml"

    @property
    def mesh(self) -> EnvoyMesh:
        return EnvoyMesh("edge", self.routes, tuple(proxy.admin for proxy in self.proxies))

    @property
    def metrics(self) -> EnvoyMetrics:
        return EnvoyMetrics("envoy", tuple(proxy.admin for proxy in self.proxies))

    def address(self, proxy: int = 0) -> str:
        """Where a client sends its requests."""
        return f"http://127.0.0.1:{self.proxies[proxy].port(LISTENER)}/"

    def put(self, text: str) -> None:
        """Change the route file as a foreign hand does, in the one way that Envoy sees."""
        draft = self.routes / ".foreign"
        draft.write_text(text, encoding="utf-8")
        draft.rename(self.path)
