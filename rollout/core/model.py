"""The words of the project as types: what is asked, seen, remembered and decided, under one name.

Every hop of a pass speaks in these; nothing here acts. Weights are integers out of ``FULL``,
durations are seconds, instants of the wall clock are aware ``datetime`` values in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    id with why it was refused (empty: done); ``counted`` is this look's increment: a tally for each check,
    for a comparison of latencies one for each of its edges.
    """

    state: State
    reason: Reason
    facts: Mapping[str, Fact]
    verdict: Verdict | None = None
    actions: tuple[SetSplit, ...] = ()
    obeyed: tuple[tuple[int, str], ...] = ()
    counted: tuple[Tally, ...] = ()
