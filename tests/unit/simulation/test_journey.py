"""One simulated journey: looks taken together come to what they come to one by one."""

from dataclasses import replace
from datetime import UTC, datetime, time
from random import Random

import pytest

from rollout.core.model import (
    Analysis,
    Comparison,
    Latency,
    Limit,
    NoDataRule,
    OnSilence,
    Policy,
    Query,
    Revision,
    Route,
    Step,
    Weight,
    Window,
)
from rollout.core.reason import Reason
from rollout.simulation import latency
from rollout.simulation.chance import binomial, poisson
from rollout.simulation.journey import Journey, Outcome, starts, travel
from rollout.simulation.requests import Mix, Served, serve, split
from rollout.simulation.runs import Share, forecast, quantile
from rollout.simulation.scene import Fault, Kind, Scene, When

JAZZ = Policy(
    "prod/jazz",
    Route("envoy", "envoy", "jazz"),
    Revision("jazz-v2"),
    (Step(Weight(1_000), 60.0), Step(Weight(5_000), 120.0), Step(Weight(10_000), 60.0)),
    stable="jazz-v1",
)
STRICT = Policy(
    JAZZ.name,
    JAZZ.route,
    JAZZ.revision,
    JAZZ.steps,
    Analysis(checks=(Comparison(), Limit(0.02)), no_data=NoDataRule(90.0, OnSilence.HOLD)),
)


def journeys(scene: Scene, runs: int, *, faithful: bool = False, policy: Policy = JAZZ) -> list[Journey]:
    return [travel(policy, scene, Random(f"{scene} {n}"), faithful=faithful) for n in range(runs)]


def one(*faults: Fault, policy: Policy = JAZZ) -> Journey:
    return travel(policy, Scene(200.0, faults=faults), Random(4))


def reasons(journey: Journey) -> list[Reason]:
    return [line.reason for line in journey.lines]


@pytest.mark.parametrize("policy", [JAZZ, STRICT], ids=["default", "limit"])
@pytest.mark.parametrize(
    ("stable", "canary", "runs"),
    [(0.001, 0.001, 6), (0.01, 0.01, 6), (0.001, 0.02, 60), (0.001, 0.05, 60), (0.001, 1.0, 30)],
)
def test_looks_taken_together_come_to_the_same(policy: Policy, stable: float, canary: float, runs: int):
    """As often the same end, as soon: the medians differ by less than chance would have them."""
    scene = Scene(200.0, stable, canary)
    slow = journeys(scene, runs, faithful=True, policy=policy)
    quick = journeys(scene, 2 * runs, policy=policy)
    for outcome in Outcome:
        one_by_one = Share.of(sum(each.outcome is outcome for each in slow), len(slow))
        together = Share.of(sum(each.outcome is outcome for each in quick), len(quick))
        assert together.low <= one_by_one.high
        assert one_by_one.low <= together.high
    low, high = (quantile([each.seconds for each in slow], share) for share in (0.38, 0.62))
    assert low - 1.5 <= quantile([each.seconds for each in quick], 0.5) <= high + 1.5


def test_looks_are_taken_together():
    """That is what makes it quick: a calm journey of four minutes has a few dozen looks, not 240."""
    assert journeys(Scene(200.0), 1)[0].looks < 40
    assert journeys(Scene(200.0), 1, faithful=True)[0].looks > 240


def test_a_healthy_canary_takes_its_time():
    journey = one()
    assert journey.outcome is Outcome.PROMOTED
    assert 241 < journey.seconds < 245
    assert journey.caused == 0
    assert [line.weight for line in journey.lines][-3:] == [5_000, 9_500, 10_000]
    assert journey.lines[-1].said.startswith("jazz-v2 serves everybody: canary ")


def test_the_canarys_own_errors_begin_with_a_step():
    [journey] = journeys(Scene(200.0, 0.001, 0.5, When(step=2)), 1)
    assert journey.outcome is Outcome.ROLLED_BACK
    assert 62 < journey.seconds < 70
    assert journey.caused > 10
    [later] = journeys(Scene(200.0, 0.001, 0.5, When(100.0)), 1)
    assert 100 < later.seconds < 110


@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        (Kind.BLIND, Outcome.PROMOTED, Reason.BLIND),
        (Kind.MESH, Outcome.PROMOTED, Reason.MESH_UNSEEN),
        (Kind.ENDPOINTS, Outcome.ROLLED_BACK, Reason.ROLLED_BACK),
        (Kind.STABLE, Outcome.PROMOTED, Reason.STABLE_NOT_READY),
        (Kind.FREEZE, Outcome.PROMOTED, Reason.FROZEN),
        (Kind.INCIDENT, Outcome.PROMOTED, Reason.STEP_PASSED),
        (Kind.RESTART, Outcome.PROMOTED, Reason.STEP_PASSED),
    ],
)
def test_each_fault_does_what_it_says(kind: Kind, outcome: Outcome, reason: Reason):
    journey = one(Fault(kind, 200.0))
    assert journey.outcome is outcome
    assert reason in reasons(journey)
    waits = kind in {Kind.BLIND, Kind.MESH, Kind.RESTART}
    assert not waits or 438 < journey.seconds < 450, "nothing bakes meanwhile"


def test_silence_for_too_long_goes_home_or_is_held():
    gone = one(Fault(Kind.BLIND, 900.0, When(step=2)))
    assert reasons(gone)[-2:] == [Reason.NO_DATA_TOO_LONG, Reason.ROLLED_BACK]
    assert 660 < gone.seconds < 668
    held = one(Fault(Kind.BLIND, 1e6), policy=STRICT)
    assert held.outcome is Outcome.HELD
    assert reasons(held)[-1] is Reason.BLIND_HELD


def test_a_journey_begins_as_the_window_opens():
    window = Window((2,), time(9), time(10), "Europe/Berlin")
    windowed = Policy(JAZZ.name, JAZZ.route, JAZZ.revision, JAZZ.steps, windows=(window,))
    assert starts(windowed) == datetime(2026, 1, 7, 8, tzinfo=UTC)
    assert one(policy=windowed).outcome is Outcome.PROMOTED


def test_a_seed_repeats():
    scene = Scene(200.0, 0.001, 0.02)
    assert forecast(JAZZ, scene, 5, 1) == forecast(JAZZ, scene, 5, 1)
    assert forecast(JAZZ, scene, 5, 1) != forecast(JAZZ, scene, 5, 2)


def test_a_forecast_has_shares_times_and_a_typical_run():
    told = forecast(JAZZ, Scene(200.0, 0.001, 1.0), 20, 1)
    assert told.share(Outcome.ROLLED_BACK).count == 20
    assert told.times(Outcome.PROMOTED) is None
    assert told.typical.outcome is Outcome.ROLLED_BACK
    assert told.false_alarms.count == 0
    mean, most = told.caused
    assert 0 < mean <= most


def test_wilsons_interval():
    assert (Share.of(0, 200).low, Share.of(200, 200).high) == (0.0, 1.0)
    share = Share.of(10, 100)
    assert (round(share.low, 4), round(share.high, 4)) == (0.0552, 0.1744)


def test_chance_has_the_right_mean_and_spread():
    chance = Random(1)
    for mean in (0.3, 5.0, 400.0):
        drawn = [poisson(mean, chance) for _ in range(4_000)]
        assert abs(sum(drawn) / 4_000 - mean) < 4 * (mean / 4_000) ** 0.5
    assert (poisson(0.0, chance), binomial(7, 0.0, chance), binomial(7, 1.0, chance)) == (0, 0, 7)
    assert 440 < binomial(1_000, 0.5, chance) < 560


def test_a_split_loses_nothing():
    chance = Random(2)
    whole = serve(Mix(20.0, 0.1, 180.0, 0.01, 0.9), 64.0, chance)
    first, rest = split(whole, 8.0, chance)
    assert first.seconds == 8.0
    both = first + rest
    assert (both.canary_good, both.canary_bad) == (whole.canary_good, whole.canary_bad)
    assert (both.stable_good, both.stable_bad) == (whole.stable_good, whole.stable_bad)
    assert Served() + whole == whole


# --- latency -------------------------------------------------------------------------------------

QUICK = replace(JAZZ, analysis=Analysis(checks=(Comparison(), Comparison(Latency()))))


def test_a_canary_that_is_slower_goes_home_for_it():
    """Three times as slow, at a hundred requests a second: within the first step, by its latency."""
    ends = [travel(QUICK, Scene(canary_median=180.0), Random(seed)) for seed in range(10)]
    assert {journey.outcome for journey in ends} == {Outcome.ROLLED_BACK}
    assert all("took over" in journey.lines[-2].said for journey in ends)
    assert max(journey.seconds for journey in ends) < 60.0


def test_a_canary_that_is_as_quick_is_promoted():
    """Latency is one question more, and no reason to wait longer."""
    ends = [travel(QUICK, Scene(), Random(seed)) for seed in range(10)]
    assert {journey.outcome for journey in ends} == {Outcome.PROMOTED}


def test_a_histogram_that_is_split_is_still_the_whole():
    """Each bucket's answers fall on one side or the other."""
    chance = Random(3)
    whole = latency.answers(5_000, 60.0, chance)
    first = latency.part(whole, 0.25, chance)
    rest = latency.less(whole, first)
    assert latency.add(first, rest) == whole
    assert list(first) == sorted(first)
    assert list(rest) == sorted(rest)
    assert 1_100 < first[-1] < 1_400
    assert whole[4] / 5_000 == pytest.approx(latency.quicker(60.0)[4], abs=0.03)


def test_what_nobody_can_simulate_is_left_out():
    """An operator's query counts what no invented request tells."""
    asked = replace(JAZZ, analysis=Analysis(checks=(Comparison(Query("payments")),)))
    assert travel(asked, Scene(), Random(1)).outcome is Outcome.PROMOTED
