"""A rollout's last decision seen from now, and the few questions that every face asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from rollout.core import judge, ladder
from rollout.core.model import (
    NOTHING,
    Decision,
    Held,
    Policy,
    Ramping,
    Revision,
    RollingBack,
    State,
    Steady,
    Unadopted,
    Weight,
)
from rollout.core.reason import Reason


@dataclass(frozen=True, slots=True)
class Moment:
    """A rollout's last decision, seen from ``now``.

    ``decision`` is ``None`` before the first look, ``policy`` when git has none. ``at``: when it was last
    looked at; ``since``: when the decision's reason began to hold.
    """

    name: str
    decision: Decision | None
    policy: Policy | None
    at: datetime
    since: datetime
    now: datetime


def state_word(state: State | None) -> str:
    """One word for a state, as tables show it."""
    match state:
        case None:
            return "new"
        case Unadopted():
            return "unadopted"
        case Steady():
            return "steady"
        case Ramping(paused=paused):
            return "ramping" if paused is None else "paused"
        case RollingBack():
            return "rolling back"
        case Held():
            return "held"
        case _:
            assert_never(state)


def ramp_of(state: State | None) -> Ramping | None:
    """The journey that is under way, held or not."""
    was = state.was if isinstance(state, Held) else state
    return was if isinstance(was, Ramping) else None


def weight_of(state: State | None) -> Weight:
    """The most that the canary may have now."""
    match state:
        case Ramping(rung=rung, policy=policy):
            return ladder.weight_of(rung, policy)
        case Held(weight=weight):
            return weight
        case _:
            return NOTHING


def stable_of(state: State | None) -> Revision | None:
    """The revision that everybody can go back to; ``None`` before adoption."""
    was = state.was if isinstance(state, Held) else state
    return None if was is None or isinstance(was, Unadopted) else was.past.stable


def odds_of(ramp: Ramping) -> float:
    """The worst odds against the canary."""
    checks = ramp.policy.analysis.checks
    return max(finding.odds for finding in judge.findings(checks, ramp.evidence))


def seen_of(decision: Decision) -> Weight | None:
    """The canary's weight, if the last look saw the mesh carry what is wanted; ``None`` if it did not."""
    if decision.actions or decision.reason in _OTHERWISE:
        return None
    match decision.state:
        case Ramping(clock=clock):
            return weight_of(decision.state) if clock.carried else None
        case Steady():
            return NOTHING
        case _:
            return None


_OTHERWISE = frozenset({Reason.MESH_UNSEEN, Reason.TARGET_LOST, Reason.OTHER_ROUTE, Reason.DRIFT})
