"""Latency as a question of shares: which answers are slow, at which edges, what that says (ANALYSIS 6)."""

import math
from dataclasses import replace

import pytest

from rollout.core import bets, judge, latency
from rollout.core.counters import baseline, increment
from rollout.core.model import (
    Bet,
    Comparison,
    EdgeEvidence,
    Latency,
    LatencyEvidence,
    Limit,
    LimitEvidence,
    Sample,
    Series,
    Tally,
    Verdict,
)
from rollout.core.noise import UNKNOWN
from rollout.policy.codec import decode, encode

S, C = "stable", "canary"
EDGES = (10.0, 100.0, 1000.0)
CHECK = Comparison(Latency())


def series(backend: str, *upto: int, active: int = 0, started: int | None = None, **more: object) -> Series:
    """``upto``: answers of at most 10, 100, 1000 ms, and all."""
    total = upto[-1]
    edges = tuple(zip((*EDGES, math.inf), upto, strict=True))
    begun = total + active if started is None else started
    return replace(Series("a", backend, begun, total, active, (), edges=edges), **more)  # type: ignore[arg-type]


def slow(before: Series, after: Series, over: float, elapsed: float | None = 1.0) -> tuple[int, int]:
    """(answers, slow ones) of the canary between two looks."""
    counted = increment(Sample((before,)), Sample((after,)), (S, C), (Latency(over),), elapsed)
    [tally] = counted.tallies
    assert (tally.stable_n, tally.stable_x) == (0, 0)
    return tally.canary_n, tally.canary_x


# --- from histograms to counts -------------------------------------------------------------------


def test_slow_is_what_took_longer_than_an_edge():
    """The difference of all and of the bucket, one after the other."""
    before, after = series(C, 5, 8, 9, 10), series(C, 15, 28, 36, 40)
    assert [slow(before, after, edge) for edge in EDGES] == [(30, 20), (30, 10), (30, 3)]


def test_a_limit_between_two_edges_is_held_to_the_upper_one():
    """What is slower than 100 ms is slower than 50 ms; beyond the last edge nothing can be told."""
    before, after = series(C, 0, 0, 0, 0), series(C, 10, 30, 38, 40)
    assert slow(before, after, 50.0) == slow(before, after, 100.0) == (40, 10)
    assert slow(before, after, 1000.1) == (0, 0)


def test_a_histogram_without_answers_is_a_baseline_of_zeros():
    """Its edges are not known yet, its counts are."""
    empty = replace(series(C, 0, 0, 0, 0), edges=((math.inf, 0),))
    assert slow(empty, series(C, 1, 3, 4, 4), 10.0) == (4, 3)


def test_who_was_told_to_wait_is_taken_off_when_the_proxy_tells_of_its_answer():
    """Answers are told now and then only, when the proxy's age is renewed; in between nothing is counted,
    and nobody who waited is forgotten.
    """
    looks = [
        series(C, 0, 0, 0, 0, active=2, started=2, uptime=5.0),
        series(C, 0, 0, 0, 0, active=2, started=2, uptime=10.0),  # both have waited for a look
        replace(series(C, 0, 0, 0, 0, started=2, uptime=10.0), completed=2),  # answered, not told yet
        replace(series(C, 0, 0, 0, 0, started=5, uptime=10.0), completed=5),  # and three quick ones
        series(C, 3, 3, 3, 5, uptime=15.0),
    ]
    before, counted = Sample((looks[0],)), []
    for look in looks[1:]:
        after = Sample((look,))
        [tally] = increment(before, after, (S, C), (Latency(100.0),), 1.0).tallies
        counted.append((tally.canary_n, tally.canary_x))
        before = baseline(before, after, 1.0)
    assert counted == [(2, 2), (0, 0), (0, 0), (3, 0)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (replace(series(C, 0, 0, 0, 5), edges=()), series(C, 1, 2, 3, 9)),  # was not asked for
        (series(C, 0, 0, 0, 5), replace(series(C, 1, 2, 3, 9), edges=())),  # is not told
        (replace(series(C, 0, 1, 2, 5), edges=((20.0, 1), (math.inf, 5))), series(C, 1, 2, 3, 9)),
        (series(C, 1, 2, 3, 5), series(C, 4, 4, 5, 9)),  # 3 more up to 10 ms, 2 more up to 100
        (series(C, 3, 4, 5, 5), series(C, 2, 5, 6, 9)),
    ],
    ids=["asked for now", "not told", "other edges", "torn", "torn downwards"],
)
def test_histograms_that_cannot_be_compared_say_nothing(before: Series, after: Series):
    """No answer is counted as quick or slow on a guess."""
    assert slow(before, after, 100.0) == (0, 0)


def test_what_a_torn_histogram_kept_back_is_counted_by_the_next_look():
    """Errors go on from the new counters, latency from the old histogram."""
    first, torn, whole = series(C, 1, 2, 3, 5), series(C, 4, 4, 5, 9), series(C, 4, 6, 8, 12)
    kept = baseline(Sample((first,)), Sample((torn,)), 1.0)
    [one] = kept.series
    assert (one.completed, one.edges) == (9, first.edges)
    [tally] = increment(kept, Sample((whole,)), (S, C), (Latency(100.0),), 1.0).tallies
    assert (tally.canary_n, tally.canary_x) == (7, 3)


def test_a_histogram_that_began_anew_is_its_own_baseline():
    """A proxy that restarted tells what came since; one that has fewer answers than before is another's."""
    old = series(C, 10, 20, 30, 40, uptime=100.0)
    assert slow(old, series(C, 1, 2, 3, 4, uptime=0.5), 100.0) == (4, 2)
    other = replace(series(C, 1, 2, 3, 41), edges=tuple(zip((*EDGES, math.inf), (1, 2, 3, 4), strict=True)))
    assert slow(old, other, 100.0) == (0, 0)
    [kept] = baseline(Sample((old,)), Sample((other,)), 1.0).series
    assert kept.edges == other.edges


# --- requests that hang --------------------------------------------------------------------------


def hang(looks: list[Series], over: float, elapsed: float = 1.0) -> list[tuple[int, int]]:
    found, before = [], baseline(None, Sample((looks[0],)), elapsed)
    for look in looks[1:]:
        [tally] = increment(before, Sample((look,)), (S, C), (Latency(over),), elapsed).tallies
        found.append((tally.canary_n, tally.canary_x))
        before = baseline(before, Sample((look,)), elapsed)
    return found


def test_who_waits_longer_than_an_edge_is_slow_once():
    """Under way at two looks a second apart: slower than 100 ms and than a second, whatever will come."""
    looks = [
        series(C, 0, 0, 0, 0, active=5),
        series(C, 0, 0, 0, 0, active=5),
        series(C, 0, 0, 0, 0, active=5),
        series(C, 0, 0, 0, 5),  # they are answered at last, after seconds
        series(C, 4, 4, 4, 9),
    ]
    assert hang(looks, 100.0) == [(5, 5), (0, 0), (0, 0), (4, 0)]
    assert hang(looks, 1000.0) == [(5, 5), (0, 0), (0, 0), (4, 0)]
    assert hang(looks, 100.0, elapsed=0.05) == [(0, 0), (0, 0), (5, 5), (4, 0)]


def test_who_never_gets_an_answer_stays_slow():
    """Given up or timed out: nothing is taken back below what was counted."""
    looks = [
        series(C, 0, 0, 0, 0, active=3),
        series(C, 0, 0, 0, 0, active=3),
        series(C, 0, 0, 0, 0, started=3),
        series(C, 2, 2, 2, 2, started=5),
    ]
    assert hang(looks, 10.0) == [(3, 3), (0, 0), (2, 0)]


def test_after_a_pause_nobody_knows_how_long_they_waited():
    """Without a span they are counted when they are answered."""
    waiting = series(C, 0, 0, 0, 0, active=3)
    assert slow(waiting, waiting, 10.0, None) == (0, 0)
    [kept] = baseline(Sample((waiting,)), Sample((waiting,)), None).series
    assert (kept.late, kept.age) == (0, 0.0)


# --- which edges ---------------------------------------------------------------------------------


def test_edges_are_those_that_tell_slow_from_quick():
    """Between 0.2 % and 70 % of stable's answers are slower, both ends included."""
    assert latency.choose(Sample((series(S, 300, 900, 998, 1000),)), S) == (10.0, 100.0, 1000.0)
    assert latency.choose(Sample((series(S, 299, 900, 999, 1000),)), S) == (100.0,)


def test_where_all_are_quick_the_first_edge_tells_who_is_not():
    """A service that answers within the first bucket is compared by who does not; one that never answers
    within any cannot be compared.
    """
    assert latency.choose(Sample((series(S, 1000, 1000, 1000, 1000),)), S) == (10.0,)
    assert latency.choose(Sample((series(S, 100, 999, 1000, 1000),)), S) == (100.0,)
    assert latency.choose(Sample((series(S, 0, 0, 100, 1000),)), S) == ()


def test_edges_are_chosen_by_stable_alone_over_all_its_proxies():
    """As soon as 300 answers are known, whoever counted them; at edges that all of them have."""
    few = series(S, 100, 250, 299, 299), series(C, 0, 0, 0, 9000)
    assert latency.choose(Sample(few), S) is None
    assert latency.choose(Sample((*few, series(S, 0, 0, 0, 1, proxy="b"))), S) == (10.0, 100.0, 1000.0)
    idle = Series("c", S, 0, 0, 0, (), edges=((math.inf, 0),))
    assert latency.choose(Sample((series(S, 400, 800, 1000, 1000), idle)), S) == (10.0, 100.0)
    other = Series("c", S, 0, 9, 0, (), edges=((100.0, 9), (math.inf, 9)))
    assert latency.choose(Sample((series(S, 400, 800, 1000, 1000), other)), S) == (100.0,)
    assert latency.choose(Sample(()), S) is None


def test_what_was_chosen_stays():
    """A canary cannot talk its edges away, nor a day at which everything is slow."""
    first = latency.settle(LatencyEvidence(), Sample((series(S, 300, 900, 998, 1000),)), S)
    assert [each.edge for each in first.edges or ()] == list(EDGES)
    assert latency.measures(first) == (Latency(10.0), Latency(100.0), Latency(1000.0))
    assert latency.settle(first, Sample((series(S, 0, 0, 0, 10_000),)), S) == first
    assert latency.measures(LatencyEvidence()) == ()


# --- what they say -------------------------------------------------------------------------------


def chosen(*edges: float) -> LatencyEvidence:
    empty = Bet(1.0, (0.0,) * len(bets.SLOWNESS.worse))
    return LatencyEvidence(tuple(EdgeEvidence(edge, empty) for edge in edges))


def feed(evidence: LatencyEvidence, *looks: tuple[Tally, ...]) -> LatencyEvidence:
    for look in looks:
        evidence = latency.add(evidence, look, phis=[1.0] * len(look), proof=True, bets=True)
    return evidence


def test_the_evidence_is_the_average_over_the_edges():
    """One edge that is sure is worth its share."""
    evidence = feed(chosen(10.0, 100.0), (Tally(50, 25, 450, 225, 1.0), Tally(50, 20, 450, 4, 1.0)))
    low, high = (each.bet.evidence for each in evidence.edges or ())
    assert low < 1.0
    assert high > 100.0
    assert latency.odds(evidence) == pytest.approx((low + high) / 2)
    found = judge.find(CHECK, evidence)
    assert (found.verdict, found.odds) == (Verdict.FAILING, latency.odds(evidence))
    assert found.step == Tally(50, 20, 450, 4, 1.0)


def test_as_slow_as_stable_is_no_evidence():
    """Nor is a little slower: 15 % more slow requests are within the margin."""
    looks = [(Tally(100, 11, 900, 90, 1.0),)] * 200
    assert judge.find(CHECK, feed(chosen(100.0), *looks)).verdict is Verdict.PASSING


def test_a_shared_incident_cancels():
    """Everything is slow on both sides."""
    assert latency.odds(feed(chosen(100.0), *[(Tally(100, 95, 900, 855, 1.0),)] * 50)) < 1.0


def test_no_alternative_wins_on_average_within_the_margin():
    """E[L] <= 1 at the border of the null, by enumeration over both arms."""
    for share_s in (0.05, 0.3, 0.7):
        share_c = min(1.0, bets.SLOWNESS.ratio * share_s + bets.SLOWNESS.margin)
        for times in bets.SLOWNESS.worse:
            mean = sum(
                math.comb(3, x)
                * share_c**x
                * (1 - share_c) ** (3 - x)
                * math.comb(12, y)
                * share_s**y
                * (1 - share_s) ** (12 - y)
                * math.exp(bets.worse_log(bets.SLOWNESS, Tally(3, x, 12, y), times))
                for x in range(4)
                for y in range(13)
            )
            assert mean <= 1 + 1e-12


def test_without_edges_nothing_is_known_and_nothing_passes():
    """Not yet, and never: both are no data, and they are told apart."""
    unknown = judge.find(CHECK, judge.start(CHECK))
    assert (unknown.verdict, unknown.lacking, unknown.odds) == (Verdict.NO_DATA, "unknown", 1.0)
    never = judge.find(CHECK, LatencyEvidence(()))
    assert (never.verdict, never.lacking, never.odds) == (Verdict.NO_DATA, "no edge", 1.0)
    assert feed(LatencyEvidence(), ()) == judge.anew(LatencyEvidence()) == LatencyEvidence()


def test_the_bets_begin_with_the_first_weight_and_go_on_at_the_next():
    """Before it only the counts grow; at another rung only the bets stay."""
    look = (Tally(50, 20, 450, 4, 1.0),)
    before = latency.add(chosen(100.0), look, phis=[1.0], proof=True, bets=False)
    assert before.edges is not None
    [edge] = before.edges
    assert (edge.bet, edge.step, edge.counts) == (Bet(1.0, (0.0,) * 8), Tally(), look[0])
    after = judge.anew(feed(before, look))
    assert isinstance(after, LatencyEvidence)
    assert after.edges is not None
    [edge] = after.edges
    assert (edge.step, edge.counts) == (Tally(), Tally())
    assert latency.odds(after) > 100


def test_the_journal_keeps_every_bit():
    """Edges, bets and counts; the infinite edge of a histogram too."""
    evidence = feed(chosen(0.5, 10.0), (Tally(50, 20, 450, 4, 1.0), Tally(50, 1, 450, 9, 1.0)))
    assert decode(LatencyEvidence, encode(evidence)) == evidence
    sample = Sample((series(C, 1, 2, 3, 5, late=2, age=1.5),), missing=(("latency", "no buckets"),))
    assert decode(Sample, encode(sample)) == sample


def test_a_tighter_limit_of_latency_keeps_its_capital_and_asks_anew_what_is_worse_than_stable():
    """Slower than 500 ms is slower than 250 ms; but whether stable is so too was never counted there."""
    loose, tight = Limit(0.01, Latency(500.0)), Limit(0.01, Latency(250.0))
    evidence = judge.start(loose)
    for _ in range(3):
        evidence = judge.add(
            loose, evidence, Tally(50, 20, 450, 4, 1.0), proof=True, phi=UNKNOWN, control=True
        )
    kept = judge.tighten(loose, evidence, tight)
    assert isinstance(evidence, LimitEvidence)
    assert isinstance(kept, LimitEvidence)
    assert kept.bet.unbet == evidence.bet.evidence
    assert kept.worse == judge.start(Comparison())
    assert judge.tighten(loose, evidence, Limit(0.01, Latency(500.0), 200)) == evidence
