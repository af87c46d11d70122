"""The demo's webhook: what the daemon's own sink sends is taken, what anybody else sends is not."""

from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.sinks.webhook import Webhook
from rollout.core.reason import Level
from rollout.demo.receiver import Receiver, receiving
from rollout.ports import Alert, Later
from rollout.settings import Reference, WebhookSink

ALERT = Alert(
    "prod/metal/1/worse",
    "prod/metal",
    "WORSE",
    Level.NOTIFY,
    datetime.now(UTC),
    "prod/metal: metal-v2 is worse",
)


async def deliver(receiver: Receiver, secret: Path) -> None:
    async with aiohttp.ClientSession() as session:
        settings = WebhookSink("demo", receiver.url, Reference(file=secret))
        await Webhook(settings, lambda: session, SystemClock()).deliver(ALERT)


def secret(folder: Path, text: str) -> Path:
    path = folder / text
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")
    return path


async def test_an_alert_sent_twice_arrived_once(tmp_path: Path) -> None:
    """Sending is at least once; the figures count what people got."""
    async with receiving("abc") as receiver:
        for _ in range(2):
            await deliver(receiver, secret(tmp_path, "abc"))
        assert [(one.rollout, one.reason) for one in receiver.of("prod/metal")] == [("prod/metal", "WORSE")]
        assert (
            receiver.of("prod/jazz")
            == receiver.of("prod/metal", since=receiver.alerts[ALERT.key].at + 1)
            == []
        )


async def test_what_is_not_signed_with_our_secret_is_refused(tmp_path: Path) -> None:
    """Another demo on this machine cannot count as ours."""
    async with receiving("abc") as receiver:
        with pytest.raises(Later, match="403"):
            await deliver(receiver, secret(tmp_path, "other"))
        async with aiohttp.ClientSession() as session, session.post(receiver.url, data=b"{}") as answer:
            assert answer.status == 403
        assert (receiver.alerts, receiver.refused) == ({}, 2)
