"""What every sink promises, the real ones on a real server and the fake alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from rollout.core.reason import Level
from rollout.ports import Alert, Later, Sink

ALERT = Alert(
    key="prod/jazz/7/worse",
    rollout="prod/jazz",
    reason="WORSE",
    level=Level.NOTIFY,
    at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    headline="jazz-v2 rolled back at 50 %: 31 of 1000 against 2 of 1000",
    fields=(("weights", "50 % to 0 %"), ("author", "Ann <!channel> <@U1> & \udcff @here")),
    next="will not be tried again until git offers another revision",
)


@dataclass
class Bench:
    """A sink on the bench: what the other side got so far (a text for each arrival), and how to break it."""

    sink: Sink
    arrived: Callable[[], list[str]]
    break_it: Callable[[], Awaitable[None]]
    mend_it: Callable[[], Awaitable[None]]


class SinkContract:
    """Subclass it with a fixture ``bench``."""

    @pytest.fixture
    async def bench(self):
        raise NotImplementedError

    async def test_an_alert_arrives_whole(self, bench: Bench):
        """Headline, numbers, author and what happens next are there to be read."""
        await bench.sink.deliver(ALERT)
        (text,) = bench.arrived()
        for word in (
            "jazz-v2 rolled back at 50 %",
            "weights",
            "50 % to 0 %",
            "Ann",
            "will not be tried again",
        ):
            assert word in text

    async def test_what_did_not_arrive_is_to_be_sent_later(self, bench: Bench):
        """L1: a broken sink says so in a sentence, and takes the same alert when it is mended."""
        await bench.break_it()
        with pytest.raises(Later) as refusal:
            await bench.sink.deliver(ALERT)
        assert str(refusal.value)
        await bench.mend_it()
        await bench.sink.deliver(ALERT)
        assert len(bench.arrived()) == 1
