"""Where the alerts arrive: a webhook that writes down every delivery, also the second one of a key."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SLOWEST = 0.06
"""Seconds that an answer takes at the most: the daemon may die between the arrival and the answer."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival: when, its ``Idempotency-Key``, and the event's body."""

    at: float
    key: str
    event: dict[str, Any]

    @property
    def said(self) -> dict[str, Any]:
        """The alert itself."""
        said: dict[str, Any] = self.event["data"]
        return said

    @property
    def fields(self) -> dict[str, str]:
        """The alert's fields by name."""
        return {field["name"]: field["value"] for field in self.said["fields"]}


class Sink:
    """A server on loopback, until it is left. It remembers first and answers later."""

    def __init__(self, seed: int) -> None:
        self.deliveries: list[Delivery] = []
        self._server = _Server(("127.0.0.1", 0), _Take)
        self._server.deliveries, self._server.chance = self.deliveries, random.Random(seed)
        self._address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self._address}/alerts"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def settle(self) -> None:
        """Until all that was sent before is written down: a dead daemon's last word may lie in a socket."""
        with closing(http.client.HTTPConnection(self._address, timeout=10)) as visitor:
            visitor.request("GET", "/")
            # Connections are taken in order: whatever came before this one is being served.
            visitor.getresponse().read()
        while self._server.serving:
            time.sleep(0.001)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    deliveries: list[Delivery]
    chance: random.Random

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.serving: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.serving.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.serving.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The daemon died in the middle of a sentence: that is the point of all this."""


class _Take(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        arrived = Delivery(time.monotonic(), self.headers["Idempotency-Key"], json.loads(body))
        self.server.deliveries.append(arrived)
        time.sleep(self.server.chance.uniform(0, SLOWEST))
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's word
        pass
