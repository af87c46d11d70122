"""Stand-in for rollout.policy.codec until it is there."""
# mypy: ignore-errors

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from datetime import datetime, time
from enum import Enum


@functools.cache
def _hints(kind):
    return typing.get_type_hints(kind)


def encode(value):
    if dataclasses.is_dataclass(value):
        return {"is": type(value).__name__} | {
            f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (tuple, list)):
        return [encode(v) for v in value]
    if isinstance(value, Mapping):
        return {k: encode(v) for k, v in value.items()}
    if isinstance(value, (datetime, time)):
        return value.isoformat()
    return value


def decode(kind, plain):
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "__supertype__"):
        return decode(kind.__supertype__, plain)
    if origin in (typing.Union, types.UnionType):
        if plain is None:
            return None
        for one in args:
            if isinstance(plain, dict) and plain.get("is") == getattr(one, "__name__", ""):
                return decode(one, plain)
        plainer = [a for a in args if a in (str, int, float, bool)]
        if type(plain) in plainer:
            return plain
        return decode(next(a for a in args if a is not type(None)), plain)
    if dataclasses.is_dataclass(kind):
        return kind(**{k: decode(_hints(kind)[k], v) for k, v in plain.items() if k != "is"})
    if origin is tuple:
        if len(args) == 2 and args[1] is ...:
            return tuple(decode(args[0], v) for v in plain)
        return tuple(decode(a, v) for a, v in zip(args, plain, strict=True))
    if origin is Mapping or kind is Mapping:
        return {k: decode(args[1], v) for k, v in plain.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind[plain]
    if kind in (datetime, time):
        return kind.fromisoformat(plain)
    return plain
