"""Objects as clusters have them: drawn, with much around the weights that is nobody's but their owner's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from rollout.adapters.meshes.app_mesh import VirtualRouters
from rollout.adapters.meshes.app_mesh import VirtualServices as AppMeshServices
from rollout.adapters.meshes.custom import Declared
from rollout.adapters.meshes.gateway import Routes
from rollout.adapters.meshes.istio import VirtualServices as IstioServices
from rollout.adapters.meshes.kubernetes_targets import Form, Path
from rollout.core.model import CustomForm, Route

STABLE, CANARY, THIRD = "jazz-v1", "jazz-v2", "jazz-v0"
words = st.sampled_from(["", "x", "jazz", "a/b", "~", "é", "0", "null", "10%"])
junk = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1 << 40,
        "",
        "~/é",
        [],
        {},
        {"weight": 7, "weightedTargets": [{"weight": 3}]},
        [{"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"name": "x-user", "value": "1"}]}],
        [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 1}}}],
        {"attempts": 2, "perTryTimeout": "1s", "retryOn": "5xx"},
        [{"uri": {"prefix": "/"}}, {"headers": {"x": {"exact": "y"}}, "withoutHeaders": None}],
        {"request": {"set": {"x-a": "b", "": "~1/"}}, "route": [{"destination": {"host": "no"}}]},
        [[["deep", {"a/b": {"~": [1, 2.5, None]}}]]],
    ]
)


@dataclass(frozen=True)
class Drawn:
    """An object, what reads it, the route that is ours, and where its lists of targets are."""

    thing: dict[str, Any]
    form: Form
    route: Route
    lists: tuple[Path, ...]


def _with_junk(fixed: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Fields that nobody here has heard of, around those that matter."""
    names = st.sampled_from(["retries", "timeout", "match", "matches", "filters", "priority", "x-new"])
    return st.dictionaries(names, junk, max_size=3).map(lambda more: {**more, **fixed})


def _metadata() -> st.SearchStrategy[dict[str, Any]]:
    fixed = {"name": "jazz", "namespace": "prod", "uid": "u-1", "generation": 3, "resourceVersion": "41"}
    annotations = st.dictionaries(
        st.sampled_from(["a", "kubectl.kubernetes.io/x", "rollout.dev/other"]), words
    )
    fences = st.sampled_from([None, "rollout/2/7", "rollout/2/7 added=jazz-v2", "somebody else's"])

    def marked(annotations: dict[str, str] | None, fence: str | None, more: dict[str, Any]) -> dict[str, Any]:
        notes = {**(annotations or {}), **({"rollout.dev/fence": fence} if fence else {})}
        return {**more, **fixed, **({} if annotations is None and not notes else {"annotations": notes})}

    labels = st.fixed_dictionaries({}, optional={"labels": junk, "managedFields": st.lists(junk, max_size=2)})
    return st.builds(marked, st.none() | annotations, fences, labels)


@st.composite
def _targets(draw: st.DrawFn, name: Any, absent: int | None) -> list[dict[str, Any]]:
    """One list of targets: stable, perhaps the canary and a third, in any order, with any weights."""
    names = [STABLE, *draw(st.lists(st.sampled_from([CANARY, THIRD]), unique=True))]
    names = draw(st.permutations(names))
    weights = draw(st.lists(st.integers(0, 100), min_size=len(names), max_size=len(names)))
    if not any(weights):
        weights[0] = 1
    made = []
    for backend, weight in zip(names, weights, strict=True):
        leave = absent is not None and weight == absent and draw(st.booleans())
        item = {**name(backend), **({} if leave else {"weight": weight})}
        made.append(draw(_with_junk(item)))
    return made


@st.composite
def _rules(draw: st.DrawFn, rule: Any, targets: Any, foreign: Any) -> tuple[list[Any], list[int]]:
    """Rules of which those named ``ours`` are ours; and their places."""
    mine = draw(st.lists(st.booleans(), min_size=1, max_size=4).filter(any))
    made = []
    for is_mine in mine:
        inside = draw(targets) if is_mine else foreign
        name = "ours" if is_mine else draw(st.sampled_from(["theirs", None]))
        made.append(draw(_with_junk({**({"name": name} if name else {}), **rule(inside)})))
    return made, [index for index, is_mine in enumerate(mine) if is_mine]


@st.composite
def gateway(draw: st.DrawFn) -> Drawn:
    targets = _targets(lambda backend: {"name": backend, "port": 9080}, 1)
    foreign = [{"name": "metal-v1", "weight": 3}, {"name": "metal-v2"}]
    rules, mine = draw(_rules(lambda inside: {"backendRefs": inside}, targets, foreign))
    spec = draw(_with_junk({"parentRefs": [{"name": "edge"}], "rules": rules}))
    thing = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": spec}
    paths = tuple(("spec", "rules", index, "backendRefs") for index in mine)
    return Drawn(_whole(draw, thing), Routes(), _route("httpRoute"), paths)


@st.composite
def istio(draw: st.DrawFn) -> Drawn:
    by_subset, section = draw(st.booleans()), draw(st.sampled_from(["http", "tls", "tcp"]))

    def name(backend: str) -> dict[str, Any]:
        if by_subset:
            return {"destination": {"host": "jazz", "subset": backend, "port": {"number": 9080}}}
        return {"destination": {"host": f"{backend}.prod.svc.cluster.local"}}

    foreign = [{"destination": {"host": "metal", "subset": "jazz-v1"}, "weight": 100}]
    rules, mine = draw(_rules(lambda inside: {"route": inside}, _targets(name, 0), foreign))
    spec = draw(_with_junk({"hosts": ["jazz"], section: rules}))
    thing = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": spec}
    paths = tuple(("spec", section, index, "route") for index in mine)
    return Drawn(_whole(draw, thing), IstioServices(), _route("istio"), paths)


@st.composite
def app_mesh(draw: st.DrawFn) -> Drawn:
    old = draw(st.booleans())
    protocol = draw(st.sampled_from(["http", "http2", "grpc", "tcp"])) + ("" if old else "Route")

    def name(backend: str) -> dict[str, Any]:
        return {"virtualNodeName": backend} if old else {"virtualNodeRef": {"name": backend}}

    def rule(inside: Any) -> dict[str, Any]:
        return {protocol: {"match": {"prefix": "/"}, "action": {"weightedTargets": inside}}}

    foreign = [{**name("metal-v1"), "weight": 100}]
    rules, mine = draw(_rules(rule, _targets(name, None), foreign))
    for index, each in enumerate(rules):  # App Mesh wants every name once
        each["name"] = f"{each.get('name', 'other')}-{index}"
    spec = draw(_with_junk({"meshName": "dj-app", "routes": rules}))
    version, kind = ("v1beta1", "VirtualService") if old else ("v1beta2", "VirtualRouter")
    thing = {"apiVersion": f"appmesh.k8s.aws/{version}", "kind": kind, "spec": spec}
    paths = tuple(("spec", "routes", index, protocol, "action", "weightedTargets") for index in mine)
    form: Form = AppMeshServices() if old else VirtualRouters()
    return Drawn(_whole(draw, thing), form, _route("appMesh", *(f"ours-{index}" for index in mine)), paths)


@st.composite
def custom(draw: st.DrawFn) -> Drawn:
    path, total = "spec.weighted.services", draw(st.sampled_from([0, 1000]))
    form = CustomForm("traefik.io/v1alpha1", "TraefikService", path, absent=1, total=total)
    services = draw(_targets(lambda backend: {"name": backend, "port": 80}, 1))
    thing = {
        "apiVersion": form.api_version,
        "kind": form.kind,
        "spec": draw(_with_junk({"weighted": draw(_with_junk({"services": services}))})),
    }
    return Drawn(_whole(draw, thing), Declared(form), _route("custom"), (("spec", "weighted", "services"),))


def _whole(draw: st.DrawFn, thing: dict[str, Any]) -> dict[str, Any]:
    return {**thing, "metadata": draw(_metadata()), "status": draw(junk)}


def _route(kind: str, *only: str) -> Route:
    pinned = only or (() if kind == "custom" else ("ours",))
    return Route(kind, "kubernetes", "jazz", "prod", pinned)


EVERY_KIND = gateway() | istio() | app_mesh() | custom()
