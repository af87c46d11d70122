"""The ports that a pass speaks through, in one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rollout.core.model import Hold
from rollout.engine.breaker import Breaker
from rollout.engine.gather import Gatherer
from rollout.engine.history import History
from rollout.ports import Alert, Clock, Journal, Mesh


@dataclass(frozen=True, slots=True)
class World:
    """What a pass sees and acts on. ``epoch`` is this process's; ``holds`` says why a rollout may not rise;
    ``shout`` tells people without the journal (FAILURES Q1). ``patience``: seconds to wait for a record
    that is not of the way home.
    """

    clock: Clock
    journal: Journal
    meshes: Mapping[str, Mesh]
    metrics: Mapping[str, Gatherer]
    sinks: tuple[str, ...]
    least_look: Callable[[str], float]
    epoch: int
    observe: bool
    breaker: Breaker
    history: History
    holds: Callable[[str], tuple[Hold, ...]]
    shout: Callable[[tuple[tuple[str, Alert], ...]], None]
    patience: float = 1.0
