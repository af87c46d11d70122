"""The judge in one sentence, with what he could not have seen."""

import pytest

from rollout.core import quotation
from rollout.core.model import Comparison, Limit, Tally
from tests.contract.journal import look


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Tally(), "No request was counted at this weight yet"),
        (Tally(301, 14, 2702, 3, 40.0),
         "Canary failed 14 of 301 (4.65 %), stable 3 of 2 702 (0.11 %) over the same 40 s"),
        (Tally(36, 0, 324, 0, 0.4),
         "Canary failed 0 of 36 (a fault below 9.2 % would not have shown), stable 0 of 324 (0.00 %)"),
        (Tally(1, 0, 9, 0, 2.0), "Canary failed 0 of 1 (0.00 %), stable 0 of 9 (0.00 %) over the same 2 s"),
    ],
    ids=["nothing", "worse", "clean", "one"],
)  # fmt: skip
def test_what_was_counted(counts, said):
    assert quotation.counted(counts) == said


def test_how_strong_it_is():
    """Ville: odds of M against the null come in at most 1 of M; never rounded up, and not told of nothing."""
    compared, limited = quotation.strength(Comparison(), 100.7), quotation.strength(Limit(0.05), 38.0)
    rare = "evidence this strong would appear in fewer than 1 of {} rollouts, however long we watched."
    assert compared == f"If the canary were not worse than 1.1x stable, {rare.format(100)}"
    kept = "If the canary kept its limit of 5 %, or were not worse than 1.1x stable"
    assert limited == f"{kept}, {rare.format(38)}"
    assert " 1 of 1 000 000 rollouts" in quotation.strength(Comparison(), 1e99)
    assert quotation.strength(Comparison(), 1.99) == ""


def test_the_counts_are_those_of_the_last_rung():
    """What was counted before the last rise proves another rung."""
    fed = ((Tally(10, 1, 90, 0, 1.0),),)
    record = [
        look(1, fed=fed),
        look(2, fed=fed, rose=True),
        look(3, fed=fed),
        look(4, fed=()),
        look(5, fed=fed),
    ]
    assert quotation.at_rung(record, 0) == Tally(20, 2, 180, 0, 2.0)
    assert quotation.at_rung(record[:2], 0) == Tally(20, 2, 180, 0, 2.0)
    assert list(quotation.last_words((Comparison(),), [look(1, fed=())])) == []
