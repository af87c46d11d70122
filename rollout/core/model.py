"""The words of the project as types: what is asked, seen, remembered and decided, under one name.

Every hop of a pass speaks in these; nothing here acts. Weights are integers out of ``FULL``,
durations are seconds, instants of the wall clock are aware ``datetime`` values in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rollout.core.asked import (
    SPARSE,
    SPIKES,
    Analysis,
    Check,
    Comparison,
    CustomForm,
    Errors,
    Inconclusive,
    Latency,
    Limit,
    Measure,
    NoDataRule,
    OnSilence,
    Origin,
    Policy,
    Protocol,
    Query,
    Revision,
    Route,
    Step,
    Window,
    Withdrawn,
)
from rollout.core.reason import Reason
from rollout.core.remembered import (
    Bet,
    Cause,
    Clock,
    ComparisonEvidence,
    Control,
    Drift,
    EdgeEvidence,
    Evidence,
    Flow,
    Haste,
    Held,
    Intent,
    LatencyEvidence,
    LimitEvidence,
    Past,
    Paused,
    Probe,
    Promoted,
    Ramping,
    Real,
    RollingBack,
    Rung,
    Stage,
    State,
    Steady,
    Tally,
    Unadopted,
    Waiting,
    Why,
)
from rollout.core.seen import (
    UNHEARD,
    GaugeSeen,
    Hold,
    MeshSeen,
    Noise,
    Observation,
    Order,
    ProxySeen,
    QuerySeen,
    RatioSeen,
    Sample,
    Series,
    Unseen,
    Verb,
)
from rollout.core.traffic import EVERYTHING, FULL, NOTHING, Split, Weight, percent

__all__ = [
    "EVERYTHING",
    "FULL",
    "NOTHING",
    "SPARSE",
    "SPIKES",
    "UNHEARD",
    "Analysis",
    "Bet",
    "Cause",
    "Check",
    "Clock",
    "Comparison",
    "ComparisonEvidence",
    "Control",
    "CustomForm",
    "Decision",
    "Drift",
    "EdgeEvidence",
    "Errors",
    "Evidence",
    "Fact",
    "Flow",
    "GaugeSeen",
    "Haste",
    "Held",
    "Hold",
    "Inconclusive",
    "Intent",
    "Judged",
    "Latency",
    "LatencyEvidence",
    "Limit",
    "LimitEvidence",
    "Measure",
    "MeshSeen",
    "NoDataRule",
    "Noise",
    "Observation",
    "OnSilence",
    "Order",
    "Origin",
    "Past",
    "Paused",
    "Policy",
    "Probe",
    "Promoted",
    "Protocol",
    "ProxySeen",
    "Query",
    "QuerySeen",
    "Ramping",
    "RatioSeen",
    "Real",
    "Revision",
    "RollingBack",
    "Route",
    "Rung",
    "Sample",
    "Series",
    "SetSplit",
    "Split",
    "Stage",
    "State",
    "Steady",
    "Step",
    "Tally",
    "Unadopted",
    "Unseen",
    "Verb",
    "Verdict",
    "Waiting",
    "Weight",
    "Why",
    "Window",
    "Withdrawn",
    "percent",
]


class Verdict(Enum):
    """The answer to a check. One failure outweighs any silence; silence outweighs success."""

    PASSING = "passing"
    FAILING = "failing"
    NO_DATA = "no_data"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Judged:
    """One look at a canary as the judge had it: all that his answer depends on, and the answer.

    ``number``: of the journey's looks, from 1. ``weight``: the rung's; bets begin with the first above 0.
    ``held``: the most it might have, where that was less. ``fed``: for each check what was counted: one
    tally, or one for each edge of a comparison of latencies; empty in a blind look. ``noise``: phi of each
    of these. ``proof``: it was gathered while the mesh carried the weight. ``edges``: (check by index, edges)
    that were chosen after it. ``checks``: those in force from this look on, empty while they stay.
    ``silence``: what the verdict is for want of evidence, unless a check fails. ``verdicts``, ``odds``: of
    each check. ``rose``: the next look is at another rung, where the proof begins again. ``evidence``: what
    the judge knew after this look, where the record can be entered in its middle.
    """

    number: int
    at: datetime
    weight: Weight
    fed: tuple[tuple[Tally, ...], ...]
    noise: tuple[tuple[float, ...], ...]
    proof: bool
    silence: Verdict | None
    verdicts: tuple[Verdict, ...]
    odds: tuple[float, ...]
    verdict: Verdict
    reason: Reason
    rose: bool = False
    held: Weight | None = None
    edges: tuple[tuple[int, tuple[float, ...]], ...] = ()
    checks: tuple[Check, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def might(self) -> Weight:
        """The most that the canary might have."""
        return self.weight if self.held is None else self.held


@dataclass(frozen=True, slots=True)
class SetSplit:
    """The one action: make the route carry ``split``, if it still has ``version``. ``home`` is the
    all-stable split, staged beforehand.
    """

    split: Split
    version: str
    home: Split


Fact = str | int | float
"""A number or name that a reason rests on."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one look came to. ``facts`` are the numbers behind ``reason``; ``obeyed`` pairs each order's
    id with why it was refused (empty: done); ``judged`` is what the judge was asked in this look.
    """

    state: State
    reason: Reason
    facts: Mapping[str, Fact]
    verdict: Verdict | None = None
    actions: tuple[SetSplit, ...] = ()
    obeyed: tuple[tuple[int, str], ...] = ()
    judged: Judged | None = None
