"""Alerts that are owed: what is due, what became of it, how much is left."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from rollout.adapters.journals import rows
from rollout.ports import LONGEST_WAIT, Alert, Dispatch

log = logging.getLogger(__name__)

IN_ORDER_TRIES = 5
"""News about one rollout stays in order at a sink: nothing overtakes what waits for its next try, until that
has failed so often that it may be the message itself which is not wanted."""


Owed = tuple[tuple[str, str, str, bool, str], ...]
"""Alerts as they are kept: sink, rollout, key, whether they may be dropped, text."""


def written(alerts: Sequence[tuple[str, Alert]]) -> Owed:
    """Put (sink, alert) pairs into text."""
    return tuple(
        (sink, alert.rollout, alert.key, rows.droppable(alert), rows.text(alert)) for sink, alert in alerts
    )


def owe(connection: sqlite3.Connection, alerts: Owed, at: datetime) -> None:
    """They are due from now on. A key is one message: the second telling of a transition is not owed."""
    connection.executemany(
        "INSERT OR IGNORE INTO outbox (sink, rollout, key, droppable, alert, next_try) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [(*alert, rows.instant(at)) for alert in alerts],
    )


def owed(
    connection: sqlite3.Connection, now: datetime, limit: int, sink: str | None = None
) -> Sequence[Dispatch]:
    """What is due (at one sink), oldest first. A row that cannot be read has not arrived, and ends."""
    found = connection.execute(
        "SELECT id, sink, alert, tries, next_try FROM outbox AS due "
        "WHERE ended IS NULL AND (next_try <= :now OR next_try > :far) AND sink = coalesce(:sink, sink) "
        "AND NOT EXISTS (SELECT 1 FROM outbox AS elder "
        "WHERE elder.ended IS NULL AND elder.sink = due.sink AND elder.rollout = due.rollout "
        "AND elder.id < due.id AND elder.next_try > :now AND elder.next_try <= :far "
        "AND elder.tries < :tries) "
        "ORDER BY id LIMIT :limit",
        {
            "now": rows.instant(now),
            "far": rows.instant(now + LONGEST_WAIT),
            "tries": IN_ORDER_TRIES,
            "limit": limit,
            "sink": sink,
        },
    )
    due = []
    for row in found.fetchall():
        try:
            due.append(rows.dispatch(row))
        except ValueError as error:
            _give_up(connection, row[0], f"its row cannot be read: {error}", now)
    return tuple(due)


def _give_up(connection: sqlite3.Connection, number: int, why: str, now: datetime) -> None:
    """Nobody can send it, and it must not stand in the way of the others."""
    log.error("journal.unreadable", extra={"alert": number, "why": why})
    query = "UPDATE outbox SET ended = ?, why = ? WHERE id = ?"
    with suppress(sqlite3.OperationalError):  # a full disk: it is left out all the same
        connection.execute(query, (rows.instant(now), rows.text(why), number))


def delivered(connection: sqlite3.Connection, dispatch: Dispatch, at: datetime) -> None:
    """It arrived."""
    connection.execute(
        "UPDATE outbox SET ended = ?, arrived = 1, tries = tries + 1 WHERE id = ? AND ended IS NULL",
        (rows.instant(at), dispatch.id),
    )


def failed(
    connection: sqlite3.Connection, dispatch: Dispatch, why: str, next_try: datetime | None, now: datetime
) -> None:
    """It did not arrive; without a next try it ends."""
    connection.execute(
        "UPDATE outbox SET tries = tries + 1, next_try = coalesce(?, next_try), ended = ?, why = ? "
        "WHERE id = ? AND ended IS NULL",
        (
            rows.instant(next_try) if next_try else None,
            None if next_try else rows.instant(now),
            why,
            dispatch.id,
        ),
    )


def undelivered(connection: sqlite3.Connection, since: datetime) -> int:
    """How many are owed, or were given up after ``since``."""
    query = "SELECT count(*) FROM outbox WHERE ended IS NULL OR (arrived = 0 AND ended > ?)"
    return int(connection.execute(query, (rows.instant(since),)).fetchone()[0])
