"""Who gives an order: a user of this machine, as its kernel knows them."""

from __future__ import annotations

import pwd
import socket
import struct
from typing import Protocol

_CREDENTIALS = struct.Struct("iII")


class Peered(Protocol):
    """A connected unix socket."""

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
        """As of a socket."""
        ...


def peer_of(connection: Peered) -> int:
    """The user id of the process that connected."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return int(user)


def name_of(user: int) -> str:
    """A user's name on this machine."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"
