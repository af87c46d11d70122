"""When: windows in which weight may rise, and how long until the next look.

A window is local time in a named zone. A time that a change of the clocks skips counts as the next valid
instant; one that it repeats counts as its first occurrence (FAILURES C2).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from rollout.core.model import (
    Held,
    Policy,
    Ramping,
    RollingBack,
    Stage,
    State,
    Steady,
    Unadopted,
    Waiting,
    Window,
    Withdrawn,
)
from rollout.core.reason import Reason

HEARTBEAT = 30.0
"""Seconds between looks at a rollout at rest: for drift only."""
RATE_LOOK = 0.5
"""Seconds from the first look at a new canary to the second, which then knows the request rate."""
RETRY_LOOK = 5.0
"""Seconds between looks while something outside stands in the way of a beginning."""
DEFAULT_LOOK = 1.0
OUTSIDE = frozenset(
    {
        Reason.PAUSED,
        Reason.SUSPENDED,
        Reason.FROZEN,
        Reason.WINDOW_CLOSED,
        Reason.REWRITTEN,
        Reason.SHARED_TARGET,
        Reason.GIT_LOST,
    }
)
"""Reasons not to rise that no look at the mesh or the counters can end."""


def is_open(windows: tuple[Window, ...], now: datetime) -> bool:
    """May weight rise now? Without windows, always."""
    return not windows or any(
        since <= now < until for window in windows for since, until in _spans(window, now)
    )


def opens(windows: tuple[Window, ...], now: datetime) -> datetime:
    """The next instant at which weight may rise: ``now`` if it may already."""
    if is_open(windows, now):
        return now
    return min(since for window in windows for since, _ in _spans(window, now) if since > now)


def look_interval(policy: Policy, least: float) -> float:
    """Seconds between looks while ramping: what the policy wishes, never below the operator's guard rail."""
    return max(policy.analysis.look or DEFAULT_LOOK, least)


def ripe_in(state: State) -> float | None:
    """Seconds until a step that is baking has baked, ``None`` when nothing is."""
    match state:
        case Ramping(rung=Stage(step=step), clock=clock, policy=policy) if clock.carried:
            remaining = policy.steps[step].bake - clock.baked
            return remaining if remaining > 0 else None
        case _:
            return None


def next_look(state: State, policy: Policy | Withdrawn, least: float, reason: Reason | None = None) -> float:
    """Seconds until this state wants to be looked at again. At weight 0, what only people, neighbours or the
    calendar can end (``reason``) is not looked at often: they are heard of when they speak.
    """
    match state:
        case Ramping(rung=Waiting()) if reason in OUTSIDE:
            return RETRY_LOOK
        case Ramping(rung=Waiting(), policy=ramp):
            look = look_interval(ramp, least)
            return look if least > DEFAULT_LOOK else min(RATE_LOOK, look)  # a scrape's rate takes a scrape
        case Ramping(policy=ramp):
            return look_interval(ramp, least)
        case RollingBack():
            return min(DEFAULT_LOOK, least)
        case Held(was=Ramping(policy=ramp)):
            return look_interval(ramp, least)
        case Steady(drift=drift) if drift.reads:
            return DEFAULT_LOOK
        case Unadopted() if isinstance(policy, Policy):
            return RETRY_LOOK
        case _:
            return HEARTBEAT


def _spans(window: Window, now: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """The window's spans from a day before to eight days after ``now``, in UTC."""
    return _spans_about(window, now.astimezone(ZoneInfo(window.zone)).date())


@lru_cache(maxsize=1024)
def _spans_about(window: Window, today: date) -> tuple[tuple[datetime, datetime], ...]:
    """Remembered: it is asked at each look, and the same all day."""
    zone = ZoneInfo(window.zone)
    days = (today + timedelta(days=offset) for offset in range(-1, 9))
    return tuple(_span(window, day, zone) for day in days if day.weekday() in window.days)


def _span(window: Window, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    last = day + timedelta(days=1) if window.until <= window.since else day
    return _instant(day, window.since, zone), _instant(last, window.until, zone)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Local time to UTC. A time inside a gap is read with the offset before it and so lands behind the gap,
    by as much as it lay inside; then the gap's end is the next valid instant.
    """
    local = datetime.combine(day, at, tzinfo=zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    return _gap_end(instant, zone)


def _gap_end(inside: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the offset changed, to the minute, searched back from an instant after it."""
    offset = inside.astimezone(zone).utcoffset()
    instant = inside
    while (instant - timedelta(minutes=1)).astimezone(zone).utcoffset() == offset:
        instant -= timedelta(minutes=1)
    return instant
