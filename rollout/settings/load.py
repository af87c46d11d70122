"""``rollout.toml`` to ``Settings``, or every complaint about it with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rollout.policy import scalars
from rollout.policy.loader import show
from rollout.settings import (
    EnvoyMesh,
    EnvoyMetrics,
    PrometheusMetrics,
    Settings,
    SourceSettings,
    places,
    tables,
    values,
)
from rollout.settings.tables import Key, Table
from rollout.settings.values import Wrong

NAME = "rollout.toml"
VARIABLE = "ROLLOUT_CONFIG"
MOST = 1 << 20
"""Bytes of a settings file."""

_CHOICES = {"meshes": tables.MESHES, "metrics": tables.METRICS, "sinks": tables.SINKS}
_TOP = (*(key.name for key in tables.TOP), "control", "guard", "sources", *_CHOICES)
_SYNTAX = re.compile(r"(?P<what>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)")
_WRITTEN_TWICE = re.compile(r"Cannot (overwrite|declare|mutate|redefine)")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong, where (1-based; line 0: with the file as such), and what to write instead."""

    path: str
    line: int
    column: int
    what: str
    instead: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{place}: {self.what} ({self.instead})" if self.instead else f"{place}: {self.what}"


class SettingsError(Exception):
    """The settings cannot be used; ``complaints`` says all that is wrong with them, in order of place."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        super().__init__("\n".join(map(str, complaints)))
        self.complaints = tuple(complaints)


def find(given: Path | None, environment: Mapping[str, str], here: Path) -> Path:
    """The settings file: the one given, else ``$ROLLOUT_CONFIG``, else the first that is there of
    ``./rollout.toml``, ``$XDG_CONFIG_HOME/rollout/rollout.toml`` and ``/etc/rollout/rollout.toml``.

    Raises:
        SettingsError: there is none.
    """
    if given or environment.get(VARIABLE):
        return here / (given or environment[VARIABLE])
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "/")) / ".config")
    choices = (here / NAME, Path(home) / "rollout" / NAME, Path("/etc/rollout") / NAME)
    for choice in choices:
        if choice.is_file():
            return choice
    what = f"there are no settings: looked for {', '.join(map(str, choices))}"
    raise SettingsError([Complaint(NAME, 0, 0, what, f"write one, or name it: --config or ${VARIABLE}")])


def load(path: Path) -> Settings:
    """Read a settings file; relative paths in it begin at its folder.

    Raises:
        SettingsError: all that is wrong with it.
    """
    try:
        with path.open("rb") as opened:
            raw = opened.read(MOST + 1)
    except OSError as error:
        raise SettingsError([Complaint(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from None
    if len(raw) > MOST:
        raise SettingsError(
            [Complaint(str(path), 0, 0, f"is over {MOST >> 20} MiB", "settings are a page of text")]
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        what = Complaint(str(path), line, column, "is not UTF-8 text", "save the file as UTF-8")
        raise SettingsError([what]) from None
    return parse(text, str(path), path.absolute().parent)


def parse(text: str, path: str, folder: Path) -> Settings:
    """Settings of a text; ``path`` is what complaints call it, ``folder`` where relative paths begin.

    Raises:
        SettingsError: all that is wrong with it.
    """
    try:
        plain = tomllib.loads(text)
        where = places.places(text.replace("\r\n", "\n"))
    except RecursionError:
        raise SettingsError(
            [Complaint(path, 0, 0, "is nested too deep", "settings need three levels")]
        ) from None
    except ValueError as error:
        raise SettingsError([_syntax(path, text, str(error))]) from None
    reading = _Reading(path, folder, where)
    settings = reading.settings(plain)
    if settings is None or reading.complaints:
        raise SettingsError(sorted(reading.complaints, key=lambda one: (one.line, one.column)))
    return settings


def _syntax(path: str, text: str, message: str) -> Complaint:
    found = _SYNTAX.fullmatch(message)
    what = found["what"] if found else "a number is too long"
    if found and found["line"]:
        line, column = int(found["line"]), int(found["column"])
    else:
        line, column = text.rstrip("\n").count("\n") + 1, 1
    if _WRITTEN_TWICE.match(what):
        return Complaint(path, line, column, "this key or table is written twice", "remove one of them")
    said = what[:1].lower() + what[1:]
    instead = 'text is in quotes, a table is [name], a value key = "value"'
    return Complaint(path, line, column, f"this is not TOML: {said}", instead)


class _Reading:
    """One pass over a document that goes on after each complaint."""

    def __init__(
        self, path: str, folder: Path, where: Mapping[places.Path, tuple[places.Place, places.Place]]
    ) -> None:
        self.path = path
        self.folder = folder
        self.where = where
        self.complaints: list[Complaint] = []

    def settings(self, plain: Mapping[str, Any]) -> Settings | None:
        top = self.table((), plain, tables.TOP, _TOP)
        control = self.table(("control",), self.mapping(plain, "control"), tables.CONTROL, ["group"])
        guard = self.made(("guard",), self.mapping(plain, "guard"), tables.GUARD)
        named = {kind: self.entries(kind, plain) for kind in ("sources", *_CHOICES)}
        for kind, example in (("sources", 'url = "https://…"'), ("meshes", 'kind = "envoy"')):
            if not plain.get(kind):
                self.complain(
                    (), f"there is no [{kind}.NAME]", f"write one: [{kind}.NAME] and under it {example}"
                )
        self.cross(named["sources"], named["meshes"], named["metrics"])
        if self.complaints:
            return None
        settings = Settings(
            **top,
            group_control=control.get("group", False),
            guard=guard,
            sources=tuple(named["sources"].values()),
            meshes=tuple(named["meshes"].values()),
            metrics=tuple(named["metrics"].values()),
            sinks=tuple(named["sinks"].values()),
        )
        return _with_metrics(settings)

    def mapping(self, plain: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        found = plain.get(key, {})
        if isinstance(found, dict):
            return found
        header = f"[{key}.NAME]" if key in ("sources", *_CHOICES) else f"[{key}]"
        self.complain((key,), f"{key} is a table", f"write {header} on a line of its own")
        return {}

    def entries(self, kind: str, plain: Mapping[str, Any]) -> dict[str, Any]:
        """What the tables [kind.NAME] make, by name."""
        made: dict[str, Any] = {}
        for name, entry in self.mapping(plain, kind).items():
            where = (kind, name)
            if not isinstance(entry, dict):
                self.complain(
                    where, f"{kind}.{name} is a table", f"write [{kind}.{name}] on a line of its own"
                )
                continue
            if not re.fullmatch(scalars.OPERATORS_NAME, name):
                self.complain(where, f"{name!r} is no name", "write letters, digits, `_`, `.` and `-`")
            table = self.chosen(where, entry, _CHOICES[kind]) if kind in _CHOICES else tables.SOURCE
            if table is not None:
                made[name] = self.made(where, entry, table, name=name)
        return {name: one for name, one in made.items() if one is not None}

    def chosen(
        self, where: places.Path, entry: Mapping[str, Any], choice: Mapping[str, Table]
    ) -> Table | None:
        """The table that ``kind`` names."""
        kind, known = entry.get("kind"), " or ".join(f'"{name}"' for name in choice)
        if isinstance(kind, str) and kind in choice:
            return choice[kind]
        here = (*where, "kind")
        if kind is None:
            self.complain(where, f"{_dotted(here)} is missing", f"write kind = {known}")
        else:
            close = scalars.closest(kind, list(choice)) if isinstance(kind, str) else None
            hint = f'did you mean "{close}"?' if close else f"write {known}"
            self.complain(here, f"{_dotted(here)}: {show(kind)} is not known here", hint, value=True)
        return None

    def made(self, where: places.Path, entry: Mapping[str, Any], table: Table, **more: Any) -> Any:
        """What the table makes of the entry; ``None`` after a complaint."""
        before = len(self.complaints)
        known = ["kind"] if where[0] in _CHOICES else []
        found = self.table(where, entry, table.keys, [*known, *(key.name for key in table.keys)])
        return table.makes(**more, **found) if len(self.complaints) == before else None

    def table(
        self, where: places.Path, entry: Mapping[str, Any], keys: Sequence[Key], known: Sequence[str]
    ) -> dict[str, Any]:
        """The values of the keys that are written."""
        misspelt = self.known(where, entry, known)
        found: dict[str, Any] = {}
        for key in keys:
            here = (*where, key.name)
            if key.name in entry:
                try:
                    found[key.name] = key.read(entry[key.name], self.folder)
                except Wrong as wrong:
                    said = f"{_dotted(here)}: {wrong.what}"
                    self.complain((*here, *wrong.at), said, wrong.instead, value=not wrong.at)
            elif key.default is None and key.name not in misspelt:
                self.complain(where, f"{_dotted(here)} is missing", f"write {key.name} = {key.example}")
        return found

    def known(self, where: places.Path, entry: Mapping[str, Any], known: Sequence[str]) -> set[str | None]:
        """Complain about unknown keys; the answer is what they were probably meant to be."""
        unknown = [key for key in entry if key not in known]
        for key in unknown:
            here = (*where, key)
            self.complain(here, f"unknown key {_dotted(here)}", scalars.did_you_mean(key, known))
        return {scalars.closest(key, known) for key in unknown}

    def cross(
        self, sources: Mapping[str, SourceSettings], meshes: Mapping[str, Any], metrics: Mapping[str, Any]
    ) -> None:
        """What one value says about another."""
        seen: dict[Any, str] = {}
        for name, source in sources.items():
            where = ("sources", name)
            ssh = not source.url.startswith(("https://", "http://"))
            if source.token and ssh:
                self.complain((*where, "token"), f"sources.{name}.token: a token is for https", "remove it")
            if source.ssh_key and not ((ssh and "://" not in source.url) or source.url.startswith("ssh://")):
                self.complain((*where, "ssh_key"), f"sources.{name}.ssh_key: a key is for ssh", "remove it")
            elif source.ssh_key and not source.ssh_key.file:
                what = f"sources.{name}.ssh_key: ssh reads a key from a file only"
                self.complain((*where, "ssh_key"), what, 'write { file = "/path" }')
            self.once(
                seen,
                (source.url, source.branch, source.path),
                where,
                "reads the same folder of the same branch",
            )
        for name, mesh in meshes.items():
            if isinstance(mesh, EnvoyMesh):
                self.once(seen, mesh.directory, ("meshes", name), "has the same directory")
        for name, source in metrics.items():
            if isinstance(source, PrometheusMetrics) and source.token and not values.is_private(source.url):
                what = f"metrics.{name}.token: it would go by http, which can be read on the way"
                self.complain(("metrics", name, "token"), what, "write https:// in url")

    def once(self, seen: dict[Any, str], what: Any, where: places.Path, same: str) -> None:
        other = seen.setdefault(what, _dotted(where))
        if other != _dotted(where):
            self.complain(where, f"{_dotted(where)} {same} as {other}", "remove one of them")

    def complain(self, where: places.Path, what: str, instead: str = "", *, value: bool = False) -> None:
        place = self.where.get(where, (places.Place(1, 1),) * 2)[1 if value else 0]
        self.complaints.append(Complaint(self.path, place.line, place.column, what, instead))


def _dotted(where: places.Path) -> str:
    return ".".join(map(str, where))


def _with_metrics(settings: Settings) -> Settings:
    """Each mesh gives metrics of its own name; a single one also those that policies ask for by default."""
    found = {metrics.name: metrics for metrics in settings.metrics}
    names = [(mesh.name, mesh) for mesh in settings.meshes if isinstance(mesh, EnvoyMesh)]
    if len(names) == 1:
        names.append(("envoy", names[0][1]))
    for name, mesh in names:
        found.setdefault(name, EnvoyMetrics(name, mesh.admin))
    return replace(settings, metrics=tuple(found.values()))
