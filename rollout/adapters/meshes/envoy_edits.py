"""The few signs of an RDS file's text that change with its weights, and the proof that nothing else did."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rollout.adapters.meshes.envoy_routes import Entry
from rollout.adapters.meshes.envoy_text import Mapping, Node, Scalar, Sequence, plain
from rollout.adapters.meshes.unclear import Unclear
from rollout.core.model import FULL, Split

Edit = tuple[int, int, str]
"""Put a text in the place of the signs from start to end."""


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text after all edits, which do not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def set_field(mapping: Mapping, name: str, value: str) -> Edit:
    """Give a field a value, before the first one if it is not there."""
    pair = mapping.pair(name)
    if pair and isinstance(pair[1], Scalar):
        return _set_scalar(pair[1], value)
    first = next(key for key, _ in mapping.pairs.values())
    if pair or first.tag:
        raise Unclear(f"{first.where}: `{name}` cannot be set here")
    new = f'"{name}": {value}, ' if mapping.flow else f"{name}: {value}\n{' ' * mapping.column}"
    return first.start, first.start, new


def set_split(action: Mapping, entry: Entry, split: Split, ours: set[str]) -> list[Edit]:
    """Make one route carry a split; entries of ``ours`` that carry nothing are taken out.

    Raises:
        Unclear: its form does not let the weights be set.
    """
    weighted = action.get("weighted_clusters")
    if isinstance(weighted, Mapping):
        return _set_weights(weighted, entry, split, ours)
    pair = action.pair("cluster")
    if pair is None or pair[1].tag or not isinstance(pair[1], Scalar):
        raise Unclear(f"{entry.place}: neither a plain `cluster` nor `weighted_clusters`")
    if entry.split == split:
        return []
    [old] = entry.weights
    clusters = ", ".join(_cluster(name, split) for name in [*_new(entry, split), old])
    key = '"weighted_clusters"' if action.flow else "weighted_clusters"
    return [(pair[0].start, pair[1].end, f'{key}: {{"clusters": [{clusters}]}}')]


def _set_weights(weighted: Mapping, entry: Entry, split: Split, ours: set[str]) -> list[Edit]:
    clusters = weighted.get("clusters")
    items = (
        [item for item in clusters.items if isinstance(item, Mapping)]
        if isinstance(clusters, Sequence)
        else []
    )
    if not isinstance(clusters, Sequence) or len(items) != len(entry.weights):
        raise Unclear(f"{entry.place}: names one cluster twice in weighted_clusters: make them one")
    if plain(weighted.get("runtime_key_prefix")):
        raise Unclear(f"{entry.place}: runtime_key_prefix lets others override the weights: take it out")
    edits: list[Edit] = []
    for item, following in zip(items, [*items[1:], None], strict=True):
        name = plain(item.get("name"))
        if following and name in ours and not split.weight(name) and _bare(item):
            edits.append((item.start, following.start, ""))
        else:
            edits.append(_set_weight(item, split.weight(name)))
    # New ones go before the first: where a block's last line ends is hard to tell from a comment.
    dash = f"\n{' ' * clusters.column}-".ljust(items[0].column + 1)
    between = ", " if clusters.flow else dash
    new = "".join(_cluster(name, split) + between for name in _new(entry, split))
    edits.append((items[0].start, items[0].start, new))
    total = weighted.get("total_weight")
    return [*edits, _set_scalar(total, str(FULL))] if isinstance(total, Scalar) else edits


def _new(entry: Entry, split: Split) -> list[str]:
    return [name for name, _ in split.shares if name not in entry.weights]


def _cluster(name: str, split: Split) -> str:
    return json.dumps({"name": name, "weight": split.weight(name)}, ensure_ascii=False)


def _set_weight(item: Mapping, weight: int) -> Edit:
    old, name = item.get("weight"), item.get("name")
    if isinstance(old, Scalar):
        return _set_scalar(old, str(weight))
    if old is not None or not isinstance(name, Scalar):
        raise Unclear(f"{item.where}: a weight that is not a number")
    new = f', "weight": {weight}' if item.flow else f"\n{' ' * item.column}weight: {weight}"
    return name.end, name.end, new


def _set_scalar(old: Scalar, value: str) -> Edit:
    return old.start, old.end, value if old.end > old.start else f" {value}"


def _bare(item: Mapping) -> bool:
    return item.pairs.keys() <= {"name", "weight"}


# --- what must stay ------------------------------------------------------------------------------


def rest(root: Mapping, actions: Iterable[Mapping]) -> Any:
    """All that is not ours to change: everything but ``version_info``, the weights under ``actions``, and
    entries that say nothing but name and weight.
    """
    instead = {id(action): _options(action) for action in actions}
    instead[id(root)] = _without(root, "version_info")
    return _canonical(root, instead)


def _options(action: Mapping) -> Mapping:
    weighted = action.get("weighted_clusters")
    options = _without(action, "cluster", "weighted_clusters")
    if isinstance(weighted, Mapping):
        clusters = weighted.get("clusters")
        items = clusters.items if isinstance(clusters, Sequence) else []
        for item in items:
            if isinstance(item, Mapping) and not _bare(item):
                key, _ = next(iter(item.pairs.values()))
                options.pairs[f"weighted {plain(item.get('name'))}"] = key, _without(item, "weight")
        for name, pair in _without(weighted, "clusters", "total_weight").pairs.items():
            options.pairs[f"weighted.{name}"] = pair
    return options


def _without(mapping: Mapping, *names: str) -> Mapping:
    gone = {id(pair) for name in names if (pair := mapping.pair(name))}
    return replace(mapping, pairs={key: pair for key, pair in mapping.pairs.items() if id(pair) not in gone})


def _canonical(node: Node, instead: dict[int, Mapping]) -> Any:
    node = instead.get(id(node), node)
    match node:
        case Scalar():
            return node.value, node.plain, node.tag
        case Sequence():
            return [node.tag, *(_canonical(item, instead) for item in node.items)]
        case Mapping():
            return node.tag, {name: _canonical(value, instead) for name, (_, value) in node.pairs.items()}
