"""Writing, one function for each thing that is remembered. Each runs inside a transaction that others share.

What is written is put into text beforehand, by the caller, so that nothing here can stumble over a value.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from rollout.adapters.journals import chain, looks, outbox
from rollout.adapters.journals.outbox import Owed
from rollout.adapters.journals.rows import instant, seal, text, weight_after
from rollout.core.model import NOTHING, Order, Ramping, Steady, Weight
from rollout.core.past import attempt_of
from rollout.core.testimony import kept
from rollout.policy.codec import encode
from rollout.ports import Freeze, Record

HISTORY = 1_000
"""Entries kept for each rollout."""
LOOKS = 10_000
"""Looks kept of each attempt: the newest, and those before back to where the record can be entered."""
ATTEMPTS = 5
"""Attempts whose looks are kept."""
OWED = 10_000
"""Alerts owed before the oldest news are dropped."""
ORDERS = 100
"""Orders that may wait for one rollout."""
KEPT = timedelta(days=30)
"""How long alerts that arrived and orders that were obeyed are remembered, so that none is taken twice."""
RELEASED = timedelta(days=365)
"""How long a rollout is remembered after git gave it up."""


@dataclass(frozen=True, slots=True)
class Page:
    """A record, put into text."""

    record: Record
    decision: str
    origin: str
    look: str
    alerts: Owed

    @classmethod
    def of(cls, record: Record) -> Page:
        """Encode it."""
        judged = kept(record.decision, anew=record.anew)
        look = looks.written(judged) if judged else ""
        return cls(record, text(record.decision), text(record.origin), look, outbox.written(record.alerts))


def write(connection: sqlite3.Connection, page: Page, epoch: int) -> None:
    """Everything that one pass wants remembered."""
    record, decision, name, at = page.record, page.record.decision, page.record.name, instant(page.record.at)
    row = connection.execute("SELECT weight, since, reason FROM rollouts WHERE name = ?", (name,)).fetchone()
    before, since, reason = row or (NOTHING, at, "")
    after = weight_after(decision, Weight(before))
    left = NOTHING if isinstance(decision.state, Steady) else after  # a promoted canary is none any more
    if record.outcome:
        result = {"kind": "result", "at": at, "of": chain.intent(connection, name), "outcome": record.outcome}
        chain.append(connection, name, result)
    if record.noteworthy:
        entry = chain.append(connection, name, _entry(record, epoch, before, after))
        if decision.actions:
            chain.intend(connection, name, entry)
    connection.execute(
        "INSERT OR REPLACE INTO rollouts (name, at, since, reason, weight, decision, origin, seal) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            name, at, since if reason == decision.reason.name else at, decision.reason.name, left,
            page.decision, page.origin, seal(name, page.decision),
        ),
    )  # fmt: skip
    if decision.judged:
        judged = decision.judged
        connection.execute(
            "INSERT INTO evidence (rollout, attempt, at, weight, counted) VALUES (?, ?, ?, ?, ?)",
            (name, attempt_of(decision.state), instant(judged.at), judged.weight, page.look),
        )
    for order, refused in decision.obeyed:
        connection.execute(
            "UPDATE orders SET done = ?, refused = ? WHERE id = ? AND done IS NULL",
            (at, text(refused), order),
        )
    outbox.owe(connection, page.alerts, record.at)


def _entry(record: Record, epoch: int, before: int, after: int) -> dict[str, Any]:
    decision, origin = record.decision, record.origin
    return {
        "kind": "intent" if decision.actions else "decision",
        "at": instant(record.at),
        "epoch": epoch,
        "actor": str(decision.facts.get("actor", "")),
        "reason": decision.reason.name,
        "verdict": decision.verdict.value if decision.verdict else None,
        "facts": encode(dict(decision.facts)),
        "before": before,
        "after": after,
        "actions": encode(decision.actions),
        "obeyed": encode(decision.obeyed),
        "evidence": encode(decision.state.evidence) if isinstance(decision.state, Ramping) else [],
        "counted": encode(decision.judged.fed) if decision.judged else [],
        "origin": encode(origin),
    }


def accept(
    connection: sqlite3.Connection,
    source: str,
    state: str,
    policies: Mapping[str, str] | None,
    alerts: Owed,
    at: datetime,
) -> None:
    """How far a source is, what is owed about it, and its policies if they are new; only rows that differ."""
    connection.execute("INSERT OR REPLACE INTO sources (name, state) VALUES (?, ?)", (source, state))
    outbox.owe(connection, alerts, at)
    if policies is None:
        return
    known = dict(connection.execute("SELECT name, policy FROM policies WHERE source = ?", (source,)))
    connection.executemany(
        "DELETE FROM policies WHERE name = ? AND source = ?",
        [(name, source) for name in known.keys() - policies],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO policies (name, source, policy, seal) VALUES (?, ?, ?, ?)",
        [
            (name, source, policy, seal(source, name, policy))
            for name, policy in policies.items()
            if known.get(name) != policy
        ],
    )


def order(connection: sqlite3.Connection, name: str, given: Order) -> int | None:
    """The order's id, the first one's if it was given before; ``None`` when too many wait."""
    body = text(replace(given, id=0))
    row = connection.execute("SELECT id FROM orders WHERE rollout = ? AND given = ?", (name, body)).fetchone()
    if row is not None:
        return int(row[0])
    waiting = "SELECT count(*) FROM orders WHERE rollout = ? AND done IS NULL"
    if connection.execute(waiting, (name,)).fetchone()[0] >= ORDERS:
        return None
    chain.append(
        connection, name, {"kind": "order", "at": instant(given.at), **_said(encode(given), "id", "at")}
    )
    added = connection.execute("INSERT INTO orders (rollout, given) VALUES (?, ?)", (name, body))
    return int(added.lastrowid or 0)


def freeze(connection: sqlite3.Connection, given: Freeze, *, lifted: bool) -> None:
    """Begin or lift it."""
    kind = "thaw" if lifted else "freeze"
    chain.append(
        connection, given.name, {"kind": kind, "at": instant(given.at), **_said(encode(given), "name", "at")}
    )
    if lifted:
        connection.execute("DELETE FROM freezes WHERE name = ?", (given.name,))
    else:
        connection.execute(
            "INSERT OR REPLACE INTO freezes (name, freeze) VALUES (?, ?)", (given.name, text(given))
        )


def _said(plain: Mapping[str, Any], *without: str) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key not in without}


def prune(connection: sqlite3.Connection, now: datetime) -> None:
    """Apply every limit (see the constants above). What is owed of a way home is never dropped."""
    chain.prune(connection, HISTORY)
    _prune_evidence(connection)
    old = instant(now - KEPT)
    connection.execute("DELETE FROM orders WHERE done < ?", (old,))
    connection.execute("DELETE FROM outbox WHERE ended < ?", (old,))
    spare = connection.execute("SELECT count(*) FROM outbox WHERE ended IS NULL").fetchone()[0] - OWED
    if spare > 0:
        connection.execute(
            "UPDATE outbox SET ended = ?, why = ? WHERE id IN "
            "(SELECT id FROM outbox WHERE ended IS NULL AND droppable ORDER BY id LIMIT ?)",
            (instant(now), text(f"more than {OWED} alerts were owed"), spare),
        )
    released = "SELECT name FROM rollouts WHERE reason = 'RELEASED' AND since < ?"
    for (name,) in connection.execute(released, (instant(now - RELEASED),)).fetchall():
        for table, column in (("rollouts", "name"), ("history", "rollout"), ("chains", "rollout")):
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608 - our own words
        connection.execute("DELETE FROM evidence WHERE rollout = ?", (name,))


def _prune_evidence(connection: sqlite3.Connection) -> None:
    attempts = connection.execute(
        "SELECT rollout, attempt, count(*), max(id) FROM evidence GROUP BY rollout, attempt ORDER BY 4 DESC"
    )
    seen: Counter[str] = Counter()
    for rollout, attempt, looks_kept, _ in attempts.fetchall():
        seen[rollout] += 1
        if seen[rollout] > ATTEMPTS:
            connection.execute("DELETE FROM evidence WHERE rollout = ? AND attempt = ?", (rollout, attempt))
        elif looks_kept > LOOKS:
            _shorten(connection, rollout, attempt)


def _shorten(connection: sqlite3.Connection, rollout: str, attempt: int) -> None:
    """The oldest looks go, up to the newest entry that leaves enough of them."""
    one = "FROM evidence WHERE rollout = :rollout AND attempt = :attempt"
    connection.execute(
        f"DELETE {one} AND id < (SELECT max(id) {one} AND instr(counted, '\"evidence\":') AND id <= "
        f"(SELECT id {one} ORDER BY id DESC LIMIT 1 OFFSET :looks))",
        {"rollout": rollout, "attempt": attempt, "looks": LOOKS - 1},
    )
