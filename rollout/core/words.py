"""Numbers as people read them: counts, shares, spans of time and instants."""

from __future__ import annotations

from datetime import UTC, datetime

_LONG = 100
"""Seconds from which a span is told in minutes."""
_FEW, _MANY = 10, 1_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def count(number: int) -> str:
    """``1903`` is ``1 903``."""
    return f"{number:,}".replace(",", " ")


def counted(number: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``, ``3 policies``."""
    return f"{count(number)} {one if number == 1 else many or f'{one}s'}"


def share(bad: int, total: int) -> str:
    """Bad out of all: ``1 of 1 903 (0.05 %)``."""
    return f"{count(bad)} of {count(total)} ({ratio(bad, total)})" if total else "0 of 0"


def ratio(bad: int, total: int) -> str:
    """``0.05 %``; a dash where nothing was counted."""
    return f"{100 * bad / total:.2f} %" if total else "-"


def odds(value: float) -> str:
    """Odds against something: ``0.9 : 1``, ``38 : 1``; beyond a thousand nobody counts."""
    if value >= _MANY:
        return f"over {count(_MANY)} : 1"
    return f"{value:.1f} : 1" if value < _FEW else f"{value:.0f} : 1"


def span(seconds: float) -> str:
    """A span of time, in its two largest units: ``41 s``, ``3 min 20 s``, ``2 h 5 min``, ``1 d 4 h``."""
    whole = max(0, round(seconds))
    if whole < _LONG:
        return f"{whole} s"
    for unit, name, smaller, small in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name} {rest} {small}" if rest else f"{whole // unit} {name}"
    raise AssertionError(whole)


def instant(at: datetime, now: datetime) -> str:
    """The time of day in UTC, with the date when that is another day than ``now``."""
    here = at.astimezone(UTC)
    same = here.date() == now.astimezone(UTC).date()
    return f"{here:%H:%M:%S} UTC" if same else f"{here:%Y-%m-%d %H:%M} UTC"
