"""The callers: a program that asks each listener at a steady rate, whatever and whenever the answers are.

``python -m tests.e2e.kill.traffic RATE PORT ...``: ``RATE`` requests per second to each port, until its input
ends. Requests are pipelined on one connection a port, so that a slow answer never slows the asking.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nhost: callers\r\n\r\n"


class Caller:
    """One kept-alive connection to one port; a broken one is made anew with the next request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self) -> None:
        """Send one request, and drop what was answered so far."""
        try:
            link = self._socket or self._connect()
            link.send(REQUEST)
            with contextlib.suppress(BlockingIOError):
                while answered := link.recv(1 << 16):
                    if len(answered) < 1 << 16:
                        return
                raise ConnectionError("closed")
        except OSError:
            self._drop()

    def _connect(self) -> socket.socket:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=1)
        self._socket.setblocking(False)
        return self._socket

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def main() -> None:
    """Ask until the input ends."""
    rate, callers = float(sys.argv[1]), [Caller(int(port)) for port in sys.argv[2:]]
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        while due <= time.monotonic():
            for caller in callers:
                caller.ask()
            due += 1 / rate


if __name__ == "__main__":
    main()
