"""The referee's own memory of one rollout: what was authorised, what people said, what truly happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from rollout.core.model import (
    FULL,
    Cause,
    Held,
    MeshSeen,
    Policy,
    Ramping,
    Revision,
    RollingBack,
    Rung,
    Split,
    Stage,
    State,
    Unadopted,
)
from rollout.core.reason import Reason
from rollout.simulation.events import (
    Looked,
)

DISK = ("disk full", "disk hangs", "disk torn")
"""Faults in which nothing, or nobody knows what, is recorded."""
GUILTY = frozenset(
    {Cause.WORSE, Cause.OVER_LIMIT, Cause.NO_DATA, Cause.NOT_READY, Cause.LOST_ENDPOINTS, Cause.ABORTED}
)
"""Causes after which a revision stays rejected."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A law was broken: when, which, by which rollout, and how, in plain words."""

    at: float
    law: str
    rollout: str
    what: str

    def __str__(self) -> str:
        return f"{self.at:8.2f} s  {self.law:4} {self.rollout}: {self.what}"


Place = tuple[datetime, Rung]
"""A rung of one journey: when that began, and which."""


@dataclass(slots=True)
class Book:
    """All that is known of one rollout. ``stable``: who serves everybody when nothing is under way."""

    name: str
    policy: Policy | None = None
    policy_at: float = 0.0
    begun: Policy | None = None
    """Under which the journey began."""
    paused: bool = False
    """By an order that was obeyed."""
    gone_at: float | None = None
    state: State = field(default_factory=Unadopted)
    reason: Reason | None = None
    told: bool = True
    kept: bool = False
    """A look showed that the daemon is where the last record says: one that came late was given up."""
    stable: str = ""
    unused: list[Split] = field(default_factory=list)
    """Splits that landed intents announced, and that were not written yet."""
    truth: tuple[Split, ...] = ()
    vanished: tuple[Split, ...] = ()
    """What the route carried when somebody deleted it."""
    given: bool = False
    """Somebody gave the canary requests since the journey began."""
    written: Split | None = None
    written_at: float = -1.0
    confirmed: bool = False
    lowered: int | None = None
    """The canary's weight as a foreign hand left it, while that is below what was authorised."""
    reads_of_lowered: int = 0
    home_due: float | None = None
    dead_due: float | None = None
    hasty: bool = False
    """The record before left its rung because a person wanted it so."""
    rejected: dict[Revision, float] = field(default_factory=dict)
    decided: set[Revision] = field(default_factory=set)
    """Rejected by a decision, also one that no disk took."""
    raised: Counter[tuple[int, int]] = field(default_factory=Counter)
    proof: float = 0.0
    """Seconds in which the present rung can have baked at the most."""
    rungs: dict[Place, tuple[float, str]] = field(default_factory=dict)
    """What each rung that was left had: proof, and a person's haste."""
    sampled_at: float | None = None
    sample: tuple[float, float, float] | None = None
    """Of the look under way: when, the seconds of proof that it is worth, and what ``strayed`` comes to."""
    served: dict[str, int] = field(default_factory=dict)
    fresh_rung: bool = True
    haste: str = ""
    promoted_at: float | None = None
    """When a person's promote was obeyed last."""
    aborted_at: float | None = None
    refuge: str = ""
    """Who was stable when an abort was taken."""
    forgotten: bool = False
    leads: frozenset[int] = frozenset()
    """What the canary may have where the one write that an old copy lacks is not missed."""
    adopts: str = ""
    """What a person said is stable, in an order that is not obeyed on the disk yet."""
    fenced: bool = False
    bare_at: float = -1.0
    """When the journal learned that somebody made the route anew, without our mark; infinity until then."""
    writes: list[float] = field(default_factory=list)
    key: str = ""
    read: MeshSeen | None = None
    read_at: float = -1.0
    looked_at: float | None = None
    looked: Looked | None = None
    blind_since: float | None = None
    quiet_since: float | None = None
    strayed: float = 0.0
    """Seconds with samples in which requests did not follow the weight, without a break."""
    broken: bool = False
    """The last look at it hit a bug."""

    @property
    def proven(self) -> float:
        """Proof, that of the look under way included."""
        return self.proof + (self.sample[1] if self.sample else 0.0)

    @property
    def ramp(self) -> Ramping | None:
        """The journey under way, also while it is held."""
        state = self.state.was if isinstance(self.state, Held) else self.state
        return state if isinstance(state, Ramping) else None

    @property
    def is_on_its_way(self) -> bool:
        """Is a journey under way, up or home?"""
        return self.ramp is not None or isinstance(self.state, RollingBack)

    @property
    def home(self) -> str:
        """Stable, as the last landed record has it."""
        state = self.state.was if isinstance(self.state, Held) else self.state
        return "" if isinstance(state, Unadopted) else state.past.stable.backend

    def moves(self, after: State) -> None:
        """It is on another rung from now on, or on none. One that it was on before keeps what it had: a late
        record said more than its daemon did, and is taken back; so is what an old copy of a journal lacks.
        """
        was, now = place_of(self.state), place_of(after)
        if was == now:
            return
        if was is not None:
            self.rungs[was] = (self.proof, self.haste)
        known = self.rungs.get(now) if now is not None else None
        self.proof, self.fresh_rung = (self.proof + known[0], False) if known else (0.0, True)
        if self.haste != "all":
            self.haste = known[1] if known else ""

    def stands_on(self, key: str) -> None:
        """It has this route from now on; what another one carries is not its own."""
        if key != self.key:
            self.key, self.truth, self.vanished, self.written, self.read = key, (), (), None, None

    def has_begun(self, ramp: Ramping) -> bool:
        """Is this journey known?"""
        on = place_of(self.state)
        return any(place[0] == ramp.began for place in (*self.rungs, *([on] if on else ())))

    def exposure(self, splits: tuple[Split, ...]) -> int:
        """The share that is not on stable; the most, if entries differ."""
        return max((FULL - split.weight(self.stable) for split in splits), default=0)


def place_of(state: State) -> Place | None:
    """The rung that a journey is on, also while it is held."""
    was = state.was if isinstance(state, Held) else state
    return (was.began, was.rung) if isinstance(was, Ramping) else None


def weight_of(state: State) -> int:
    """What the canary is authorised to have, by a recorded state."""
    match state:
        case Ramping(rung=Stage(step=step), policy=policy):
            weight = policy.steps[step].weight
            return weight if weight < FULL else FULL - policy.analysis.holdback
        case Ramping(rung=rung):
            return getattr(rung, "weight", 0)
        case Held(was=Ramping() as was):
            return weight_of(was)
        case _:
            return 0
