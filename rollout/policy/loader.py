"""Bytes of a file to plain values with their places: YAML 1.2's core types and nothing else.

Works on libyaml's event stream, so that a hostile text is stopped before anything is built from it. Time
and memory are linear in the file's size, which is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from yaml._yaml import CParser  # libyaml's binding; yaml.cyaml names it without exporting it

from rollout.policy.complaint import Fault

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
MAX_NODES = 10_000
MAX_SHOWN = 40
"""Characters of a value that a complaint repeats."""

Path = tuple[str | int, ...]
Mark = tuple[int, int]
"""Line and column, from 1."""

_BOM = b"\xef\xbb\xbf"
_OURS = re.compile(rb"rol{1,2}out|routeconfiguration", re.IGNORECASE)
# Control characters beside tab and line ends; marks that reorder or hide text; YAML 1.1's extra line ends.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_MAX_DIGITS = 18
_UNCLOSED = {
    "found unexpected end of stream": "close the quote",
    "did not find expected ',' or ']'": "close the bracket",
    "did not find expected ',' or '}'": "close the brace",
}
_HINTS = _UNCLOSED | {
    "mapping values are not allowed": "mend the indent, or quote a value that holds `: `",
    "did not find expected key": "mend the indent of this line or the one above",
    "did not find expected '-' indicator": "mend the indent of this line or the one above",
    "found character that cannot start any token": "put the value in quotes",
    "did not find expected node content": "close the bracket, or write a value",
}
"""libyaml's words for the common mistakes, and what to do."""


class Place(NamedTuple):
    """Where a value's key (for a list's entry: the entry) and the value begin, and a scalar as written."""

    key: Mark
    value: Mark
    raw: str


class Found(NamedTuple):
    """A fault with its place."""

    mark: Mark
    fault: Fault


@dataclass(slots=True)
class Document:
    """One YAML document. The loader has complained about ``spoiled`` values: nobody else need do so."""

    mark: Mark
    plain: object = None
    places: dict[Path, Place] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    spoiled: set[Path] = field(default_factory=set)


@dataclass(slots=True)
class Loaded:
    """A file's documents, and what ended the reading before the file's end, if something did."""

    documents: list[Document] = field(default_factory=list)
    broken: Found | None = None


class _Broken(Exception):  # noqa: N818 - the reading cannot go on
    def __init__(self, mark: Mark, fault: Fault) -> None:
        super().__init__(fault.what)
        self.found = Found(mark, fault)


def load(text: bytes) -> Loaded:
    """Read a file. One that speaks of no rollout at all is other people's and yields nothing."""
    loaded = Loaded()
    # A NUL between the letters is how UTF-16 looks.
    if not _OURS.search(text.replace(b"\0", b"")):
        return loaded
    try:
        decoded = _decode(text)
        _compose(decoded, loaded)
    except _Broken as broken:
        loaded.broken = broken.found
    return loaded


def show(value: object) -> str:
    """A value as a complaint repeats it: one short line, whatever it holds."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{cut(value)}"'
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return cut(str(value))


def cut(text: str) -> str:
    """At most ``MAX_SHOWN`` characters, those that are not printable escaped."""
    shown = text[:MAX_SHOWN]
    if not shown.isprintable():
        shown = shown.encode("unicode_escape").decode("ascii")
    return shown + "…" if len(text) > MAX_SHOWN else shown


def _decode(text: bytes) -> str:
    if len(text) > MAX_BYTES:
        fault = Fault("RP002", f"has {len(text)} bytes, over {MAX_BYTES}", "split it, one policy per file")
        raise _Broken((1, 1), fault)
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Broken((1, 1), Fault("RP003", "is UTF-16", "save it as UTF-8"))
    text = text.removeprefix(_BOM)
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        fault = Fault("RP003", f"byte 0x{text[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        raise _Broken(_mark_at(text[: error.start].decode("utf-8")), fault) from None
    hidden = _INVISIBLE.search(decoded)
    if hidden:
        fault = Fault("RP004", f"holds the invisible character U+{ord(hidden.group()):04X}", "remove it")
        raise _Broken(_mark_at(decoded[: hidden.start()]), fault)
    return decoded


def _mark_at(before: str) -> Mark:
    """The place behind a text."""
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(lines), len(lines[-1]) + 1


def _compose(text: str, loaded: Loaded) -> None:
    parser = CParser(text)
    try:
        composer = _Composer(parser)
        while True:
            event = parser.get_event()
            if isinstance(event, yaml.StreamEndEvent):
                return
            if isinstance(event, yaml.DocumentStartEvent):
                document = Document(_mark(event))
                loaded.documents.append(document)
                composer.read(document)
    except yaml.MarkedYAMLError as error:
        raise _Broken(*_grammar(error, text)) from None
    except yaml.YAMLError:
        raise _Broken((1, 1), Fault("RP001", "not valid YAML")) from None
    finally:
        parser.dispose()


def _grammar(error: yaml.MarkedYAMLError, text: str) -> tuple[Mark, Fault]:
    """What libyaml says about a text that is no YAML, in our words where a common mistake is behind it."""
    at = error.problem_mark or error.context_mark
    line, column = (at.line, at.column) if at else (0, 0)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    here = lines[line] if line < len(lines) else ""
    indent = here[: len(here) - len(here.lstrip())]
    if "\t" in indent or here[column : column + 1] == "\t":
        column = here.index("\t")
        return (line + 1, column + 1), Fault("RP005", "a tab stands where YAML wants spaces", "write spaces")
    problem = (error.problem or "cannot be read").replace("\t", " ")
    if "{{" in here:
        return (line + 1, here.index("{{") + 1), Fault("RP001", "a template, not YAML", "commit it rendered")
    begun = error.context_mark
    if begun and (begun.line, begun.column) != (line, column) and problem in _UNCLOSED:
        problem += f", begun at {begun.line + 1}:{begun.column + 1}"
    instead = next((hint for start, hint in _HINTS.items() if problem.startswith(start)), "")
    return (line + 1, column + 1), Fault("RP001", f"not valid YAML: {problem}", instead)


def _tag(tag: str) -> str:
    core = "tag:yaml.org,2002:"
    return f"!!{cut(tag.removeprefix(core))}" if tag.startswith(core) else cut(tag)


def _mark(event: Any) -> Mark:
    at = event.start_mark
    return at.line + 1, at.column + 1


class _Composer:
    """Builds plain values from events; depth and number of nodes are checked before anything is built."""

    def __init__(self, parser: CParser) -> None:
        self._next: Callable[[], Any] = parser.get_event
        self._nodes = 0
        self._document = Document((1, 1))

    def read(self, document: Document) -> None:
        self._document = document
        event = self._next()
        document.plain = self._node(event, (), _mark(event))

    def _complain(self, path: Path, mark: Mark, fault: Fault) -> None:
        self._document.found.append(Found(mark, fault))
        self._document.spoiled.add(path)

    def _node(self, event: Any, path: Path, key: Mark) -> object:
        mark = _mark(event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _Broken(mark, Fault("RP007", f"more than {MAX_NODES} keys and values", "split the file"))
        scalar = isinstance(event, yaml.ScalarEvent)
        self._document.places[path] = Place(key, mark, cut(event.value) if scalar else "")
        if isinstance(event, yaml.AliasEvent):
            fault = Fault("RP008", f"*{cut(str(event.anchor))} is an alias", "write the value out")
            self._complain(path, mark, fault)
            return None
        if event.anchor is not None:
            self._complain(path, mark, Fault("RP008", f"&{cut(event.anchor)} is an anchor", "remove it"))
        if event.tag is not None:
            self._complain(path, mark, Fault("RP009", f"{_tag(event.tag)} is a tag", "remove it"))
        if scalar:
            return self._scalar(event, path, mark)
        if len(path) >= MAX_DEPTH:
            raise _Broken(mark, Fault("RP006", f"nested more than {MAX_DEPTH} deep", "write it flatter"))
        return self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)

    def _scalar(self, event: yaml.ScalarEvent, path: Path, mark: Mark) -> object:
        if event.style or event.tag is not None:
            return event.value
        try:
            return resolve(event.value)
        except Fault as fault:
            self._complain(path, mark, fault)
            return None

    def _list(self, path: Path) -> list[object]:
        entries: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            entries.append(self._node(event, (*path, len(entries)), _mark(event)))
        return entries

    def _mapping(self, path: Path) -> dict[str, object]:
        entries: dict[str, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            mark = _mark(event)
            key = self._key(event, path)
            value_path = (*path, "?" if key is None else key)
            if key in entries:
                first = ":".join(map(str, self._document.places[value_path].key))
                fault = Fault("RP011", f"key `{cut(key)}` is written twice, first at {first}", "remove one")
                self._complain(value_path, mark, fault)
            value = self._node(self._next(), value_path, mark)
            if key is not None:
                entries[key] = value
        return entries

    def _key(self, event: Any, path: Path) -> str | None:
        """A mapping's key, or ``None`` when it was complained about."""
        mark = _mark(event)
        before = len(self._document.found)
        value = self._node(event, (*path, "?"), mark)
        plain = isinstance(event, yaml.ScalarEvent) and not event.style
        if plain and value == "<<":
            self._complain((*path, "<<"), mark, Fault("RP010", "`<<` is a merge key", "write the fields out"))
            return None
        if isinstance(value, str):
            return value
        if len(self._document.found) == before:
            raw = f"`{cut(event.value)}`" if isinstance(event, yaml.ScalarEvent) else show(value)
            instead = f'write "{cut(event.value)}"' if plain else "write a name"
            self._complain((*path, "?"), mark, Fault("RP012", f"the key {raw} is not text", instead))
        return None


def resolve(text: str) -> str | int | float | bool | None:
    """What a scalar without quotes stands for, by YAML 1.2's core schema in decimal.

    ``010``, ``0x1F``, ``1_0``, ``1:30``, ``on``, ``no`` and dates are text: YAML's readers disagree about
    them, so whoever wants a number there is told to write another.

    Raises:
        Fault: an infinite number, not a number, or one too long to be meant.
    """
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first.isalpha():
        return text
    if _INTEGER.match(text):
        if len(text) > _MAX_DIGITS:
            raise Fault("RP013", f"{cut(text)} has {len(text)} digits", f"write at most {_MAX_DIGITS}")
        return int(text)
    if _FLOAT.match(text):
        number = float(text) if len(text) <= MAX_SHOWN else float("inf")
        if abs(number) == float("inf"):
            raise Fault("RP013", f"{cut(text)} is out of bounds", "write a number that can be meant")
        return number
    if _NOT_FINITE.match(text):
        raise Fault("RP013", f"{text} is not a finite number", "write a number")
    return text


def at(plain: object, *path: str | int) -> object:
    """The value at a path, ``None`` if there is none."""
    for key in path:
        if isinstance(plain, dict) and isinstance(key, str):
            plain = plain.get(key)
        elif isinstance(plain, list) and isinstance(key, int) and key < len(plain):
            plain = plain[key]
        else:
            return None
    return plain
