"""Where the demo's alerts arrive: a webhook of its own, so that "delivered" is counted where it matters."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from rollout.demo.envoy import LOOPBACK
from rollout.demo.processes import listening, port_of

PATH = "/alerts"
SIGNATURE = "X-Rollout-Signature"


@dataclass(frozen=True, slots=True)
class Received:
    """An alert that arrived: when (monotonic seconds), and what it said."""

    at: float
    key: str
    rollout: str
    reason: str
    level: str
    headline: str


@dataclass(slots=True)
class Receiver:
    """Takes alerts that are signed with ``secret``. Each key counts once: sending is at least once."""

    secret: str
    url: str = ""
    alerts: dict[str, Received] = field(default_factory=dict)
    refused: int = 0

    def of(self, rollout: str, since: float = 0.0) -> list[Received]:
        """What arrived about one rollout, in order."""
        return [alert for alert in self.alerts.values() if alert.rollout == rollout and alert.at >= since]

    async def take(self, request: web.Request) -> web.Response:
        """Answers 204, or 403 to what is not signed, or 400 to what is no alert."""
        body = await request.read()
        if not _is_signed(self.secret, request.headers.get(SIGNATURE, ""), body):
            self.refused += 1
            return web.Response(status=403)
        try:
            event = json.loads(body)
            said = event["data"]
            alert = Received(
                time.monotonic(),
                event["id"],
                said["rollout"],
                said["reason"],
                said["level"],
                said["headline"],
            )
        except (ValueError, KeyError, TypeError):
            self.refused += 1
            return web.Response(status=400)
        self.alerts.setdefault(alert.key, alert)
        return web.Response(status=204)


@asynccontextmanager
async def receiving(secret: str) -> AsyncIterator[Receiver]:
    """A receiver at its ``url``, until the block ends."""
    receiver = Receiver(secret)
    served = web.Application()
    served.router.add_post(PATH, receiver.take)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    with listening() as listener:
        receiver.url = f"http://{LOOPBACK}:{port_of(listener)}{PATH}"
        try:
            await web.SockSite(runner, listener).start()
            yield receiver
        finally:
            await runner.cleanup()


def _is_signed(secret: str, signature: str, body: bytes) -> bool:
    at, _, given = signature.removeprefix("t=").partition(",v1=")
    wanted = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(given.encode(), wanted.encode())
