"""What a row holds: our values as JSON text, sealed where an edit by hand could raise weight.

A row that cannot be read any more is left out with a complaint. The engine then finds a route that bears our
mark and no memory of it, and holds; the neighbours never notice.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from rollout.core.model import (
    EVERYTHING,
    FULL,
    NOTHING,
    Decision,
    Held,
    Order,
    Origin,
    Policy,
    Ramping,
    Weight,
)
from rollout.core.reason import Level, Reason
from rollout.policy.codec import decode, encode
from rollout.ports import Alert, Dispatch, Freeze, SourceState

T = TypeVar("T")

log = logging.getLogger(__name__)

HOME_GOING = frozenset(
    reason.name
    for reason in (
        Reason.WORSE, Reason.OVER_LIMIT, Reason.NO_DATA_TOO_LONG, Reason.NEVER_READY, Reason.LOST_ENDPOINTS,
        Reason.ABORTED, Reason.WITHDRAWN, Reason.REVERTED, Reason.CHANGED, Reason.NOT_HOME,
        Reason.ROLLED_BACK, Reason.INCONCLUSIVE_TOO_LONG,
    )
)  # fmt: skip
"""Reasons whose alerts are never dropped, however many are owed."""


def instant(at: datetime) -> str:
    """ISO 8601 in UTC with microseconds, which sorts as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def text(value: object) -> str:
    """JSON in ASCII."""
    return json.dumps(encode(value), separators=(",", ":"))


def untext(kind: Any, found: str) -> Any:
    """The value of that type.

    Raises:
        ValueError: the text is not that.
    """
    return decode(kind, json.loads(found))


def seal(*parts: str) -> str:
    """A checksum over what belongs together: SQLite has none, and a flipped bit may look like a weight."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def droppable(alert: Alert) -> bool:
    """Whether the outbox may forget it when too much is owed: news, never a page or a way home."""
    return alert.level < Level.PAGE and alert.reason not in HOME_GOING


def weight_after(decision: Decision, before: Weight) -> Weight:
    """The most the canary may have after the decision, as far as the last write that was meant says."""
    if decision.reason is Reason.PROMOTED:
        return EVERYTHING
    match decision.state:
        case Held(weight=weight):
            return weight
        case Ramping(past=past):
            splits = [action.split for action in decision.actions]
            return Weight(FULL - splits[-1].weight(past.stable.backend)) if splits else before
        case _:
            return NOTHING


def policies(connection: sqlite3.Connection) -> Iterator[tuple[str, str, Policy | str]]:
    """(name, source, policy), or a complaint in the policy's place."""
    query = "SELECT name, source, policy, seal FROM policies ORDER BY source, name"
    for name, source, policy, sealed in connection.execute(query):
        yield name, source, _unseal(Policy, policy, sealed, source, name, policy)


def owners(connection: sqlite3.Connection) -> dict[str, str]:
    """The source whose policy each rollout went by when it was last written."""
    rows = connection.execute("SELECT name, origin FROM rollouts").fetchall()
    return {name: origin(name, found).source for name, found in rows}


def decisions(connection: sqlite3.Connection) -> Iterator[tuple[str, Decision | str]]:
    """(name, present decision), or a complaint in the decision's place."""
    for name, decision, sealed in connection.execute("SELECT name, decision, seal FROM rollouts"):
        yield name, _unseal(Decision, decision, sealed, name, decision)


def _unseal(kind: type[T], found: str, sealed: str, *parts: str) -> T | str:
    if seal(*parts) != sealed:
        return "the row is not what was written (changed by hand, or a damaged disk)"
    try:
        value: T = untext(kind, found)
    except ValueError as error:
        return f"the row cannot be read: {error}"
    return value


def sources(connection: sqlite3.Connection) -> dict[str, SourceState]:
    """How far each source is; one whose row cannot be read begins anew."""
    rows = connection.execute("SELECT name, state FROM sources").fetchall()
    return {name: _readable(SourceState, state, name) or SourceState() for name, state in rows}


def orders(connection: sqlite3.Connection) -> dict[str, tuple[Order, ...]]:
    """The orders that wait, oldest first; one that cannot be read is not obeyed."""
    found: dict[str, tuple[Order, ...]] = {}
    rows = connection.execute(
        "SELECT id, rollout, given FROM orders WHERE done IS NULL ORDER BY id"
    ).fetchall()
    for number, name, given in rows:
        order = _readable(Order, given, name)
        if order is not None:
            found[name] = (*found.get(name, ()), replace(order, id=number))
    return found


def freezes(connection: sqlite3.Connection) -> tuple[Freeze, ...]:
    """The freezes in force, also one whose row cannot be read."""
    rows = connection.execute("SELECT name, freeze FROM freezes ORDER BY name").fetchall()
    unknown = "a freeze whose record cannot be read"
    return tuple(
        _readable(Freeze, freeze, name) or Freeze(name, "", unknown, datetime.fromtimestamp(0, UTC))
        for name, freeze in rows
    )


def _readable(kind: type[T], found: str, name: str) -> T | None:
    try:
        value: T = untext(kind, found)
    except ValueError as error:
        log.error("journal.unreadable", extra={"row": name, "why": str(error)})  # noqa: TRY400 - it is said whole
        return None
    return value


def dispatch(row: tuple[int, str, str, int, str]) -> Dispatch:
    """Of (id, sink, alert, tries, next_try)."""
    number, sink, alert, tries, next_try = row
    return Dispatch(number, sink, untext(Alert, alert), tries, datetime.fromisoformat(next_try))


def origin(name: str, found: str) -> Origin:
    """Of a rollout's row; nowhere, if it cannot be read."""
    return _readable(Origin, found, name) or Origin()
