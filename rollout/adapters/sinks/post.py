"""One POST to somebody else's server: with a deadline, no redirects, and no word of what is secret."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from rollout.ports import Clock, Later

DEADLINE = 10.0
"""Seconds for the whole exchange."""
LONGEST_WAIT = 86_400.0
"""Seconds: a ``Retry-After`` beyond a day is taken as a day."""
_MOST_READ = 1_024
_WORD = re.compile(r"[a-z][a-z_]{2,60}")
_HINTS = {
    401: "; is the secret right?",
    403: "; is the secret right, and does it still hold?",
    404: "; is the address right?",
    410: "; is the address right?",
}


class Post:
    """Sends bodies for the sink of that name. ``session`` gives the process's one client session."""

    def __init__(
        self,
        name: str,
        session: Callable[[], aiohttp.ClientSession],
        clock: Clock,
        deadline: float = DEADLINE,
    ) -> None:
        self._name = name
        self._session = session
        self._clock = clock
        self._deadline = deadline

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send it; any 2xx is enough, the rest of the answer is not waited for.

        Raises:
            Later: it was not taken. The sentence names the sink, never the address, which may be a secret.
        """
        try:
            async with self._session().post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._deadline),
            ) as answer:
                if answer.status // 100 != 2:  # noqa: PLR2004 - the class of success
                    raise await self._refused(answer)
        except TimeoutError:
            raise Later(f"sink {self._name} did not answer within {self._deadline:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Their texts may hold the address. "from None": a traceback would too.
            raise Later(f"sink {self._name} {_trouble(error)}") from None

    async def _refused(self, answer: aiohttp.ClientResponse) -> Later:
        after = wait(answer.headers.get("Retry-After", ""), self._clock.now())
        said = (await answer.content.read(_MOST_READ)).decode(errors="replace").strip()
        word = f" ({said})" if _WORD.fullmatch(said) else ""
        hint = _HINTS.get(answer.status, "")
        if answer.status // 100 == 3:  # noqa: PLR2004 - the class of redirects
            hint = "; redirects are not followed: name the address it points to"
        return Later(f"sink {self._name} answered {answer.status}{word}{hint}", after)


def wait(header: str, now: datetime) -> float | None:
    """Seconds of a ``Retry-After``: a number or a date (RFC 9110, 10.2.3); ``None`` if it is neither."""
    if header.isascii() and header.isdigit():
        return min(float(header), LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(header)
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def clean(text: str) -> str:
    """Text that is valid in UTF-8: a file name or author from git may not be."""
    return text.encode("utf-8", "replace").decode()


def _trouble(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "has an address whose host is not found: check the name and the name service"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "has a certificate that cannot be trusted: mend it, or the machine's list of authorities"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return f"cannot be reached: {os.strerror(number) if number else type(error.os_error).__name__}"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without an answer"
        case aiohttp.InvalidURL():
            return "has no valid address"
        case _:
            return f"could not be spoken to ({type(error).__name__})"
