"""What controllers say of an object, and how far it is believed."""

from __future__ import annotations

from typing import Any

from rollout.adapters.meshes import app_mesh, gateway, istio
from rollout.adapters.meshes.custom import Declared
from rollout.adapters.meshes.kubernetes_targets import Word
from rollout.core.model import CustomForm


def parent(controller: str, generation: int, **conditions: str) -> dict[str, Any]:
    said = [
        {"type": kind, "status": status, "message": f"{kind} is {status}", "observedGeneration": generation}
        for kind, status in conditions.items()
    ]
    return {"parentRef": {"name": "edge"}, "controllerName": controller, "conditions": said}


def test_every_parent_speaks_for_itself_and_who_is_silent_is_named():
    mesh = {"kind": "Service", "name": "jazz", "namespace": "x", "port": 80}
    parents = [parent("a", 3, Accepted="True", ResolvedRefs="False"), parent("b", 2, Accepted="True")]
    route = {"spec": {"parentRefs": [{"name": "edge"}, mesh]}, "status": {"parents": parents}}
    assert gateway.Routes().words(route) == [
        Word("Gateway edge (a)", 3, "ResolvedRefs: ResolvedRefs is False"),
        Word("Gateway edge (b)", 0),
        Word("whoever has Service x/jazz:80", 0),
    ]


def test_app_mesh_s_controller_speaks_of_all_routes_or_of_none():
    """Its generation counts only when it knows every route."""
    form = app_mesh.VirtualRouters()
    router: dict[str, Any] = {"spec": {"routes": [{"name": "a"}, {"name": "b"}]}}
    assert form.words(router) == [Word("App Mesh's controller", 0)]
    router["status"] = {"observedGeneration": 4, "routeARNs": {"a": "arn"}}
    assert form.words(router) == [Word("App Mesh's controller", 0)]
    router["status"]["routeARNs"]["b"] = "arn"
    assert form.words(router) == [Word("App Mesh's controller", 4)]
    router["status"]["conditions"] = [
        {"type": "VirtualRouterActive", "status": "False", "message": "no node"}
    ]
    assert form.words(router) == [Word("App Mesh's controller", 4, "VirtualRouterActive: no node")]


def test_the_older_controller_is_believed_only_when_it_refuses():
    form = app_mesh.VirtualServices()
    service: dict[str, Any] = {"status": {"conditions": [{"type": "RoutesActive", "status": "True"}]}}
    assert not form.words(service)
    service["status"]["conditions"][0] |= {"status": "False", "reason": "BadWeights"}
    assert form.words(service) == [Word("App Mesh's controller", None, "RoutesActive: BadWeights")]


def test_istio_says_nothing_that_could_be_believed():
    assert not istio.VirtualServices().words({"status": {"observedGeneration": "3"}})


def test_a_declared_condition_is_asked_for():
    form = Declared(CustomForm("x.y/v1", "Z", "spec.targets", ready="Synced"))
    assert form.words({}) == [Word("its controller", 0)]
    thing = {
        "status": {
            "conditions": [{"type": "Synced", "status": "False", "reason": "No"}],
            "observedGeneration": 2,
        }
    }
    assert form.words(thing) == [Word("its controller", 2, "Synced: No")]
    assert not Declared(CustomForm("x.y/v1", "Z", "spec.targets")).words(thing)
