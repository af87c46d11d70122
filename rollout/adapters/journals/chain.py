"""The audit: each entry's hash covers the entry and the hash before it, one chain for each rollout.

Old entries are pruned from the front, so a chain remembers its anchor (the hash before its oldest entry) and
its head. A chain proves that nobody changed, removed or slipped in an entry by accident or by hand; who can
write the file and knows the rule can forge a whole chain, so ship the log elsewhere if that must be caught.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

START = "0" * 64


def digest(before: str, entry: str) -> str:
    """SHA-256 of the hash before and the entry's JSON text, in hexadecimal."""
    return hashlib.sha256(f"{before}\n{entry}".encode()).hexdigest()


def append(connection: sqlite3.Connection, rollout: str, entry: Mapping[str, Any]) -> int:
    """Put an entry at the end of the rollout's chain; the answer is its id."""
    row = connection.execute("SELECT head FROM chains WHERE rollout = ?", (rollout,)).fetchone()
    text = json.dumps(entry, separators=(",", ":"))
    head = digest(row[0] if row else START, text)
    added = connection.execute(
        "INSERT INTO history (rollout, entry, hash) VALUES (?, ?, ?)", (rollout, text, head)
    )
    connection.execute(
        "INSERT INTO chains (rollout, head, anchor) VALUES (?, ?, ?) "
        "ON CONFLICT (rollout) DO UPDATE SET head = excluded.head",
        (rollout, head, START),
    )
    return int(added.lastrowid or 0)


def intend(connection: sqlite3.Connection, rollout: str, entry: int | None) -> None:
    """Remember which entry announced a write, for the result that follows."""
    connection.execute("UPDATE chains SET intent = ? WHERE rollout = ?", (entry, rollout))


def intent(connection: sqlite3.Connection, rollout: str) -> int | None:
    """The entry that announced the last write."""
    row = connection.execute("SELECT intent FROM chains WHERE rollout = ?", (rollout,)).fetchone()
    return None if row is None else row[0]


def prune(connection: sqlite3.Connection, keep: int) -> None:
    """Keep each chain's newest ``keep`` entries."""
    crowded = connection.execute(
        "SELECT rollout FROM history GROUP BY rollout HAVING count(*) > ?", (keep,)
    ).fetchall()
    for (rollout,) in crowded:
        last, anchor = connection.execute(
            "SELECT id, hash FROM history WHERE rollout = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
            (rollout, keep),
        ).fetchone()
        connection.execute("DELETE FROM history WHERE rollout = ? AND id <= ?", (rollout, last))
        connection.execute("UPDATE chains SET anchor = ? WHERE rollout = ?", (anchor, rollout))


def verify(connection: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the chains, a sentence for each; nothing when all is well."""
    chains = connection.execute("SELECT rollout, anchor, head FROM chains ORDER BY rollout").fetchall()
    for rollout, anchor, head in chains:
        before = anchor
        entries = connection.execute(
            "SELECT id, entry, hash FROM history WHERE rollout = ? ORDER BY id", (rollout,)
        )
        for number, entry, found in entries:
            before = digest(before, entry)
            if before != found:
                yield f"{rollout or 'freezes'}: entry {number} was changed, or the one before it is missing"
                before = found
        if before != head:
            yield f"{rollout or 'freezes'}: the newest entries are missing"
    known = {rollout for rollout, _, _ in chains}
    for (rollout,) in connection.execute("SELECT DISTINCT rollout FROM history ORDER BY rollout"):
        if rollout not in known:
            yield f"{rollout or 'freezes'}: the chain's record is missing"
