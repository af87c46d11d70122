"""What outlives a journey: which revision is stable, which were rejected, which were promoted before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rollout.core.model import (
    Held,
    Past,
    Promoted,
    Ramping,
    Real,
    Revision,
    RollingBack,
    State,
    Steady,
    Unadopted,
)

REJECTED_KEPT = 100
PROMOTED_KEPT = 10
"""So many are remembered; the oldest go first."""


def past_of(state: State) -> Past | None:
    """What is remembered; ``None`` before adoption."""
    was = state.was if isinstance(state, Held) else state
    return None if isinstance(was, Unadopted) else was.past


def counted(state: State, writes: int) -> State:
    """The state, which knows of so many writes."""
    match state:
        case Steady(past=past) | Ramping(past=past) | RollingBack(past=past):
            return replace(state, past=replace(past, writes=writes))
        case Held(was=Steady(past=past) | Ramping(past=past) as was):
            return replace(state, was=replace(was, past=replace(past, writes=writes)))
        case _:
            return state


def dreamt(state: State, before: Past | None) -> State:
    """A state of observe mode, which keeps what was true ``before`` it."""
    match state:
        case Steady(past=past) | Ramping(past=past) | RollingBack(past=past):
            return replace(state, past=_virtual(past, before))
        case _:
            return state


def _virtual(past: Past, before: Past | None) -> Past:
    if past.virtual:
        return past
    if before is None:
        return replace(past, virtual=True)
    real = Real(before.stable, before.route, before.rejected, before.promoted, before.epoch, before.writes)
    return replace(past, virtual=True, real=real)


def awakened(past: Past) -> Steady | Unadopted:
    """After observe mode: what was true before it. Journeys are counted on, alerts are told apart by that."""
    real = past.real
    if real is None:
        return Unadopted(past.attempt)
    return Steady(
        Past(
            real.stable,
            real.route,
            real.rejected,
            real.promoted,
            past.attempt,
            epoch=real.epoch,
            writes=real.writes,
        )
    )


def condemned(past: Past, canary: Revision) -> Past:
    """The canary is rejected until a person retries it by name."""
    others = tuple(revision for revision in past.rejected if revision != canary)
    return replace(past, rejected=(*others, canary)[-REJECTED_KEPT:])


def promoted(past: Past, canary: Revision, now: datetime) -> Past:
    """The canary is stable from now on; what was stable until now is a known revision."""
    others = tuple(known for known in past.promoted if known.revision not in (past.stable, canary))
    kept = (*others, Promoted(past.stable, now), Promoted(canary))[-PROMOTED_KEPT:]
    return replace(past, stable=canary, promoted=kept)


def attempt_of(state: State) -> int:
    """The journey under way, or the last one."""
    was = state.was if isinstance(state, Held) else state
    return was.attempt if isinstance(was, Unadopted) else was.past.attempt


def is_known(past: Past, revision: Revision, now: datetime, window: float) -> bool:
    """Did it serve everybody less than ``window`` seconds ago?"""
    return any(
        known.revision == revision
        and known.until is not None
        and (now - known.until).total_seconds() <= window
        for known in past.promoted
    )
