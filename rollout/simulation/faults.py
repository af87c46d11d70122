"""The kinds of faults that a world can have, and the rows of the failure model that each belongs to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """``name`` is the deed's; ``rows`` those of the failure model (docs/faults.md); ``of``: what it befalls
    (everything, if empty); ``endures``: it begins and ends.
    """

    name: str
    rows: tuple[str, ...]
    of: str = ""
    endures: bool = False
    arguments: tuple[str, ...] = ()


ENDURING = (
    Kind("git away", ("G1", "N1"), endures=True),
    Kind("git stale", ("G2",), endures=True),
    Kind("git gone", ("G4",), endures=True),
    Kind("clash", ("P5",), of="service", endures=True),
    Kind("mesh away", ("N1",), endures=True),
    Kind("mesh refuses", ("M4",), endures=True),
    Kind("mesh loses", ("N1",), endures=True),
    Kind("mesh swallows", ("N1",), endures=True),
    Kind("mesh hangs", ("N1",), endures=True),
    Kind("mesh slow", ("N1",), endures=True),
    Kind("route gone", ("T1",), of="service", endures=True),
    Kind("proxy rejects", ("M2",), of="proxy", endures=True),
    Kind("proxy lags", ("M2",), of="proxy", endures=True),
    Kind("proxy away", ("E1",), of="proxy", endures=True),
    Kind("traffic strays", ("M3", "R5", "T6"), of="service", endures=True),
    Kind("traffic leans", ("M3", "T6"), of="service", endures=True),
    Kind("no traffic", ("S5", "R3"), of="service", endures=True),
    Kind("metrics away", ("E3", "R2", "N1"), endures=True),
    Kind("metrics silent", ("E1", "E3"), of="proxy", endures=True),
    Kind("metrics stale", ("R2", "R4"), endures=True),
    Kind("metrics hang", ("E1", "R2"), endures=True),
    Kind("incident", ("S4",), of="service", endures=True, arguments=("0.05", "0.5", "1.0")),
    Kind("no endpoints", ("S1", "S2", "S3"), of="backend", endures=True),
    Kind("stable down", ("S3",), of="service", endures=True, arguments=("", "panic")),
    Kind("disk full", ("Q1",), endures=True),
    Kind("disk hangs", ("Q1",), endures=True),
    Kind("disk slow", ("Q1",), endures=True),
    Kind("sink away", ("L1",), of="sink", endures=True),
    Kind("sinks away", ("L1", "L3"), endures=True),
    Kind("sink throttles", ("L1",), of="sink", endures=True),
    Kind("sink hangs", ("L1",), of="sink", endures=True),
    Kind("sink deaf", ("L1", "L2"), of="sink", endures=True),
    Kind("bug", ("D3",), of="service", endures=True),
)

MOMENTS = (
    Kind("rewrite", ("G3",)),
    Kind("rewrite adopted", ("G3",)),
    Kind("bad file", ("P1", "P2", "P3", "P4"), arguments=("bomb", "typo", "link", "empty", "number")),
    Kind("bad policy", ("P4",), of="service"),
    Kind("remake route", ("T2",), of="service"),
    Kind("proxy restart", ("E2",), of="proxy"),
    Kind("kill", ("D1",), arguments=("0.2", "2", "12")),
    Kind("stop", ("D2",), arguments=("0.2", "2", "12")),
    Kind("jump", ("C1",), arguments=("-86400", "-40", "40", "3600", "86400")),
    Kind("disk torn", ("Q1", "D1")),
    Kind("journal lost", ("Q2",)),
    Kind("journal restored", ("Q2",)),
    Kind("other writer", ("H2",), of="service"),
)

ROWS_OF = {kind.name: kind.rows for kind in (*ENDURING, *MOMENTS)} | {
    "edit up": ("T3",),
    "fight": ("T3", "L2"),
    "edit down": ("T4",),
    "tighten": ("P6",),
    "reword": ("P6",),
    "reshape": ("P6",),
    "delete": ("P7",),
}
"""Rows by the name of a deed: faults, and what people do."""
