"""Reading the journal from outside, whether the daemon runs or not: nothing is written, no lock is taken."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rollout.adapters.journals import chain, looks, rows, schema
from rollout.adapters.journals.outbox import undelivered
from rollout.adapters.journals.writer import explain
from rollout.core.model import Decision, Judged, Order, Origin, Policy
from rollout.core.replay import settled
from rollout.ports import Freeze, SourceState, Unavailable

FILE = "journal.sqlite"


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows of one rollout: its present decision, since when its reason holds, when it was
    last looked at (of a resting one: last written), and the policy in force, if git still has one.

    ``damaged`` says why a row was not believed; the other values are then empty.
    """

    name: str
    at: datetime
    since: datetime
    decision: Decision | None
    policy: Policy | None
    origin: Origin
    damaged: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. ``kind``: ``decision``, ``intent`` (a decision that writes), ``result`` (what
    became of an intent), ``order``, ``freeze`` or ``thaw``; ``said`` is what was written down then.
    """

    id: int
    at: datetime
    kind: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Journey:
    """What is kept of the looks at one canary. ``damaged``: what is wrong with looks that are left out."""

    attempt: int
    looks: tuple[Judged, ...]
    damaged: tuple[str, ...] = ()


class Reader:
    """Each method opens the file, reads one snapshot and closes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rollouts(self) -> Sequence[Known]:
        """All rollouts, in order of name."""
        with self._open() as connection:
            policies = _in_force(connection)
            decisions = dict(rows.decisions(connection))
            found = connection.execute(
                "SELECT name, at, since, origin FROM rollouts ORDER BY name"
            ).fetchall()
        return tuple(
            _known(name, at, since, origin, decisions[name], policies.get(name))
            for name, at, since, origin in found
        )

    def policies(self) -> Mapping[str, Policy]:
        """The policies in force, those of rollouts that were never looked at included."""
        with self._open() as connection:
            found = _in_force(connection)
        return {name: policy for name, policy in found.items() if isinstance(policy, Policy)}

    def history(self, name: str = "", limit: int = 100) -> Sequence[Entry]:
        """The newest entries of a rollout, oldest first; of ``""``: freezes of everything."""
        query = "SELECT id, entry FROM history WHERE rollout = ? ORDER BY id DESC LIMIT ?"
        with self._open() as connection:
            found = connection.execute(query, (name, limit)).fetchall()
        return tuple(_entry(number, json.loads(entry)) for number, entry in reversed(found))

    def journeys(self, name: str) -> Sequence[int]:
        """The attempts whose looks are kept, the one looked at last at the end."""
        query = "SELECT attempt FROM evidence WHERE rollout = ? GROUP BY attempt ORDER BY max(id)"
        with self._open() as connection:
            return tuple(attempt for (attempt,) in connection.execute(query, (name,)))

    def journey(self, name: str, attempt: int) -> Journey:
        """One attempt's record, oldest look first."""
        query = "SELECT at, weight, counted FROM evidence WHERE rollout = ? AND attempt = ? ORDER BY id"
        found: list[Judged] = []
        damaged: list[str] = []
        with self._open() as connection:
            for at, weight, counted in connection.execute(query, (name, attempt)):
                try:
                    found.append(looks.read(at, weight, counted))
                except ValueError as error:
                    damaged.append(f"{at}: {error}")
        return Journey(attempt, settled(found), tuple(damaged))

    def sources(self) -> Mapping[str, SourceState]:
        """How far each source is."""
        with self._open() as connection:
            return rows.sources(connection)

    def orders(self) -> Mapping[str, tuple[Order, ...]]:
        """The orders that wait."""
        with self._open() as connection:
            return rows.orders(connection)

    def freezes(self) -> Sequence[Freeze]:
        """The freezes in force."""
        with self._open() as connection:
            return rows.freezes(connection)

    def undelivered(self, now: datetime) -> int:
        """How many alerts are owed, or were given up in the last 24 hours."""
        with self._open() as connection:
            return undelivered(connection, now - timedelta(hours=24))

    def verify(self) -> Sequence[str]:
        """What is wrong with the file or the audit's chains; nothing when all is well."""
        with self._open() as connection:
            problems = [found for (found,) in connection.execute("PRAGMA quick_check(10)") if found != "ok"]
            return (*problems, *chain.verify(connection))

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return reading(self._path)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One snapshot of a journal's file.

    Raises:
        Unavailable: it is not there, or cannot be read.
    """
    if not path.exists():
        raise Unavailable(f"there is no journal at {path}: has `rollout run` been started with this `state`?")
    try:
        connection = _connect(path)
    except sqlite3.Error as error:
        raise explain(path, error) from error
    try:
        connection.execute("BEGIN")
        if not schema.ready(connection, path):
            raise Unavailable(f"the journal {path} is still empty")
        yield connection
    except sqlite3.Error as error:
        raise explain(path, error) from error
    finally:
        connection.close()


def read_only(directory: Path) -> Reader:
    """The journal of a state directory, to look at."""
    return Reader(directory / FILE)


def _connect(path: Path) -> sqlite3.Connection:
    """To read on a disk that takes nothing, too: where the index that is shared cannot be made anew, SQLite
    makes one in memory; where there is none at all and no WAL either, all is in the main file.
    """
    modes = ["ro", "unshared"] if path.with_name(path.name + "-wal").exists() else ["ro", "immutable"]
    try:
        return _probed(path, modes[0])
    except sqlite3.OperationalError:
        return _probed(path, modes[1])


def _probed(path: Path, mode: str) -> sqlite3.Connection:
    connection = schema.connect(path, mode=mode)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _in_force(connection: sqlite3.Connection) -> dict[str, Policy | str]:
    """Each name's policy, or why it is not believed: of several sources that claim it, the owner's."""
    owners = rows.owners(connection)
    found: dict[str, Policy | str] = {}
    for name, source, policy in rows.policies(connection):
        if name not in found or owners.get(name) == source:
            found[name] = policy
    return found


def _known(
    name: str, at: str, since: str, origin: str, decision: Decision | str, policy: Policy | str | None
) -> Known:
    return Known(
        name=name,
        at=datetime.fromisoformat(at),
        since=datetime.fromisoformat(since),
        decision=decision if isinstance(decision, Decision) else None,
        policy=policy if isinstance(policy, Policy) else None,
        origin=rows.origin(name, origin),
        damaged=next((row for row in (decision, policy) if isinstance(row, str)), ""),
    )


def _entry(number: int, said: dict[str, Any]) -> Entry:
    kind, at = said.pop("kind"), said.pop("at")
    return Entry(number, datetime.fromisoformat(at), kind, MappingProxyType(said))
