"""Seeded worlds: the true daemon under every fault, and no law is broken. `make simulate` runs more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rollout.simulation.plan import draw
from rollout.simulation.swarm import judge_plan, judge_world, shrink, story

WORLDS, CHUNK = 300, 30


@pytest.mark.parametrize("first", range(1, WORLDS + 1, CHUNK))
def test_no_world_breaks_a_law(first: int):
    broken = [verdict for verdict in map(judge_world, range(first, first + CHUNK)) if verdict.violations]
    for verdict in broken[:1]:
        law = verdict.violations[0].law
        least = shrink(draw(verdict.seed), law)
        violation = next(one for one in judge_plan(least).violations if one.law == law)
        pytest.fail(story(least, violation))


@pytest.mark.parametrize("hashing", ["1", "2"])
def test_a_seed_is_the_same_world_in_every_process(hashing: str):
    """I21: the log's hash, in another process with another hash of texts."""
    seeds = [3, 21, 33]
    code = (
        "from rollout.simulation.swarm import judge_world; "
        f"print(*(judge_world(seed, hashed=True).hash for seed in {seeds}))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hashing}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [judge_world(seed, hashed=True).hash for seed in seeds]
