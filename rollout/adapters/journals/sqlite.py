"""The journal in a file: SQLite in WAL mode, every commit on the disk before the mesh is touched.

One connection writes, on a thread of its own. The daemon's lock is not the database's: readers may look at
any time, also while no daemon runs.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from rollout.adapters.journals import chain, outbox, pages, place, rows, schema
from rollout.adapters.journals.reader import FILE, reading
from rollout.adapters.journals.writer import Writer, explain
from rollout.core.model import Decision, Order, Policy
from rollout.ports import (
    Alert,
    Clock,
    Dispatch,
    Freeze,
    Record,
    Refused,
    Remembered,
    SourceState,
    Unavailable,
)

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_REPORTED = timedelta(hours=24)

log = logging.getLogger(__name__)


class SqliteJournal:
    """``ports.Journal`` and ``ports.Outbox``; ``open`` makes one."""

    def __init__(self, writer: Writer, clock: Clock, epoch: int) -> None:
        self._writer = writer
        self._clock = clock
        self._epoch = epoch

    @classmethod
    def open(
        cls, directory: Path, clock: Clock, mounts: Path = place.MOUNTS
    ) -> tuple[SqliteJournal, Remembered]:
        """Open the journal of a state directory, make it if there is none, and begin a new epoch.

        A damaged file is renamed to ``*.damaged-<time>`` and a new one begun, as if it had been lost. One
        that cannot be written is read and keeps its epoch; writes fail until the disk takes one again.

        Raises:
            Refused: the place cannot be trusted, or the file is another program's or a newer version's.
            Unavailable: the disk does not take it, and nothing is there to be read.
        """
        place.prepare(directory, mounts)
        path = directory / FILE
        for beside in ("", "-wal", "-shm"):
            place.check_file(path.with_name(FILE + beside))
        connection: sqlite3.Connection | None
        try:
            try:
                connection, remembered = _begin(path, clock)
            except (sqlite3.DatabaseError, ValueError) as error:
                if not _damaged(error):
                    raise
                _set_aside(path, clock.now())
                connection, remembered = _begin(path, clock)
        except (sqlite3.Error, OSError, Unavailable) as error:
            trouble = error if isinstance(error, Unavailable) else explain(path, error)
            connection, remembered = None, _read_only(path, trouble)
        return cls(Writer(path, connection), clock, remembered.epoch), remembered

    async def record(self, record: Record) -> None:
        page = pages.Page.of(record)
        await self._writer.write(lambda connection: pages.write(connection, page, self._epoch))

    async def accept(
        self,
        source: str,
        state: SourceState,
        policies: Mapping[str, Policy] | None,
        alerts: Sequence[tuple[str, Alert]] = (),
    ) -> None:
        reached, owed, now = rows.text(state), outbox.written(alerts), self._clock.now()
        written = None if policies is None else {name: rows.text(policy) for name, policy in policies.items()}
        await self._writer.write(
            lambda connection: pages.accept(connection, source, reached, written, owed, now)
        )

    async def order(self, name: str, order: Order) -> Order:
        number = await self._writer.write(lambda connection: pages.order(connection, name, order))
        if number is None:
            raise Unavailable(f"{pages.ORDERS} orders wait for {name} already: is the daemon looking at it?")
        return replace(order, id=number)

    async def freeze(self, freeze: Freeze, *, lifted: bool) -> None:
        await self._writer.write(lambda connection: pages.freeze(connection, freeze, lifted=lifted))

    async def owed(self, now: datetime, limit: int, sink: str | None = None) -> Sequence[Dispatch]:
        return await self._writer.read(lambda connection: outbox.owed(connection, now, limit, sink))

    async def delivered(self, dispatch: Dispatch, at: datetime) -> None:
        await self._writer.write(lambda connection: outbox.delivered(connection, dispatch, at))

    async def failed(self, dispatch: Dispatch, why: str, next_try: datetime | None) -> None:
        now, said = self._clock.now(), rows.text(why)
        await self._writer.write(lambda connection: outbox.failed(connection, dispatch, said, next_try, now))

    async def undelivered(self) -> int:
        since = self._clock.now() - _REPORTED
        return await self._writer.read(lambda connection: outbox.undelivered(connection, since))

    async def prune(self, now: datetime) -> None:
        """Housekeeping: apply the limits on history, evidence, orders and outbox."""
        await self._writer.write(lambda connection: pages.prune(connection, now))

    async def verify(self) -> tuple[str, ...]:
        """What is wrong with the audit's chains."""
        return await self._writer.read(lambda connection: tuple(chain.verify(connection)))

    async def close(self) -> None:
        """Finish what is under way and let go of the file."""
        await self._writer.close()


def _begin(path: Path, clock: Clock) -> tuple[sqlite3.Connection, Remembered]:
    place.create(path)
    connection = schema.connect(path)
    try:
        known = schema.ready(connection, path)
        if not known:
            schema.create(connection)
        problems = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problems != "ok":
            raise sqlite3.DatabaseError(f"damaged: {problems}")
        epoch = _claim(connection, clock.now())
        return connection, _remember(connection, epoch, new=not known)
    except (sqlite3.Error, Refused, ValueError):
        with suppress(sqlite3.Error):
            connection.close()
        raise


def _read_only(path: Path, trouble: Unavailable) -> Remembered:
    """What is remembered, from a disk that takes nothing: nobody may rise on it, everybody can go home.

    Raises:
        Unavailable: ``trouble``, with what to do; the file cannot be read either.
    """
    try:
        with reading(path) as connection:
            [(epoch,)] = connection.execute("SELECT value FROM meta WHERE key = 'epoch'")
            remembered = _remember(connection, int(epoch), new=False)
    except (Unavailable, ValueError) as unread:
        raise Unavailable(
            f"{trouble}; make room, or chown it to the daemon's user, or name another directory in `state`"
        ) from unread
    log.error("journal.unwritable", extra={"detail": str(trouble)})
    return remembered


def _claim(connection: sqlite3.Connection, now: datetime) -> int:
    connection.execute("BEGIN IMMEDIATE")
    row = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    epoch = (int(row[0]) if row else 0) + 1
    boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.exists() else ""
    facts = (("epoch", str(epoch)), ("boot", boot), ("started", rows.instant(now)))
    connection.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", facts)
    connection.execute("COMMIT")
    return epoch


def _remember(connection: sqlite3.Connection, epoch: int, *, new: bool) -> Remembered:
    sources = rows.sources(connection)
    policies: dict[str, dict[str, Policy]] = {}
    for name, source, policy in rows.policies(connection):
        if isinstance(policy, Policy):
            policies.setdefault(source, {})[name] = policy
        else:
            log.error("journal.unreadable", extra={"policy": name, "source": source, "why": policy})
            # Read again from the beginning, git still has it.
            sources[source] = replace(sources.get(source, SourceState()), accepted=None)
    decisions: dict[str, Decision] = {}
    for name, decision in rows.decisions(connection):
        if isinstance(decision, Decision):
            decisions[name] = decision
        else:
            log.error("journal.unreadable", extra={"rollout": name, "why": decision})
    return Remembered(
        epoch=epoch,
        new=new,
        states={name: decision.state for name, decision in decisions.items()},
        decisions=decisions,
        policies=policies,
        sources=sources,
        orders=rows.orders(connection),
        freezes=rows.freezes(connection),
        owners=rows.owners(connection),
    )


def _damaged(error: sqlite3.DatabaseError | ValueError) -> bool:
    name = getattr(error, "sqlite_errorname", None)
    lacks = str(error).startswith("no such")  # a table or column of a version that we know
    return name is None or lacks or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _set_aside(path: Path, now: datetime) -> None:
    stamp = f".damaged-{now:%Y%m%dT%H%M%SZ}"
    for beside in ("", "-wal", "-shm"):
        file = path.with_name(path.name + beside)
        if file.exists():
            file.rename(file.with_name(file.name + stamp))
    log.error("journal.damaged", extra={"kept": path.name + stamp})
