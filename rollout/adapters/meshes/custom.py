"""Any resource that keeps weights in a list of targets: where, the policy declares.

``targets: spec.weighted.services`` leads to the list; ``[0]`` picks one of a list on the way, ``[*]`` all. In
each target the backend's name stands under one key, its weight under another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout.adapters.meshes.kubernetes_targets import (
    Entry,
    Path,
    Target,
    Thing,
    Word,
    at,
    lists,
    weight_of,
    written,
)
from rollout.adapters.meshes.unclear import Absent, Unclear
from rollout.core.model import CustomForm

_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+|\*)\]")


@dataclass(frozen=True, slots=True)
class Declared:
    """The form that a policy declares."""

    form: CustomForm
    most: int = 1000

    @property
    def total(self) -> int:
        return self.form.total

    def entries(self, thing: Thing) -> Iterator[Entry]:
        for path in _paths(thing, (), steps(self.form.targets)):
            items, place = lists(thing, path), written(path)
            if not items:
                raise Absent(f"{place}: there is no list of targets")
            yield Entry(
                path, (place,), place, tuple(self._target(each, place) for each in items), self.form.weight
            )

    def _target(self, item: Any, place: str) -> Target:
        name = at(item, (self.form.backend,))
        if not isinstance(name, str) or not name:
            raise Unclear(f"{place}: a target without `{self.form.backend}`")
        return Target(name, weight_of(item, self.form.weight, self.form.absent, place))

    def another(self, target: Thing, backend: str) -> dict[str, Any]:
        return {**target, self.form.backend: backend}

    def words(self, thing: Thing) -> Sequence[Word]:
        """What the declared condition says; it may say for which generation."""
        if not self.form.ready:
            return []
        conditions = [each for each in lists(thing, ("status", "conditions")) if isinstance(each, Mapping)]
        found = next((each for each in conditions if each.get("type") == self.form.ready), {})
        generation = found.get("observedGeneration", at(thing, ("status", "observedGeneration")))
        refused = ""
        if found.get("status") == "False":
            refused = f"{self.form.ready}: {found.get('message') or found.get('reason') or 'False'}"
        return [Word("its controller", generation if found else 0, refused)]


def steps(path: str) -> list[str | int]:
    """A declared path, key by key; ``*`` for all of a list.

    Raises:
        Unclear: it is none.
    """
    found: list[str | int] = []
    place = 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            raise Unclear(f"`{path}` is no path: write keys with dots, and [0] or [*] for a list")
        key, index = match.groups()
        found.append(key or ("*" if index == "*" else int(index)))
        place = match.end()
    return found


def _paths(thing: Thing, done: Path, left: Sequence[str | int]) -> Iterator[Path]:
    if not left:
        yield done
    elif left[0] == "*":
        for index, _ in enumerate(lists(thing, done)):
            yield from _paths(thing, (*done, index), left[1:])
    else:
        yield from _paths(thing, (*done, left[0]), left[1:])
