"""Alerts on their way: at least once, in order, with back-off, each sink on its own (FAILURES L1-L3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from rollout.core.reason import Level
from rollout.engine.outbox import BATCH, LONGEST_PAUSE, Postman
from rollout.ports import Alert, Dispatch, Later, Sink, Unavailable
from rollout.simulation.journal import Memory, Owed, SimulatedJournal
from rollout.simulation.sink import SimulatedSink
from tests.fakes.clock import FakeClock


class Office:
    """Sinks, a clock, and an outbox that alerts are put into by hand."""

    def __init__(self, *sinks: str) -> None:
        self.clock = FakeClock()
        self.memory = Memory()
        self.journal, _ = SimulatedJournal.open(self.memory, self.clock)
        self.sinks = {name: SimulatedSink() for name in sinks or ("ops",)}
        self.postman = self.staff(self.sinks)

    def staff(self, sinks: dict[str, SimulatedSink] | dict[str, Sink]) -> Postman:
        return Postman(self.journal, {**sinks}, self.clock)

    def owe(self, key: str, *, rollout: str = "prod/jazz", sink: str = "ops") -> None:
        alert = Alert(key, rollout, "WORSE", Level.NOTIFY, self.clock.now(), key)
        dispatch = Dispatch(len(self.memory.outbox) + 1, sink, alert, 0, self.clock.now())
        self.memory.outbox.append(Owed(dispatch))

    def arrived(self, sink: str = "ops") -> list[str]:
        return [alert.key for alert in self.sinks[sink].arrived]


async def test_what_is_owed_arrives_once_and_in_order():
    office = Office()
    for key in ("a", "b", "c"):
        office.owe(key)
    await office.postman.sweep()
    await office.postman.sweep()
    assert office.arrived() == ["a", "b", "c"]
    assert office.postman.undelivered == 0


async def test_l1_a_sink_that_hangs_delays_no_other():
    """Its own round never ends; the other sink's news goes out again and again."""

    class Stuck(SimulatedSink):
        async def deliver(self, alert: Alert) -> None:
            await asyncio.Event().wait()

    office = Office("dead", "ops")
    postman = office.staff({"dead": Stuck(), "ops": office.sinks["ops"]})
    for number in range(2 * BATCH):
        office.owe(f"dead-{number}", sink="dead")
    stuck = asyncio.ensure_future(postman.carry("dead"))
    await asyncio.sleep(0)
    for key in ("a", "b"):
        office.owe(key)
        await postman.carry("ops")
    assert office.arrived() == ["a", "b"]
    stuck.cancel()


async def test_l1_a_dead_sink_costs_one_try_in_a_round():
    """The next round tries the next alert: one message that a sink will not take does not dam up the rest."""
    office = Office()
    for number in range(5):
        office.owe(str(number), rollout=f"prod/r{number}")
    office.sinks["ops"].answers.extend([Later("400: not this one")])
    await office.postman.sweep()
    assert office.arrived() == []
    await office.postman.sweep()
    assert office.arrived() == ["1", "2", "3", "4"]
    office.clock.advance(1)
    await office.postman.sweep()
    assert office.arrived() == ["1", "2", "3", "4", "0"]


async def test_l1_pauses_double_up_to_five_minutes_and_end_after_a_day():
    """1, 2, 4 ... 300 s; the last try comes after 24 hours, and then it is given up and reported."""
    office = Office()
    office.owe("a")
    office.sinks["ops"].down = "503"
    began, tries = office.clock.now(), []
    while office.memory.outbox[0].ended is None:
        await office.postman.sweep()
        tries.append((office.clock.now() - began).total_seconds())
        office.clock.set(office.memory.outbox[0].dispatch.next_try)
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert set(pauses[9:]) == {LONGEST_PAUSE}
    assert timedelta(hours=24) < timedelta(seconds=tries[-1]) < timedelta(hours=24, minutes=6)
    assert office.postman.undelivered == 1
    office.sinks["ops"].down = ""
    await office.postman.sweep()
    assert office.arrived() == []


@pytest.mark.parametrize(("asked", "waited"), [(120.0, 120.0), (0.5, 1.0), (10**9, 3_600.0)])
async def test_l1_a_sink_that_says_when_is_asked_then(asked: float, waited: float):
    """Its Retry-After, never sooner than our own pause and never later than an hour."""
    office = Office()
    office.owe("a")
    office.sinks["ops"].answers.append(Later("429", after=asked))
    await office.postman.sweep()
    due = office.memory.outbox[0].dispatch.next_try - office.clock.now()
    assert due.total_seconds() == waited


async def test_l3_what_is_owed_is_counted_while_no_sink_takes_it():
    office = Office("ops", "chat")
    for sink in ("ops", "chat"):
        office.owe("a", sink=sink)
        office.sinks[sink].down = "connection refused"
    await office.postman.sweep()
    assert office.postman.undelivered == 2
    office.sinks["chat"].down = ""
    office.clock.advance(1)
    await office.postman.sweep()
    assert office.postman.undelivered == 1


async def test_q1_what_arrived_while_the_disk_is_full_is_sent_again_under_its_key():
    """At least once: nobody could note that it arrived; nothing is raised, the next round tries again."""
    office = Office()
    office.owe("a")
    office.memory.unwritable = "disk full"
    await office.postman.sweep()
    office.memory.unwritable = ""
    await office.postman.sweep()
    assert office.arrived() == ["a", "a"]
    await office.postman.sweep()
    assert office.arrived() == ["a", "a"]


async def test_an_outbox_that_cannot_be_read_is_tried_again():
    class Unreadable(SimulatedJournal):
        async def owed(self, now: datetime, limit: int, sink: str | None = None) -> Sequence[Dispatch]:
            raise Unavailable("I/O error")

    office = Office()
    postman = Postman(Unreadable(office.memory, office.clock), {**office.sinks}, office.clock)
    await postman.sweep()


async def test_q1_a_shout_needs_no_journal_and_raises_nothing():
    """Told at once to each sink that there is; one that does not take it is a line in the log."""
    office = Office("ops", "dead")
    office.sinks["dead"].down = "connection refused"
    office.owe("owed")
    alert = office.memory.outbox.pop().dispatch.alert
    office.postman.shout([("ops", alert), ("dead", alert), ("unknown", alert)])
    await office.postman.flush()
    assert office.arrived() == ["owed"]


async def test_alerts_to_a_sink_that_is_no_more_are_given_up():
    office = Office()
    office.owe("a", sink="old")
    office.owe("b")
    await office.postman.disown()
    assert office.memory.outbox[0].ended is not None
    assert office.memory.outbox[1].ended is None
