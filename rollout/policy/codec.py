"""The core's dataclasses to JSON-able values and back, exactly.

A record names its type where several are possible, in the field ``type``. Unknown fields are ignored and
missing ones take their defaults, so that neighbouring versions read each other's records. Each type's plan
is made once; it is on the path of every look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from enum import Enum
from functools import cache
from math import isfinite
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, NamedTuple, NewType, TypeVar, Union, get_args, get_origin, get_type_hints, overload

T = TypeVar("T")
TAG = "type"


class Undecodable(ValueError):  # noqa: N818 - it says what the thing is
    """A record that this version cannot read: damaged, or of a version that knows more."""


def encode(value: Any) -> Any:
    """A dataclass (or a tuple, list or mapping of such) in what JSON can say."""
    kind: Any = type(value)
    if is_dataclass(value):
        return {TAG: kind.__name__, **_plan(kind).encode(value)}
    if isinstance(value, Mapping):
        return {key: encode(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [encode(inner) for inner in value]
    return _plan(kind).encode(value)


@overload
def decode(kind: type[T], plain: Any) -> T: ...
@overload
def decode(kind: Any, plain: Any) -> Any: ...
def decode(kind: Any, plain: Any) -> Any:
    """What ``encode`` made ``plain`` of; ``kind`` is a dataclass, a union, a tuple or a mapping type.

    Raises:
        Undecodable: it is not such a thing.
    """
    try:
        return _plan(kind).decode(plain)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        name = getattr(kind, "__name__", str(kind))
        raise Undecodable(f"no {name} can be read: {type(error).__name__} {error}") from error


class _Plan(NamedTuple):
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


@cache
def _plan(kind: Any) -> _Plan:
    if isinstance(kind, NewType):
        return _plan(kind.__supertype__)
    origin = get_origin(kind)
    if origin in {Union, UnionType}:
        return _union(kind)
    if origin is tuple:
        return _tuple(get_args(kind))
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _mapping(get_args(kind)[1])
    if kind in _SCALARS:
        return _SCALARS[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _Plan(attrgetter("name"), kind.__getitem__)
    if is_dataclass(kind):
        return _dataclass(kind)
    raise TypeError(f"there is no way to write down {kind}")


def _exactly(kind: type) -> Callable[[Any], Any]:
    def decode(plain: Any) -> Any:
        if type(plain) is not kind:
            raise TypeError(f"{plain!r} is no {kind.__name__}")
        return plain

    return decode


def _from_float(value: float) -> float | str:
    return value if isfinite(value) else repr(value)


def _to_float(plain: Any) -> float:
    if isinstance(plain, bool | NoneType):
        raise TypeError(f"{plain!r} is no number")
    return float(plain)


_SCALARS: dict[Any, _Plan] = {
    str: _Plan(_same, _exactly(str)),
    int: _Plan(_same, _exactly(int)),
    bool: _Plan(_same, _exactly(bool)),
    NoneType: _Plan(_same, _exactly(NoneType)),
    float: _Plan(_from_float, _to_float),
    datetime: _Plan(datetime.isoformat, datetime.fromisoformat),
    time: _Plan(time.isoformat, time.fromisoformat),
}


def _tuple(kinds: tuple[Any, ...]) -> _Plan:
    """``tuple[X, ...]`` or ``tuple[X, Y]``, as a list."""
    return _many(_plan(kinds[0])) if kinds[-1] is Ellipsis else _few([_plan(kind) for kind in kinds])


def _many(inner: _Plan) -> _Plan:
    def encode(value: Any) -> Any:
        return [inner.encode(each) for each in value]

    def decode(plain: Any) -> Any:
        return tuple([inner.decode(each) for each in plain])

    return _Plan(list if inner.encode is _same else encode, decode)


def _few(plans: list[_Plan]) -> _Plan:
    def encode(value: Any) -> Any:
        return [plan.encode(each) for plan, each in zip(plans, value, strict=True)]

    def decode(plain: Any) -> Any:
        return tuple([plan.decode(each) for plan, each in zip(plans, plain, strict=True)])

    return _Plan(list if all(plan.encode is _same for plan in plans) else encode, decode)


def _mapping(kind: Any) -> _Plan:
    inner = _plan(kind)
    return _Plan(
        lambda value: {key: inner.encode(each) for key, each in value.items()},
        lambda plain: {key: inner.decode(each) for key, each in plain.items()},
    )


def _union(kind: Any) -> _Plan:
    kinds = [each for each in get_args(kind) if each is not NoneType]
    inner = _plan(kinds[0]) if len(kinds) == 1 else _tagged(kinds) if is_dataclass(kinds[0]) else _fact()
    if len(kinds) == len(get_args(kind)):
        return inner

    def encode(value: Any) -> Any:
        return None if value is None else inner.encode(value)

    def decode(plain: Any) -> Any:
        return None if plain is None else inner.decode(plain)

    return _Plan(_same if inner.encode is _same else encode, decode)


def _tagged(kinds: list[Any]) -> _Plan:
    """One of several dataclasses: the record says which."""
    by_name = {each.__name__: each for each in kinds}

    def encode(value: Any) -> Any:
        kind: Any = type(value)
        return {TAG: kind.__name__, **_plan(kind).encode(value)}

    def decode(plain: Any) -> Any:
        return _plan(by_name[plain[TAG]]).decode(plain)

    return _Plan(encode, decode)


def _fact() -> _Plan:
    """Text or a number, as it is; a number that is not finite as ``{"float": "inf"}``."""

    def encode(value: Any) -> Any:
        return {"float": repr(value)} if isinstance(value, float) and not isfinite(value) else value

    def decode(plain: Any) -> Any:
        return float(plain["float"]) if isinstance(plain, dict) else plain

    return _Plan(encode, decode)


def _dataclass(kind: Any) -> _Plan:
    hints = get_type_hints(kind)
    plans = {field.name: _plan(hints[field.name]) for field in fields(kind)}
    names = tuple(plans)
    converted = [(name, plan.encode) for name, plan in plans.items() if plan.encode is not _same]
    pick: Callable[[Any], Any] = attrgetter(*names) if len(names) > 1 else lambda value: _one(value, names)

    def encode(value: Any) -> Any:
        plain = dict(zip(names, pick(value), strict=True))
        for name, convert in converted:
            plain[name] = convert(plain[name])
        return plain

    def decode(plain: Any) -> Any:
        return kind(**{name: plan.decode(plain[name]) for name, plan in plans.items() if name in plain})

    return _Plan(encode, decode)


def _one(value: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(getattr(value, name) for name in names)
