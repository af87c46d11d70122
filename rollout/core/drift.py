"""Weights that others wrote: above what was authorised, below it, and again and again (FAILURES T3, T4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rollout.core.convergence import exposure, is_ours, least, ready, shown
from rollout.core.model import (
    FULL,
    Drift,
    Fact,
    Held,
    MeshSeen,
    Observation,
    Ramping,
    Split,
    Steady,
    Weight,
    Why,
    percent,
)
from rollout.core.reason import Reason
from rollout.core.turn import Turn

READS = 2
"""A foreign weight is set right when it was seen so often in a row."""
FIGHT, FIGHT_SPAN = 3, timedelta(minutes=10)
"""So many corrections within so long are a fight."""


def drift(state: Steady | Ramping, wanted: Split, seen: Observation) -> Turn | None:
    """What follows from a mesh that shows something else, if that is not our own write that got lost.

    More than was authorised is set back, to a stable that lives; less is a person's wish, and only a person
    ends it.
    """
    mesh = seen.mesh
    assert isinstance(mesh, MeshSeen)  # noqa: S101 - asked only of a mesh that was seen
    if mesh.splits == (wanted,) or is_ours(mesh, state.intent, unwritten=seen.unwritten):
        return None
    stable = state.past.stable.backend
    authorised, shows = Weight(FULL - wanted.weight(stable)), exposure(mesh, stable)
    facts: dict[str, Fact] = {"split": shown(mesh), "authorised": percent(authorised)}
    if isinstance(state, Ramping) and shows <= authorised:
        lowered = least(mesh, state.canary.backend)
        if lowered < authorised:
            facts["weight"] = percent(lowered)
            return Turn(Held(state, Why.LOWERED, lowered), Reason.LOWERED, facts)
    if ready(mesh, stable) == 0:
        dead: dict[str, Fact] = {"detail": f"{stable} has none", "weight": percent(shows)}
        return Turn(state, Reason.STABLE_NOT_READY, dead)
    return _above(state, authorised, seen, facts)


def _above(state: Steady | Ramping, authorised: Weight, seen: Observation, facts: dict[str, Fact]) -> Turn:
    recent = tuple(at for at in state.drift.corrected if seen.now - at <= FIGHT_SPAN)
    if len(recent) >= FIGHT:
        return Turn(Held(state, Why.CONTESTED, authorised), Reason.CONTESTED, facts | {"times": len(recent)})
    reads = state.drift.reads + 1
    if reads < READS:
        return Turn(replace(state, drift=Drift(reads, recent)), Reason.DRIFT, facts, acts=False)
    return Turn(replace(state, drift=Drift(0, (*recent, seen.now))), Reason.CORRECTED, facts)
