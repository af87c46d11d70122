"""The tables, and how a connection to them is opened.

All free text lies in JSON (ASCII), so that no odd character in a commit's author can make a row unwritable.
Instants are ISO 8601 in UTC with microseconds: they sort as text.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from rollout.ports import Refused

VERSION = 1
APPLICATION = 0x524F_4C4C  # "ROLL", in the file's header
BUSY_SECONDS = 1.0

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE rollouts (
    name TEXT PRIMARY KEY, at TEXT NOT NULL, since TEXT NOT NULL, reason TEXT NOT NULL,
    weight INTEGER NOT NULL, decision TEXT NOT NULL, origin TEXT NOT NULL, seal TEXT NOT NULL
);
CREATE TABLE policies (
    source TEXT NOT NULL, name TEXT NOT NULL, policy TEXT NOT NULL, seal TEXT NOT NULL,
    PRIMARY KEY (source, name)
);
CREATE TABLE sources (name TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE freezes (name TEXT PRIMARY KEY, freeze TEXT NOT NULL);
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE INDEX history_of ON history (rollout, id);
CREATE TABLE chains (rollout TEXT PRIMARY KEY, head TEXT NOT NULL, anchor TEXT NOT NULL, intent INTEGER);
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, attempt INTEGER NOT NULL, at TEXT NOT NULL,
    weight INTEGER NOT NULL, counted TEXT NOT NULL
);
CREATE INDEX evidence_of ON evidence (rollout, attempt, id);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, given TEXT NOT NULL, done TEXT, refused TEXT,
    UNIQUE (rollout, given)
);
CREATE INDEX orders_waiting ON orders (rollout) WHERE done IS NULL;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, rollout TEXT NOT NULL, key TEXT NOT NULL,
    droppable INTEGER NOT NULL, alert TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next_try TEXT NOT NULL,
    ended TEXT, arrived INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '""', UNIQUE (sink, key)
);
CREATE INDEX outbox_owed ON outbox (sink, rollout, id) WHERE ended IS NULL;
"""


def connect(path: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """Open the file: ``rw`` to write (it must exist), ``ro`` to read; ``unshared`` and ``immutable`` to read
    where not even what SQLite keeps beside it can be written. Transactions are begun by hand.

    Raises:
        sqlite3.Error: it cannot be opened, or is not a database.
    """
    query = {"unshared": "mode=ro&readonly_shm=1", "immutable": "mode=ro&immutable=1"}.get(
        mode, f"mode={mode}"
    )
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )
    try:
        if mode == "rw":
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            # FULL: a commit is on the disk when it returns, also after a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 16777216")
        else:
            connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def ready(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there in our version; ``False`` for a file that is still empty.

    Raises:
        Refused: it is another program's, or a newer rollout wrote it.
        sqlite3.OperationalError: a table is missing.
    """
    ours = connection.execute("PRAGMA application_id").fetchone()[0]
    if ours != APPLICATION:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise Refused(
                f"{path} is a database, but not a journal of rollout: name another directory in `state`"
            )
        return False
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise Refused(
            f"{path} was written by a newer rollout (journal version {version}, this one knows {VERSION}): "
            "run that version again, or move the file away and adopt the rollouts anew"
        )
    for table in re.findall(r"CREATE TABLE (\w+)", _TABLES):
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608 - our own words
    return True


def create(connection: sqlite3.Connection) -> None:
    """Make the tables, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
