"""Alerts to any web server: a CloudEvent in JSON (CloudEvents 1.0, structured mode), signed if wished.

The signature is ``X-Rollout-Signature: t=<unix seconds>,v1=<hex>``, an HMAC-SHA256 over ``<t>.<body>``: who
checks it should also refuse a ``t`` of long ago. ``Idempotency-Key`` is the same however often it is sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from urllib.parse import quote

import aiohttp

from rollout.adapters.sinks.post import Post, clean
from rollout.ports import Alert, Clock, Later
from rollout.settings import Reference, Unread, WebhookSink

SIGNATURE = "X-Rollout-Signature"


class Webhook:
    """``ports.Sink``; its secrets are read each time."""

    def __init__(
        self,
        settings: WebhookSink,
        session: Callable[[], aiohttp.ClientSession],
        clock: Clock,
        deadline: float | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._post = Post(settings.name, session, clock, *([deadline] if deadline else []))

    async def deliver(self, alert: Alert) -> None:
        body = render(alert)
        headers = {"Content-Type": "application/cloudevents+json", "Idempotency-Key": quote(clean(alert.key))}
        try:
            url = self._settings.url
            address = url.read().reveal() if isinstance(url, Reference) else url
            if self._settings.secret:
                at = int(self._clock.now().timestamp())
                headers[SIGNATURE] = f"t={at},v1={sign(self._settings.secret.read().reveal(), at, body)}"
        except Unread as problem:
            raise Later(f"sink {self._settings.name}: {problem}") from None
        await self._post.send(address, body, headers)


def sign(secret: str, at: int, body: bytes) -> str:
    """HMAC-SHA256 over the time and the body, in hexadecimal."""
    return hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()


def render(alert: Alert) -> bytes:
    """The event."""
    event = {
        "specversion": "1.0",
        "id": clean(alert.key),
        "source": "/rollout",
        "type": "dev.rollout.alert.v1",
        "subject": clean(alert.rollout),
        "time": alert.at.isoformat(),
        "datacontenttype": "application/json",
        "data": {
            "rollout": clean(alert.rollout),
            "reason": alert.reason,
            "level": alert.level.name.lower(),
            "headline": clean(alert.headline),
            "fields": [{"name": clean(name), "value": clean(value)} for name, value in alert.fields],
            "next": clean(alert.next),
        },
    }
    return json.dumps(event, separators=(",", ":")).encode()
