"""The journal under kill -9, a full disk and a damaged file."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rollout.adapters.journals.reader import FILE, read_only
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.core.model import Ramping
from rollout.ports import Refused, SourceState, Unavailable
from tests.contract.journal import POLICY, RAMPING, decision, raise_to, record
from tests.fakes.clock import START, FakeClock
from tests.unit.adapters.journal_child import record as written

CHILD = [sys.executable, str(Path(__file__).parent / "journal_child.py")]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
KILLS = int(os.environ.get("JOURNAL_KILLS", "40"))


@pytest.fixture
async def opening():
    """Opens journals, and closes them when the test is over."""
    opened = []

    def at(directory: Path, *more: Path):
        journal, found = SqliteJournal.open(directory, FakeClock(), *more)
        opened.append(journal)
        return journal, found

    yield at
    for journal in opened:
        await journal.close()


def last_told(directory: Path) -> tuple[dict[str, int], list[int]]:
    """The highest count of each rollout that a child was told is durable, and the epochs that were begun."""
    counts: dict[str, int] = {}
    epochs: list[int] = []
    for line in (directory / "told").read_text(encoding="ascii").splitlines():
        name, count = line.split()
        if name == "epoch":
            epochs.append(int(count))
        else:
            counts[name] = int(count)
    return counts, epochs


def await_lines(told: Path, more: int) -> None:
    """Until the child was told so much more: a moment that no slow machine can move out of the work."""
    wanted = lines_of(told) + more
    deadline = time.monotonic() + 10
    while lines_of(told) < wanted and time.monotonic() < deadline:
        time.sleep(0.001)


def lines_of(told: Path) -> int:
    return told.read_bytes().count(b"\n") if told.exists() else 0


def test_d1_kill_9_loses_and_tears_nothing(tmp_path: Path):
    """D1, I4, I6: killed at any moment, the journal holds all it said is durable, in whole transactions."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    chance = random.Random(seed)
    with subprocess.Popen([*CHILD, "commits"], stdin=-1, stdout=-1, text=True, env=ENVIRONMENT) as zygote:
        assert zygote.stdin
        assert zygote.stdout
        for _ in range(KILLS):
            zygote.stdin.write(f"{tmp_path}\n")
            zygote.stdin.flush()
            pid = int(zygote.stdout.readline())
            await_lines(tmp_path / "told", chance.choice((0, 1, 2, 5, 20, 60)))
            time.sleep(chance.uniform(0.0, 0.01))
            os.kill(pid, signal.SIGKILL)
        zygote.stdin.close()
        zygote.wait(timeout=60)
    told, epochs = last_told(tmp_path)
    assert epochs == sorted(set(epochs))
    assert sum(told.values()) > KILLS
    reader = read_only(tmp_path / "state")
    assert reader.verify() == ()
    for known in reader.rollouts():
        assert known.decision
        count = int(known.decision.facts["count"])
        assert told.get(known.name, 0) <= count <= told.get(known.name, 0) + len(epochs)
        assert known.decision == record_of(known.name, count)
        entries = [entry for entry in reader.history(known.name, 10**6) if entry.kind == "intent"]
        assert [entry.said["facts"]["count"] for entry in entries] == list(range(1, count + 1))
        assert owed(tmp_path, known.name) == [f"{known.name}/{number}" for number in range(1, count + 1)]


def record_of(name: str, count: int):
    return written(name, count).decision


def owed(directory: Path, name: str) -> list[str]:
    with sqlite3.connect(directory / "state" / FILE) as connection:
        rows = connection.execute("SELECT key FROM outbox WHERE rollout = ? ORDER BY id", (name,)).fetchall()
    connection.close()
    return [key for (key,) in rows]


def test_q1_a_disk_that_takes_no_more(tmp_path: Path):
    """Q1: a file that cannot grow is refused in a sentence and keeps what it had; with room it goes on."""
    made = subprocess.run(
        [*CHILD, "fills", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert made.stderr == ""
    told = json.loads(made.stdout)
    assert "the disk does not take it (I/O error)" in told["said"]
    rollouts = {known.name: known.decision for known in read_only(tmp_path / "state").rollouts()}
    assert rollouts["prod/r1"]
    assert rollouts["prod/r0"]
    assert int(rollouts["prod/r0"].facts["count"]) in {told["refused"] - 1, told["refused"]}
    assert read_only(tmp_path / "state").verify() == ()


@pytest.mark.parametrize(
    ("pragma", "said"),
    [
        ("PRAGMA max_page_count = 1", "the disk is full: make room, it goes on by itself (SQLITE_FULL)"),
        (
            "PRAGMA query_only = ON",
            "it is read-only: remount the disk or mend the permissions, it goes on by itself",
        ),
    ],
)
async def test_q1_full_or_read_only(opening, tmp_path: Path, pragma: str, said: str):
    """Q1: a full or read-only disk is told with what to do about it, and the next record tries again."""
    journal, _ = opening(tmp_path)
    await journal._writer.read(lambda connection: connection.execute(pragma).fetchall())
    big = record(at=START, decision=decision(facts={"much": "x" * 100_000}))
    with pytest.raises(Unavailable) as error:
        await journal.record(big)
    assert str(error.value).startswith(f"the journal {tmp_path / FILE} cannot be used: {said}")
    await journal.record(big)
    await journal.close()
    _, found = opening(tmp_path)
    assert found.decisions["prod/jazz"].facts == big.decision.facts


async def filled(directory: Path, rollouts: int = 40) -> None:
    journal, _ = SqliteJournal.open(directory, FakeClock())
    for number in range(rollouts):
        await journal.record(record(f"prod/r{number}"))
    await journal.accept("apps", SourceState("c1"), {"prod/jazz": POLICY})
    await journal.close()


def overwrite(file: Path, offset: int, text: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(text)


def by_hand(file: Path, edit: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(edit)
    connection.close()


@pytest.mark.parametrize("harm", ["header", "pages", "cut", "garbage", "table", "epoch"])
async def test_q2_a_damaged_journal_is_set_aside(opening, tmp_path: Path, harm: str, caplog):
    """Q2: a damaged file neither stops the daemon nor is believed: it is kept, and all is observed anew."""
    await filled(tmp_path)
    file = tmp_path / FILE
    match harm:
        case "header":
            overwrite(file, 0, b"no database at all")
        case "pages":
            for page in range(1, file.stat().st_size // 4_096):
                overwrite(file, page * 4_096, os.urandom(512))
        case "cut":
            os.truncate(file, file.stat().st_size // 2)
        case "garbage":
            file.write_bytes(os.urandom(100_000))
        case "table":
            by_hand(file, "DROP TABLE outbox")
        case "epoch":
            by_hand(file, "UPDATE meta SET value = 'many' WHERE key = 'epoch'")
    harmed = file.read_bytes()
    journal, found = opening(tmp_path)
    assert (found.new, found.epoch, found.states) == (True, 1, {})
    (kept,) = tmp_path.glob("*.damaged-*")  # noqa: ASYNC240 - a test may wait for its disk
    assert kept.name == f"{FILE}.damaged-20260302T090000Z"
    assert kept.read_bytes() == harmed
    assert "journal.damaged" in caplog.text
    await journal.record(record())
    await journal.close()


async def test_q2_a_lost_journal_is_a_new_one(opening, tmp_path: Path):
    """Q2: without a journal nothing is remembered, and the start says that it is new."""
    await filled(tmp_path)
    (tmp_path / FILE).unlink()
    _, found = opening(tmp_path)
    assert (found.new, found.epoch, found.policies) == (True, 1, {})


async def test_q2_an_empty_file_is_a_new_journal(opening, tmp_path: Path):
    """A crash before the first commit leaves an empty file: the next start begins in it."""
    (tmp_path / FILE).touch(mode=0o600)
    _, found = opening(tmp_path)
    assert (found.new, found.epoch) == (True, 1)


async def test_q2_an_old_copy_counts_from_its_own_epoch(opening, tmp_path: Path):
    """Q2: a restored backup begins an epoch that the routes have seen pass: that is how it is recognised."""
    await filled(tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "backup")
    for _ in range(3):
        journal, newest = opening(tmp_path / "state")
        await journal.close()
    shutil.rmtree(tmp_path / "state")
    shutil.copytree(tmp_path / "backup", tmp_path / "state")
    _, found = opening(tmp_path / "state")
    assert found.epoch < newest.epoch


@pytest.mark.parametrize("table", ["rollouts", "policies"])
async def test_row_15_an_edited_row_is_not_believed(opening, tmp_path: Path, table: str, caplog):
    """FAILURES 3, row 15: who edits a weight or limit in the file gets a rollout without memory, held."""
    journal, _ = opening(tmp_path)
    await journal.record(record(decision=decision(actions=(raise_to(1_000),))))
    await journal.record(record("prod/metal"))
    await journal.accept("apps", SourceState("c1"), {"prod/jazz": POLICY})
    await journal.close()
    column = {"rollouts": "decision", "policies": "policy"}[table]
    edit = f"UPDATE {table} SET {column} = replace({column}, '1000', '9000') WHERE name = 'prod/jazz'"  # noqa: S608
    with sqlite3.connect(tmp_path / FILE) as connection:
        assert connection.execute(edit).rowcount == 1
    connection.close()
    _, found = opening(tmp_path)
    assert isinstance(found.states["prod/metal"], Ramping)
    if table == "rollouts":
        assert "prod/jazz" not in found.states
        assert found.policies == {"apps": {"prod/jazz": POLICY}}
    else:
        assert found.states["prod/jazz"] == RAMPING
        assert found.policies == {}
        assert found.sources["apps"].accepted is None
    assert "journal.unreadable" in caplog.text
    damaged = {known.name: known.damaged for known in read_only(tmp_path).rollouts()}
    assert damaged == {
        "prod/jazz": "the row is not what was written (changed by hand, or a damaged disk)",
        "prod/metal": "",
    }


async def test_i12_a_row_that_cannot_be_read_stands_alone(opening, tmp_path: Path, caplog):
    """I12: a source, order or freeze that cannot be read harms no other, and a freeze stays a freeze."""
    await filled(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("INSERT INTO sources VALUES ('more', '{\"accepted\": 7}')")
        connection.execute("INSERT INTO orders (rollout, given) VALUES ('prod/r1', 'nonsense')")
        connection.execute("INSERT INTO freezes VALUES ('', '[]')")
    connection.close()
    _, found = opening(tmp_path)
    assert found.sources == {"apps": SourceState("c1"), "more": SourceState()}
    assert found.orders == {}
    assert [freeze.name for freeze in found.freezes] == [""]
    assert caplog.text.count("journal.unreadable") == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("PRAGMA user_version = 2", "was written by a newer rollout (journal version 2, this one knows 1)"),
        ("PRAGMA application_id = 7", "is a database, but not a journal of rollout"),
    ],
)
async def test_another_program_s_file_is_left_alone(opening, tmp_path: Path, change: str, said: str):
    """A newer version's journal, or another program's file, is refused and stays as it is."""
    await filled(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(change)
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(Refused) as error:
        opening(tmp_path)
    assert said in str(error.value)
    assert (tmp_path / FILE).read_bytes() == before
    with pytest.raises(Refused):
        read_only(tmp_path).rollouts()


async def test_q2_a_journal_that_is_moved_away_while_it_is_written(opening, tmp_path: Path):
    """Q2: what is written to a file that no start will find is not remembered, and is said not to be."""
    journal, _ = opening(tmp_path)
    await journal.record(record())
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="was moved or deleted while the daemon ran: restart it"):
        await journal.record(record())
    (tmp_path / "elsewhere").rename(tmp_path / FILE)
    await journal.record(record("prod/metal"))
    await journal.close()
    _, found = opening(tmp_path)
    assert set(found.states) == {"prod/jazz", "prod/metal"}
