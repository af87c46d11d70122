"""What the journal keeps besides the present, and for how long; and reading it from outside."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rollout.adapters.journals import looks, pages
from rollout.adapters.journals.reader import FILE, read_only
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.core.model import EVERYTHING, Held, Origin, Past, Revision, Steady, Tally, Verb, Weight, Why
from rollout.core.reason import Reason
from rollout.ports import Freeze, SourceState, Unavailable
from tests.contract.journal import (
    LATER,
    ORIGIN,
    PAST,
    POLICY,
    RAMPING,
    STATES,
    alert,
    decision,
    judged,
    look,
    order,
    raise_to,
    record,
)
from tests.fakes.clock import START, FakeClock


@pytest.fixture
async def journal(tmp_path):
    opened, _ = SqliteJournal.open(tmp_path, FakeClock())
    yield opened
    await opened.close()


async def test_i15_intents_and_results(journal, tmp_path):
    """I15: each write has an intent before it (who, from, to, why, on what evidence), its result after."""
    await journal.record(record(decision=decision(Steady(PAST), Reason.NOTHING_NEW)))
    up = decision(
        reason=Reason.STARTED, actions=(raise_to(1_000),), judged=look(fed=((Tally(9, 1, 90, 2, 1.0),),))
    )
    await journal.record(record(decision=up))
    await journal.record(record(decision=decision(), noteworthy=False, outcome="moved"))
    facts = {"actor": "ann", "why": "it hurts", "weight": "10 %"}
    home = decision(
        STATES["rolling back"], Reason.ABORTED, facts=facts, actions=(raise_to(0),), obeyed=((1, ""),)
    )
    await journal.record(record(decision=home, at=LATER))
    await journal.record(record(decision=decision(Steady(PAST), Reason.ROLLED_BACK), outcome="written"))
    entries = read_only(tmp_path).history("prod/jazz")
    assert [entry.kind for entry in entries] == [
        "decision",
        "intent",
        "result",
        "intent",
        "result",
        "decision",
    ]
    _, started, moved, aborted, written, _ = entries
    assert (moved.said["of"], moved.said["outcome"]) == (started.id, "moved")
    assert (written.said["of"], written.said["outcome"]) == (aborted.id, "written")
    assert (started.said["before"], started.said["after"]) == (0, 1_000)
    assert (aborted.said["before"], aborted.said["after"]) == (1_000, 0)
    assert (aborted.at, aborted.said["actor"], aborted.said["epoch"]) == (LATER, "ann", 1)
    assert aborted.said["facts"] == facts
    assert aborted.said["reason"] == "ABORTED"
    assert started.said["origin"]["commit"] == ORIGIN.commit
    assert started.said["counted"][0][0]["canary_n"] == 9
    assert len(started.said["evidence"]) == 2
    assert read_only(tmp_path).verify() == ()


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (decision(actions=(raise_to(2_500),)), 2_500),
        (decision(), 1_000),
        (decision(STATES["rolling back"], Reason.WORSE), 0),
        (decision(Steady(PAST), Reason.ROLLED_BACK), 0),
        (decision(Steady(PAST), Reason.PROMOTED), EVERYTHING),
        (decision(Held(RAMPING, Why.LOWERED, Weight(500)), Reason.LOWERED), 500),
    ],
)
async def test_weights_before_and_after(journal, tmp_path, given, after):
    """An entry's weights are the canary's: of the last write, of the way home, of a promotion, of a hold."""
    await journal.record(record(decision=decision(actions=(raise_to(1_000),))))
    await journal.record(record(decision=given))
    assert [read_only(tmp_path).history("prod/jazz")[-1].said[key] for key in ("before", "after")] == [
        1_000,
        after,
    ]


async def test_people_are_in_the_history(journal, tmp_path):
    """I15: orders and freezes are audited with who and why, also those that concern everything."""
    await journal.order("prod/jazz", order(Verb.PAUSE, "lunch"))
    await journal.freeze(Freeze("", "bob", "holidays", START), lifted=False)
    await journal.freeze(Freeze("", "ann", "back again", LATER), lifted=True)
    (pause,) = read_only(tmp_path).history("prod/jazz")
    assert (pause.kind, pause.said["verb"], pause.said["actor"], pause.said["why"]) == (
        "order",
        "PAUSE",
        "ann",
        "lunch",
    )
    frozen, thawed = read_only(tmp_path).history("")
    assert (frozen.kind, frozen.said["actor"], thawed.kind, thawed.said["why"]) == (
        "freeze",
        "bob",
        "thaw",
        "back again",
    )


EDITS = {
    "changed": "UPDATE history SET entry = replace(entry, 'BAKING', 'WORSE') WHERE id = 3",
    "removed": "DELETE FROM history WHERE id = 3",
    "newest removed": "DELETE FROM history WHERE id = 5",
    "oldest removed": "DELETE FROM history WHERE id = 1",
    "slipped in": "INSERT INTO history (rollout, entry, hash) VALUES ('prod/jazz', '{}', '')",
    "all removed": "DELETE FROM history",
    "no record": "DELETE FROM chains",
    "moved": "UPDATE history SET rollout = 'prod/metal' WHERE id = 5",
}


@pytest.mark.parametrize("edit", EDITS)
async def test_i15_a_history_that_was_tampered_with_is_found(journal, tmp_path, edit):
    """I15: the chain shows every entry that was changed, removed, moved or slipped in."""
    for _ in range(5):
        await journal.record(record())
    assert await journal.verify() == ()
    with sqlite3.connect(tmp_path / FILE) as connection:
        assert connection.execute(EDITS[edit]).rowcount
    connection.close()
    assert await journal.verify()
    assert read_only(tmp_path).verify() == await journal.verify()


async def test_i14_history_is_bounded(journal, tmp_path):
    """I14: the newest entries of each rollout are kept, their chain still holds, neighbours lose nothing."""
    await journal.record(record("prod/metal"))
    count = pages.HISTORY + 7
    await asyncio.gather(*(journal.record(record(at=START + timedelta(seconds=at))) for at in range(count)))
    await journal.prune(LATER)
    reader = read_only(tmp_path)
    entries = reader.history("prod/jazz", 10**6)
    assert len(entries) == pages.HISTORY
    assert entries[-1].at == START + timedelta(seconds=count - 1)
    assert len(reader.history("prod/metal")) == 1
    assert reader.verify() == ()
    await journal.record(record())
    assert reader.verify() == ()


async def test_i14_evidence_is_bounded(journal, tmp_path):
    """I14: the newest looks of an attempt are kept, and those before back to where its record can be entered;
    and the newest attempts only, by when they were looked at: numbers begin anew where memory was lost.
    """
    entry = replace(look(7), checks=POLICY.analysis.checks, evidence=RAMPING.evidence)
    entries = {2, 7, pages.LOOKS}
    rows = [
        ("prod/jazz", 2, looks.written(replace(entry if number in entries else look(), number=number)))
        for number in range(1, pages.LOOKS + 10)
    ]
    plain = looks.written(look())
    rows = [(*key, plain) for key in [("prod/jazz", 9), ("prod/jazz", 1), ("prod/metal", 1)]] + rows
    rows += [("prod/jazz", attempt, plain) for attempt in (3, 4, 5)]
    await journal._writer.write(
        lambda connection: connection.executemany(
            "INSERT INTO evidence (rollout, attempt, at, weight, counted) "
            "VALUES (?, ?, '2026-03-02T00:00:00+00:00', 1000, ?)",
            rows,
        )
    )
    await journal.prune(LATER)
    reader = read_only(tmp_path)
    assert reader.journeys("prod/jazz") == (1, 2, 3, 4, 5)
    assert [one.number for one in reader.journey("prod/jazz", 2).looks] == [*range(7, pages.LOOKS + 10)]
    assert reader.journeys("prod/metal") == (1,)


async def test_a_look_that_cannot_be_read_is_left_out_and_named(journal, tmp_path):
    """A damaged row, or one of another version, costs its own look; its neighbours are believed."""
    for one in judged(look(1), look(2), look(3)):
        await journal.record(one)
    await journal._writer.write(
        lambda connection: connection.execute(
            "UPDATE evidence SET counted = '[{\"canary_n\":1}]' WHERE counted LIKE '%\"n\":2,%'"
        )
    )
    journey = read_only(tmp_path).journey("prod/jazz", 7)
    assert [one.number for one in journey.looks] == [1, 3]
    (said,) = journey.damaged
    assert said.startswith("2026-03-02T")
    assert said.endswith("it was written by another version")


async def test_i14_the_outbox_drops_news_and_never_a_way_home(journal):
    """I14: when too much is owed the oldest news go; rollbacks and pages stay; what went is counted."""
    kinds = {"news": Reason.STARTED, "home": Reason.WORSE, "page": Reason.MIXTURE}
    alerts = [("ops", alert(f"{kind}{number}", reason=kinds[kind])) for number in range(3) for kind in kinds]
    await journal.record(record(alerts=tuple(alerts)))
    await journal._writer.write(
        lambda connection: connection.executemany(
            "INSERT INTO outbox (sink, rollout, key, droppable, alert, next_try) "
            "VALUES ('x', 'r', ?, 0, '{}', '9')",
            [(str(number),) for number in range(pages.OWED - 7)],
        )
    )
    await journal.prune(START)
    owed = [one.alert.key for one in await journal.owed(START, 100)]
    assert owed == ["home0", "page0", "home1", "page1", "news2", "home2", "page2"]
    assert await journal.undelivered() == pages.OWED + 2


async def test_i14_orders_are_bounded(journal):
    """I14: orders that nobody obeys do not pile up without end, and are refused with a sentence."""
    for number in range(pages.ORDERS):
        await journal.order("prod/jazz", order(why=str(number)))
    with pytest.raises(Unavailable, match="100 orders wait for prod/jazz already"):
        await journal.order("prod/jazz", order(why="one more"))
    assert (await journal.order("prod/jazz", order(why="7"))).id == 8
    await journal.order("prod/metal", order())


async def test_i14_what_is_done_is_forgotten_after_a_month(journal, tmp_path):
    """I14: delivered alerts and obeyed orders go after 30 days; what still waits stays."""
    given = await journal.order("prod/jazz", order())
    await journal.order("prod/jazz", order(Verb.PAUSE))
    await journal.record(record(decision=decision(obeyed=((given.id, ""),)), alerts=(("ops", alert()),)))
    (dispatch,) = await journal.owed(START, 1)
    await journal.delivered(dispatch, START)
    for days, left in ((29, (2, 1)), (31, (1, 0))):
        await journal.prune(START + timedelta(days=days))
        with sqlite3.connect(tmp_path / FILE) as connection:
            counts = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM outbox)"
            assert connection.execute(counts).fetchone() == left
        connection.close()


async def test_i14_a_released_rollout_is_forgotten_after_a_year(journal, tmp_path):
    """I14, I3: what git gave up is remembered for a year, rejections included, then nothing is left."""
    await journal.record(record(decision=decision(Steady(PAST), Reason.RELEASED)))
    await journal.record(record("prod/metal"))
    await journal.prune(START + timedelta(days=364))
    assert [known.name for known in read_only(tmp_path).rollouts()] == ["prod/jazz", "prod/metal"]
    await journal.prune(START + timedelta(days=366))
    assert [known.name for known in read_only(tmp_path).rollouts()] == ["prod/metal"]
    assert read_only(tmp_path).history("prod/jazz") == ()
    assert read_only(tmp_path).verify() == ()


async def test_d1_a_commit_is_on_the_disk(journal):
    """D1: write-ahead log and an fsync at every commit, so that a power cut loses nothing that was told."""
    modes = ("journal_mode", "synchronous")
    found = [
        await journal._writer.read(lambda c, mode=mode: c.execute(f"PRAGMA {mode}").fetchone())
        for mode in modes
    ]
    assert found == [("wal",), (2,)]


async def test_a_hundred_looks_share_their_commits(journal):
    """Callers that wait while a commit is under way share the next one: 100 records, a handful of fsyncs."""
    said: list[str] = []
    await journal._writer.read(lambda connection: connection.set_trace_callback(said.append))
    await asyncio.gather(*(journal.record(record(f"prod/r{number}")) for number in range(100)))
    assert 1 <= said.count("COMMIT") <= 10


async def test_a_bug_stops_its_own_record_only(journal, tmp_path):
    """Work that fails by a bug raises to its own caller; those who shared its commit are not harmed."""
    works: list = [
        journal._writer.write(lambda _: 1 // 0),
        journal.record(record()),
        journal._writer.read(lambda _: vars(journal)["x"]),
    ]
    division, recorded, missing = await asyncio.gather(*works, return_exceptions=True)
    assert isinstance(division, ZeroDivisionError)
    assert isinstance(missing, KeyError)
    assert recorded is None
    await journal.record(record("prod/metal"))
    assert len(read_only(tmp_path).rollouts()) == 2


async def test_a_bug_does_not_let_an_older_record_land_after_a_newer_one(journal, tmp_path):
    """What shared a commit with a bug is done by itself in its turn, before what was asked later."""
    queued, failing, asked = threading.Event(), threading.Event(), threading.Event()

    def fails(_: sqlite3.Connection) -> None:
        failing.set()
        asked.wait()
        raise ZeroDivisionError

    tasks = [asyncio.ensure_future(journal._writer.read(lambda _: queued.wait()))]
    await asyncio.sleep(0)
    tasks.append(asyncio.ensure_future(journal.record(record(decision=decision(reason=Reason.PROBING)))))
    tasks.append(asyncio.ensure_future(journal._writer.write(fails)))
    await asyncio.sleep(0)
    queued.set()
    await asyncio.to_thread(failing.wait)
    tasks.append(asyncio.ensure_future(journal.record(record(decision=decision(reason=Reason.BAKING)))))
    await asyncio.sleep(0)
    asked.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[1:]] == [type(None), ZeroDivisionError, type(None)]
    (known,) = read_only(tmp_path).rollouts()
    assert known.decision == decision(reason=Reason.BAKING)


async def test_i12_an_alert_that_cannot_be_read_holds_up_no_other(journal, tmp_path, caplog):
    """It ends as one that did not arrive, is complained about once, and is counted as not delivered."""
    await journal.record(record(alerts=(("ops", alert("one")), ("ops", alert("two")))))
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE outbox SET alert = json_remove(alert, '$.headline') WHERE key = 'one'")
    connection.close()
    for _ in range(2):
        assert [one.alert.key for one in await journal.owed(START, 10)] == ["two"]
    assert caplog.text.count("journal.unreadable") == 1
    assert await journal.undelivered() == 2


async def test_a_caller_who_gives_up_harms_nobody(journal, tmp_path):
    """A cancelled pass is either remembered whole or not at all, and the others are."""
    tasks = [asyncio.ensure_future(journal.record(record(f"prod/r{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[13].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await journal.record(record())
    names = {known.name for known in read_only(tmp_path).rollouts()}
    assert names >= {f"prod/r{number}" for number in range(20)} - {"prod/r0", "prod/r13"}


async def test_d2_closing_finishes_what_was_asked(journal, tmp_path):
    """D2: what was asked before the end is durable; what comes after is refused with a sentence."""
    asked = [asyncio.ensure_future(journal.record(record(f"prod/r{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    await journal.close()
    await asyncio.gather(*asked)
    assert len(read_only(tmp_path).rollouts()) == 20
    with pytest.raises(Unavailable, match="is closed"):
        await journal.record(record())


async def test_reading_beside_the_daemon(journal, tmp_path):
    """While the daemon writes, a reader sees what was committed, since when it holds, and what waits."""
    await journal.accept("apps", SourceState("c1", problem="slow"), {"prod/jazz": POLICY})
    await journal.record(record(alerts=(("ops", alert()),)))
    await journal.record(record(at=LATER, noteworthy=False))
    await journal.order("prod/jazz", order())
    await journal.freeze(Freeze("", "ann", "x", START), lifted=False)
    reader = read_only(tmp_path)
    (known,) = reader.rollouts()
    assert (known.name, known.at, known.since, known.damaged) == ("prod/jazz", LATER, START, "")
    assert (known.decision, known.policy, known.origin) == (decision(), POLICY, ORIGIN)
    assert reader.policies() == {"prod/jazz": POLICY}
    assert reader.sources() == {"apps": SourceState("c1", problem="slow")}
    assert [one.verb for one in reader.orders()["prod/jazz"]] == [Verb.ABORT]
    assert [freeze.actor for freeze in reader.freezes()] == ["ann"]
    assert reader.undelivered(START) == 1


async def test_reading_without_a_daemon(tmp_path):
    """After the daemon ended, however it ended, all of it can still be read."""
    journal, _ = SqliteJournal.open(tmp_path / "state", FakeClock())
    await journal.record(record())
    shutil.copytree(tmp_path / "state", tmp_path / "killed")  # with the WAL, as kill -9 leaves it
    await journal.close()
    for folder in ("state", "killed"):
        assert [known.name for known in read_only(tmp_path / folder).rollouts()] == ["prod/jazz"]


READ = "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import os\n"
READ += "from rollout.adapters.journals.reader import read_only\n"
READ += "os.getuid() or os.setuid(65534)\n"
READ += "print(*[known.name for known in read_only(Path(sys.argv[2])).rollouts()])"


async def written_and_closed(directory: Path) -> None:
    journal, _ = SqliteJournal.open(directory, FakeClock())
    await journal.record(record())
    await journal.close()


def test_reading_on_a_read_only_disk():
    """Where nothing can be made beside the file, it can be read all the same (as a user whom modes bind)."""
    folder = Path(tempfile.mkdtemp())
    asyncio.run(written_and_closed(folder / "state"))
    if os.getuid() == 0:
        for path in (folder, folder / "state", folder / "state" / FILE):
            os.chown(path, 65534, 65534)
    (folder / "state").chmod(0o500)
    command = [sys.executable, "-c", READ, str(Path(__file__).parents[3]), str(folder / "state")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    (folder / "state").chmod(0o700)
    shutil.rmtree(folder)
    assert (made.stdout, made.stderr) == ("prod/jazz\n", "")


def test_reading_what_is_not_there(tmp_path):
    """Without a journal the answer says what to start."""
    with pytest.raises(Unavailable, match=r"there is no journal at .*: has `rollout run` been started"):
        read_only(tmp_path).rollouts()
    (tmp_path / FILE).touch()
    with pytest.raises(Unavailable, match="is still empty"):
        read_only(tmp_path).rollouts()
    (tmp_path / FILE).write_bytes(b"x" * 5_000)
    with pytest.raises(Unavailable, match="it is damaged: restart the daemon"):
        read_only(tmp_path).rollouts()


async def test_a_policy_without_a_rollout_is_listed(journal, tmp_path):
    """A policy that was never looked at is known by its policy alone."""
    await journal.accept("apps", SourceState("c1"), {"prod/jazz": POLICY})
    assert read_only(tmp_path).rollouts() == ()
    assert set(read_only(tmp_path).policies()) == {"prod/jazz"}


async def test_p5_of_two_sources_that_claim_a_name_the_owner_is_shown(journal, tmp_path):
    """Who reads from outside sees the policy that the rollout goes by, not the newcomer's."""
    await journal.accept("apps", SourceState("c1"), {"prod/jazz": POLICY})
    await journal.record(record())
    for source in ("aaa", "zzz"):
        await journal.accept(source, SourceState("d1"), {"prod/jazz": replace(POLICY, suspend=True)})
    assert read_only(tmp_path).policies() == {"prod/jazz": POLICY}
    (known,) = read_only(tmp_path).rollouts()
    assert known.policy == POLICY


async def test_i12_a_damaged_origin_harms_nothing_else(journal, tmp_path):
    """A rollout's row whose origin cannot be read is shown without it."""
    await journal.record(record())
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE rollouts SET origin = 'x'")
    connection.close()
    (known,) = read_only(tmp_path).rollouts()
    assert (known.origin, known.decision) == (Origin(), decision())


async def test_since_begins_with_the_reason(journal, tmp_path):
    """`since` is when the present reason began, not when the rollout was last looked at."""
    await journal.record(record())
    await journal.record(record(decision=decision(reason=Reason.PROBING), at=LATER))
    await journal.record(record(decision=decision(reason=Reason.PROBING), at=LATER + timedelta(seconds=9)))
    (known,) = read_only(tmp_path).rollouts()
    assert (known.since, known.at) == (LATER, LATER + timedelta(seconds=9))


async def test_odd_text_is_kept(journal, tmp_path):
    """Names and reasons from git and people may hold anything that Python can; it comes back as it was."""
    odd = "a\x00b \udcff ☂ \u202e'\";--"
    past = Past(stable=Revision("v1", odd), route=POLICY.route)
    given = decision(Steady(past), Reason.PAUSED, facts={"actor": odd, "why": odd, "share": float("inf")})
    await journal.record(record(decision=given, outcome=odd, origin=replace(ORIGIN, author=odd)))
    assert (await journal.order("prod/jazz", order(why=odd))).why == odd
    (known,) = read_only(tmp_path).rollouts()
    assert (known.decision, known.origin.author) == (given, odd)
    assert read_only(tmp_path).history("prod/jazz")[0].said["outcome"] == odd
