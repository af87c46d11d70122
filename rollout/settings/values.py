"""What people write in one value of the settings, to what it means.

Each function takes the value as ``tomllib`` left it and the folder of the file (relative paths begin there),
and raises ``Wrong`` with what to write instead. A value that may be a secret is never repeated.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from rollout.core.model import FULL
from rollout.policy import scalars
from rollout.policy.complaint import Fault
from rollout.policy.loader import show
from rollout.settings import Gauge, Ratio, Reference


class Wrong(ValueError):  # noqa: N818 - it says what the value is
    """A value that cannot be used; ``instead`` says what to write, ``at`` where inside the value it is."""

    def __init__(self, what: str, instead: str, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.instead = instead
        self.at = at


T = TypeVar("T")
Read = Callable[[Any, Path], T]

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]"
_ADDRESS = re.compile(rf"(?P<host>{_HOST}):(?P<port>[0-9]{{1,5}})")
_SCP = re.compile(rf"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?(?:{_HOST}):(?!//)[^\s:][^\s]*")
_REPOSITORY = "write https://host/path, ssh://user@host/path, user@host:path or /path/on/this/machine"
_BRANCH = re.compile(r"(?!-)(?!.*(?:\.\.|//|@\{))[^\s~^:?*\[\\]+(?<!/)(?<!\.lock)")
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"'
_MATCHERS = re.compile(rf"{_MATCHER}(?:\s*,\s*{_MATCHER})*")
_SELECTOR = re.compile(rf"([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{{\s*(?:({_MATCHERS.pattern})\s*,?\s*)?\}})?")
MAX_PORT = 65_535
_WEB = {"http", "https"}


def text(value: Any, _: Path) -> str:
    """Some text."""
    if not isinstance(value, str):
        raise Wrong(f"is {_kind(value)}, wants text", "write it in quotes")
    if not value.strip() or not value.isprintable():
        raise Wrong("is empty or holds characters that cannot be seen", "write some text, or remove the line")
    return value


def flag(value: Any, _: Path) -> bool:
    """``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    raise Wrong(f"is {_kind(value)}, wants a truth value", "write true or false, without quotes")


def duration(low: float, high: float) -> Read[float]:
    """A duration between two bounds in seconds."""
    between = scalars.lasting(low, high)

    def read(value: Any, _: Path) -> float:
        if not isinstance(value, str):
            raise Wrong(
                f"is {_kind(value)}, wants a duration", 'write it with its unit in quotes: "30s", "5m"'
            )
        try:
            return between(value)
        except Fault as fault:
            raise Wrong(fault.what, fault.instead) from None

    return read


def share(value: Any, _: Path) -> float:
    """``"5%"`` or ``0.05``: a share from 0 to 1."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found:
        number = Decimal(found[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        number = Decimal(repr(value))
    else:
        raise Wrong(f"is {_kind(value)}, wants a percentage", 'write for example "5%"')
    if not 0 < number <= 1:
        meant = f'write "{number}%"' if 1 < number <= 100 and not found else 'write over "0%", at most "100%"'  # noqa: PLR2004
        raise Wrong(f"{show(value)} is no share", meant)
    return float(number)


def weight(value: Any, folder: Path) -> int:
    """A share of traffic, out of 10 000."""
    units = Decimal(repr(share(value, folder))) * FULL
    if units != int(units):
        raise Wrong(f"{show(value)} is finer than 0.01 %", "write at most two decimals")
    return int(units)


def path(value: Any, folder: Path) -> Path:
    """A path on this machine; ``~`` is the home folder, a relative one begins at the settings file."""
    try:
        return folder / Path(text(value, folder)).expanduser()
    except RuntimeError:
        raise Wrong(f"the home folder in {show(value)} is not known", "write the path out") from None


def inside(value: Any, folder: Path) -> str:
    """A folder inside a repository."""
    found = text(value, folder)
    if found.startswith("/") or {"..", ".git"} & set(found.split("/")):
        raise Wrong(
            f"{show(found)} is no folder inside the repository", "write it as from its root: prod/policies"
        )
    return "/".join(part for part in found.split("/") if part not in {"", "."})


def branch(value: Any, folder: Path) -> str:
    """A branch by its name."""
    found = text(value, folder).removeprefix("refs/heads/")
    if not _BRANCH.fullmatch(found):
        raise Wrong(f"{show(found)} is no branch's name", "write it as git does, such as main")
    return found


def reference(value: Any, folder: Path) -> Reference:
    """Where a secret is kept: ``{env = "NAME"}`` or ``{file = "/path"}``."""
    instead = 'write { env = "NAME" } or { file = "/path" }, and put the secret there'
    if not isinstance(value, Mapping):
        raise Wrong("holds a secret itself, or nothing: secrets do not belong in this file", instead)
    for key in value:
        if key not in {"env", "file"}:
            raise Wrong(f"says neither `env` nor `file` but `{key}`", instead, (key,))
    match dict(value):
        case {"env": str(name), **rest} if not rest:
            if not _VARIABLE.fullmatch(name):
                raise Wrong("does not name an environment variable", "write the variable's name, without $")
            return Reference(env=name)
        case {"file": str(name), **rest} if not rest:
            return Reference(file=path(name, folder))
        case _:
            raise Wrong("names no place of a secret, or two", instead)


def repository(value: Any, folder: Path) -> str:
    """The URL or path of a git repository, without secrets in it."""
    found = text(value, folder)
    if found.startswith("/"):
        return found
    if "://" not in found:
        if found.startswith(("./", "../", "~")):
            return str(path(found, folder).resolve())
        if not _SCP.fullmatch(found) or "::" in found:
            raise Wrong("names no repository", _REPOSITORY)
        return found
    parts = _split(found)
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        raise Wrong("holds a name or password", 'take it out, and name it by token = { env = "NAME" }')
    if parts.scheme == "http" and not _loopback(parts.hostname or ""):
        raise Wrong(
            "goes by http, which can be read and changed on the way", f"write https://{parts.hostname}/…"
        )
    if parts.scheme not in {"https", "http", "ssh", "file"} or parts.query or parts.fragment or " " in found:
        raise Wrong(f"goes by {show(parts.scheme)}, or says more than where the repository is", _REPOSITORY)
    if parts.scheme != "file" and not parts.hostname:
        raise Wrong("names no host", _REPOSITORY)
    return found


def endpoint(value: Any, folder: Path) -> str | Reference:
    """The URL of a webhook: https, http on this machine alone; a URL that is a secret by reference."""
    if isinstance(value, Mapping):
        return reference(value, folder)
    found = text(value, folder)
    parts = _split(found)
    if parts.username or parts.password is not None:
        raise Wrong("holds a name or password", 'take it out, or name the whole URL by { env = "NAME" }')
    if parts.scheme == "http" and not _loopback(parts.hostname or ""):
        raise Wrong(
            "goes by http, which can be read and changed on the way", f"write https://{parts.hostname}/…"
        )
    if parts.scheme not in _WEB or not parts.hostname:
        raise Wrong("is no web address", "write https://host/path")
    return found


def server(value: Any, folder: Path) -> str:
    """The address of a server, without anything secret in it."""
    found = text(value, folder)
    parts = _split(found)
    if parts.username or parts.password is not None:
        raise Wrong("holds a name or password", 'take it out, and name it by token = { env = "NAME" }')
    if parts.scheme not in _WEB or not parts.hostname or parts.query or parts.fragment or " " in found:
        raise Wrong("is no server's address", "write http://host:port or https://host")
    return found.rstrip("/")


def is_private(url: str) -> bool:
    """Can nobody read on the way what is sent there?"""
    parts = _split(url)
    return parts.scheme == "https" or _loopback(parts.hostname or "")


def matchers(value: Any, folder: Path) -> str:
    """Matchers of PromQL, without the braces."""
    found = text(value, folder).strip().removesuffix(",")
    if not _MATCHERS.fullmatch(found):
        raise Wrong("is no list of PromQL's matchers", """write for example 'job="envoy",namespace="prod"'""")
    return found


def label(value: Any, folder: Path) -> str:
    """The name of a label."""
    found = text(value, folder)
    if not _VARIABLE.fullmatch(found):
        raise Wrong("is no label's name", "write letters, digits and _, such as envoy_cluster_name")
    return found


def namespaces(value: Any, folder: Path) -> tuple[str, ...]:
    """Namespaces of a cluster, at least one."""
    return _words(value, folder, scalars.label, "namespaces", '["prod"]')


def kinds(value: Any, folder: Path) -> tuple[str, ...]:
    """Custom resources, as ``Kind.group``."""
    return _words(value, folder, _kind_of_group, "kinds", '["TraefikService.traefik.io"]')


_kind_of_group = scalars.named(
    r"^[A-Z][A-Za-z0-9]{0,62}(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){1,9}$", "write Kind.group"
)


def _words(value: Any, _: Path, read: Callable[[object], str], what: str, example: str) -> tuple[str, ...]:
    if not isinstance(value, list) or (not value and what == "namespaces"):
        raise Wrong(f"is {_kind(value)}, wants a list of {what}", f"write for example {example}")
    found: list[str] = []
    for number, each in enumerate(value):
        try:
            word = read(each)
        except Fault as fault:
            raise Wrong(fault.what.replace("{raw}", show(each)), fault.instead, (number,)) from None
        if word in found:
            raise Wrong(f"names {word} twice", "remove one", (number,))
        found.append(word)
    return tuple(found)


def queries(value: Any, folder: Path) -> tuple[Ratio | Gauge, ...]:
    """Named queries: ``{ NAME = { bad = SELECTOR, total = SELECTOR } }`` or ``{ gauge = SELECTOR }``."""
    if not isinstance(value, Mapping):
        raise Wrong(f"is {_kind(value)}, wants a table of queries", "write [metrics.NAME.queries] above them")
    return tuple(_query(name, each, folder) for name, each in value.items())


def _query(name: str, value: Any, folder: Path) -> Ratio | Gauge:
    instead = "write { bad = 'x_total{code=\"500\"}', total = 'x_total' } or { gauge = 'queue_length' }"
    if not re.fullmatch(scalars.OPERATORS_NAME, name):
        raise Wrong(f"{show(name)} is no name", "write letters, digits, `_`, `.` and `-`", (name,))
    if not isinstance(value, Mapping):
        raise Wrong(f"{name} is {_kind(value)}, wants a table", instead, (name,))
    for key in value:
        if key not in {"bad", "total", "gauge", "label"}:
            raise Wrong(f"{name} says `{key}`, which is not known", instead, (name, key))
    named = label(value["label"], folder) if "label" in value else ""
    said = {key: _selector(value[key], (name, key)) for key in value if key != "label"}
    match said:
        case {"bad": bad, "total": total, **rest} if not rest:
            return Ratio(name, bad, total, named)
        case {"gauge": gauge, **rest} if not rest:
            return Gauge(name, gauge, named)
        case _:
            raise Wrong(f"{name} is neither two counters nor a gauge", instead, (name,))


def _selector(value: Any, at: tuple[str | int, ...]) -> str:
    """A selector of PromQL, ready for more matchers: ``x_total{code="500",``."""
    found = _SELECTOR.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        what = f"{show(value)} is no selector of series" if isinstance(value, str) else f"is {_kind(value)}"
        more = "functions and operators are not counted raw: record them by a rule, and name that"
        raise Wrong(what, f"""write for example 'x_total{{code="500"}}'; {more}""", at)
    return f"{found[1]}{{{found[2]}," if found[2] else f"{found[1]}{{"


def admin(value: Any, _: Path) -> tuple[str, ...]:
    """Addresses of Envoy's admin interface, one for each proxy."""
    if not isinstance(value, list) or not value:
        raise Wrong(f"is {_kind(value)}, wants a list of addresses", 'write for example ["127.0.0.1:9901"]')
    found = tuple(_one_admin(each, number) for number, each in enumerate(value))
    for number, each in enumerate(found):
        if each in found[:number]:
            raise Wrong(f"names {each} twice", "remove one: its requests would be counted twice", (number,))
    return found


def _one_admin(value: Any, number: int) -> str:
    found = value.rstrip("/") if isinstance(value, str) else ""
    scheme, separator, rest = found.partition("://")
    address = _ADDRESS.fullmatch(rest if separator else found)
    if not address or not 0 < int(address["port"]) <= MAX_PORT or (separator and scheme not in _WEB):
        what = f"{show(value)} is no address" if isinstance(value, str) else f"holds {_kind(value)}"
        raise Wrong(what, 'write host:port in quotes, such as "127.0.0.1:9901"', (number,))
    return found


def listen(value: Any, _: Path) -> str:
    """host:port on loopback, or nothing."""
    if value == "":
        return ""
    address = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if not address or int(address["port"]) > MAX_PORT:
        raise Wrong(
            f"{show(value)} is no address", 'write host:port, such as "127.0.0.1:9460", or "" for none'
        )
    if not _loopback(address["host"].strip("[]")):
        raise Wrong(
            f"{address['host']} can be reached from other machines, and what is served asks for no password",
            f'write "127.0.0.1:{address["port"]}", and let a proxy that asks stand before it',
        )
    return str(value)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise Wrong("is no URL", "write https://host/path") from None
    return parts


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "a truth value"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
        case _:
            return "a date or time"
