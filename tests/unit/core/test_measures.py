"""What a policy can ask, and how the operator's queries are counted."""

from collections.abc import Sequence

import pytest

from rollout.core.counters import baseline, counted, increment
from rollout.core.model import (
    Analysis,
    Comparison,
    Errors,
    GaugeSeen,
    Latency,
    Limit,
    Protocol,
    Query,
    QuerySeen,
    RatioSeen,
    Sample,
    Series,
    Tally,
)

ARMS = ("stable", "canary")


def ratio(bad: int, total: int, backend: str = "canary", instance: str = "a", query: str = "q") -> RatioSeen:
    return RatioSeen(query, backend, instance, bad, total)


def gauge(value: float, at: float, backend: str = "canary", instance: str = "a") -> GaugeSeen:
    return GaugeSeen("q", backend, instance, value, at)


Seen = Sequence[QuerySeen]


def gained(before: Seen | None, after: Seen, over: float | None = None) -> Tally:
    old = None if before is None else Sample((), queries=tuple(before))
    [tally] = increment(old, Sample((), queries=tuple(after)), ARMS, (Query("q", over),), 2.0).tallies
    return tally


def test_a_query_is_counted_by_instance_and_summed_by_arm():
    """Only the query asked for, only the two arms, each instance from its own baseline."""
    before = [ratio(1, 10), ratio(0, 5, instance="b"), ratio(2, 90, "stable"), ratio(0, 1, "other")]
    after = [
        *(ratio(4, 20), ratio(0, 8, instance="b"), ratio(3, 190, "stable"), ratio(9, 9, "other")),
        ratio(7, 7, query="another"),
    ]
    assert gained(before, after) == Tally(13, 3, 100, 1, 2.0)


def test_the_first_counts_of_an_instance_are_a_baseline():
    """Nobody knows when they came."""
    assert gained(None, [ratio(3, 10)]) == Tally(seconds=2.0)
    assert gained([ratio(3, 10)], [ratio(3, 10), ratio(9, 90, instance="b")]) == Tally(seconds=2.0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (ratio(5, 50), ratio(1, 7), (7, 1)),  # both began anew
        (ratio(5, 50), ratio(1, 60), (0, 0)),  # one of the two only
        (ratio(5, 50), ratio(9, 52), (2, 2)),  # more bad than there were
        (ratio(5, 50), ratio(9, 3), (3, 3)),
        (ratio(5, 50), gauge(9, 1.0), (0, 0)),
        (gauge(9, 1.0), ratio(5, 50), (0, 0)),
    ],
)
def test_counters_that_fall_or_lie(before: QuerySeen, after: QuerySeen, expected: tuple[int, int]):
    """As with requests: a lower bound of both, or nothing, and never more bad than all."""
    tally = gained([before], [after])
    assert (tally.canary_n, tally.canary_x) == expected


def test_a_gauge_is_read_once_a_scrape():
    """Bad is a reading above the level, on it is none; the same scrape again and no number are none."""
    readings = [gauge(250.0, 10.0), gauge(250.1, 10.0, instance="b"), gauge(9.0, 10.0, "stable")]
    assert gained(None, readings, 250.0) == Tally(2, 1, 1, 0, 2.0)
    assert gained(readings, readings, 250.0) == Tally(seconds=2.0)
    assert gained(readings, [gauge(300.0, 15.0), gauge(float("nan"), 15.0, "stable")], 250.0) == Tally(
        1, 1, 0, 0, 2.0
    )
    assert gained([], [gauge(300.0, 15.0)]) == Tally(seconds=2.0)


def test_the_next_look_goes_on_from_this_ones_queries():
    """What a query showed is part of the baseline."""
    seen = (ratio(1, 10), gauge(3.0, 5.0, "stable"))
    assert baseline(Sample((), queries=(ratio(0, 1),)), Sample((), queries=seen)).queries == seen


def test_failed_calls_and_connections_are_counted_by_their_own_names():
    """The codes of a response are HTTP's."""
    grpc, tcp = Errors(protocol=Protocol.GRPC), Errors(protocol=Protocol.TCP)
    assert (Errors().counted, grpc.counted, tcp.counted) == (("5xx",), ("grpc",), ("tcp",))
    checks = (
        Comparison(grpc),
        Limit(0.05, Errors(("503", "429"))),
        Comparison(Latency()),
        Limit(0.1, Query("q")),
    )
    assert counted(check.of for check in checks) == ("429", "503", "grpc")
    before = Series("a", "canary", 10, 10, 0, (("5xx", 1), ("grpc", 2)))
    after = Series("a", "canary", 20, 20, 0, (("5xx", 1), ("grpc", 7)))
    seen = increment(Sample((before,)), Sample((after,)), ARMS, (grpc, Errors()), 1.0)
    assert [(tally.canary_n, tally.canary_x) for tally in seen.tallies] == [(10, 5), (10, 0)]


def test_requests_are_known_whatever_is_asked():
    """Rates, settling and silence speak of requests, not of what the first check counts."""
    before, after = Series("a", "canary", 1, 1, 0, ()), Series("a", "canary", 8, 7, 1, ())
    seen = increment(Sample((before,)), Sample((after,)), ARMS, (Query("q"),), 1.0)
    assert (seen.tallies, seen.requests) == ((Tally(seconds=1.0),), Tally(6, 0, 0, 0, 1.0))
    assert (seen.canary_n, seen.total) == (6, 6)


def test_the_check_that_speaks_for_the_rollout_is_the_first_about_errors():
    """Where there is none, the first."""
    latency, errors = Comparison(Latency()), Limit(0.05)
    assert Analysis(checks=(latency, errors)).main == 1
    assert Analysis(checks=(errors, latency)).main == 0
    assert Analysis(checks=(latency, Comparison(Query("q")))).main == 0
