"""YAML (and so JSON) as a tree that knows where in the text everything stands.

Weights are set by replacing a few signs of the text: comments, order, quotes and fields that we never heard
of stay as they are. Read from libyaml's event stream, so that depth and aliases are refused before anything
is built (the C constructor dies on deep nesting, where nothing can be caught).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

DEPTH = 100


class Malformed(Exception):  # noqa: N818 - it says what the text is
    """The text is not what it should be; ``str()`` says where (line and column from 1) and why."""


@dataclass(slots=True)
class Scalar:
    """``start`` to ``end`` are its signs in the text, quotes included."""

    value: str
    plain: bool
    tag: str
    start: int
    end: int
    where: str


@dataclass(slots=True)
class Sequence:
    """``column`` (from 0) is where the dashes of a block sequence stand."""

    flow: bool
    tag: str
    column: int
    start: int
    where: str
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """``column`` (from 0) is where the keys of a block mapping stand."""

    flow: bool
    tag: str
    column: int
    start: int
    where: str
    pairs: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)

    def pair(self, key: str) -> tuple[Scalar, Node] | None:
        """The key and value of a field, which may be written ``snake_case`` or ``lowerCamelCase``."""
        return self.pairs.get(key) or self.pairs.get(_camel(key))

    def get(self, key: str) -> Node | None:
        """The value of a field."""
        pair = self.pair(key)
        return pair[1] if pair else None


Node = Scalar | Sequence | Mapping


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda sign: f"_{sign.group().lower()}", name)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda sign: sign.group(1).upper(), name)


def parse(text: str) -> Node:
    """The one document of a text.

    Raises:
        Malformed: no YAML, several documents, an alias, a key twice, or nested over ``DEPTH`` deep.
    """
    events = yaml.parse(text, Loader=yaml.CSafeLoader)
    try:
        return _document(events)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Malformed(f"{where}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise Malformed(str(error).partition("\n")[0]) from None


def _document(events: Iterator[yaml.Event]) -> Node:
    open_nodes: list[Sequence | Mapping] = []
    keys: list[Scalar | None] = []
    root: Node | None = None
    for event in events:
        match event:
            case yaml.AliasEvent():
                raise Malformed(f"{_where(event)}: an alias (*{event.anchor}); write out what it stands for")
            case yaml.ScalarEvent() | yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                node = _node(event)
                if not open_nodes:
                    if root is not None:
                        raise Malformed(f"{node.where}: a second document; only one is read")
                    root = node
                else:
                    _add(open_nodes[-1], keys, node)
                if not isinstance(node, Scalar):
                    open_nodes.append(node)
                    keys.append(None)
                if len(open_nodes) > DEPTH:
                    raise Malformed(f"{node.where}: nested over {DEPTH} deep")
            case yaml.CollectionEndEvent():
                open_nodes.pop()
                keys.pop()
            case _:
                pass
    if root is None:
        raise Malformed("line 1, column 1: nothing in it")
    return root


def _add(parent: Sequence | Mapping, keys: list[Scalar | None], node: Node) -> None:
    if isinstance(parent, Sequence):
        parent.items.append(node)
        return
    key = keys[-1]
    if key is not None:
        parent.pairs[key.value] = (key, node)
        keys[-1] = None
        return
    if not isinstance(node, Scalar):
        raise Malformed(f"{node.where}: a key must be a word")
    if node.value in parent.pairs:
        raise Malformed(f"{node.where}: {node.value} stands here twice")
    keys[-1] = node


def _where(event: Any) -> str:
    return f"line {event.start_mark.line + 1}, column {event.start_mark.column + 1}"


def _node(event: Any) -> Node:
    start, where, tag = event.start_mark, _where(event), event.tag or ""
    if isinstance(event, yaml.ScalarEvent):
        end: Any = event.end_mark
        return Scalar(event.value, not event.style, tag, start.index, end.index, where)
    kind = Sequence if isinstance(event, yaml.SequenceStartEvent) else Mapping
    return kind(bool(event.flow_style), tag, start.column, start.index, where)


def plain(node: Node | None) -> Any:
    """The values alone, with field names in ``snake_case``; every scalar a string, a bare null ``None``."""
    match node:
        case Scalar(value, True) if value in {"", "~", "null", "Null", "NULL"}:
            return None
        case Scalar(value):
            return value
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Mapping(pairs=pairs):
            return {_snake(name): plain(value) for name, (_, value) in pairs.items()}
    return None
