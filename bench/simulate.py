"""How quickly `rollout simulate` has an answer: journeys on one core, under the policies that are shipped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from bench.figures import Figure
from rollout.policy.lint import check
from rollout.simulation.journey import travel
from rollout.simulation.scene import Scene

POLICIES = Path(__file__).resolve().parents[1] / "policies"
BUDGET = 5.0
"""Milliseconds for one rollout: 200 of them a second."""
BORDERLINE = Scene(200.0, 0.001, 0.002)
"""Twice as bad: under suspicion for long, and then nearly every look is taken by itself."""
SCENES = {
    "healthy, 0.1 %": Scene(200.0),
    "bad, 2 %": Scene(200.0, 0.001, 0.02),
    "doubtful, 0.2 %": BORDERLINE,
}


def measure(*, quick: bool) -> Iterator[Figure]:
    """The mean of many journeys, by the time that this process had on its core."""
    most = 50 if quick else 1_000
    texts = {path.name: path.read_bytes() for path in sorted(POLICIES.glob("*.yaml"))}
    policies, _ = check(texts)
    for policy in policies:
        for name, scene in SCENES.items():
            runs = most if scene is not BORDERLINE else most // 10
            began = time.process_time()
            for number in range(runs):
                travel(policy, scene, Random(number))
            spent = time.process_time() - began
            budget = BUDGET if scene is not BORDERLINE else None
            yield Figure(f"{policy.name}, {name}", 1_000 * spent / runs, "ms per rollout", budget)
            yield Figure(f"{policy.name}, {name}", runs / spent, "rollouts per second and core")
