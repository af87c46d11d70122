"""What Envoy shows, as the demo reads it."""

import json
from typing import Any

from rollout.demo.weights import Witness, splits


def dump(name: str, action: dict[str, Any]) -> dict[str, Any]:
    routes = [{"match": {"prefix": "/"}, "route": action}]
    return {"configs": [{"route_config": {"name": name, "virtual_hosts": [{"routes": routes}]}}]}


def weighted(**weights: int) -> dict[str, Any]:
    clusters = [{"name": name.replace("_", "-"), "weight": weight} for name, weight in weights.items()]
    return {"weighted_clusters": {"clusters": clusters}}


def test_weights_are_per_cent_of_their_sum() -> None:
    """Envoy's weights are relative; two decimals are its finest step here."""
    assert list(splits(dump("jazz", weighted(jazz_v1=9329, jazz_v2=671)))) == [
        ("jazz", {"jazz-v1": 93.29, "jazz-v2": 6.71})
    ]


def test_a_single_cluster_carries_everything() -> None:
    """A route without weights is a split too."""
    assert list(splits(dump("jazz", {"cluster": "jazz-v1"}))) == [("jazz", {"jazz-v1": 100.0})]


def test_a_dump_without_routes_shows_nothing() -> None:
    """Envoy answers so before it has read its files."""
    assert list(splits({})) == []
    assert list(splits({"configs": [{"version_info": "x"}]})) == []


def test_only_changes_are_kept() -> None:
    """Twenty looks a second must not become twenty lines a second."""
    witness = Witness("nowhere")
    for at, canary in enumerate((0, 0, 671, 671, 0)):
        split = weighted(jazz_v1=10_000 - canary, jazz_v2=canary)
        witness.note(float(at), json.dumps(dump("jazz", split)).encode())
    assert [(seen.at, seen.of("jazz-v2")) for seen in witness.seen["jazz"]] == [(0, 0), (2, 6.71), (4, 0)]
    assert [seen.at for seen in witness.since("jazz", 1.0)] == [2, 4]
    assert witness.now("jazz").of("jazz-v2") == 0
    assert witness.now("metal").split == {}
