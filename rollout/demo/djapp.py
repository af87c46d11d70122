"""The DJ App: who plays what, how Envoy splits it, and what git and the daemon are told about it.

Plain values only. ``dj`` asks ``jazz`` and ``metal`` through Envoy; each has a v1 that serves everybody and a
v2 that waits. metal's v2 is the same program as the others, with a fault that only its callers see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rollout.demo import envoy

SERVICES = ("jazz", "metal")
NAMESPACE = "prod"
DJ = "DJ Reporting for duty!"
PLAYS = {
    "jazz-v1": '["Astrud Gilberto","Miles Davis"]',
    "jazz-v2": '["Astrud Gilberto (Bahia, Brazil)","Miles Davis (Alton, Illinois)"]',
    "metal-v1": '["Megadeth","Judas Priest"]',
    "metal-v2": '["Megadeth (Los Angeles, California)","Judas Priest (West Bromwich, England)"]',
}
FAULTS = {"metal-v2": 0.2}
"""The share of its answers that are 503."""

RATE = 240.0
"""Requests per second that dj sends to each service. From 200 to 400 the probe has two rungs below 10 %."""

SERVED_BY = "x-served-by"
"""The response header in which a backend signs its answers, so that a caller can tell who failed."""

SINK = "demo"


def stable_of(service: str) -> str:
    """The backend that serves everybody in the beginning."""
    return f"{service}-v1"


def canary_of(service: str) -> str:
    """The backend that is rolled out."""
    return f"{service}-v2"


def rollout_of(service: str) -> str:
    """The rollout's name."""
    return f"{NAMESPACE}/{service}"


def policy(service: str, backend: str) -> str:
    """The policy's text. It bakes for seconds, so that nobody has to wait."""
    return f"""\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: {NAMESPACE}, name: {service}}}
spec:
  route:
    envoy: {{routeConfiguration: {service}}}
  backend: {backend}   # a commit that changes this line starts a rollout
  steps:
    - {{weight: 10, bake: 6s}}
    - {{weight: 50, bake: 6s}}
    - {{weight: 100, bake: 6s}}   # while it bakes, 5 % stay on stable as a control
  alerts: [{SINK}]
"""


def settings(
    *, state: Path, listen: str, repository: Path, routes: Path, admin: str, webhook: str, secret: Path
) -> str:
    """The daemon's ``rollout.toml``."""
    return f"""\
state = {json.dumps(str(state))}
listen = "{listen}"

[sources.policies]
url = {json.dumps(str(repository))}
poll = "1s"

[meshes.envoy]
kind = "envoy"
directory = {json.dumps(str(routes))}
admin = ["{admin}"]

[sinks.{SINK}]
kind = "webhook"
url = "{webhook}"
secret = {{ file = {json.dumps(str(secret))} }}
"""


def write_routes(directory: Path) -> None:
    """Everybody on v1: one route configuration for each service."""
    for service in SERVICES:
        route = envoy.weighted_route({stable_of(service): 10_000})
        (directory / f"{service}.yaml").write_text(envoy.route_file(service, route), encoding="utf-8")


def proxy(directory: Path, routes: Path, ports: Mapping[str, int]) -> envoy.EnvoyProcess:
    """Envoy between dj and the backends at ``ports``: a listener a service, a cluster a backend."""
    listeners = [envoy.rds_listener(service, routes, service) for service in SERVICES]
    clusters = [envoy.cluster(backend, port, health_checks=[_HEALTH]) for backend, port in ports.items()]
    return envoy.EnvoyProcess(directory, envoy.bootstrap(listeners, clusters))


_HEALTH: envoy.Config = {
    "timeout": "1s",
    "interval": "1s",
    # A backend without traffic would otherwise be asked once a minute.
    "no_traffic_interval": "1s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 1,
    "http_health_check": {"path": "/ping"},
}
