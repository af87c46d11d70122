"""The SQLite journal, held to the contract on a real file."""

import sqlite3
from contextlib import contextmanager

import pytest

from rollout.adapters.journals.reader import FILE, read_only
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.ports import Unavailable
from rollout.simulation.journal import Memory, SimulatedJournal
from tests.contract.journal import Bench, JournalContract, record
from tests.fakes.clock import FakeClock


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    async def bench(self, tmp_path):
        directory = tmp_path / "state"
        clock = FakeClock()
        opened: list[SqliteJournal] = []

        async def restart():
            if opened:
                await opened.pop().close()
            journal, found = SqliteJournal.open(directory, clock)
            opened.append(journal)
            return journal, found

        @contextmanager
        def broken():
            blocker = sqlite3.connect(directory / FILE, isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            yield
            blocker.close()

        yield Bench(clock, restart, broken, lambda *whose: read_only(directory).journey(*whose).looks)
        for journal in opened:
            await journal.close()


class TestFakeJournal(JournalContract):
    @pytest.fixture
    async def bench(self):
        memory, clock = Memory(), FakeClock()

        async def restart():
            return SimulatedJournal.open(memory, clock)

        @contextmanager
        def broken():
            memory.unwritable = "the disk is full"
            yield
            memory.unwritable = ""

        return Bench(clock, restart, broken, memory.looks)


async def test_the_fake_can_be_torn_and_slow():
    """A torn write lands although its caller is told that it did not; a slow one takes its time."""
    clock = FakeClock()
    memory = Memory(torn=True, slow=3.0)
    journal, _ = SimulatedJournal.open(memory, clock)
    with pytest.raises(Unavailable, match="may have been written"):
        await journal.record(record())
    assert clock.monotonic() == 3.0
    await journal.record(record("prod/metal"))
    _, found = SimulatedJournal.open(memory, clock)
    assert set(found.states) == {"prod/jazz", "prod/metal"}
