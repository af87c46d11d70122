"""From raw counters to increments: resets, gaps, proxies that come and go (ANALYSIS 7.1-7.5; E1, E2)."""

from dataclasses import replace

import pytest

from rollout.core.counters import QUORUM, Increment, baseline, increment, tells_late
from rollout.core.model import Errors, Sample, Series, Tally

S, C = "stable", "canary"
ARMS = (S, C)
ERRORS = (Errors(),)


def series(
    backend: str,
    completed: int,
    bad: int = 0,
    *,
    proxy: str = "a",
    uptime: float | None = None,
    started: int | None = None,
    active: int = 0,
) -> Series:
    begun = completed + active if started is None else started
    return Series(proxy, backend, begun, completed, active, (("5xx", bad),), uptime)


def sample(*of: Series, silent: tuple[str, ...] = ()) -> Sample:
    return Sample(of, tuple((name, "timed out") for name in silent))


def since(before: Sample | None, after: Sample, elapsed: float | None = 1.0) -> Increment:
    return increment(before, after, ARMS, ERRORS, elapsed)


def tally(before: Sample | None, after: Sample, elapsed: float | None = 1.0) -> Tally:
    [counted] = since(before, after, elapsed).tallies
    return counted


# --- differences ---------------------------------------------------------------------------------


def test_what_is_counted_is_the_difference_of_each_series_summed_over_the_proxies():
    """n and x of each arm, and the seconds between."""
    before = sample(series(S, 100, 1), series(C, 10), series(S, 50, 2, proxy="b"), series(C, 5, 1, proxy="b"))
    after = sample(
        series(S, 190, 3), series(C, 20, 4), series(S, 80, 2, proxy="b"), series(C, 8, 1, proxy="b")
    )
    assert tally(before, after, 2.0) == Tally(13, 4, 120, 2, 2.0)
    counted = since(before, after)
    assert (counted.canary_n, counted.total, counted.covered) == (13, 133, True)


def test_the_first_sample_is_a_baseline_only():
    """Nothing is known of when it was counted."""
    assert tally(None, sample(series(S, 100, 1), series(C, 10, 10))) == Tally(seconds=1.0)


def test_other_backends_are_not_counted():
    """Only the two arms."""
    before = sample(series("other", 0), series(S, 0), series(C, 0))
    after = sample(series("other", 100, 100), series(S, 1), series(C, 2))
    assert tally(before, after) == Tally(2, 0, 1, 0, 1.0)


def test_each_check_counts_its_own_codes():
    """One tally for each asked-for tuple, codes summed, requests the same."""
    codes = (("429", 3), ("5xx", 2))
    old = sample(Series("a", C, 0, 0, 0, (("429", 0), ("5xx", 0))), series(S, 0))
    new = sample(Series("a", C, 9, 9, 0, codes), series(S, 0))
    counted = increment(old, new, ARMS, (Errors(), Errors(("429",)), Errors(("429", "5xx"))), 1.0)
    assert [(one.canary_n, one.canary_x) for one in counted.tallies] == [(9, 2), (9, 3), (9, 5)]


def test_without_a_span_no_seconds_are_counted():
    """After a start the requests count, the time does not."""
    before, after = sample(series(S, 1), series(C, 1)), sample(series(S, 3), series(C, 2))
    assert tally(before, after, None) == Tally(1, 0, 2, 0, 0.0)


# --- resets --------------------------------------------------------------------------------------


def test_a_counter_that_fell_began_anew():
    """What it shows now is counted: a lower bound of both."""
    before, after = sample(series(S, 100, 5), series(C, 50, 5)), sample(series(S, 7, 1), series(C, 3, 2))
    assert tally(before, after) == Tally(3, 2, 7, 1, 1.0)


def test_a_younger_proxy_began_anew_though_its_counters_are_higher():
    """Its age tells the restart that fast traffic hides."""
    before = sample(series(C, 50, 5, uptime=100.0))
    assert tally(before, sample(series(C, 60, 9, uptime=1.0))).canary_n == 60
    assert tally(before, sample(series(C, 60, 9, uptime=101.0))).canary_n == 10
    assert tally(before, sample(series(C, 60, 9, uptime=100.0))).canary_n == 10
    assert tally(before, sample(series(C, 60, 9))).canary_n == 10
    assert tally(sample(series(C, 50, 5)), sample(series(C, 60, 9, uptime=1.0))).canary_n == 10


def test_if_only_one_of_the_pair_fell_the_pair_is_not_counted():
    """Failures without their requests, or requests without their failures, would be a lie."""
    before, after = sample(series(C, 50, 5), series(S, 1)), sample(series(C, 60, 4), series(S, 2))
    assert tally(before, after) == Tally(0, 0, 1, 0, 1.0)
    again = baseline(before, after)
    assert tally(again, sample(series(C, 70, 6), series(S, 2))) == Tally(10, 2, 0, 0, 1.0)


def test_a_code_that_vanished_fell():
    """A stat that is no longer there is no longer what it was."""
    before = sample(Series("a", C, 50, 50, 0, (("5xx", 5),)))
    assert tally(before, sample(Series("a", C, 60, 60, 0, ()))).canary_n == 0


def test_an_absent_error_counter_is_zero():
    """Requests are there, errors never were: none failed."""
    before, after = sample(Series("a", C, 5, 5, 0, (("5xx", 0),))), sample(Series("a", C, 9, 9, 0, ()))
    assert tally(before, after) == Tally(4, 0, 0, 0, 1.0)


def test_failures_never_exceed_requests():
    """A source that says so is cut down."""
    assert tally(sample(series(C, 5, 0)), sample(series(C, 7, 50))) == Tally(2, 2, 0, 0, 1.0)


def test_a_code_that_was_not_asked_for_last_time_has_no_baseline_yet():
    """A check that came with a new policy counts from its first sample."""
    old = sample(Series("a", C, 5, 5, 0, (("5xx", 1),)))
    new = sample(Series("a", C, 9, 9, 0, (("429", 40), ("5xx", 2))))
    counted = increment(old, new, ARMS, (Errors(), Errors(("429",))), 1.0)
    assert counted.tallies == (Tally(4, 1, 0, 0, 1.0), Tally(seconds=1.0))
    fresh = sample(Series("a", C, 3, 3, 0, (("429", 1), ("5xx", 2))))
    counted = increment(old, fresh, ARMS, (Errors(), Errors(("429",))), 1.0)
    assert counted.tallies == (Tally(3, 2, 0, 0, 1.0), Tally(3, 1, 0, 0, 1.0))


# --- proxies that come and go --------------------------------------------------------------------


def test_a_proxy_that_joins_starts_at_what_it_shows():
    """Unless its age proves that it was born since the last look."""
    before = sample(series(C, 5))
    old = series(C, 40, 4, proxy="b")
    assert tally(before, sample(series(C, 6), old)).canary_n == 1
    assert tally(before, sample(series(C, 6), replace(old, uptime=1.5))).canary_n == 1
    assert tally(before, sample(series(C, 6), replace(old, uptime=1.0))).canary_n == 1
    assert tally(before, sample(series(C, 6), replace(old, uptime=0.9))) == Tally(41, 4, 0, 0, 1.0)
    assert tally(before, sample(series(C, 6), replace(old, uptime=0.9)), None).canary_n == 1


def test_a_silent_proxy_loses_nothing():
    """Its old values are kept, and what it counted meanwhile is counted when it answers again."""
    before = sample(series(C, 10, 1), series(C, 20, 2, proxy="b"))
    gap = sample(series(C, 15, 1), silent=("b",))
    kept = baseline(before, gap)
    assert kept == sample(series(C, 20, 2, proxy="b"), series(C, 15, 1), silent=("b",))
    assert tally(before, gap) == Tally(5, 0, 0, 0, 1.0)
    assert tally(kept, sample(series(C, 16, 1), series(C, 50, 8, proxy="b"))) == Tally(31, 6, 0, 0, 1.0)


def test_a_proxy_that_left_is_forgotten():
    """Neither answering nor silent: when one of its name comes back, it is new."""
    before = sample(series(C, 10), series(C, 20, proxy="b"))
    kept = baseline(before, sample(series(C, 15)))
    assert kept == sample(series(C, 15))
    assert tally(kept, sample(series(C, 16), series(C, 50, proxy="b"))).canary_n == 1


def test_the_first_baseline_is_the_first_sample():
    """With nothing before, nothing is kept."""
    first = sample(series(C, 1), silent=("b",))
    assert baseline(None, first) == first


def test_who_was_silent_and_answers_tells_late():
    gap, after = sample(series(C, 15), silent=("b",)), sample(series(C, 16), series(C, 50, proxy="b"))
    assert tells_late(gap, after)
    assert not tells_late(gap, gap)
    assert not tells_late(after, after)
    assert not tells_late(None, after)


# --- late requests -------------------------------------------------------------------------------


def test_requests_under_way_since_the_baseline_are_late():
    """Active now, and not begun since: a lower bound of the hanging ones, each arm its own."""
    before = sample(series(C, 10, started=14, active=4), series(S, 100, started=101, active=1))
    after = sample(series(C, 11, started=16, active=5), series(S, 200, started=202, active=2))
    counted = since(before, after)
    assert (counted.late_canary, counted.late_stable) == (3, 0)
    assert since(None, after).late_canary == 0


def test_late_requests_are_summed_over_the_proxies_and_never_negative():
    """One proxy's fresh requests do not hide another's hanging ones."""
    before = sample(series(C, 0, started=5, active=5), series(C, 0, started=0, proxy="b"))
    after = sample(series(C, 0, started=5, active=5), series(C, 0, started=9, active=9, proxy="b"))
    assert since(before, after).late_canary == 5


# --- quorum --------------------------------------------------------------------------------------


def covered(
    shares: dict[str, int],
    *silent: str,
    unknown: tuple[str, ...] = (),
    uptime: float | None = 100.0,
    later: float = 0.0,
) -> bool:
    """Do the answering proxies cover enough, if these saw so many requests in so many seconds? They go on at
    that rate for ``later`` seconds.
    """
    before = sample(*(series(S, count, proxy=name, uptime=uptime) for name, count in shares.items()))
    answering = (
        series(
            S,
            round(count * (1 + later / (uptime or 1.0))),
            proxy=name,
            uptime=None if uptime is None else uptime + later,
        )
        for name, count in shares.items()
        if name not in silent
    )
    return since(baseline(None, before), sample(*answering, silent=(*silent, *unknown))).covered


def test_silence_elsewhere_is_bearable_while_most_requests_are_covered():
    """E1: by the requests that each proxy has seen; exactly half is not most."""
    assert QUORUM == 0.5
    assert covered({"a": 51, "b": 49}, "b")
    assert not covered({"a": 50, "b": 50}, "b")
    assert not covered({"a": 49, "b": 51}, "b")
    assert covered({"a": 10, "b": 1, "c": 1, "d": 1}, "b", "c", "d")
    assert not covered({"a": 10, "b": 10}, "a", "b")
    assert covered({"a": 10, "b": 10})


def test_a_long_silence_is_no_smaller_share():
    """E1: an hour later the answering proxy has counted far more than the silent one ever did."""
    assert not covered({"a": 40, "b": 60}, "b", later=3_600)
    assert covered({"a": 60, "b": 40}, "b", later=3_600)


def test_proxies_are_weighed_as_they_were_when_all_of_them_answered():
    """E1: traffic doubled while two of three were silent: what the third counts is no larger share of it."""
    before = baseline(None, sample(*(series(S, 200, proxy=name, uptime=34.0) for name in "abc")))
    grown = sample(series(S, 700, proxy="c", uptime=49.0), silent=("a", "b"))
    assert not since(before, grown).covered
    assert not since(baseline(before, grown), grown).covered


def test_a_proxy_that_has_just_begun_counts_by_its_rate():
    """Ten requests in a second are more than fifty in ten."""
    before = baseline(
        None, sample(series(S, 50, proxy="a", uptime=10.0), series(S, 10, proxy="b", uptime=1.0))
    )
    assert not since(before, sample(series(S, 50, proxy="a", uptime=10.0), silent=("b",))).covered
    assert since(before, sample(series(S, 10, proxy="b", uptime=1.0), silent=("a",))).covered
    born = baseline(None, sample(series(S, 4, proxy="a", uptime=4.0), series(S, 2, proxy="b", uptime=0.0)))
    assert since(born, sample(series(S, 2, proxy="b", uptime=0.0), silent=("a",))).covered


def test_without_ages_proxies_count_by_number():
    """Counts alone say nothing of how many requests a proxy carries now."""
    assert covered({"a": 1, "b": 98, "c": 1}, "b", uptime=None)
    assert not covered({"a": 98, "b": 1, "c": 1}, "b", "c", uptime=None)


def test_a_proxy_never_seen_counts_by_number():
    """Nobody knows how many requests it carries."""
    assert covered({"a": 1, "b": 1}, unknown=("c",))
    assert not covered({"a": 100}, unknown=("c",))
    assert not covered({"a": 100, "b": 1}, "b", unknown=("c",))
    assert not covered({}, unknown=("c",))


def test_proxies_without_any_request_count_by_number():
    """A fleet that has just begun."""
    assert covered({"a": 0, "b": 0, "c": 0}, "c")
    assert not covered({"a": 0, "b": 0}, "b")


@pytest.mark.parametrize("silent", [(), ("b",)])
def test_an_empty_sample_counts_nothing(silent):
    """No series at all."""
    counted = since(None, sample(silent=silent))
    assert counted.tallies == (Tally(seconds=1.0),)
    assert counted.covered is (not silent)
