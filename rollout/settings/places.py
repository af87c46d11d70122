"""Where each key and value of a TOML text stands, which ``tomllib`` does not tell.

The text is read by ``tomllib`` first; here it is known to be valid, so the scan only has to find its way.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_STRING = re.compile(
    r"""
      "{3} (?: [^\\] | \\. )*? "{3,5}
    | '{3} .*? '{3,5}
    | " (?: [^"\\\n] | \\. )* "
    | ' [^'\n]* '
    """,
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, from 1."""

    line: int
    column: int


def places(text: str) -> Mapping[Path, tuple[Place, Place]]:
    """(where the key stands, where its value stands) by path; of a table both are its header's name.

    An entry of an array stands at its number; a table that several headers open stands at the first.
    """
    scan = _Scan(text)
    scan.document()
    return scan.found


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, tuple[Place, Place]] = {}
        self.lengths: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self.skip(_SPACE)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(_SPACE)

    def header(self) -> Path:
        several = self.text.startswith("[[", self.at)
        self.at += 2 if several else 1
        start = self.skip(_BLANK)
        keys = self.keys()
        self.at += 2 if several else 1
        path: Path = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            if several and number == len(keys):
                self.lengths[path] = self.lengths.get(path, -1) + 1
            self.place(path, start, start)
            if path in self.lengths:  # what follows belongs to the newest of the array's tables
                path = (*path, self.lengths[path])
                self.place(path, start, start)
        return path

    def pair(self, table: Path) -> None:
        start = self.at
        path = (*table, *self.keys())
        self.at += 1  # =
        value = self.skip(_BLANK)
        for length in range(len(table) + 1, len(path) + 1):
            self.place(path[:length], start, value)
        self.value(path)

    def keys(self) -> list[str | int]:
        keys: list[str | int] = [self.key()]
        while self.skip(_BLANK) < len(self.text) and self.text[self.at] == ".":
            self.at += 1
            self.skip(_BLANK)
            keys.append(self.key())
        return keys

    def key(self) -> str:
        bare = _BARE.match(self.text, self.at)
        if bare:
            self.at = bare.end()
            return bare[0]
        start = self.at
        self.skip(_STRING)
        quoted = tomllib.loads(f"key = {self.text[start : self.at]}")["key"]
        return str(quoted)

    def value(self, path: Path) -> None:
        match self.text[self.at]:
            case '"' | "'":
                self.skip(_STRING)
            case "[":
                self.array(path)
            case "{":
                self.inline(path)
            case _:
                self.skip(_SCALAR)

    def array(self, path: Path) -> None:
        number = 0
        self.at += 1
        while self.text[self.skip(_SPACE)] != "]":
            self.place((*path, number), self.at, self.at)
            self.value((*path, number))
            number += 1
            if self.text[self.skip(_SPACE)] == ",":
                self.at += 1
        self.at += 1

    def inline(self, path: Path) -> None:
        self.at += 1
        while self.text[self.skip(_SPACE)] != "}":
            self.pair(path)
            if self.text[self.skip(_SPACE)] == ",":
                self.at += 1
        self.at += 1

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def place(self, path: Path, key: int, value: int) -> None:
        self.found.setdefault(path, (self.spot(key), self.spot(value)))

    def spot(self, offset: int) -> Place:
        before = self.text.rfind("\n", 0, offset)
        return Place(self.text.count("\n", 0, offset) + 1, offset - before)
