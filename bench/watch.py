"""When files of a folder change, as the kernel says (inotify): an outsider's view of who wrote what when."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MOVED_TO = 0x80
OPENED = 0x20
_HEAD = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to the file ``name``; ``at`` is seconds of the wall clock."""

    at: float
    name: str
    kind: int


class Watch:
    """Calls ``told`` in a thread of its own, for each event, until ``close``."""

    def __init__(self, folder: Path, told: Callable[[Event], None]) -> None:
        self._told = told
        self._descriptor = _libc.inotify_init1(os.O_CLOEXEC)
        if (
            self._descriptor < 0
            or _libc.inotify_add_watch(self._descriptor, os.fsencode(folder), MOVED_TO | OPENED) < 0
        ):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
        self._folder = folder
        self._closing = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closing:
            raw = os.read(self._descriptor, 65536)
            at, place = time.time(), 0
            while place < len(raw):
                _, mask, _, length = _HEAD.unpack_from(raw, place)
                place += _HEAD.size
                name = raw[place : place + length].rstrip(b"\0").decode()
                place += length
                self._told(Event(at, name, mask & (MOVED_TO | OPENED)))

    def close(self) -> None:
        """Stop listening."""
        self._closing = True
        with open(self._folder / ".unwatched", "w", encoding="ascii"):  # noqa: PTH123 - opening it wakes us
            pass
        self._thread.join()
        os.close(self._descriptor)
