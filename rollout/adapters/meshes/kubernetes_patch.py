"""The smallest patch that makes an object's lists of targets carry a split and bear our fence."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rollout.adapters.meshes.fence import Fence
from rollout.adapters.meshes.kubernetes_targets import (
    ANNOTATION,
    Entry,
    Form,
    Path,
    Thing,
    at,
    fence,
    lists,
    managed,
    splits,
)
from rollout.adapters.meshes.unclear import Unclear
from rollout.core.model import FULL, Route, Split, percent

Change = dict[str, Any]
"""One operation of a JSON Patch (RFC 6902)."""


def patch(form: Form, thing: Thing, route: Route, split: Split, home: Split, epoch: int) -> list[Change]:
    """The changes that make the object carry ``split`` and bear ``epoch``, if it is still this one.

    Only weights that differ are set; a target for the canary is added where it is missing (like the stable
    one); a target that we added and that carries nothing any more is taken out.

    Raises:
        Unclear: its form does not let the weights be set.
    """
    entries = managed(form, thing, route)
    old = fence(thing)
    known = {name for entry in entries for name in entry.weights}
    ours = {name for name, _ in split.shares if name not in known}
    ours |= set(old.added if old else ()) & known
    new = Fence(
        epoch,
        count=old.count + 1 if old else 1,
        added=tuple(sorted(name for name in ours if split.weight(name))),
    )
    weights = scaled(split, form.total)
    changes = [_condition(thing)]
    for entry in entries:
        changes += _set(form, thing, entry, split, weights, home, ours)
    changes += _mark(thing, new)
    _check(form, apply(thing, changes), route, split, new)
    return changes


def resolution(total: int) -> int:
    """The smallest weight, out of ``FULL``, of those that sum to ``total``."""
    return FULL // total if total else 1


def scaled(split: Split, total: int) -> dict[str, int]:
    """The split's shares as whole numbers out of ``total``; out of the least that does, if it is 0.

    Raises:
        Unclear: they are finer than that.
    """
    totals = (total,) if total else (100, 1000, FULL)
    fits = [each for each in totals if all(weight * each % FULL == 0 for _, weight in split.shares)]
    if not fits:
        finest = percent(resolution(total))
        raise Unclear(f"weights are whole multiples of {finest} here, which {split} is not: write such steps")
    return {name: weight * fits[0] // FULL for name, weight in split.shares}


def _condition(thing: Thing) -> Change:
    """The API server refuses a patch that names another version than it has."""
    return {
        "op": "replace",
        "path": "/metadata/resourceVersion",
        "value": thing["metadata"]["resourceVersion"],
    }


def _set(
    form: Form,
    thing: Thing,
    entry: Entry,
    split: Split,
    weights: Mapping[str, int],
    home: Split,
    ours: set[str],
) -> list[Change]:
    gone = [
        index
        for index, target in enumerate(entry.targets)
        if target.backend in ours and not split.weight(target.backend)
    ]
    if entry.split == split and not gone:
        return []
    if len(entry.weights) != len(entry.targets):
        raise Unclear(f"{entry.place}: names one backend twice: make them one")
    items = lists(thing, entry.path)
    changes = [
        change
        for index, target in enumerate(entry.targets)
        if index not in gone
        for change in _weigh(entry, index, items[index], weights.get(target.backend, 0))
    ]
    for name in [name for name, _ in split.shares if name not in entry.weights]:
        value = {**form.another(_model(entry, items, home), name), entry.weight: weights[name]}
        changes.append({"op": "add", "path": pointer((*entry.path, "-")), "value": value})
    changes += [{"op": "remove", "path": pointer((*entry.path, index))} for index in reversed(gone)]
    if (count := len(items) + sum(c["path"].endswith("/-") for c in changes) - len(gone)) > form.most:
        raise Unclear(f"{entry.place}: would have {count} targets, {form.most} are allowed: take one out")
    return changes


def _weigh(entry: Entry, index: int, item: Thing, weight: int) -> Iterator[Change]:
    if entry.weight not in item or item[entry.weight] != weight:
        op = "replace" if entry.weight in item else "add"
        yield {"op": op, "path": pointer((*entry.path, index, entry.weight)), "value": weight}


def _model(entry: Entry, items: Sequence[Thing], home: Split) -> Thing:
    """The stable target, which a new one is made like."""
    for target, item in zip(entry.targets, items, strict=True):
        if target.backend == home.sole:
            return item
    raise Unclear(f"{entry.place}: has no target {home.sole} that a new one could be made like")


def _mark(thing: Thing, new: Fence) -> list[Change]:
    annotations = at(thing, ("metadata", "annotations"))
    if not isinstance(annotations, Mapping):
        return [{"op": "add", "path": "/metadata/annotations", "value": {ANNOTATION: str(new)}}]
    path = pointer(("metadata", "annotations", ANNOTATION))
    return [{"op": "replace" if ANNOTATION in annotations else "add", "path": path, "value": str(new)}]


def _check(form: Form, after: Thing, route: Route, split: Split, new: Fence) -> None:
    """Nobody writes what does not read back as it was meant."""
    if splits(managed(form, after, route)) != (split,) or fence(after) != new:
        raise Unclear(f"{route.name}: has a form in which weights cannot be set safely")


def pointer(path: Path) -> str:
    """A path as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def apply(thing: Thing, changes: Iterable[Change]) -> dict[str, Any]:
    """The object after a patch of ours, which only adds, replaces and removes."""
    after: dict[str, Any] = copy.deepcopy(dict(thing))
    for change in changes:
        *way, last = [key.replace("~1", "/").replace("~0", "~") for key in change["path"].split("/")[1:]]
        place: Any = after
        for key in way:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if isinstance(place, list) and last == "-":
            place.append(copy.deepcopy(change["value"]))
        elif change["op"] == "remove":
            del place[int(last) if isinstance(place, list) else last]
        else:
            place[last] = copy.deepcopy(change["value"])
    return after
