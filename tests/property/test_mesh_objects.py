"""Whatever an object looks like: our write changes nothing but the weights that are ours, and our fence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rollout.adapters.meshes.kubernetes_patch import apply, patch
from rollout.adapters.meshes.kubernetes_targets import fence, managed, splits
from rollout.core.model import Split
from tests.kubernetes_objects import CANARY, EVERY_KIND, STABLE, Drawn
from tests.property.examples import examples

HOME = Split.all_on(STABLE)
per_cents = st.integers(0, 100).map(lambda per_cent: Split.between(STABLE, CANARY, per_cent * 100))


def differences(before: Any, after: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where two values differ; a list that is longer or shorter, at what one of them lacks."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            if key not in before or key not in after:
                yield (*path, key)
            else:
                yield from differences(before[key], after[key], (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        for index, (old, new) in enumerate(zip(before, after, strict=False)):
            yield from differences(old, new, (*path, index))
        lengths = sorted((len(before), len(after)))
        yield from ((*path, index) for index in range(*lengths))
    elif type(before) is not type(after) or before != after:
        yield path


def foreign(drawn: Drawn, thing: Any) -> Any:
    """The object without what may change: our weights, a canary's target, our fence, its version."""
    left = apply(thing, [])
    for path in drawn.lists:
        items: Any = left
        for key in path:
            items = items[key]
        items[:] = [{**item, "weight": None} for item in items if CANARY not in str(_name(item))]
    left["metadata"].pop("resourceVersion")
    annotations = left["metadata"].get("annotations", {})
    annotations.pop("rollout.dev/fence", None)
    if not annotations:
        left["metadata"].pop("annotations", None)
    return left


def _name(item: Any) -> Any:
    return [item.get(key) for key in ("name", "destination", "virtualNodeName", "virtualNodeRef")]


@examples(200)
@given(EVERY_KIND, per_cents, st.integers(1, 1 << 50))
def test_a_write_changes_the_weights_that_are_ours_and_nothing_else(drawn: Drawn, split: Split, epoch: int):
    """Any shape, any split; read back it is what was meant, and the fence counts one more."""
    before = fence(drawn.thing)
    after = apply(drawn.thing, patch(drawn.form, drawn.thing, drawn.route, split, HOME, epoch))
    assert not list(differences(foreign(drawn, drawn.thing), foreign(drawn, after)))
    assert splits(managed(drawn.form, after, drawn.route)) == (split,)
    mark = fence(after)
    assert mark is not None
    assert (mark.epoch, mark.count) == (epoch, before.count + 1 if before else 1)


@examples(200)
@given(EVERY_KIND, per_cents)
def test_a_target_that_we_added_is_gone_at_home(drawn: Drawn, split: Split):
    """There and back: a canary that no list had before is in none after; where one had it, it stays."""
    there = apply(drawn.thing, patch(drawn.form, drawn.thing, drawn.route, split, HOME, 1))
    back = apply(there, patch(drawn.form, there, drawn.route, HOME, HOME, 1))
    assert splits(managed(drawn.form, back, drawn.route)) == (HOME,)
    before, mark = names(drawn, drawn.thing), fence(drawn.thing)
    if CANARY not in chain.from_iterable(before):
        assert names(drawn, back) == before
    elif mark and mark.added:
        assert CANARY not in chain.from_iterable(names(drawn, back))
    else:
        after = zip(names(drawn, back), before, strict=True)
        assert all(set(there) in (set(old), {*old, CANARY}) for there, old in after)


def names(drawn: Drawn, thing: Any) -> list[list[str]]:
    """Who stands in each of our lists."""
    entries = managed(drawn.form, thing, drawn.route)
    assert [entry.path for entry in entries] == list(drawn.lists)
    return [[target.backend for target in entry.targets] for entry in entries]


@examples(100)
@given(EVERY_KIND, per_cents)
def test_a_write_of_what_is_there_touches_the_fence_alone(drawn: Drawn, split: Split):
    there = apply(drawn.thing, patch(drawn.form, drawn.thing, drawn.route, split, HOME, 1))
    again = apply(there, patch(drawn.form, there, drawn.route, split, HOME, 2))
    assert set(differences(there, again)) == {("metadata", "annotations", "rollout.dev/fence")}
