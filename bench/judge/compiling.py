"""How the simulator's functions are compiled.

The compiler keeps what it made, and does not see when a function in another file changes. So it keeps it in a
folder named after the text of every file here: what is run is always what is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config

HERE = Path(__file__).resolve().parent

Function = TypeVar("Function", bound=Callable[..., object])


def _digest() -> str:
    texts = (path.read_bytes() for path in sorted(HERE.glob("*.py")))
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]


config.CACHE_DIR = str(HERE / "__pycache__" / f"compiled-{_digest()}")  # type: ignore[attr-defined]


def compiled(function: Function) -> Function:
    """To machine code at its first call; it leaves the interpreter free for the other core meanwhile."""
    made: Any = numba.njit(cache=True, nogil=True)
    return cast("Function", made(function))
