"""Worlds that differ in one thing that must not matter."""

from __future__ import annotations

import pytest

from rollout.simulation.twins import TWINS

SEEDS = range(1, 13)


@pytest.mark.parametrize("twin", TWINS, ids=[twin.__name__ for twin in TWINS])
def test_what_must_not_matter_does_not(twin):
    """I10, I12, I17."""
    assert [str(violation) for seed in SEEDS for violation in twin(seed)] == []
