"""What a reader wants to know of a run, in lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.e2e.kill.harness import Harness
from tests.e2e.kill.moments import Moment
from tests.e2e.kill.referee import Referee, Violation

STORIES = 5
"""As many violations are told at length; the others only counted."""


def summary(harness: Harness, referee: Referee, seconds: float) -> Iterator[str]:
    """The histogram by stage, and how everything went."""
    tale = referee.tale
    yield f"KILL_SEED={harness.seed}: {len(tale.kills)} kills in {seconds:.0f} s"
    yield f"{'stage':36}{'kills, by the rollout nearest to a write':>44}{'all rollouts':>20}"
    for one in Moment:
        yield f"{one.value:36}{_part(harness.fell, one):>44}{_part(harness.rollouts_fell, one):>20}"
    ends = Counter((journey.healthy, *referee.outcome(journey)) for journey in tale.journeys)
    for (healthy, end, reason), count in sorted(ends.items()):
        yield f"{count:5} {'healthy' if healthy else 'bad'} canaries {end}: {reason}"
    yield f"{referee.raises:5} raises seen in route files; {referee.early} ways home seen before their record"
    alerts = f"{len(referee.owed)} alerts owed, {len(tale.deliveries)} delivered"
    yield f"{alerts}: {len(referee.repeated)} were repeated, with their keys"
    yield f"{harness.rounds:5} rounds of the witness over the journal, every file and every proxy"
    if took := sorted(harness.restarts):
        said = f"median {_at(took, 0.5):.2f} s, p95 {_at(took, 0.95):.2f} s"
        yield f"from a kill to a daemon that takes orders: {said}"


def stories(harness: Harness, referee: Referee, violations: Sequence[Violation]) -> str:
    """What went wrong, the first ones at length."""
    told = "\n\n".join(referee.story(one) for one in violations[:STORIES])
    return f"KILL_SEED={harness.seed}: {len(violations)} violations\n{told}"


def _part(parts: Counter[Moment], one: Moment) -> str:
    return f"{parts[one]:5} {parts[one] / (parts.total() or 1):7.1%}"


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
