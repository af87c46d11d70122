"""Who is ready behind a cluster's backends: counted in EndpointSlices, as far as they lead there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollout.adapters.kubernetes_api import ApiServer, Resource
from rollout.adapters.meshes import app_mesh, istio
from rollout.adapters.meshes.kubernetes_objects import Found
from rollout.adapters.meshes.kubernetes_targets import Entry, Thing, at, lists
from rollout.ports import Unavailable

UNKNOWN = -1
SERVICE = "kubernetes.io/service-name"
SLICES = "discovery.k8s.io", "v1", "endpointslices"


def around(found: Found) -> list[Resource]:
    """What is listed besides the object itself."""
    namespace, served = found.resource.namespace, found.resource.version
    match found.route.kind:
        case "appMesh":
            more = [Resource(app_mesh.GROUP, served, "virtualnodes", namespace)]
        case "istio":
            more = [Resource(istio.GROUP, served, "destinationrules", namespace)]
        case _:
            more = []
    return [Resource(*SLICES, namespace), *more]


class Endpoints:
    """Ready endpoints by backend."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    async def ready(self, found: Found, entries: Sequence[Entry], deadline: float) -> Mapping[str, int]:
        """Of every backend that is known; ``-1`` where that cannot be said. Where nothing can be read, that
        is all that is said of those that the object names: it must not stand in the way home.
        """
        named = {target.backend: UNKNOWN for entry in entries for target in entry.targets}
        try:
            services = await self._services(found.resource.namespace, deadline)
            match found.route.kind:
                case "appMesh":
                    return await self._of_nodes(found, services, deadline)
                case "istio":
                    return await self._of_destinations(found, entries, services, deadline)
                case "custom":
                    return {**named, **services}
                case _:
                    return {**{name: UNKNOWN for name in named if "/" in name}, **services}
        except Unavailable:
            return named

    async def _services(self, namespace: str, deadline: float) -> dict[str, int]:
        """Ready endpoints of each Service that has slices; every Service with a selector does."""
        found: dict[str, int] = {}
        for slice_ in await self._api.all(Resource(*SLICES, namespace), deadline):
            service = at(slice_, ("metadata", "labels", SERVICE))
            if service:
                found[service] = found.get(service, 0) + sum(map(_is_ready, lists(slice_, ("endpoints",))))
        return found

    async def _of_nodes(
        self, found: Found, services: Mapping[str, int], deadline: float
    ) -> Mapping[str, int]:
        """Virtual nodes, by the Service that their DNS name is of."""
        namespace = found.resource.namespace
        [_, nodes] = around(found)
        ready = {}
        for node in await self._api.all(nodes, deadline):
            service, local, _ = app_mesh.hostname_of(node).partition(f".{namespace}.svc")
            ready[str(node["metadata"]["name"])] = services.get(service, 0) if local else UNKNOWN
        return ready

    async def _of_destinations(
        self, found: Found, entries: Sequence[Entry], services: Mapping[str, int], deadline: float
    ) -> Mapping[str, int]:
        """Hosts that are Services, and the subsets that a DestinationRule defines. Whose pods a subset has is
        not looked at: none at all is known where its host has none.
        """
        namespace = found.resource.namespace
        ready = dict(services)
        hosts = set()
        for name, (host, subset) in istio.destinations(found.thing, entries).items():
            hosts |= {host} if subset else set()
            if not subset and name not in services and "." in name:
                ready[name] = UNKNOWN
        if hosts:
            [_, rules] = around(found)
            defined = await self._api.all(rules, deadline)
            for host in hosts:
                count = 0 if services.get(istio.short(host, namespace)) == 0 else UNKNOWN
                ready |= dict.fromkeys(istio.subsets(defined, host, namespace), count)
        return ready


def _is_ready(endpoint: Thing) -> int:
    """How many addresses; an endpoint that does not say counts as ready."""
    ready = at(endpoint, ("conditions", "ready"))
    return len(lists(endpoint, ("addresses",))) if ready is not False else 0
