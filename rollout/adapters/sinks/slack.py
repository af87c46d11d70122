"""Alerts to a Slack incoming webhook: headline, fields, what happens next.

Text of tenants (authors, commit subjects) is shown, never obeyed: Slack's three control characters are
escaped, and ``verbatim`` keeps it from turning words into mentions or links. Every length is capped below
Slack's limits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp

from rollout.adapters.sinks.post import Post, clean
from rollout.ports import Alert, Clock, Later
from rollout.settings import SlackSink, Unread

HEADLINE = 150
FIELDS = 40
IN_SECTION = 10
VALUE = 1_000
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


class Slack:
    """``ports.Sink``; its URL is a secret, read each time."""

    def __init__(
        self,
        settings: SlackSink,
        session: Callable[[], aiohttp.ClientSession],
        clock: Clock,
        deadline: float | None = None,
    ) -> None:
        self._settings = settings
        self._post = Post(settings.name, session, clock, *([deadline] if deadline else []))

    async def deliver(self, alert: Alert) -> None:
        try:
            url = self._settings.url.read().reveal()
        except Unread as problem:
            raise Later(f"sink {self._settings.name}: {problem}") from None
        await self._post.send(url, render(alert), {"Content-Type": "application/json"})


def render(alert: Alert) -> bytes:
    """The message."""
    message = {"text": escape(alert.headline, 3 * VALUE), "mrkdwn": False, "blocks": list(_blocks(alert))}
    return json.dumps(message, separators=(",", ":")).encode()


def escape(text: str, most: int) -> str:
    """Slack's three control characters as entities, at most so many characters with them."""
    shown, length = [], 0
    for one in cut(text, most):
        shown.append(_ENTITIES.get(one, one))
        length += len(shown[-1])
        if length > most:
            return "".join(shown[:-2]) + _ELLIPSIS
    return "".join(shown)


def cut(text: str, most: int) -> str:
    """The text on lines that can be read, shortened to ``most`` characters."""
    shown = "".join(one if one.isprintable() or one == "\n" else " " for one in clean(text))
    return shown if len(shown) <= most else shown[: most - 1] + _ELLIPSIS


def _blocks(alert: Alert) -> Iterator[dict[str, Any]]:
    headline = cut(alert.headline, HEADLINE).replace("\n", " ")
    yield {"type": "header", "text": {"type": "plain_text", "text": headline or "-", "emoji": False}}
    if len(alert.headline) > HEADLINE:
        yield {"type": "section", "text": _text(escape(alert.headline, VALUE))}
    fields = [_text(f"*{escape(name, HEADLINE)}*\n{escape(value, VALUE)}") for name, value in alert.fields]
    for some in _tens(fields[:FIELDS]):
        yield {"type": "section", "fields": some}
    where = f"{escape(alert.rollout, HEADLINE)} · {alert.reason}"
    yield {
        "type": "context",
        "elements": [_text(where), *([_text(escape(alert.next, VALUE))] if alert.next else [])],
    }


def _text(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _tens(fields: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(fields), IN_SECTION):
        yield fields[start : start + IN_SECTION]
