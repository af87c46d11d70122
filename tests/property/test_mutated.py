"""E3, R2: whatever is done to an answer, no number in it is believed that is not there."""

import pytest

from tests.mutated import READERS, feed


@pytest.mark.parametrize("seed", range(4))
def test_mutilated_answers_are_silence_or_right(seed: int):
    """A few thousand of each kind; `python -m tests.mutated --number 1000000` feeds as many as you like."""
    came = feed(3_000, seed)
    assert set(came) == {(kind, what) for kind in READERS for what in ("silent", "believed")}
