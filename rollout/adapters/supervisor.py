"""Tell the service supervisor, where there is one, that we are ready, alive or stopping (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket


class Supervisor:
    """Datagrams to ``$NOTIFY_SOCKET``, if the environment names one."""

    def __init__(self, address: str | None = None) -> None:
        named = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + named[1:] if named.startswith("@") else named

    def ready(self) -> None:
        """The daemon looks."""
        self._say("READY=1")

    def beat(self) -> None:
        """The loop that looks is alive; a watchdog that hears this no more restarts the process."""
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """No new pass begins."""
        self._say("STOPPING=1")

    def _say(self, state: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.setblocking(False)
            link.sendto(state.encode(), self._address)
