"""Weights, counters and calendars over anything: what is always true of the numbers."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rollout.core import judge, schedule
from rollout.core.counters import baseline, increment
from rollout.core.model import FULL, Comparison, Errors, Evidence, Limit, Sample, Split, Tally, Window
from rollout.core.noise import UNKNOWN
from tests.property.examples import examples
from tests.property.strategies import samples
from tests.unit.core.world import V1, V2

quick = examples(150)

names = st.text("abc", min_size=1, max_size=3)
weights = st.dictionaries(names, st.integers(0, 10**9), min_size=1, max_size=6).filter(
    lambda drawn: any(drawn.values())
)
MEASURES = (Errors(), Errors(("429", "5xx")))


@quick
@given(weights)
def test_a_split_is_whole_fair_and_without_zeros(drawn):
    """I1: it sums to everything, and nobody gets more than one unit more or less than their exact share."""
    split = Split.of(drawn)
    assert sum(weight for _, weight in split.shares) == FULL
    assert [name for name, _ in split.shares] == sorted({name for name, weight in split.shares if weight})
    total = sum(drawn.values())
    for name, weight in drawn.items():
        assert abs(split.weight(name) - weight * FULL / total) < 1
        if weight == 0:
            assert split.weight(name) == 0


@quick
@given(weights, st.randoms(use_true_random=False))
def test_a_split_does_not_depend_on_the_order_of_names(drawn, chance):
    """The same weights in any order are the same split; and a split of a split is itself."""
    shuffled = list(drawn.items())
    chance.shuffle(shuffled)
    assert Split.of(dict(shuffled)) == Split.of(drawn)
    assert Split.of(dict(Split.of(drawn).shares)) == Split.of(drawn)


@quick
@given(st.integers(0, FULL))
def test_a_split_of_two_gives_exactly_the_weight(weight):
    """No rounding between us and the mesh."""
    split = Split.between(V1, V2, weight)
    assert (split.weight(V2), split.weight(V1)) == (weight, FULL - weight)


@quick
@given(st.lists(samples, min_size=1, max_size=8), st.sampled_from((None, 0.5, 1.0, 60.0)))
def test_no_counters_ever_make_a_negative_or_impossible_increment(seen: list[Sample], elapsed: float | None):
    """Resets, gaps, proxies that come and go: no increment is negative, failures lie within requests."""
    before: Sample | None = None
    for sample in seen:
        counted = increment(before, sample, (V1, V2), MEASURES, elapsed)
        for tally in counted.tallies:
            assert 0 <= tally.canary_x <= tally.canary_n
            assert 0 <= tally.stable_x <= tally.stable_n
        assert min(counted.late_canary, counted.late_stable) >= 0
        known = {(one.proxy, one.backend) for one in (before.series if before else ())}
        before = baseline(before, sample)
        kept = {(one.proxy, one.backend) for one in before.series}
        assert {(one.proxy, one.backend) for one in sample.series} <= kept <= known | kept
        assert len(kept) == len(before.series)


@quick
@given(st.lists(samples, min_size=2, max_size=6))
def test_the_same_sample_twice_counts_nothing(seen: list[Sample]):
    """Nothing happened: nothing is counted, unless a restart hid in it."""
    before = seen[0]
    for sample in seen:
        before = baseline(before, sample)
    for tally in increment(before, before, (V1, V2), MEASURES, 1.0).tallies:
        assert tally == Tally(seconds=1.0)


tallies = st.tuples(*[st.sampled_from((0, 1, 3, 10, 100, 5000))] * 4).map(
    lambda n: Tally(n[0], min(n[0], n[1]), n[2], min(n[2], n[3]), 1.0)
)


@quick
@given(st.sampled_from((Comparison(), Limit(0.05), Limit(0.5))), st.lists(tallies, max_size=20))
def test_the_odds_are_finite_and_positive_whatever_comes(check, looks):
    """No overflow, no NaN, no negative capital; and its state is the one that comes back from the journal."""
    evidence: Evidence = judge.start(check)
    for look in looks:
        evidence = judge.add(check, evidence, look, proof=True, phi=UNKNOWN, control=True)
        finding = judge.find(check, evidence)
        assert 0 < finding.odds < float("inf")


instants = st.integers(0, 3 * 365 * 86_400).map(
    lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
times = st.builds(time, st.integers(0, 23), st.sampled_from((0, 10, 30, 59)))
windows = st.builds(
    Window,
    st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True).map(tuple),
    times,
    times,
    st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")),
)


@quick
@given(st.lists(windows, min_size=1, max_size=3).map(tuple), instants)
def test_weight_may_rise_at_the_opening_and_not_a_moment_before(given_windows, now):
    """`opens` is the first open instant."""
    opens = schedule.opens(given_windows, now)
    assert opens >= now
    if not schedule.is_open(given_windows, now):
        moment = timedelta(microseconds=1)
        before = opens - moment
        assert before < now or not schedule.is_open(given_windows, before)
        middle = now + (opens - now) / 2
        assert not schedule.is_open(given_windows, middle)
        assert schedule.is_open(given_windows, opens)
