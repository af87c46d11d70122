"""Where a route's weights are in a cluster: the object itself, or the one that it sends us to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.adapters.kubernetes_api import ApiServer, Resource
from rollout.adapters.meshes import app_mesh, gateway, istio
from rollout.adapters.meshes.custom import Declared
from rollout.adapters.meshes.kubernetes_targets import Form, Thing, version
from rollout.core.model import Route
from rollout.ports import Lost, Refused
from rollout.settings import KubernetesMesh

GATEWAY_PLURALS = {
    "httpRoute": "httproutes",
    "grpcRoute": "grpcroutes",
    "tlsRoute": "tlsroutes",
    "tcpRoute": "tcproutes",
}
GATEWAY_VERSIONS = "v1", "v1beta1", "v1alpha3", "v1alpha2"
ISTIO_VERSIONS = "v1", "v1beta1", "v1alpha3"
APP_MESH_VERSIONS = "v1beta2", "v1beta1"


@dataclass(frozen=True, slots=True)
class Found:
    """The object that holds a route's weights. ``route``: as it is to be read in it; ``asked``: as it was
    asked for.
    """

    asked: Route
    resource: Resource
    thing: Thing
    form: Form
    route: Route

    @property
    def version(self) -> str:
        """What a write is conditional on."""
        return version(self.thing)


class Finder:
    """From a route to its object, by way of what the API server serves."""

    def __init__(self, api: ApiServer, settings: KubernetesMesh) -> None:
        self._api = api
        self._settings = settings

    async def find(self, route: Route, deadline: float) -> Found:
        """The object that holds the weights.

        Raises:
            Lost: it is not there.
            Refused: the operator does not let it be touched.
            Unavailable: it cannot be read now.
            Unclear: what leads to it says nothing that could be followed.
        """
        self._permit(route.namespace)
        match route.kind:
            case "appMesh":
                return await self._app_mesh(route, deadline)
            case "istio":
                return await self._istio(route, deadline)
            case "custom":
                return await self._custom(route, deadline)
            case kind if kind in GATEWAY_PLURALS:
                plural = GATEWAY_PLURALS[kind]
                served = await self._api.version(gateway.GROUP, plural, GATEWAY_VERSIONS, deadline)
                resource = Resource(gateway.GROUP, served, plural, route.namespace, route.name)
                return await self._found(route, resource, gateway.Routes(), deadline)
            case _:
                raise Refused(f"a cluster has no route of the kind {route.kind}: name a mesh that has")

    async def _found(self, route: Route, resource: Resource, form: Form, deadline: float) -> Found:
        return Found(route, resource, await self._api.get(resource, deadline), form, route)

    async def _app_mesh(self, route: Route, deadline: float) -> Found:
        group, plural = app_mesh.GROUP, "virtualservices"
        served = await self._api.version(group, plural, APP_MESH_VERSIONS, deadline)
        service = Resource(group, served, plural, route.namespace, route.name)
        if served == "v1beta2":
            namespace, name = app_mesh.router_of(await self._api.get(service, deadline))
            self._permit(namespace)
            router = Resource(group, served, "virtualrouters", namespace, name)
            return await self._found(route, router, app_mesh.VirtualRouters(), deadline)
        if "." not in route.name:  # its objects bear the whole name by which clients call the service
            whole = f"{route.name}.{route.namespace}.svc.cluster.local"
            try:
                return await self._found(
                    route, replace(service, name=whole), app_mesh.VirtualServices(), deadline
                )
            except Lost:
                pass
        return await self._found(route, service, app_mesh.VirtualServices(), deadline)

    async def _istio(self, route: Route, deadline: float) -> Found:
        group, plural = istio.GROUP, "virtualservices"
        served = await self._api.version(group, plural, ISTIO_VERSIONS, deadline)
        resource = Resource(group, served, plural, route.namespace, route.name)
        found = await self._found(route, resource, istio.VirtualServices(), deadline)
        if delegate := istio.delegate_of(found.thing, route.only):
            namespace, name = delegate
            self._permit(namespace)
            there = Resource(group, served, plural, namespace, name)
            thing = await self._api.get(there, deadline)
            return replace(found, resource=there, thing=thing, route=replace(route, only=()))
        return found

    async def _custom(self, route: Route, deadline: float) -> Found:
        form = route.form
        if form is None:
            raise Refused("a custom route says where its weights are: write apiVersion, kind and targets")
        group, _, served = form.api_version.rpartition("/")
        if f"{form.kind}.{group}" not in self._settings.custom:
            raise Refused(
                f"the operator does not let policies declare {form.kind}.{group}: add it to `custom` of the "
                f"mesh {self._settings.name} in the settings"
            )
        plural = await self._api.plural(group, served, form.kind, deadline)
        resource = Resource(group, served, plural, route.namespace, route.name)
        return await self._found(route, resource, Declared(form), deadline)

    def _permit(self, namespace: str) -> None:
        if namespace not in self._settings.namespaces:
            raise Refused(
                f"the operator does not let {self._settings.name} touch the namespace {namespace}: add it to "
                "`namespaces` of the mesh in the settings"
            )
