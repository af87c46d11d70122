"""Objects of every kind: what they show, and the exact patch that sets them, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.adapters.meshes import app_mesh, gateway, istio
from rollout.adapters.meshes.custom import Declared
from rollout.adapters.meshes.kubernetes_patch import patch
from rollout.adapters.meshes.kubernetes_targets import Form, managed, splits
from rollout.adapters.meshes.unclear import Unclear
from rollout.core.model import CustomForm, Route, Split

CASES = {
    f"{file.stem}: {case['name']}": case
    for file in sorted(Path(__file__).with_name("mesh_objects").glob("*.yaml"))
    for case in yaml.safe_load(file.read_text())
}
FORMS: Mapping[tuple[str, str], Form] = {
    ("appMesh", "VirtualService"): app_mesh.VirtualServices(),
    ("appMesh", "VirtualRouter"): app_mesh.VirtualRouters(),
    ("istio", "VirtualService"): istio.VirtualServices(),
}


def form_of(route: Route, thing: Mapping[str, Any]) -> Form:
    if route.form:
        return Declared(route.form)
    return FORMS.get((route.kind, thing["kind"]), gateway.Routes())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_object_shows_and_is_patched_as_written_down(case: dict[str, Any]):
    asked, thing = case["route"], case["object"]
    declared = CustomForm(**asked["form"]) if "form" in asked else None
    route = Route(asked["kind"], "kubernetes", "jazz", "prod", tuple(asked.get("only", ())), declared)
    form = form_of(route, thing)
    if "shows" in case:
        assert [str(split) for split in splits(managed(form, thing, route))] == case["shows"]
    if "changes" in case:
        assert write(form, thing, route, case["write"]) == case["changes"]
    if "refused" in case:
        with pytest.raises(Unclear) as refused:
            write(form, thing, route, case.get("write", {"jazz-v1": 100}))
        assert str(refused.value) == case["refused"]


def write(form: Form, thing: Mapping[str, Any], route: Route, wanted: Mapping[str, float]) -> object:
    split = Split.of({name: round(100 * weight) for name, weight in wanted.items()})
    return patch(form, thing, route, split, Split.all_on(next(iter(wanted))), 5)
