"""The judge asked again: the same answer from the record alone, and a plain word where that cannot be."""

from dataclasses import replace

import pytest

from rollout.core.model import Analysis, Comparison, Judged, Latency, Limit, Steady, Tally, Unseen, Verdict
from rollout.core.reason import Reason
from rollout.core.replay import replay, settled
from rollout.core.testimony import ENTRY, kept
from tests.unit.core.slow_world import Slow
from tests.unit.core.world import V1, V2, World, policy, steady

BOTH = Analysis(checks=(Comparison(), Limit(0.3)))


def journey(failing: float = 0.0, *, looks: int = 60, checks: Analysis = BOTH) -> list[Judged]:
    """A journey's record, of a canary that fails from its first step on."""
    world = World(policy(analysis=checks), steady(), mesh_epoch=1, failing={V1: 0.01})
    record: list[Judged] = []
    for _ in range(looks):
        look = kept(world.look())
        assert look is not None
        record.append(look)
        if look.reason is Reason.STARTED:
            world.failing[V2] = failing
        if look.verdict is Verdict.FAILING:
            break
    return record


def test_a_rollback_is_judged_again():
    """The last look condemns, now as then, on the same numbers."""
    record = journey(0.3)
    again = list(replay(record))
    assert {(each.differs, each.missing) for each in again} == {("", "")}
    assert record[-1].verdict is again[-1].verdict is Verdict.FAILING
    assert again[-1].findings[0].odds == record[-1].odds[0] >= 100


def test_the_record_holds_what_it_needs_and_no_more():
    """The checks once, no evidence while it is whole, nothing fed before the first weight."""
    record = journey()
    assert [bool(look.checks) for look in record] == [True] + [False] * (len(record) - 1)
    assert not any(look.evidence for look in record)
    assert [look.number for look in record] == list(range(1, len(record) + 1))
    before = [look for look in record if not look.weight]
    assert {look.reason for look in before} == {Reason.MEASURING, Reason.STARTED}
    assert {look.odds for look in before} == {(1.0, 1.0)}
    assert all(look.silence is None for look in record)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"odds": (0.5, 0.5)}, "the odds are "),
        ({"verdict": Verdict.FAILING}, "the verdicts are "),
        ({"verdicts": (Verdict.ERROR, Verdict.PASSING)}, "the verdicts are "),
        ({"proof": False}, "the verdicts are "),
        ({"noise": ((9.0,), (9.0,))}, "the odds are "),
        ({"weight": 0}, "the odds are "),
        ({"silence": Verdict.NO_DATA}, "the verdicts are "),
        ({"fed": ((Tally(10, 9, 90, 1, 1.0),), (Tally(10, 9, 90, 1, 1.0),))}, "the odds are "),
    ],
    ids=lambda change: next(iter(change)) if isinstance(change, dict) else None,
)
def test_what_was_changed_by_hand_is_seen(change, said):
    """Whatever part of a look is another than it was, an answer differs from then on."""
    record = journey()
    passed = [look.number - 1 for look in record if look.rose or look.verdict is Verdict.PASSING]
    here = next(number for number in passed if record[number].fed and not record[number].rose)
    changed = [*record[:here], replace(record[here], **change), *record[here + 1 :]]
    differs = [each.differs for each in replay(changed) if each.differs]
    assert differs
    assert any(each.startswith(said) for each in differs)


def test_a_gap_is_named_and_the_record_entered_after_it():
    """Nothing is made up for looks that nobody wrote down."""
    record = journey()
    world_knows = list(replay(record))
    entry = replace(record[30], checks=world_knows[30].checks, evidence=_evidence_after(record, 30))
    again = list(replay([*record[:20], *record[25:30], entry, *record[31:]]))
    assert [each.missing for each in again[:20]] == [""] * 20
    assert again[20].missing == "5 looks before it were never written down"
    assert {each.missing for each in again[21:26]} == {"the looks before it are not kept"}
    assert {(each.missing, each.differs) for each in again[26:]} == {("", "")}


def _evidence_after(record, number):
    """What the judge knew after that look, from the live world's state."""
    world = World(policy(analysis=BOTH), steady(), mesh_epoch=1, failing={V1: 0.01})
    for look in record[: number + 1]:
        world.look()
        if look.reason is Reason.STARTED:
            world.failing[V2] = 0.0
    return world.ramp.evidence


def test_evidence_kept_in_the_middle_is_compared_too():
    """A forged entry is seen while what comes before it is there."""
    record = journey()
    forged = replace(record[30], checks=BOTH.checks, evidence=_evidence_after(record, 12))
    again = list(replay([*record[:30], forged, *record[31:]]))
    assert again[30].differs == "the evidence kept with it is another"


@pytest.mark.parametrize(
    "change",
    [
        {"fed": ((Tally(1),),)},
        {"fed": ((Tally(1), Tally(1)), (Tally(1),))},
        {"noise": ((1.0,),)},
        {"fed": ((Tally(10**400, 0, 10**400),), (Tally(),))},
    ],
    ids=["too few", "parts", "noise", "absurd"],
)
def test_what_this_judge_does_not_know_is_said(change):
    """A record of another version, or nonsense, is no verdict and no crash."""
    record = journey()
    *_, again = replay([*record[:40], replace(record[40], **change)])
    assert again.missing
    assert again.verdict is None


def test_a_long_journey_can_be_entered_at_each_thousandth_look():
    """There the record holds all that the judge knew."""
    world = World(policy(), steady(), mesh_epoch=1)
    world.looks(5)
    number = world.ramp.looks
    world.state = replace(world.ramp, looks=ENTRY - 1)
    entry = kept(world.look())
    assert (number, entry and entry.number) == (5, ENTRY)
    after = [look for look in map(kept, world.looks(20)) if look]
    assert entry is not None
    first, *others = replay([entry, *after])
    assert first.missing == "the looks before it are not kept"
    assert {(each.missing, each.differs) for each in others} == {("", "")}


def test_blind_looks_and_held_ones_are_in_the_record():
    """Nothing that was counted while somebody holds the rollout is forgotten."""
    world = World(policy(), steady(), mesh_epoch=1)
    record = [kept(one) for one in world.looks(20)]
    world.metrics_gone = Unseen("away")
    record.append(kept(world.look()))
    world.metrics_gone = None
    world.foreign({V1: 9_990, V2: 10})
    record += [kept(one) for one in world.looks(20)]
    looks = [look for look in record if look]
    assert looks[20].silence is Verdict.ERROR
    assert looks[-1].reason is Reason.LOWERED
    assert (looks[-1].weight, looks[-1].held, looks[-1].might) == (1_000, 10, 10)
    assert looks[-1].fed
    assert {(each.missing, each.differs) for each in replay(settled(looks))} == {("", "")}
    assert not isinstance(world.state, Steady)


def test_the_edges_of_latency_are_part_of_the_record():
    """They are chosen by what stable showed once, so the look that chose them says so."""
    checks = Analysis(checks=(Comparison(), Comparison(Latency()), Limit(0.5, Latency(1_000.0))))
    world = Slow(policy(analysis=checks), steady(), mesh_epoch=1, failing={V1: 0.01})
    record = [look for look in map(kept, world.looks(90)) if look]
    assert [look.edges for look in record if look.edges] == [((1, (100.0, 1_000.0)),)]
    assert len(record[-1].fed[1]) == 2
    again = list(replay(record))
    assert {(each.missing, each.differs) for each in again} == {("", "")}
    assert again[-1].after is not None
    assert again[-1].after.evidence == world.ramp.evidence
    chosen = next(number for number, look in enumerate(record) if look.edges)
    forged = [*record[:chosen], replace(record[chosen], edges=()), *record[chosen + 1 :]]
    assert any(each.missing or each.differs for each in replay(forged))
