"""I4: a death at each write of a reference run, on each side of it, changes no outcome."""

from __future__ import annotations

import pytest

from rollout.simulation.crash import REFERENCES, divergences, points

EVERY = 9
"""Of the points, in the quick tests; `make test` goes through all of them."""


@pytest.mark.parametrize("name", REFERENCES)
def test_a_death_at_a_write_changes_no_outcome(name: str):
    plan = REFERENCES[name]
    cuts = points(plan)
    assert len(cuts) > 150
    assert list(divergences(plan, cuts[::EVERY])) == []
