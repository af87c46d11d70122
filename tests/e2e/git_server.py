"""Git servers over HTTP on loopback: a true one (git http-backend), and some that misbehave."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("untrusted.pem")


class _Handler(BaseHTTPRequestHandler):
    """One request: checked for the credentials, then answered by git itself."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen(self)
        if self.server.credentials and self.headers.get("Authorization") != self.server.credentials:
            self.answer(
                401, {"WWW-Authenticate": 'Basic realm="git"', "Content-Type": "text/plain"}, self._echo()
            )
        elif self.server.instead:
            self.server.instead(self)
        else:
            self._git()

    def do_POST(self) -> None:
        self.do_GET()

    def _echo(self) -> bytes:
        """What a careless server writes into an error: everything it was sent."""
        return f"refused {self.path} {self.headers.get('Authorization')}".encode()

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _git(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        self.answer(int(headers.pop("Status", "200").split()[0]), headers, rest)

    def log_message(self, *_) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    folder: Path
    credentials = ""
    instead: Callable[[_Handler], None] | None = None
    seen: Callable[[_Handler], None]

    def handle_error(self, *_) -> None:
        """A client that goes away in the middle is part of the game."""


@dataclass(slots=True)
class GitServer:
    """Serves the repositories in a folder. ``seen`` is called for each request, ``instead`` may answer it."""

    url: str
    server: _Server
    requests: list[str] = field(default_factory=list)

    def ask_for(self, user: str, password: str) -> None:
        self.server.credentials = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def answer(self, instead: Callable[[_Handler], None] | None) -> None:
        self.server.instead = instead

    def watch(self, seen: Callable[[_Handler], None]) -> None:
        self.server.seen = seen


@contextmanager
def git_server(folder: Path, *, tls: bool = False) -> Iterator[GitServer]:
    """Serve the repositories in the folder over HTTP, or over TLS with a certificate that nobody trusts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.folder = folder
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    found = GitServer(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}", server)
    server.seen = lambda handler: found.requests.append(handler.path)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def tcp_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with each connection whatever it is told; its port."""
    stopped = threading.Event()
    open_ones: list[socket.socket] = []

    def serve(listener: socket.socket) -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=_quietly, args=(talk, connection), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in open_ones:
                connection.close()


def _quietly(talk: Callable[[socket.socket], None], connection: socket.socket) -> None:
    try:
        talk(connection)
    except OSError:
        connection.close()


def silence(_: socket.socket) -> None:
    """Accept, and never say a word."""


def closed_port() -> int:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
