"""What outlives a journey: which revision is stable, which were rejected, which were promoted before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rollout.core.model import Past, Promoted, Revision

REJECTED_KEPT = 100
PROMOTED_KEPT = 10
"""So many are remembered; the oldest go first."""


def condemned(past: Past, canary: Revision) -> Past:
    """The canary is rejected until a person retries it by name."""
    others = tuple(revision for revision in past.rejected if revision != canary)
    return replace(past, rejected=(*others, canary)[-REJECTED_KEPT:])


def promoted(past: Past, canary: Revision, now: datetime) -> Past:
    """The canary is stable from now on; what was stable until now is a known revision."""
    others = tuple(known for known in past.promoted if known.revision not in (past.stable, canary))
    kept = (*others, Promoted(past.stable, now), Promoted(canary))[-PROMOTED_KEPT:]
    return replace(past, stable=canary, promoted=kept)


def is_known(past: Past, revision: Revision, now: datetime, window: float) -> bool:
    """Did it serve everybody less than ``window`` seconds ago?"""
    return any(
        known.revision == revision
        and known.until is not None
        and (now - known.until).total_seconds() <= window
        for known in past.promoted
    )
