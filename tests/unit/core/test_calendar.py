"""Windows, freezes and clocks: what may delay a rise, and never a way home (C1, C2, I17)."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from rollout.core import schedule
from rollout.core.model import (
    Cause,
    Drift,
    Held,
    Hold,
    Probe,
    Revision,
    RollingBack,
    State,
    Steady,
    Unadopted,
    Waiting,
    Weight,
    Why,
    Window,
    Withdrawn,
)
from rollout.core.reason import Reason
from tests.unit.core.world import NOON, TEN, V2, Proxy, World, at, judged, policy, steady

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
BERLIN = "Europe/Berlin"


def window(since: str, until: str, days: tuple[int, ...] = EVERY_DAY, zone: str = "UTC") -> Window:
    return Window(days, time.fromisoformat(since), time.fromisoformat(until), zone)


def when(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OFFICE = window("09:00", "16:00", (0, 1, 2, 3, 4), BERLIN)
NIGHT = window("22:00", "06:00", (4,))
SPRING = window("02:30", "04:00", zone=BERLIN)  # 29 March 2026: 02:00 to 03:00 does not exist
GAP = window("02:10", "02:50", zone=BERLIN)
AUTUMN = window("02:30", "03:30", zone=BERLIN)  # 25 October 2026: 02:00 to 03:00 comes twice
UNTIL_AUTUMN = window("01:00", "02:30", zone=BERLIN)

OPEN = [
    (OFFICE, "2026-03-02T08:00", True),  # Monday, 09:00 in Berlin
    (OFFICE, "2026-03-02T07:59:59", False),
    (OFFICE, "2026-03-02T14:59:59", True),
    (OFFICE, "2026-03-02T15:00", False),
    (OFFICE, "2026-03-01T10:00", False),  # Sunday
    (OFFICE, "2026-07-06T07:00", True),  # summer time
    (OFFICE, "2026-07-06T06:59", False),
    (NIGHT, "2026-03-06T21:59", False),  # Friday
    (NIGHT, "2026-03-06T22:00", True),
    (NIGHT, "2026-03-07T05:59", True),  # Saturday morning belongs to Friday's window
    (NIGHT, "2026-03-07T06:00", False),
    (NIGHT, "2026-03-07T22:00", False),
    (window("00:00", "00:00", (2,)), "2026-03-04T00:00", True),  # all of Wednesday
    (window("00:00", "00:00", (2,)), "2026-03-04T23:59", True),
    (window("00:00", "00:00", (2,)), "2026-03-05T00:00", False),
    (SPRING, "2026-03-29T00:59:59", False),  # 01:59:59 in Berlin
    (SPRING, "2026-03-29T01:00", True),  # 03:00: the next valid instant after 02:30
    (SPRING, "2026-03-29T01:59:59", True),
    (SPRING, "2026-03-29T02:00", False),
    (GAP, "2026-03-29T01:00", False),  # it lies in the gap: it has no length
    (GAP, "2026-03-28T01:10", True),
    (AUTUMN, "2026-10-25T00:29:59", False),  # 02:29:59, the first time
    (AUTUMN, "2026-10-25T00:30", True),  # 02:30, the first time: once
    (AUTUMN, "2026-10-25T02:29:59", True),
    (AUTUMN, "2026-10-25T02:30", False),
    (UNTIL_AUTUMN, "2026-10-25T00:29:59", True),
    (UNTIL_AUTUMN, "2026-10-25T00:30", False),  # it ended the first time
    (UNTIL_AUTUMN, "2026-10-25T01:15", False),  # 02:15, the second time
]


@pytest.mark.parametrize(("slot", "at_", "is_open"), OPEN)
def test_windows_are_local_time_with_explicit_rules_for_the_change_of_the_clocks(slot, at_, is_open):
    """C2: a time in the gap is the next valid instant, a time that comes twice is the first one."""
    assert schedule.is_open((slot,), when(at_)) is is_open


def test_without_windows_weight_may_always_rise():
    """No window is no restriction."""
    assert schedule.is_open((), NOON)
    assert schedule.opens((), NOON) == NOON


def test_any_open_window_will_do():
    """Several windows are alternatives."""
    assert schedule.is_open((window("01:00", "02:00"), window("11:00", "13:00")), NOON)


@pytest.mark.parametrize(
    ("windows", "now", "opens"),
    [
        ((OFFICE,), "2026-03-02T09:00", "2026-03-02T09:00"),
        ((OFFICE,), "2026-03-02T07:00", "2026-03-02T08:00"),
        ((OFFICE,), "2026-03-06T15:00", "2026-03-09T08:00"),  # Friday afternoon: Monday
        ((NIGHT,), "2026-03-07T06:00", "2026-03-13T22:00"),
        ((window("12:00", "13:00", (0,)),), "2026-03-02T13:00", "2026-03-09T12:00"),
        ((OFFICE, NIGHT), "2026-03-06T15:00", "2026-03-06T22:00"),
        ((SPRING,), "2026-03-29T00:00", "2026-03-29T01:00"),
        ((AUTUMN,), "2026-10-24T23:00", "2026-10-25T00:30"),
    ],
)
def test_the_next_opening(windows, now, opens):
    """The sentence of a closed window says when it opens."""
    assert schedule.opens(windows, when(now)) == when(opens)


def test_a_closed_window_holds_and_says_when_it_opens():
    """The bake goes on; the step passes at the first look inside."""
    world = at(TEN)
    world.asks(windows=(window("12:05", "13:00"),))
    decision = world.look()
    assert (decision.reason, decision.facts["opens"]) == (Reason.WINDOW_CLOSED, "Mon 12:05 UTC")
    world.now = when("2026-03-02T12:04:58")
    assert world.look().reason is Reason.WINDOW_CLOSED
    world.looks(60)
    assert world.weight == 5000


def test_a_window_that_opens_in_summer_is_told_in_utc():
    """One zone for every sentence."""
    world = at(TEN, now=when("2026-07-06T06:00"))
    world.asks(windows=(OFFICE,))
    assert world.look().facts["opens"] == "Mon 07:00 UTC"


HOLDS = [
    Hold(Reason.FROZEN, "by ana: sale"),
    Hold(Reason.REWRITTEN, "policies"),
    Hold(Reason.SHARED_TARGET, "2 policies claim route jazz"),
    Hold(Reason.GIT_LOST, "900 s"),
]


@pytest.mark.parametrize("hold", HOLDS, ids=[hold.reason.name for hold in HOLDS])
@pytest.mark.parametrize("rung", [Waiting(), Probe(Weight(10)), TEN], ids=str)
def test_whatever_holds_from_outside_keeps_the_weight(hold, rung):
    """G3, P5 and the rest: no rise, on any rung, and the reason is the hold's own."""
    world = at(rung, rate=2000.0, holds=(hold, *HOLDS))
    weight = world.weight
    for decision in world.looks(90):
        assert decision.reason is hold.reason
        assert decision.facts["detail"] == hold.detail
    assert world.weight == weight


def test_what_people_said_goes_before_what_the_calendar_says():
    """Paused, suspended, frozen, outside the windows: the first is told."""
    world = at(TEN, holds=(HOLDS[0],))
    closed = (window("01:00", "02:00"),)
    world.asks(suspend=True, windows=closed)
    assert world.look().reason is Reason.SUSPENDED
    world.asks(suspend=False)
    assert world.look().reason is Reason.FROZEN
    world.holds = ()
    assert world.look().reason is Reason.WINDOW_CLOSED


# --- clocks --------------------------------------------------------------------------------------


def test_a_look_whose_span_is_unknown_counts_no_time_at_all():
    """After a start or a jump of the clock: nothing bakes, ages, or comes nearer to a deadline."""
    world = at(TEN)
    world.metrics_gone = None
    world.looks(10)
    before = world.ramp.clock
    world.look(5000.0, elapsed=None)
    assert replace(world.ramp.clock, quiet=before.quiet) == before
    world.proxies["edge-1"] = Proxy(splits=())
    world.look(5000.0, elapsed=None)
    assert world.ramp.clock.settling == 0.0
    assert world.weight == 1000


def test_a_wall_clock_that_jumps_moves_no_bake():
    """Durations are monotonic: only what elapsed counts, whichever way the wall clock went."""
    world = at(TEN)
    for jump in (timedelta(days=400), timedelta(days=-800)):
        world.now += jump
        baked = world.ramp.clock.baked
        world.look()
        assert world.ramp.clock.baked == baked + 1.0
    assert world.weight == 1000


def test_the_way_home_counts_its_time_and_calls_a_person_after_a_minute():
    """A home that is not reached is a page that says what to do by hand."""
    world = at(TEN)
    world.loses = 1000
    world.state = RollingBack(world.past, Revision(V2), Cause.WORSE, NOON, Weight(1000))
    said = [world.look() for _ in range(61)]
    assert {decision.reason for decision in said[:60]} == {Reason.GOING_HOME}
    assert said[60].reason is Reason.NOT_HOME
    assert said[60].facts["total"] == 61.0
    assert (said[60].facts["before"], said[60].facts["weight"]) == ("10 %", "0 %")
    assert "set the weights to jazz-v1 100 %" in Reason.NOT_HOME.say(said[60].facts)
    assert all(decision.actions for decision in said)
    world.look(elapsed=None)
    assert world.state.total == 61.0


def test_home_is_reached_when_every_proxy_shows_it():
    """Accepted is not yet home."""
    world = at(TEN, proxies={"edge-1": Proxy(), "edge-2": Proxy(splits=())})
    world.state = RollingBack(world.past, Revision(V2), Cause.WORSE, NOON)
    world.look()
    decision = world.look()
    assert (decision.reason, decision.facts["detail"]) == (
        Reason.GOING_HOME,
        "edge-2 still shows no such route",
    )
    world.proxies["edge-2"] = Proxy()
    decision = world.look()
    assert decision.reason is Reason.ROLLED_BACK
    assert decision.state == Steady(world.past)
    assert decision.facts["canary"] == V2


# --- when to look --------------------------------------------------------------------------------


RAMP = at(TEN).ramp
QUICK = replace(RAMP, policy=policy(analysis=judged(look=0.25)))
SLOW = replace(RAMP, policy=policy(analysis=judged(look=5.0)))


@pytest.mark.parametrize(
    ("state", "asked", "least", "seconds"),
    [
        (Unadopted(), policy(), 1.0, 5.0),
        (Unadopted(), Withdrawn("prod/jazz"), 1.0, 30.0),
        (steady(), policy(), 1.0, 30.0),
        (replace(steady(), drift=Drift(1)), policy(), 1.0, 1.0),
        (RAMP, policy(), 1.0, 1.0),
        (RAMP, policy(), 0.25, 1.0),
        (RAMP, policy(), 2.0, 2.0),
        (QUICK, policy(), 0.25, 0.25),
        (QUICK, policy(), 1.0, 1.0),
        (SLOW, policy(), 1.0, 5.0),
        (replace(RAMP, rung=Waiting()), policy(), 1.0, 0.5),
        (replace(QUICK, rung=Waiting()), policy(), 0.25, 0.25),
        (Held(SLOW, Why.LOWERED), policy(), 1.0, 5.0),
        (Held(steady(), Why.CONTESTED), policy(), 1.0, 30.0),
        (RollingBack(steady().past, Revision(V2), Cause.WORSE, NOON), policy(), 1.0, 1.0),
        (RollingBack(steady().past, Revision(V2), Cause.WORSE, NOON), policy(), 0.25, 0.25),
        (RollingBack(steady().past, Revision(V2), Cause.WORSE, NOON), policy(), 7.0, 1.0),
    ],
)
def test_each_state_says_when_it_wants_to_be_looked_at(state: State, asked, least, seconds):
    """On the way by the policy's wish and the operator's guard rail, at rest by a slow heartbeat."""
    assert schedule.next_look(state, asked, least) == seconds


def test_a_step_is_ripe_when_its_bake_is_earned():
    """What remains of the bake of a step that bakes; nothing else ripens."""
    assert schedule.ripe_in(RAMP) == 59.0
    assert schedule.ripe_in(replace(RAMP, clock=replace(RAMP.clock, carried=False))) is None
    assert schedule.ripe_in(replace(RAMP, clock=replace(RAMP.clock, baked=60.0))) is None
    assert schedule.ripe_in(replace(RAMP, rung=Waiting())) is None
    assert schedule.ripe_in(steady()) is None


def test_a_world_needs_no_calendar():
    """The sanity of the tests above: Monday noon."""
    assert World().now.weekday() == 0


@pytest.mark.parametrize("reason", sorted(schedule.OUTSIDE, key=str))
def test_what_only_others_can_end_is_not_looked_at_often(reason):
    """A thousand frozen beginnings cost little; at a weight the canary is still watched."""
    waiting = replace(RAMP, rung=Waiting())
    assert schedule.next_look(waiting, policy(), 1.0, reason) == 5.0
    assert schedule.next_look(waiting, policy(), 1.0, Reason.MEASURING) == 0.5
    assert schedule.next_look(RAMP, policy(), 1.0, reason) == 1.0
