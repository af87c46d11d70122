"""Lists of weighted targets inside a Kubernetes object, and what they say.

All that is known of one kind of object (where its lists are, what names a target, what an absent weight
means) is its ``Form``; this module knows none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rollout.adapters.meshes.fence import Fence
from rollout.adapters.meshes.unclear import Absent, Unclear, families
from rollout.core.model import Route, Split

Thing = Mapping[str, Any]
"""An object as the API server says it."""
Path = tuple[str | int, ...]
"""Where in an object something is."""

ANNOTATION = "rollout.dev/fence"
"""Where an object bears our fence."""
MOST = 1 << 31
"""No API takes a weight from here on."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target of a list: what people call it, its weight as the list's kind understands it, and what it is
    exactly, where two may be called the same.
    """

    backend: str
    weight: int
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A list of weighted targets, at ``path``; ``weight`` is the key that a target's weight stands under.

    ``names``: those by which a policy may pin it. ``place``: where it stands, for people.
    """

    path: Path
    names: tuple[str, ...]
    place: str
    targets: tuple[Target, ...]
    weight: str = "weight"

    @property
    def weights(self) -> dict[str, int]:
        """What each backend gets, of whatever they sum to."""
        found: dict[str, int] = {}
        for target in self.targets:
            found[target.backend] = found.get(target.backend, 0) + target.weight
        return found

    @property
    def split(self) -> Split:
        """Its weights as shares.

        Raises:
            Unclear: all are zero.
        """
        if not any(self.weights.values()):
            raise Unclear(f"{self.place}: every weight is 0: give one of them a weight")
        return Split.of(self.weights)


@dataclass(frozen=True, slots=True)
class Word:
    """What one controller says of an object: the generation that it looked at (``None`` where it does not
    say), and why it will not carry it out.
    """

    who: str
    generation: int | None
    refuses: str = ""


class Form(Protocol):
    """One kind of object."""

    @property
    def total(self) -> int:
        """What its weights sum to when we write them: 100, 1,000, 10,000; 0: the least that does."""
        ...

    @property
    def most(self) -> int:
        """Targets in a list at most."""
        ...

    def entries(self, thing: Thing) -> Iterator[Entry]:
        """Its lists of targets, in order.

        Raises:
            Unclear: one of them cannot be read.
        """
        ...

    def another(self, target: Thing, backend: str) -> dict[str, Any]:
        """A target like this one, for another backend.

        Raises:
            Unclear: it has no such name.
        """
        ...

    def words(self, thing: Thing) -> Sequence[Word]:
        """What its controllers say of it."""
        ...


def managed(form: Form, thing: Thing, route: Route) -> list[Entry]:
    """The lists whose weights are ours: those that ``route.only`` names, or all of them, which must then
    belong together (each shares a backend with another), as nothing else says which are foreign.

    Raises:
        Absent: there is no such list.
        Unclear: they cannot be read, or do not belong together.
    """
    only = set(route.only)
    entries = [entry for entry in form.entries(thing) if not only or only & set(entry.names)]
    missing = sorted(only - {name for entry in entries for name in entry.names})
    if missing:
        raise Absent(f"{route.name} has no route that splits traffic and is named {', '.join(missing)}")
    if not entries:
        raise Absent(f"{route.name} has no route that sends requests to a backend")
    if not only and len(groups := families(map(_identities, entries))) > 1:
        backends = " and ".join(f"{{{', '.join(sorted(group))}}}" for group in groups)
        raise Unclear(
            f"{route.name} routes to unrelated backends, {backends}: pin what is ours in the policy, by name "
            f'or place, such as ["{entries[0].names[0]}"]'
        )
    _unequivocal(entries)
    return entries


def _identities(entry: Entry) -> set[str]:
    return {target.identity or target.backend for target in entry.targets}


def _unequivocal(entries: Sequence[Entry]) -> None:
    meant: dict[str, str] = {}
    for entry in entries:
        for target in entry.targets:
            if (other := meant.setdefault(target.backend, target.identity)) != target.identity:
                what = f"{target.backend} is {other} in one place and {target.identity} in another"
                raise Unclear(f"{entry.place}: {what}: pin what is ours in the policy")


def splits(entries: Iterable[Entry]) -> tuple[Split, ...]:
    """The distinct splits, in order of appearance.

    Raises:
        Unclear: all weights of an entry are zero.
    """
    return tuple(dict.fromkeys(entry.split for entry in entries))


def fence(thing: Thing) -> Fence | None:
    """The fence that an object bears."""
    return Fence.read(str(at(thing, ("metadata", "annotations", ANNOTATION)) or ""))


def at(thing: Any, path: Path) -> Any:
    """What stands at a path; ``None`` if nothing does."""
    for key in path:
        if isinstance(thing, Mapping) and isinstance(key, str):
            thing = thing.get(key)
        elif isinstance(thing, list) and isinstance(key, int) and key < len(thing):
            thing = thing[key]
        else:
            return None
    return thing


def lists(thing: Any, path: Path) -> list[Any]:
    """The list at a path, empty if there is none."""
    found = at(thing, path)
    return found if isinstance(found, list) else []


def written(path: Path) -> str:
    """A path as people write it: ``spec.http[0].route``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def weight_of(target: Any, key: str, absent: int, place: str) -> int:
    """A target's weight; ``absent`` when it has none.

    Raises:
        Unclear: it is no whole number from 0.
    """
    value = target.get(key) if isinstance(target, Mapping) else None
    if value is None:
        return absent
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < MOST:
        raise Unclear(f"{place}: the weight {value!r} is not a whole number from 0")
    return number


def version(thing: Thing) -> str:
    """What a write is conditional on: the object, its specification and our fence. Its ``resourceVersion`` is
    not, as that also moves when a controller writes a status.
    """
    metadata = thing["metadata"]
    mark = at(metadata, ("annotations", ANNOTATION))
    return json.dumps([metadata.get("uid"), metadata.get("generation"), mark])
