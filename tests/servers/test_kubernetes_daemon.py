"""The daemon moves objects of a real API server; a real Envoy carries what they say, and is asked."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from rollout.demo.envoy import route_file, weighted_route
from tests.envoys import Site
from tests.installation import Installation, Traffic
from tests.property.test_mesh_objects import differences
from tests.servers.cluster import Cluster
from tests.servers.kubernetes_worlds import AppMesh, GrpcRoute, Istio, Kind, KubernetesWorld, OldAppMesh

POLICY = """\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: {namespace}, name: jazz}}
spec:
  route: {route}
  backend: {backend}
  steps:
    - {{weight: 10, bake: 2s}}
    - {{weight: 50, bake: 2s}}
    - {{weight: 100, bake: 2s}}
"""
SETTINGS = """\
state = "state"
listen = ""

[sources.main]
url = "{url}"
path = "policies"
poll = "1s"

[meshes.kubernetes]
kind = "kubernetes"
namespaces = ["{namespace}"]
kubeconfig = "{kubeconfig}"

[metrics.envoy]
kind = "envoy"
admin = ["{admin}"]
"""


class HttpRoute(GrpcRoute):
    """On two Gateways, as the other."""

    kind = "HTTPRoute"


KINDS: Mapping[str, tuple[Kind, str]] = {
    "gateway": (HttpRoute(), "{gateway: {httpRoute: jazz}}"),
    "istio": (Istio(), "{istio: {virtualService: jazz}}"),
    "app mesh v1beta2": (AppMesh(), "{appMesh: {virtualService: jazz}}"),
    "app mesh v1beta1": (OldAppMesh(), "{appMesh: {virtualService: jazz}}"),
}


CASES = [
    ("gateway", 200),
    ("gateway", 503),
    ("istio", 503),
    ("app mesh v1beta2", 200),
    ("app mesh v1beta1", 503),
]


class Carrier:
    """A control plane of our own: what the object says, a real Envoy does, and the object's status tells."""

    def __init__(self, world: KubernetesWorld, site: Site) -> None:
        self._world = world
        self._site = site
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.carried: list[dict[str, int]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            with contextlib.suppress(requests.RequestException):
                thing = self._world.cluster.get(self._world.thing({"jazz-v1": 1}))
                weights = dict(_weights(thing["spec"]))
                if not self.carried or weights != self.carried[-1]:
                    self._site.put(route_file("jazz", weighted_route(weights)))
                    self.carried.append(weights)
                self._world.speak()


def _weights(spec: Any) -> Iterator[tuple[str, int]]:
    """Every weighted target below, by its backend's name."""
    if isinstance(spec, dict) and "weight" in spec:
        yield re.findall("jazz-v[12]", json.dumps(spec))[0], spec["weight"]
    for inner in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        yield from _weights(inner)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> KubernetesWorld:
    kind, _ = KINDS[request.param]
    cluster: Cluster = request.getfixturevalue("old_cluster" if isinstance(kind, OldAppMesh) else "cluster")
    return KubernetesWorld(cluster, kind, tmp_path)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("world", "status"), CASES, indirect=["world"])
def test_a_rollout_on_a_cluster_s_objects(world: KubernetesWorld, tmp_path: Path, status: int):
    """A good canary is promoted step by step, a bad one is home and rejected; nothing else has moved."""
    [route] = [route for kind, route in KINDS.values() if kind is world.kind]
    before = world.cluster.get(world.thing({"jazz-v1": 1}))
    with (
        Site(tmp_path / "site", {"jazz-v1": 200, "jazz-v2": status}) as site,
        Carrier(world, site) as carrier,
        Traffic(site.address()),
        Installation(tmp_path, site) as house,
    ):
        house.write(
            SETTINGS.format(
                url=house.repository.url,
                namespace=world.namespace,
                kubeconfig=tmp_path / "rollout.kubeconfig",
                admin=site.proxies[0].admin,
            )
        )
        for backend in ("jazz-v1", "jazz-v2"):
            text = POLICY.format(namespace=world.namespace, route=route, backend=backend)
            house.repository.commit({"policies/jazz.yaml": text}, backend)
            if backend == "jazz-v1":
                house.start()
                house.until("steady")
        if status == 200:
            house.until("ramping")
            house.until("steady", seconds=90, reason="NOTHING_NEW")
            assert "jazz-v2" in house.json("get", "jazz")["rollout"]["stable"]
            rises = [100 * weights.get("jazz-v2", 0) / sum(weights.values()) for weights in carrier.carried]
            assert rises == sorted(rises)
            assert {10, 50, 95, 100} <= set(rises)
        else:
            house.until("steady", seconds=90, reason="REJECTED_BEFORE")
            assert "jazz-v2 is worse" in house.run("history", "jazz").stdout
        after = world.cluster.get(world.thing({"jazz-v1": 1}))
        moved = {path for path in differences(before["spec"], after["spec"]) if path[-1] != "weight"}
        if status == 200:  # the canary's target is there now, and stays
            assert all("jazz-v2" in json.dumps(_at(after["spec"], path)) for path in moved)
        else:
            assert not moved
        assert set(after["metadata"]["annotations"]) == {"rollout.dev/fence"}
        doctor = house.run("doctor")
        assert "the API server is Kubernetes v" in doctor.stdout
        assert doctor.returncode == 0, doctor.stdout


def _at(thing: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        thing = thing[key]
    return thing
