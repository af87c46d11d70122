"""What goes wrong with objects of a real cluster, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from rollout.core.model import Split
from rollout.ports import Lost, Moved, Refused, Unavailable
from tests.servers.cluster import Cluster
from tests.servers.kubernetes_worlds import (
    RULES,
    AppMesh,
    GrpcRoute,
    Istio,
    Kind,
    KubernetesWorld,
    OldAppMesh,
)

HOME = Split.all_on("jazz-v1")
HALF = Split.between("jazz-v1", "jazz-v2", 5_000)


@pytest.fixture
async def world(
    cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[KubernetesWorld]:
    world = KubernetesWorld(cluster, getattr(request, "param", Kind()), tmp_path)
    yield world
    await world.mesh.close()


def only(*verbs: str) -> list[dict[str, Any]]:
    """The daemon's rules as far as they are of these verbs."""
    kept = [{**rule, "verbs": [verb for verb in rule["verbs"] if verb in verbs]} for rule in RULES]
    return [rule for rule in kept if rule["verbs"]]


def regrant(world: KubernetesWorld, rules: list[dict[str, Any]]) -> None:
    metadata = {"name": "rollout", "namespace": world.namespace}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata}
    world.cluster.merge(role, {"rules": rules})


async def denied(world: KubernetesWorld, verb: str, path: str) -> None:
    """Until the API server has heard of it."""
    while True:
        try:
            world.cluster.call(verb, path, [], "application/json-patch+json", user="rollout")
        except requests.HTTPError as error:
            if "403" in str(error):
                return


async def test_a_verb_that_is_not_granted_is_named(world: KubernetesWorld):
    """And the rights that are missing are known before anything is written."""
    assert await world.mesh.missing(world.route, 2.0) == []
    seen = await world.mesh.read(world.route, 2.0)
    regrant(world, only("get"))
    await denied(world, "PATCH", world.cluster.path(world.thing({"jazz-v1": 1})) + "/jazz")
    with pytest.raises(Unavailable, match=r"may not patch httproutes\.gateway.* grant it the verb `patch`"):
        await world.mesh.write(world.route, HALF, version=seen.version, home=HOME, epoch=1)
    missing = await world.mesh.missing(world.route, 2.0)
    words = [said.partition(" may not ")[2].partition(".")[0] for said in missing]
    assert words == ["patch httproutes", "list endpointslices"]


async def test_endpoints_that_may_not_be_read_do_not_stand_in_the_way_home(world: KubernetesWorld):
    """Who carries traffic may be ready; who carries none is not known."""
    world.put({"jazz-v1": 1, "jazz-v2": 1})
    regrant(world, only("get", "patch"))
    await denied(world, "GET", f"/apis/discovery.k8s.io/v1/namespaces/{world.namespace}/endpointslices")
    seen = await world.mesh.read(world.route, 2.0)
    assert seen.ready == {"jazz-v1": -1, "jazz-v2": -1}
    await world.mesh.write(world.route, HOME, version=seen.version, home=HOME, epoch=1)
    assert (await world.mesh.read(world.route, 2.0)).splits == (HOME,)


async def test_a_kind_that_is_not_served_is_named(old_cluster: Cluster, tmp_path: Path):
    old = KubernetesWorld(old_cluster, OldAppMesh(), tmp_path)
    with pytest.raises(Unavailable, match=r"does not serve httproutes\.gateway.* install its CRD"):
        await old.mesh.read(replace(Kind.route, namespace=old.namespace), 2.0)
    await old.mesh.close()


async def test_a_name_that_is_not_there_is_named(world: KubernetesWorld):
    with pytest.raises(Lost, match=r"httproutes.* jaz in .* is not there: is its name right"):
        await world.mesh.read(replace(world.route, name="jaz"), 2.0)


async def test_a_namespace_that_is_not_the_operator_s_choice_is_not_touched(world: KubernetesWorld):
    with pytest.raises(Refused, match="does not let kubernetes touch the namespace default"):
        await world.mesh.read(replace(world.route, namespace="default"), 2.0)


async def test_a_status_that_was_written_meanwhile_is_no_reason_to_look_anew(world: KubernetesWorld):
    """The way home does not run a race with a busy controller."""
    seen = await world.mesh.read(world.route, 2.0)
    thing = world.thing({"jazz-v1": 1})
    world.cluster.status(thing, {"parents": []})
    world.cluster.merge(thing, {"metadata": {"labels": {"some": "label"}}})
    await world.mesh.write(world.route, HALF, version=seen.version, home=HOME, epoch=1)
    assert (await world.mesh.read(world.route, 2.0)).splits == (HALF,)
    assert world.cluster.get(thing)["metadata"]["labels"] == {"some": "label"}


async def test_t2_an_object_that_was_made_anew_is_another(world: KubernetesWorld):
    seen = await world.mesh.read(world.route, 2.0)
    thing = world.thing({"jazz-v1": 100})
    world.cluster.delete(thing)
    world.cluster.create(thing)
    with pytest.raises(Moved):
        await world.mesh.write(world.route, HALF, version=seen.version, home=HOME, epoch=1)


async def test_our_writes_bear_our_name(world: KubernetesWorld):
    """So that who fights over a field can be named, and the field given back."""
    seen = await world.mesh.read(world.route, 2.0)
    await world.mesh.write(world.route, HALF, version=seen.version, home=HOME, epoch=1)
    fields = world.cluster.get(world.thing({"jazz-v1": 1}))["metadata"]["managedFields"]
    [ours] = [each for each in fields if each["manager"] == "rollout-controller"]
    assert set(ours["fieldsV1"]) == {"f:metadata", "f:spec"}


@pytest.mark.parametrize("world", [GrpcRoute()], indirect=True)
async def test_a_controller_carries_what_it_looked_at(world: KubernetesWorld):
    """Before it looked at a write, it shows the split from before; when it refuses, it says why."""
    first, second = world.names
    world.speak()
    await world.mesh.read(world.route, 2.0)
    world.put({"jazz-v1": 1, "jazz-v2": 1})
    seen = await world.mesh.read(world.route, 2.0)
    assert seen.splits == (HALF,)
    assert [proxy.splits for proxy in seen.proxies] == [(HOME,), (HOME,)]
    assert not seen.verified
    thing = world.cluster.get(world.thing({"jazz-v1": 1}))
    status = json.loads(json.dumps(world.kind.status(thing)))
    status["parents"][1]["conditions"][1] |= {"status": "False", "message": "no Service jazz-v2"}
    world.cluster.status(thing, status)
    well, refusing = (await world.mesh.read(world.route, 2.0)).proxies
    assert (well.name, well.splits, well.rejected) == (first, (HALF,), "")
    assert (refusing.name, refusing.rejected) == (second, "ResolvedRefs: no Service jazz-v2")


@pytest.mark.parametrize("world", [AppMesh()], indirect=True)
async def test_a_virtual_service_without_a_router_has_nothing_to_shift(world: KubernetesWorld):
    service = world.kind.around(world.namespace)[0]
    provider = {"virtualRouter": None, "virtualNode": {"virtualNodeRef": {"name": "jazz-v1"}}}
    world.cluster.merge(service, {"spec": {"provider": provider}})
    with pytest.raises(Refused, match="put a virtual router between them"):
        await world.mesh.read(world.route, 2.0)


@pytest.mark.parametrize("world", [Istio()], indirect=True)
async def test_a_subset_is_known_while_a_destination_rule_defines_it(world: KubernetesWorld):
    """Istio answers 503 for the share of a subset that is gone, and no cluster counts it."""
    metadata = {"name": "jazz", "namespace": world.namespace}
    rule = {
        "apiVersion": world.kind.api,
        "kind": "DestinationRule",
        "metadata": metadata,
        "spec": {"host": "jazz", "subsets": [{"name": "v1"}, {"name": "v2"}]},
    }
    target = {"destination": {"host": "jazz", "subset": "v1"}}
    world.cluster.create(rule)
    world.cluster.merge(world.thing({"jazz-v1": 1}), {"spec": {"http": [{"route": [target]}]}})
    ready = (await world.mesh.read(world.route, 2.0)).ready
    assert (ready["v1"], ready["v2"]) == (-1, -1)
    world.cluster.merge(rule, {"spec": {"subsets": [{"name": "v1"}]}})
    assert "v2" not in (await world.mesh.read(world.route, 2.0)).ready
