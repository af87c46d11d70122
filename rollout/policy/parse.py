"""A file's text to its policies, or to every complaint about it: the way in to this room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rollout.core.model import Origin, Policy
from rollout.policy import schema
from rollout.policy.build import build
from rollout.policy.complaint import Complaint, Fault, Parsed
from rollout.policy.conflicts import conflicts
from rollout.policy.limits import Limits
from rollout.policy.loader import Document, Found, Path, cut, load, show
from rollout.policy.rules import rules
from rollout.policy.scalars import GROUP, KIND, closest

MAX_COMPLAINTS = 100

NOT_HERE: dict[tuple[str, ...], tuple[str, str, str]] = {
    ("spec", "backends"): ("a backend is named as the mesh names it", "write spec.backend", ""),
}
"""Words of the format that this version cannot do: what to say, what to write, which field they stand for.

They are refused rather than ignored, since nothing runs blind.
"""


def parse(path: str, text: bytes, origin: Origin | None = None, guard: Limits | None = None) -> Parsed:
    """Read one file. Never raises, whatever the text; work is linear in its size, which is bounded.

    Documents of other kinds yield nothing. With ``guard`` the operator's guard rails and names hold too.
    """
    loaded = load(text)
    found: list[Found] = []
    policies: list[Policy] = []
    for document in loaded.documents:
        place = replace(origin or Origin(), path=path, line=document.mark[0])
        policy = _policy(document, place, guard, found)
        if policy:
            policies.append(policy)
    if loaded.broken:
        found.append(loaded.broken)
    complaints = _told(path, found) or tuple(conflicts(policies))
    return Parsed(path, () if complaints else tuple(policies), complaints)


def _told(path: str, found: list[Found]) -> tuple[Complaint, ...]:
    """The faults of a file in the order of their places, each once."""
    told = {
        Complaint(path, *mark, fault.code, fault.what, fault.instead): None
        for mark, fault in sorted(found, key=lambda each: (each.mark, each.fault.code))
    }
    if len(told) <= MAX_COMPLAINTS:
        return tuple(told)
    kept = list(told)[:MAX_COMPLAINTS]
    more = f"{len(told) - MAX_COMPLAINTS} more complaints are not shown"
    return (*kept, Complaint(path, kept[-1].line, kept[-1].column, "RP018", more, "mend these first"))


def _policy(document: Document, origin: Origin, guard: Limits | None, found: list[Found]) -> Policy | None:
    """The policy of one document, ``None`` if it is none or was complained about."""
    if _wrapped(document.plain):
        instead = "write each policy as a document of its own, with a line --- between them"
        found.append(Found(document.mark, Fault("RP017", "a policy stands inside a list", instead)))
        return None
    if not _ours(document.plain) and ("<<",) not in document.spoiled:
        return None
    faults = list(document.found)
    read = None
    try:
        read = schema.Document.model_validate(document.plain)
    except ValidationError as error:
        faults += _of_shape(document, error)
    for path, fault in rules(document.plain, guard):
        if not _spoiled(document, path):
            faults.append(_placed(document, path, fault))
    found += faults
    return None if faults or read is None else build(read, origin)


def _wrapped(plain: object) -> bool:
    """Whether a document is a list (or a Kubernetes ``List``) with a policy among its entries."""
    entries = plain.get("items") if isinstance(plain, dict) and plain.get("kind") == "List" else plain
    return isinstance(entries, list) and any(_ours(entry) for entry in entries)


def _ours(plain: object) -> bool:
    """Whether a document is a policy, or a near miss of one.

    Repositories hold other people's YAML, some of it with ``kind: Rollout`` of another group. A near miss
    must not be passed over: its policy would be missing in silence.
    """
    if not isinstance(plain, dict):
        return False
    version, kind = plain.get("apiVersion"), plain.get("kind")
    group, slash, _ = version.partition("/") if isinstance(version, str) else ("", "", "")
    if slash:
        return bool(closest(group, [GROUP], 0.8))
    if isinstance(kind, str):
        return bool(closest(kind, [KIND], 0.8))
    spec = plain.get("spec")
    return version is None and isinstance(spec, dict) and {"route", "steps"} <= spec.keys()


def _spoiled(document: Document, path: Path) -> bool:
    """Whether the loader complained about the value or one that holds it."""
    return bool(document.spoiled) and any(path[:end] in document.spoiled for end in range(len(path) + 1))


def _placed(document: Document, path: Path, fault: Fault, *, key: bool = False) -> Found:
    """A fault at its value, or its key; at what holds it, where it is not written at all."""
    end = len(path)
    while end and path[:end] not in document.places:
        end -= 1
    place = document.places.get(path[:end])
    if not place:
        return Found(document.mark, fault)
    if not end:
        return Found(place.value, fault)
    fault = Fault(
        fault.code, fault.what.replace("{raw}", place.raw), fault.instead.replace("{raw}", place.raw)
    )
    at_key = key or end < len(path) or fault.code == "RP025"
    return Found(place.key if at_key else place.value, fault)


class _Unknown(NamedTuple):
    path: Path
    fault: Fault
    stands_for: Path


def _of_shape(document: Document, error: ValidationError) -> Iterator[Found]:
    """What the types say about a document, in our words."""
    details = error.errors(include_url=False, include_input=True)
    unknown = [_unknown(tuple(each["loc"])) for each in details if each["type"] == "extra_forbidden"]
    meant = {each.stands_for for each in unknown}
    for path, fault, _ in unknown:
        if not _spoiled(document, path):
            yield _placed(document, path, fault, key=True)
    for each in details:
        path = tuple(each["loc"])
        if each["type"] != "extra_forbidden" and path not in meant and not _spoiled(document, path):
            yield _placed(document, path, _fault(path, each))


def _fault(path: Path, error: ErrorDetails) -> Fault:
    name = next((key for key in reversed(path) if isinstance(key, str)), "the document")
    field = schema.FIELDS.get(_without_indices(path))
    instead = f"write for example {schema.example(name, field)}" if field else ""
    said = error.get("ctx", {}).get("error")
    if isinstance(said, Fault):
        return Fault(said.code, f"{name}: {said.what}", instead if said.code == "RP025" else said.instead)
    if error["type"] == "missing":
        return Fault("RP023", f"`{name}` is missing", instead)
    if path and isinstance(path[-1], int):
        name = f"entry {path[-1] + 1} of {name}"
    value = error["input"]
    if value is None:
        return Fault("RP025", f"{name}: has no value", instead)
    wanted = "a list" if error["type"] == "list_type" else "a mapping"
    return Fault("RP024", f"{name}: is {show(value)}, wants {wanted}", instead)


def _unknown(path: Path) -> _Unknown:
    """An unknown field: one that this version cannot do, one at the wrong place, or a typo."""
    name, where = str(path[-1]), _without_indices(path)
    if where in NOT_HERE:
        what, instead, stands_for = NOT_HERE[where]
        return _Unknown(path, Fault("RP060", f"{name}: {what}", instead), (*path[:-1], stands_for))
    known = [each[-1] for each in schema.FIELDS if each[:-1] == where[:-1]]
    close = closest(name, known, 0.6)
    elsewhere = [".".join(each[:-1]) for each in schema.FIELDS if each[-1] == name]
    if close and (not elsewhere or close == name):
        instead = f"did you mean `{close}`?"
    elif elsewhere:
        instead = f"it belongs to {elsewhere[0]}" if elsewhere[0] else "it belongs to the top"
    else:
        instead = f"known here: {', '.join(known)}"
    what = f"unknown field `{cut(name)}`" + (f" in {where[-2]}" if len(where) > 1 else "")
    return _Unknown(path, Fault("RP022", what, instead), (*path[:-1], close or ""))


def _without_indices(path: Path) -> tuple[str, ...]:
    return tuple(key for key in path if isinstance(key, str))
