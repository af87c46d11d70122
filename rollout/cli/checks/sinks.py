"""The sinks: can their secrets be read, and, only if it is wished, do they take a message?"""

from __future__ import annotations

import aiohttp

from rollout.adapters.clock import SystemClock
from rollout.cli.checks import Finding, bad, good
from rollout.core.reason import Level
from rollout.ports import Alert, Unavailable
from rollout.settings import LogSink, Reference, SinkSettings, SlackSink, Unread, WebhookSink
from rollout.wiring import SINKS


async def sink(settings: SinkSettings, *, send: bool) -> Finding:
    """One sink; ``send``: a test message goes there."""
    about = f"sink {settings.name}"
    try:
        for reference in _references(settings):
            reference.read()
    except Unread as problem:
        return bad(about, str(problem), "the daemon needs it too: see its environment or its file's mode")
    if not send:
        said = (
            "needs nothing" if isinstance(settings, LogSink) else "its secrets can be read; nothing was sent"
        )
        return good(about, said)
    return await _send(about, settings)


def _references(settings: SinkSettings) -> list[Reference]:
    match settings:
        case WebhookSink(url=url, secret=secret):
            return [each for each in (url, secret) if isinstance(each, Reference)]
        case SlackSink(url=url):
            return [url]
        case _:
            return []


async def _send(about: str, settings: SinkSettings) -> Finding:
    clock = SystemClock()
    now = clock.now()
    alert = Alert(
        f"doctor/{now:%Y-%m-%dT%H:%M:%S}",
        "doctor",
        "TEST",
        Level.NOTIFY,
        now,
        "rollout doctor: this is a test, nothing has happened",
    )
    async with aiohttp.ClientSession() as session:
        try:
            await SINKS[type(settings)](settings, lambda: session, clock).deliver(alert)
        except Unavailable as trouble:
            return bad(about, str(trouble), "check its url and secret, and that it can be reached from here")
    return good(about, "took a test message")
