"""Trouble in the middle of a pass: disks that hang, writes that fail, orders that cross a record."""

import asyncio
from dataclasses import replace

from rollout.core.model import Verb
from rollout.core.replay import replay
from rollout.simulation.journal import SimulatedJournal
from tests.fakes.lab import JAZZ, Lab, policy, route


class Hanging(SimulatedJournal):
    """A disk that takes a record and never says so, until it is freed."""

    def __init__(self, memory, clock):
        super().__init__(memory, clock)
        self.freed, self.asked = asyncio.Event(), asyncio.Event()
        self.waiting = 0

    async def record(self, record):
        self.waiting += 1
        self.asked.set()
        await self.freed.wait()
        self.waiting -= 1
        await super().record(record)


class SlowToOrder(SimulatedJournal):
    """A disk that takes an order only when it is freed."""

    def __init__(self, memory, clock):
        super().__init__(memory, clock)
        self.freed, self.asked = asyncio.Event(), asyncio.Event()

    async def order(self, name, order):
        self.asked.set()
        await self.freed.wait()
        return await super().order(name, order)


async def ramping(*names: str) -> Lab:
    lab = await Lab(*names).adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(6)
    assert lab.weight("jazz-v2") == 1000
    return lab


async def test_q1_a_disk_that_hangs_does_not_stop_the_way_home():
    """Law 6: the look before the death waits for the disk, the way home does not; only one record waits."""
    lab = await ramping()
    lab.engine.world = replace(lab.engine.world, patience=0.05)
    hanging = Hanging(lab.memory, lab.clock)
    lab.swap_journal(hanging)
    await lab.run(2)
    assert lab.decision().reason.name == "UNRECORDED"
    lab.faults["jazz-v2"] = 1.0
    await lab.run(3)
    assert lab.weight("jazz-v2") == 0
    await lab.run(3)
    assert hanging.waiting == 1
    hanging.freed.set()
    await lab.run(40)
    assert lab.reasons()[-1] == "REJECTED_BEFORE"
    assert "WORSE" in lab.reasons()


async def test_a_write_that_is_refused_is_tried_ever_more_slowly_and_said():
    """A route file that cannot be written costs neither a busy loop nor a history of the same line."""
    lab = await Lab().adopted()
    lab.mesh.refuses = "jazz.yaml is a symbolic link"
    await lab.ask("jazz-v2")
    records, reads = len(lab.memory.records), lab.mesh.reads
    await lab.run(60)
    assert lab.mesh.reads - reads < 90
    told = [record for record in lab.memory.records[records:] if record.noteworthy]
    assert len(told) < 8
    assert "the last write failed: not written: jazz.yaml is a symbolic link" in str(
        lab.decision().facts["detail"]
    )
    lab.mesh.refuses = ""
    await lab.run(30)
    assert lab.weight("jazz-v2") > 0


async def test_held_twice_is_told_twice():
    """I6: somebody lowers, a person resumes, somebody lowers again: each is news."""
    lab = await ramping()
    for _ in range(2):
        lab.mesh.put(route(), {"jazz-v1": 1})
        await lab.run(3)
        await lab.engine.order(JAZZ, Verb.RESUME, "ada", "go on")
        await lab.run(3)
    await lab.postman.sweep()
    assert [alert.reason for alert in lab.sink.arrived].count("LOWERED") == 2


async def test_l3_what_no_journal_holds_is_told_when_the_sink_is_back():
    """Disk full and sink down at once: the alert is kept in memory, counted and delivered; history too."""
    lab = await ramping()
    await lab.postman.sweep()
    lab.memory.unwritable, lab.sink.down = "disk full", "connection refused"
    lab.faults["jazz-v2"] = 1.0
    await lab.run(3)
    await asyncio.sleep(0)
    assert lab.postman.undelivered > 0
    lab.sink.down = ""
    await lab.postman.sweep()
    assert "WORSE" in {alert.reason for alert in lab.sink.arrived}
    lab.memory.unwritable = ""
    await lab.run(40)
    assert "WORSE" in lab.reasons()


async def test_i19_most_canaries_failing_at_once_is_a_page_of_its_own():
    """The journal owes it with the rollback that makes it so: neither a crash nor a dead sink loses it."""
    names = tuple("abcde")
    lab = await Lab(*names).adopted()
    lab.faults = {f"{name}-v2": 1.0 for name in names}
    lab.source.commit({f"prod/{name}.yaml": policy(f"{name}-v2", name) for name in names})
    await lab.engine.poll("main")
    lab.sink.down = "connection refused"
    await lab.run(5, "a")
    await lab.postman.sweep()
    assert lab.sink.arrived == []
    lab.sink.down = ""
    await lab.run(2, "a")
    await lab.postman.sweep()
    assert [alert.reason for alert in lab.sink.arrived].count("COMMON_CAUSE") == 1
    assert all(lab.weight(f"{name}-v2", name) == 0 for name in names)


async def test_observe_mode_says_would_have():
    lab = Lab()
    lab.observing()
    await lab.adopted()
    await lab.ask("jazz-v2")
    await lab.run(20)
    await lab.postman.sweep()
    started = next(alert for alert in lab.sink.arrived if alert.reason == "STARTED")
    assert "observing, nothing is written: jazz-v2 begins" in started.headline


async def test_a_freeze_given_while_a_raise_is_being_recorded_stops_it():
    """Whoever was told that it is frozen never sees a raise after that."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2", bake=5)
    await lab.run(6)
    journal = Hanging(lab.memory, lab.clock)
    lab.swap_journal(journal)
    lab.flow(6)
    passing = asyncio.ensure_future(lab.look())
    await journal.asked.wait()
    await lab.engine.freeze("", "ada", "now", lifted=False)
    journal.freed.set()
    await passing
    await lab.run(20)
    assert lab.weight("jazz-v2") == 1000
    await lab.engine.freeze("", "ada", "over", lifted=True)
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000


async def test_an_order_that_crosses_a_release_is_answered():
    lab = await Lab("jazz", "metal").adopted()
    lab.source.commit({"prod/jazz.yaml": None})
    await lab.engine.poll("main")
    lab.engine.driven = True
    order = asyncio.ensure_future(lab.engine.order(JAZZ, Verb.PAUSE, "ada", "hm"))
    await asyncio.sleep(0)
    rollout = lab.rollout()
    rollout.orders.clear()
    await lab.look()
    assert "no longer has a policy" in await asyncio.wait_for(order, 1)


async def test_an_order_that_a_disk_took_late_is_decided_by_who_bears_the_name_then():
    """The rollout was let go while the disk hung, and came back: the order is decided, never lost."""
    lab = await Lab("jazz", "metal").adopted()
    journal = SlowToOrder(lab.memory, lab.clock)
    lab.swap_journal(journal)
    order = asyncio.ensure_future(lab.engine.order(JAZZ, Verb.PAUSE, "ada", "hm"))
    await journal.asked.wait()
    lab.source.commit({"prod/jazz.yaml": None})
    await lab.engine.poll("main")
    await lab.look()
    assert JAZZ not in lab.engine.rollouts
    journal.freed.set()
    assert "no longer has a policy" in await asyncio.wait_for(order, 1)
    await lab.ask("jazz-v1")
    assert [given.verb for given in lab.rollout().orders] == [Verb.PAUSE]
    await lab.look()
    assert not lab.rollout().orders


async def test_the_look_after_a_refused_one_bears_all_that_the_judge_knows():
    """Nothing goes on from a look that was not written, so there is no hole; were there one, the replay could
    begin again here.
    """
    lab = await ramping()
    lab.memory.unwritable = "disk full"
    await lab.run(2)
    written = len(lab.memory.looks(JAZZ, 1))
    lab.memory.unwritable = ""
    await lab.run(3)
    looks = lab.memory.looks(JAZZ, 1)
    assert [bool(look.evidence) for look in looks].index(True) == written
    assert [look.number for look in looks] == list(range(1, len(looks) + 1))
    assert {(each.missing, each.differs) for each in replay(looks)} == {("", "")}
    assert replay_from(looks, written) == {""}


def replay_from(looks, first):
    """What the looks after that one differ in, if it is all that is left of what came before."""
    entry, *others = replay(looks[first:])
    assert entry.missing == "the looks before it are not kept"
    assert not any(each.missing for each in others)
    return {each.differs for each in others}
