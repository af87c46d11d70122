"""An open-loop client: so many requests a second whatever the answers, and a line for each answer.

Run as a process of its own. It shares no code with the daemon; what it writes is what a caller saw:
``sent received status word``, times in seconds of the wall clock, the word the body's first. A request that
broke has status 0.
"""

from __future__ import annotations

import re
import select
import socket
import sys
import time
from typing import TextIO

REQUEST = b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")
FLUSH = 0.05
"""Seconds that an answer may wait to be written down."""
MOST = 256
"""Connections. With all of them waiting for an answer the service is drowned: then requests are sent late."""


class Connection:
    """One kept-alive connection with at most one request under way."""

    __slots__ = ("buffer", "sent", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.sent = 0.0


class Client:
    """Sends on its own schedule over as many connections as are needed."""

    def __init__(self, port: int, rate: float, log: TextIO) -> None:
        self._port = port
        self._gap = 1.0 / rate
        self._log = log
        self._poll = select.epoll()
        self._idle: list[Connection] = []
        self._all: dict[int, Connection] = {}

    def run(self) -> None:
        """Until the process is ended."""
        due, flushed = time.time(), 0.0
        while True:
            now = time.time()
            while due <= now and (self._idle or len(self._all) < MOST):
                self._send(now)
                due += self._gap
            if now - flushed > FLUSH:
                self._log.flush()
                flushed = now
            for number, _ in self._poll.poll(max(0.001, due - time.time())):
                self._receive(self._all[number])

    def _send(self, now: float) -> None:
        connection = self._idle.pop() if self._idle else self._open()
        connection.sent = now
        try:
            connection.socket.send(REQUEST)
        except OSError:
            self._broke(connection)

    def _open(self) -> Connection:
        connection = Connection(self._port)
        self._all[connection.socket.fileno()] = connection
        self._poll.register(connection.socket.fileno(), select.EPOLLIN)
        return connection

    def _receive(self, connection: Connection) -> None:
        try:
            received = connection.socket.recv(65536)
        except OSError:
            received = b""
        if not received:
            self._broke(connection)
            return
        connection.buffer += received
        head, separator, body = connection.buffer.partition(b"\r\n\r\n")
        length = LENGTH.search(head + b"\r\n")
        if not separator or (length and len(body) < int(length[1])):
            return
        status, connection.buffer = int(head[9:12]), b""
        self._log.write(f"{connection.sent:.6f} {time.time():.6f} {status} {body.decode().split()[0]}\n")
        self._idle.append(connection)

    def _broke(self, connection: Connection) -> None:
        del self._all[connection.socket.fileno()]
        if connection in self._idle:
            self._idle.remove(connection)
        else:
            self._log.write(f"{connection.sent:.6f} {time.time():.6f} 0 -\n")
        connection.socket.close()


def main(port: str, rate: str, path: str) -> None:
    """Never returns."""
    with open(path, "w", encoding="ascii") as log:  # noqa: PTH123 - pathlib is 10 ms of start
        Client(int(port), float(rate), log).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
