"""One namespace of a real cluster with one route of some kind, and who plays its controllers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import requests

from rollout.adapters.clock import SystemClock
from rollout.adapters.meshes.kubernetes import KubernetesRoutes
from rollout.core.model import CustomForm, Route
from rollout.settings import KubernetesMesh
from tests.servers.cluster import Cluster

ROUTES = {
    "gateway.networking.k8s.io": ["httproutes", "grpcroutes", "tlsroutes", "tcproutes"],
    "networking.istio.io": ["virtualservices"],
    "appmesh.k8s.aws": ["virtualservices", "virtualrouters"],
    "traefik.io": ["traefikservices"],
    "split.smi-spec.io": ["trafficsplits"],
}
AROUND = {
    "networking.istio.io": ["destinationrules"],
    "appmesh.k8s.aws": ["virtualnodes"],
    "discovery.k8s.io": ["endpointslices"],
}
RULES = [
    *(
        {"apiGroups": [group], "resources": names, "verbs": ["get", "patch"]}
        for group, names in ROUTES.items()
    ),
    *({"apiGroups": [group], "resources": names, "verbs": ["list"]} for group, names in AROUND.items()),
]
"""All that the daemon's account needs."""


def grant(cluster: Cluster, namespace: str, rules: list[dict[str, Any]]) -> None:
    """Let the daemon's account do that much in a namespace."""
    metadata = {"name": "rollout", "namespace": namespace}
    api = "rbac.authorization.k8s.io"
    user = {"kind": "User", "name": "rollout", "apiGroup": api}
    role = {"kind": "Role", "name": "rollout", "apiGroup": api}
    cluster.create(
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [user],
            "roleRef": role,
        },
    )


def endpoints(namespace: str, service: str, *addresses: str) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"port": 9080}],
    }


class Kind:
    """How a kind of object is written."""

    route = Route("httpRoute", "kubernetes", "jazz")
    api, kind = "gateway.networking.k8s.io/v1", "HTTPRoute"
    name = "jazz"
    controllers: tuple[str, ...] = ()

    def spec(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        return {"rules": [{"backendRefs": [self.target(n, w) for n, w in each.items()]} for each in weights]}

    def status(self, thing: Mapping[str, Any]) -> dict[str, Any]:
        """What its controller, if there is one, says of it."""
        return {}

    def target(self, name: str, weight: int) -> dict[str, Any]:
        return {"name": name, "port": 9080, "weight": weight}

    def around(self, namespace: str) -> list[dict[str, Any]]:
        """What else the mesh needs."""
        return []


class GrpcRoute(Kind):
    """On two Gateways, whose controllers speak of it."""

    route = Route("grpcRoute", "kubernetes", "jazz")
    kind = "GRPCRoute"
    controllers = "Gateway edge (test.dev/one)", "Gateway mesh:internal (test.dev/two)"
    parents = {"name": "edge"}, {"name": "mesh", "sectionName": "internal"}

    def spec(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        return {"parentRefs": list(self.parents), **super().spec(*weights)}

    def status(self, thing: Mapping[str, Any]) -> dict[str, Any]:
        condition = {
            "status": "True",
            "reason": "Fine",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": thing["metadata"]["generation"],
        }
        conditions = [{**condition, "type": kind} for kind in ("Accepted", "ResolvedRefs")]
        names = "test.dev/one", "test.dev/two"
        return {
            "parents": [
                {"parentRef": parent, "controllerName": name, "conditions": conditions}
                for parent, name in zip(self.parents, names, strict=True)
            ]
        }


class Istio(Kind):
    route = Route("istio", "kubernetes", "jazz")
    api, kind = "networking.istio.io/v1", "VirtualService"

    def spec(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        http = [{"route": [self.target(n, w) for n, w in each.items()]} for each in weights]
        return {"hosts": ["jazz"], "http": http}

    def target(self, name: str, weight: int) -> dict[str, Any]:
        return {"destination": {"host": name, "port": {"number": 9080}}, "weight": weight}


class Delegate(Istio):
    """The route names a VirtualService that leaves its routing to another."""

    name = "jazz-routes"

    def spec(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        return {key: value for key, value in super().spec(*weights).items() if key != "hosts"}

    def around(self, namespace: str) -> list[dict[str, Any]]:
        root = {"hosts": ["jazz"], "http": [{"delegate": {"name": self.name}}]}
        metadata = {"name": "jazz", "namespace": namespace}
        return [{"apiVersion": self.api, "kind": self.kind, "metadata": metadata, "spec": root}]


class AppMesh(Kind):
    """The route names the VirtualService, its weights are in the VirtualRouter."""

    route = Route("appMesh", "kubernetes", "jazz")
    api, kind, name = "appmesh.k8s.aws/v1beta2", "VirtualRouter", "jazz-router"
    controllers: tuple[str, ...] = ("App Mesh's controller",)

    def status(self, thing: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "observedGeneration": thing["metadata"]["generation"],
            "routeARNs": {route["name"]: "arn:aws:appmesh" for route in thing["spec"]["routes"]},
            "conditions": [{"type": "VirtualRouterActive", "status": "True"}],
        }

    def spec(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        routes = [
            {
                "name": f"route-{number}",
                "httpRoute": {
                    "match": {"prefix": f"/{number}"},
                    "action": {"weightedTargets": [self.target(n, w) for n, w in each.items()]},
                },
            }
            for number, each in enumerate(weights)
        ]
        return {"listeners": [{"portMapping": {"port": 9080, "protocol": "http"}}], "routes": routes}

    def target(self, name: str, weight: int) -> dict[str, Any]:
        return {"virtualNodeRef": {"name": name}, "weight": weight}

    def around(self, namespace: str) -> list[dict[str, Any]]:
        provider = {"virtualRouter": {"virtualRouterRef": {"name": self.name}}}
        metadata = {"name": "jazz", "namespace": namespace}
        service = {"awsName": f"jazz.{namespace}.svc.cluster.local", "provider": provider}
        return [
            {"apiVersion": self.api, "kind": "VirtualService", "metadata": metadata, "spec": service},
            *(self.node(namespace, name) for name in ("jazz-v1", "jazz-v2", "jazz-v3")),
        ]

    def node(self, namespace: str, name: str) -> dict[str, Any]:
        host = f"{name}.{namespace}.svc.cluster.local"
        spec = {
            "podSelector": {"matchLabels": {"app": name}},
            "listeners": [{"portMapping": {"port": 9080, "protocol": "http"}}],
            "serviceDiscovery": {"dns": {"hostname": host}},
        }
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": self.api, "kind": "VirtualNode", "metadata": metadata, "spec": spec}


class OldAppMesh(AppMesh):
    """The object bears the name by which clients call the service; the policy may say its first part."""

    api, kind = "appmesh.k8s.aws/v1beta1", "VirtualService"
    name = "jazz.{namespace}.svc.cluster.local"
    controllers = ()

    def status(self, thing: Mapping[str, Any]) -> dict[str, Any]:
        return {"conditions": [{"type": "RoutesActive", "status": "True"}]}

    def spec(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        routes = super().spec(*weights)["routes"]
        for route in routes:
            route["http"] = route.pop("httpRoute")
        return {"meshName": "dj-app", "virtualRouter": {"name": "jazz-router"}, "routes": routes}

    def target(self, name: str, weight: int) -> dict[str, Any]:
        return {"virtualNodeName": name, "weight": weight}

    def around(self, namespace: str) -> list[dict[str, Any]]:
        return [self.node(namespace, name) for name in ("jazz-v1", "jazz-v2", "jazz-v3")]

    def node(self, namespace: str, name: str) -> dict[str, Any]:
        node = super().node(namespace, name)
        dns = {"hostName": f"{name}.{namespace}.svc.cluster.local"}
        listeners = node["spec"]["listeners"]
        node["spec"] = {"meshName": "dj-app", "listeners": listeners, "serviceDiscovery": {"dns": dns}}
        return node


class Smi(Kind):
    form = CustomForm("split.smi-spec.io/v1alpha4", "TrafficSplit", "spec.backends", backend="service")
    route = Route("custom", "kubernetes", "jazz", form=form)
    api, kind = form.api_version, form.kind

    def spec(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        return {"service": "jazz", "backends": [self.target(n, w) for n, w in weights[0].items()]}

    def target(self, name: str, weight: int) -> dict[str, Any]:
        return {"service": name, "weight": weight}


class Traefik(Kind):
    form = CustomForm("traefik.io/v1alpha1", "TraefikService", "spec.weighted.services", absent=1)
    route = Route("custom", "kubernetes", "jazz", form=form)
    api, kind = form.api_version, form.kind

    def spec(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        return {"weighted": {"services": [self.target(n, w) for n, w in weights[0].items()]}}

    def target(self, name: str, weight: int) -> dict[str, Any]:
        return {"name": name, "port": 9080, "weight": weight}


class KubernetesWorld:
    """One namespace with one route."""

    def __init__(self, cluster: Cluster, kind: Kind, folder: Path) -> None:
        self.cluster = cluster
        self.kind = kind
        self.names = kind.controllers
        self.namespace = cluster.namespace()
        grant(cluster, self.namespace, RULES)
        route = kind.route
        self.route = Route(route.kind, route.mesh, route.name, self.namespace, route.only, route.form)
        self.mesh = self.connect(folder)
        cluster.create(
            *kind.around(self.namespace),
            endpoints(self.namespace, "jazz-v1", "192.0.2.1"),
            endpoints(self.namespace, "jazz-v2", "192.0.2.2"),
            endpoints(self.namespace, "jazz-v3"),
            self.thing({"jazz-v1": 100}),
        )

    def connect(self, folder: Path) -> KubernetesRoutes:
        """As the daemon, which may touch this namespace."""
        settings = KubernetesMesh(
            "kubernetes",
            (self.namespace,),
            self.cluster.kubeconfig("rollout", folder),
            custom=("TrafficSplit.split.smi-spec.io", "TraefikService.traefik.io"),
        )
        return KubernetesRoutes(settings, SystemClock())

    def thing(self, *weights: Mapping[str, int]) -> dict[str, Any]:
        name = self.kind.name.format(namespace=self.namespace)
        metadata = {"name": name, "namespace": self.namespace}
        return {
            "apiVersion": self.kind.api,
            "kind": self.kind.kind,
            "metadata": metadata,
            "spec": self.kind.spec(*weights),
        }

    def put(self, *weights: Mapping[str, int]) -> None:
        for _ in range(10):
            with contextlib.suppress(requests.HTTPError):  # its controller was at it
                self.cluster.put(self.thing(*weights))
                return
        raise AssertionError("could not be put")

    def delete(self) -> None:
        self.cluster.delete(self.thing({"jazz-v1": 1}))

    def speak(self) -> None:
        """A controller's turn: it says what it thinks of the object, if that is news."""
        with contextlib.suppress(requests.HTTPError):  # deleted
            thing = self.cluster.get(self.thing({"jazz-v1": 1}))
            if (said := self.kind.status(thing)) != thing.get("status", {}):
                self.cluster.status(thing, said)


@contextlib.asynccontextmanager
async def living(world: KubernetesWorld) -> AsyncIterator[KubernetesWorld]:
    """A world whose controllers are at work."""

    async def work() -> None:
        while True:
            await asyncio.to_thread(world.speak)
            await asyncio.sleep(0.02)

    working = asyncio.create_task(work())
    try:
        yield world
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await world.mesh.close()
