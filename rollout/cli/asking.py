"""The daemon, asked over its control socket; and what is said when it does not answer."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollout.adapters.clock import SystemClock
from rollout.adapters.lock import holder
from rollout.cli.exits import UNREACHABLE, USAGE, Ends
from rollout.ports import Unavailable
from rollout.server.address import FREEZES, ORDERS, SOURCES, socket_of
from rollout.settings import Settings

PATIENCE = 10.0
"""Seconds that an answer may take: an order is answered by the look that follows it."""
_OK, _UNAVAILABLE = 200, 503


class Daemon:
    """The daemon of a state directory."""

    def __init__(self, settings: Settings, patience: float = PATIENCE) -> None:
        self._state = settings.state
        self._patience = patience

    @property
    def is_down(self) -> bool:
        """Nobody works in the state directory, as far as we may see."""
        try:
            return holder(self._state) is None
        except Unavailable:
            return False  # the lock is not ours to look at, but the socket may be ours to speak to

    def order(self, verb: str, names: list[str], reason: str, argument: str = "") -> Mapping[str, str]:
        """Order something for each name; why each was refused, or nothing.

        Raises:
            Ends: the daemon cannot be asked.
        """
        return self._ask(ORDERS, {"verb": verb, "names": names, "reason": reason, "argument": argument})

    def abort_all(self, reason: str) -> Mapping[str, str]:
        """Abort whatever is under way when the daemon hears it."""
        return self._ask(ORDERS, {"verb": "abort", "all": True, "reason": reason})

    def freeze(self, name: str, reason: str, *, lifted: bool) -> Mapping[str, str]:
        """Freeze one rollout or (``name`` empty) all, or lift that."""
        return self._ask(FREEZES, {"name": name, "reason": reason, "lifted": lifted})

    def adopt_source(self, source: str, reason: str) -> Mapping[str, str]:
        """Take a rewritten history as it is."""
        return self._ask(SOURCES, {"source": source, "reason": reason})

    def _ask(self, path: str, plain: Mapping[str, Any]) -> Mapping[str, str]:
        connection = _UnixConnection(socket_of(self._state), self._patience)
        try:
            connection.request("POST", path, json.dumps(plain), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Ends(UNREACHABLE, self._silence(error)) from error
        finally:
            connection.close()
        if answer.status == _OK:
            answers: Mapping[str, str] = said["answers"]
            return answers
        raise Ends(
            UNREACHABLE if answer.status == _UNAVAILABLE else USAGE, f"the daemon says: {said['error']}"
        )

    def _silence(self, error: Exception) -> str:
        if isinstance(error, PermissionError):
            return (
                f"you may not speak to the daemon ({socket_of(self._state)}: permission denied): "
                "run it as the daemon's user, or let its group do so ([control] group = true)"
            )
        if self.is_down:
            return not_running()
        if isinstance(error, TimeoutError):
            why = f"it took the order and did not answer within {self._patience:g} s"
        elif isinstance(error, FileNotFoundError | ConnectionRefusedError):
            why = "its control socket is not there (yet)"
        else:
            why = str(error) or type(error).__name__
        return f"the daemon does not answer: {why}. {self._who()}"

    def _who(self) -> str:
        """Who holds the lock, and what to do if they hang."""
        try:
            here = holder(self._state)
        except Unavailable as trouble:
            return str(trouble)
        if here is None:
            return not_running()
        hangs = f"kill -9 {here.pid}; nothing is lost by that, and `rollout abort` works without it"
        return f"{here.say(SystemClock().now())}. If it hangs: {hangs}"


def not_running() -> str:
    """What to do about it."""
    return "the daemon is not running: start it with `rollout run`, or `systemctl start rollout`"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """As of the base class."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
