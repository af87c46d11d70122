"""The text of an RDS file with other weights in it: nothing else changes, whatever the text looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.adapters.meshes.envoy_file import RouteFile
from rollout.adapters.meshes.envoy_routes import managed, splits
from rollout.adapters.meshes.envoy_text import Malformed, parse
from rollout.adapters.meshes.fence import Fence
from rollout.adapters.meshes.unclear import Absent, Unclear
from rollout.core.model import Route, Split

ROUTE = Route("envoy", "edge", "jazz")
HOME = Split.all_on("v1")
KIND = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


def document(*routes: dict[str, Any], **more: Any) -> dict[str, Any]:
    hosts = [{"name": "shop", "domains": ["*"], "routes": list(routes)}]
    return {"resources": [{"@type": KIND, "name": "jazz", "virtual_hosts": hosts}], **more}


def weighted(weights: dict[str, int], **more: Any) -> dict[str, Any]:
    clusters = [{"name": name, "weight": weight} for name, weight in weights.items()]
    return {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}, **more}}


def file(document: dict[str, Any], route: Route = ROUTE) -> RouteFile:
    return RouteFile(yaml.safe_dump(document).encode(), route)


# --- whatever the text looks like ----------------------------------------------------------------

tricky = st.sampled_from(
    [
        "yes",
        "no",
        "1.10",
        "010",
        "1e3",
        "~",
        "",
        "null",
        "# no comment",
        "a: b",
        "- x",
        "é ☂ 😀",
        "x\ny\n",
        "  z",
        "'",
        '"',
    ]
)
scalars = tricky | st.integers(-5, 5) | st.booleans() | st.none() | st.floats(0, 9, allow_nan=False)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pqrs"), inner, max_size=3),
    max_leaves=6,
)
extras = st.dictionaries(
    st.sampled_from(["timeout", "retry_policy", "metadata", "hash_policy"]), values, max_size=3
)
weights = st.integers(0, 20_000)


@st.composite
def clusters(draw: st.DrawFn) -> list[dict[str, Any]]:
    """``v1`` and up to two others, in any order, some with options, some without a weight."""
    names = draw(st.permutations(["v1", *draw(st.lists(st.sampled_from(["v2", "v0"]), unique=True))]))
    entries = [{"name": name, "weight": draw(weights), **draw(extras)} for name in names]
    entries[0]["weight"] = entries[0]["weight"] or 1
    for entry in entries[1:]:
        if draw(st.booleans()):
            del entry["weight"]
    return [dict(draw(st.permutations(list(entry.items())))) for entry in entries]


@st.composite
def routes(draw: st.DrawFn) -> dict[str, Any]:
    match draw(st.sampled_from(["weighted", "weighted", "cluster", "foreign"])):
        case "weighted":
            target: dict[str, Any] = {"weighted_clusters": {"clusters": draw(clusters())}}
            if draw(st.booleans()):
                target["weighted_clusters"] |= {"total_weight": 100, "header_name": draw(tricky)}
            action = {"route": {**draw(extras), **target}}
        case "cluster":
            action = {"route": {**draw(extras), "cluster": "v1"}}
        case _:
            action = {"redirect": draw(extras)}
    return {"match": {"prefix": draw(tricky)}, **action, **draw(extras)}


documents = st.builds(
    lambda first, others, more: document(weighted({"v1": 3}), first, *others, **more),
    routes(),
    st.lists(routes(), max_size=2),
    st.fixed_dictionaries(
        {}, optional={"version_info": st.sampled_from(["", "7", "by hand"]), "nonce": tricky}
    ),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A document as people and programs write them."""
    content = draw(documents)
    if draw(st.booleans()):
        return json.dumps(content, indent=draw(st.sampled_from([None, 1, 4])), ensure_ascii=False)
    text = yaml.safe_dump(
        content,
        default_flow_style=draw(st.sampled_from([None, True, False])),
        indent=draw(st.integers(2, 5)),
        width=draw(st.sampled_from([20, 80, 1_000])),
        allow_unicode=draw(st.booleans()),
        explicit_start=draw(st.booleans()),
        sort_keys=draw(st.booleans()),
    )
    return draw(st.sampled_from(["", "\ufeff", "# by hand\n"])) + text


def rest(text: bytes) -> Any:
    """The document without what is ours: read by another YAML reader than the adapter's."""
    content = yaml.safe_load(text.decode().removeprefix("\ufeff"))
    content.pop("version_info", None)
    for route in content["resources"][0]["virtual_hosts"][0]["routes"]:
        action = route.get("route", {})
        target = action.pop("weighted_clusters", {"clusters": [{"name": action.pop("cluster", None)}]})
        target.pop("total_weight", None)
        for entry in target["clusters"]:
            entry.pop("weight", None)
        target["clusters"] = [entry for entry in target["clusters"] if entry.keys() != {"name"}]
        action["target"] = target
    return content


@settings(max_examples=100, deadline=None)
@given(
    text=texts(), ways=st.lists(st.tuples(st.sampled_from(["v2", "v3"]), st.integers(0, 10_000)), max_size=4)
)
def test_only_weights_and_the_fence_change(text: str, ways: list[tuple[str, int]]):
    """T5: after any row of writes, everything else means what it meant, and the splits are those written."""
    raw = text.encode()
    before = rest(raw)
    for count, (canary, weight) in enumerate([*ways, ("v2", 0)], start=1):
        split = Split.between("v1", canary, weight)
        raw = RouteFile(raw, ROUTE).with_split(split, epoch=5)
        after = RouteFile(raw, ROUTE)
        assert after.splits == (split,)
        assert after.fence is not None
        assert (after.fence.epoch, after.fence.count) == (5, count)
        assert rest(raw) == before


# --- one by one ----------------------------------------------------------------------------------


def test_what_we_added_is_taken_out_at_zero():
    """The canary's entry comes with its first weight and goes with its last; what was there before stays."""
    one = yaml.safe_dump(document(weighted({"v1": 100, "v0": 0}), version_info="hand")).encode()
    up = RouteFile(one, ROUTE).with_split(Split.between("v1", "v2", 100), 1)
    assert b"v2" in up
    home = RouteFile(up, ROUTE).with_split(HOME, 1)
    assert home == one.replace(b"weight: 100\n", b"weight: 10000\n").replace(b"hand", b'"rollout/1/2"')


def test_an_entry_that_was_there_stays_at_zero():
    """A canary that somebody entered at 0 keeps its entry."""
    found = file(document(weighted({"v1": 100, "v2": 0})))
    home = RouteFile(found.with_split(Split.between("v1", "v2", 100), 1), ROUTE).with_split(HOME, 1)
    assert b"v2" in home


def test_an_added_entry_that_got_options_stays():
    """Somebody gave our entry options: it is theirs too now, and is not taken out."""
    up = file(document(weighted({"v1": 1}))).with_split(Split.between("v1", "v2", 100), 1)
    dressed = up.replace(b'"weight": 100', b'"weight": 100, "request_headers_to_remove": [x]')
    assert b"request_headers_to_remove" in RouteFile(dressed, ROUTE).with_split(HOME, 1)


def test_a_promoted_backend_goes_when_the_next_one_is_home():
    """v2 was added and promoted, v3 follows and is promoted: v2's entry is taken out again."""
    raw = yaml.safe_dump(document(weighted({"v1": 1}))).encode()
    for split in (Split.all_on("v2"), Split.between("v2", "v3", 5_000), Split.all_on("v3")):
        raw = RouteFile(raw, ROUTE).with_split(split, 1)
    [target] = RouteFile(raw, ROUTE)._entries
    assert target.weights == {"v1": 0, "v3": 10_000}


def test_only_the_named_routes_are_ours():
    """With names given, the others are foreign: neither read nor written."""
    ours = weighted({"v1": 1}) | {"name": "songs"}
    foreign = weighted({"v1": 30, "v9": 70}) | {"name": "static"}
    found = file(document(ours, foreign), Route("envoy", "edge", "jazz", only=("songs",)))
    assert found.splits == (HOME,)
    new = yaml.safe_load(found.with_split(Split.between("v1", "v2", 5_000), 1))
    assert new["resources"][0]["virtual_hosts"][0]["routes"][1] == foreign


def test_routes_that_share_no_backend_must_be_named():
    """Without names, routes to unrelated backends are refused: which are foreign, nobody can know."""
    with pytest.raises(Unclear, match="pin them"):
        file(document(weighted({"v1": 1}), {"match": {}, "route": {"cluster": "assets"}}))


def test_routes_that_share_a_backend_belong_together():
    """Several routes to the same backends are all ours, also while they disagree."""
    found = file(document(weighted({"v1": 1}), weighted({"v1": 1, "v2": 1}), weighted({"v2": 1})))
    assert len(found.splits) == 3
    assert RouteFile(found.with_split(HOME, 1), ROUTE).splits == (HOME,)


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (document(), Absent, "no route that sends requests"),
        (document(weighted({"v1": 0, "v2": 0})), Unclear, "every weight is 0"),
        (document(weighted({"v1": -1})), Unclear, "not a whole number"),
        (document(weighted({"v1": 1.5})), Unclear, "not a whole number"),  # type: ignore[dict-item]
        (
            document({"route": {"weighted_clusters": {"clusters": [{"cluster_header": "x"}]}}}),
            Unclear,
            "name",
        ),
        (document({"route": {"weighted_clusters": {}}}), Unclear, "without clusters"),
        ({"resources": "x"}, Absent, "no RouteConfiguration named jazz"),
        ({"resources": [*document()["resources"], *document()["resources"]]}, Malformed, "a second Route"),
        ([], Malformed, "not a DiscoveryResponse"),
    ],
)
def test_what_cannot_be_read_is_refused(content: Any, kind: type[Exception], words: str):
    """Each shape that says nothing about shares is refused with its place."""
    with pytest.raises(kind, match=words):
        file(content)


def test_weights_in_every_notation_are_read():
    """protobuf's JSON takes numbers as numbers and as strings, and field names in two notations."""
    action = {
        "weightedClusters": {"clusters": [{"name": "v1", "weight": "3"}, {"name": "v2", "weight": 1.0}]}
    }
    found = file(document({"match": {}, "route": action}))
    assert found.splits == (Split.between("v1", "v2", 2_500),)
    assert RouteFile(found.with_split(HOME, 1), ROUTE).splits == (HOME,)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"clusters": [{"name": "v1", "weight": 1}], "runtime_key_prefix": "x"}, "runtime_key_prefix"),
        ({"clusters": [{"name": "v1", "weight": 1}, {"name": "v1", "weight": 2}]}, "twice"),
    ],
)
def test_what_cannot_be_written_is_refused(target: dict[str, Any], words: str):
    """M4: shapes whose weights would not be the last word are read, but not written."""
    found = file(document({"match": {}, "route": {"weighted_clusters": target}}))
    with pytest.raises(Unclear, match=words):
        found.with_split(HOME, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1: nothing in it"),
        ("a: 1\n---\nb: 1\n", "line 3, column 1: a second document"),
        ("a: [1, 2\n", "line 2, column 1"),
        ("a: 1\na: 2\n", "line 2, column 1: a stands here twice"),
        ("a: &x [1]\nb: *x\n", "line 2, column 4: an alias"),
        ("? [a]\n: 1\n", "line 1, column 3: a key must be a word"),
        ("[" * 100_000, "nested over 100 deep"),
        ("{a: " * 100_000, "nested over 100 deep"),
        ("a: \x01\n", "control characters are not allowed"),
    ],
)
def test_bad_text_says_where(text: str, words: str):
    """What is not one plain YAML document is refused with line and column, before anything is built."""
    with pytest.raises(Malformed, match=words):
        parse(text)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(Malformed, match="byte 3: not UTF-8"):
        RouteFile(b"a:\xff", ROUTE)


@given(
    epoch=st.integers(0, 10**12),
    count=st.integers(1, 10**9),
    added=st.lists(st.text(min_size=1), unique=True, max_size=3).map(lambda names: tuple(sorted(names))),
)
def test_a_fence_is_read_back(epoch: int, count: int, added: tuple[str, ...]):
    """Whatever the clusters are called."""
    fence = Fence(epoch, count, added)
    assert Fence.read(str(fence)) == fence


@pytest.mark.parametrize(
    "version", ["", "7", "rollout", "rollout/x/1", "rollout/1", "rollout/1/2/3", "xrollout/1/2"]
)
def test_a_foreign_version_is_no_fence(version: str):
    assert Fence.read(version) is None


def test_a_proxys_dump_is_read_by_the_same_rules():
    """File and proxy agree on what a split is."""
    content = document(weighted({"v1": 2, "v2": 1}))["resources"][0]
    assert splits(managed(content, ROUTE)) == (Split.of({"v1": 2, "v2": 1}),)
