"""Where a kill fell, read from what was on the disk and in the proxies when the daemon was dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rollout.core.action import wanted_split
from rollout.core.ladder import bake_of
from rollout.core.model import Held, Ramping, RollingBack, Stage, State, Steady, Unadopted
from rollout.core.schedule import DEFAULT_LOOK
from tests.e2e.kill.witness import Shares


class Moment(Enum):
    """A stage of one decision's way, in order of how much a kill there could spoil."""

    RECORDED = "recorded, file not written"
    WRITTEN = "written, not yet seen in Envoy"
    SEEN = "seen in Envoy, not confirmed"
    EARLY = "written home, not yet recorded"
    BEFORE = "before RECORD: a decision was due"
    BAKING = "in a bake"
    RESTING = "at rest"


IN_FLIGHT = frozenset({Moment.RECORDED, Moment.WRITTEN, Moment.SEEN})
"""Between RECORD and the effect seen."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One rollout at the moment of a kill: its state in the journal, what git asks for, its file, and what
    the proxies carry (nothing: they cannot have seen the file yet).
    """

    state: State
    asked: str
    file: Shares
    proxies: Sequence[Shares]


def moment(standing: Standing) -> Moment:
    """The stage of one rollout."""
    state = standing.state
    wanted = wanted_split(state)
    if wanted is not None and _is_unconfirmed(state):
        shares = dict(wanted.shares)
        if standing.file != shares:
            return Moment.RECORDED
        seen = bool(standing.proxies) and all(one == shares for one in standing.proxies)
        return Moment.SEEN if seen else Moment.WRITTEN
    if wanted is not None and standing.file.keys() < dict(wanted.shares).keys():
        return Moment.EARLY
    match state:
        case Ramping(rung=Stage() as rung, clock=clock, policy=policy):
            # What lacks less than a look of its bake may be decided at any moment.
            ripe = clock.baked >= bake_of(rung, policy) - (policy.analysis.look or DEFAULT_LOOK)
            return Moment.BEFORE if ripe else Moment.BAKING
        case Steady(past=past) if standing.asked == str(past.stable) or _is_rejected(standing.asked, state):
            return Moment.RESTING
        case _:
            return Moment.BEFORE


def _is_rejected(asked: str, state: Steady) -> bool:
    return asked in map(str, state.past.rejected)


def _is_unconfirmed(state: State) -> bool:
    match state:
        case Steady(intent=intent) | Ramping(intent=intent) | RollingBack(intent=intent):
            return intent is not None and not intent.confirmed
        case Unadopted() | Held():
            return False
