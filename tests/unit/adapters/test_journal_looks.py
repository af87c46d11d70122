"""A look's row: few letters, the same to the last bit, and nothing believed that cannot have been."""

import json

import pytest

from rollout.adapters.journals import looks
from rollout.core.model import Verdict, Weight
from rollout.policy.codec import Undecodable
from tests.contract.journal import EVIDENCE, POLICY, look
from tests.fakes.clock import START

AT = START.isoformat()
WHOLE = look(
    silence=Verdict.ERROR,
    rose=True,
    held=Weight(5),
    edges=((0, (1.5,)), (1, ())),
    checks=POLICY.analysis.checks,
    evidence=EVIDENCE,
)


@pytest.mark.parametrize("one", [look(), WHOLE, look(fed=(), proof=False)], ids=["plain", "whole", "blind"])
def test_a_look_comes_back(one):
    assert looks.read(AT, 1_000, looks.written(one)) == one


def test_what_says_nothing_takes_no_room():
    """The figure that docs/operations.md gives: an ordinary look of one check."""
    plain = look(
        fed=((look().fed[0][0],),),
        verdicts=(Verdict.PASSING,),
        odds=(0.93,),
        noise=(4.0,),
        verdict=Verdict.PASSING,
    )
    text = looks.written(plain)
    assert json.loads(text).keys() == {"n", "f", "phi", "o", "v", "r", "p"}
    assert len(text) < 120


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 0}, {"n": True}, {"n": 1.0}, {"n": 2**60}, {"p": 0}, {"p": 2}, {"v": "PX"}, {"v": ""},
        {"r": "NO_SUCH"}, {"o": [-1]}, {"o": ["1"]}, {"o": [float("nan")]}, {"o": [float("inf")]}, {"o": 3},
        {"f": [[[1, 2, 3, 0, 1.0]]]}, {"f": [[[1, 0, 3, 4, 1.0]]]}, {"f": [[[1, 0, 3, 1.0]]]},
        {"f": [[[-1, 0, 3, 0, 1]]]},
        {"f": [[[1, 0, 3, 0, -1.0]]]}, {"f": [[1, 0, 3, 0, 1.0]]}, {"s": "X"}, {"phi": [None]}, {"h": -1},
        {"e": [[0]]}, {"e": [[-1, []]]}, {"e": [[0, ["1"]]]}, {"more": 1},
        {"checks": [{"type": "Comparison", "of": 5}]}, {"evidence": [{"type": "Bet"}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_have_been_is_not_believed(changes):
    plain = json.loads(looks.written(WHOLE)) | changes
    with pytest.raises(Undecodable, match=r"^a look cannot be read: "):
        looks.read(AT, 1_000, json.dumps(plain))


@pytest.mark.parametrize(
    ("at", "weight", "text"),
    [
        ("yesterday", 1_000, looks.written(look())),
        ("2026-03-02T00:00:00", 1_000, looks.written(look())),
        (AT, 10_001, looks.written(look())),
        (AT, "1000", looks.written(look())),
        (AT, 1_000, looks.written(look())[:-1]),
        (AT, 1_000, "[" * 100_000),
        (AT, 1_000, "[]"),
        (AT, 1_000, "{}"),
    ],
    ids=["no time", "no zone", "too much", "text", "torn", "deep", "a list", "empty"],
)
def test_a_damaged_row_is_not_believed(at, weight, text):
    with pytest.raises(Undecodable):
        looks.read(at, weight, text)
