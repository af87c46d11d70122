"""Envoy's admin interface, asked carefully.

Not an adapter: it serves no port. Both Envoy adapters ask through it, so that a proxy that hangs, lies or
floods us is met in one place. Every answer is whole, from ``GET``, with status 200 and at most
``BODY_CAP`` bytes; anything else is ``Silent`` with a sentence that can be shown to people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import orjson
from yarl import URL

from rollout.ports import Clock

BODY_CAP = 16 * 1024 * 1024
"""Bytes: more than this is not an answer to our questions."""

PATIENCE = 5.0
"""Seconds that a question may take which nobody waits for any more."""

SHORT = 0.05
"""Seconds to wait for a proxy that let the last deadline pass."""


class Silent(Exception):  # noqa: N818 - it says what the proxy is, not that an error was made
    """The proxy gave no answer that can be used; ``str()`` says why."""


class Admin:
    """One proxy's admin interface. ``name`` is its address as the operator wrote it.

    A proxy that lets a deadline pass must not delay every later look. Its question is left running, for at
    most ``PATIENCE`` seconds, and until one of those is answered the next callers wait only ``SHORT``. A
    late answer is never used, its counters are of another time: it only shows that the proxy is back.
    """

    def __init__(self, name: str, session: Callable[[], aiohttp.ClientSession], clock: Clock) -> None:
        self.name = name
        self._base = (name if "://" in name else f"http://{name}").rstrip("/")
        self._session = session
        self._clock = clock
        self._asked: set[asyncio.Task[list[bytes]]] = set()
        self._silent_since: float | None = None

    async def ask(self, paths: Sequence[str], deadline: float) -> list[bytes]:
        """The bodies of all ``paths`` (already quoted), asked at once; at most ``deadline`` seconds.

        Raises:
            Silent: one of them was not answered, or not well.
        """
        until = self._clock.monotonic() + deadline
        if self._hangs() and self._asked:
            # No second question is heaped on a proxy that hangs: the one under way is the probe.
            waited = min(deadline, SHORT)
            await asyncio.wait(self._asked, timeout=waited, return_when=asyncio.FIRST_COMPLETED)
            if self._hangs() and self._asked:
                raise Silent(self._overdue(waited))
        wait = max(0.0, until - self._clock.monotonic())
        wait = min(wait, SHORT) if self._hangs() else wait
        task = asyncio.create_task(self._all(paths))
        self._asked.add(task)
        task.add_done_callback(self._answered)
        done, _ = await asyncio.wait({task}, timeout=wait)
        if not done:
            raise Silent(self._overdue(deadline))
        return task.result()

    def _hangs(self) -> bool:
        return self._silent_since is not None

    def _answered(self, task: asyncio.Task[list[bytes]]) -> None:
        self._asked.discard(task)
        if not task.cancelled() and task.exception() is None:
            self._silent_since = None

    def _overdue(self, waited: float) -> str:
        now = self._clock.monotonic()
        if self._silent_since is None:
            self._silent_since = now - waited
            return f"did not answer within {waited:g} s"
        return f"has not answered for {now - self._silent_since:.0f} s"

    async def _all(self, paths: Sequence[str]) -> list[bytes]:
        return list(await asyncio.gather(*(self._get(path) for path in paths)))

    async def _get(self, path: str) -> bytes:
        try:
            url = URL(self._base + path, encoded=True)
            async with self._session().get(url, allow_redirects=False) as answer:
                if answer.status != 200:  # noqa: PLR2004 - the one good status
                    raise Silent(f"answered with status {answer.status}")
                return await _body(answer)
        except TimeoutError:
            raise Silent(f"did not answer within {PATIENCE:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Silent(_why(error)) from error

    async def close(self) -> None:
        """Give up the questions that are still under way."""
        asked = list(self._asked)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise Silent("answered with a compressed body, which was not asked for")
    if (answer.content_length or 0) > BODY_CAP:
        raise Silent(f"answered with {answer.content_length} bytes; more than {BODY_CAP} are not read")
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > BODY_CAP:
            raise Silent(f"answered with more than {BODY_CAP} bytes")
    return bytes(body)


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientPayloadError():
            return "broke off in the middle of its answer"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "closed the connection without an answer"
        case aiohttp.InvalidURL() | ValueError() | aiohttp.NonHttpUrlClientError():
            return "has an address that is not host:port"
        case _:
            return f"did not answer in HTTP: {type(error).__name__}"


class Admins:
    """All proxies of one adapter, over one persistent session (made when first used, inside the loop)."""

    def __init__(self, names: Sequence[str], clock: Clock) -> None:
        self._open: aiohttp.ClientSession | None = None
        self.proxies = tuple(Admin(name, self._session, clock) for name in names)

    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            self._open = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
                headers={"Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._open

    async def close(self) -> None:
        """Close the session and every question under way."""
        for proxy in self.proxies:
            await proxy.close()
        if self._open is not None:
            await self._open.close()
            self._open = None


def parse(body: bytes, key: str) -> list[Any]:
    """The list under ``key`` of a JSON object; empty when the key is absent.

    Raises:
        Silent: it is not such a thing.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        what = "HTML" if body.lstrip()[:1] == b"<" else "something"
        raise Silent(f"answered {what} that is not JSON; is this Envoy's admin port?") from None
    found = answer.get(key, []) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise Silent(f"answered JSON without a list of {key}; is this Envoy's admin port?")
    return found


def quote(name: str) -> str:
    """The RE2 pattern that matches ``name`` and nothing else."""
    return "".join(
        sign if sign.isalnum() or sign == "_" or not sign.isascii() else f"\\{sign}" for sign in name
    )


def stat_name(name: str) -> str:
    """``name`` as Envoy writes it in names of statistics."""
    return name.replace("://", "_").replace(":/", "_").replace(":", "_").replace("\0", "_")
