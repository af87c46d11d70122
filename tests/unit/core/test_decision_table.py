"""The decision table of one look, row by row: verdict, stable ok, held by people, observer's breaker.

Each test is a row; where a row says "any", the test takes every value of that column.
"""

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from rollout.core.machine import BREAKER_CAP
from rollout.core.model import (
    Cause,
    Comparison,
    Errors,
    Hold,
    Limit,
    NoDataRule,
    OnSilence,
    Probe,
    Ramping,
    RollingBack,
    Stage,
    Unseen,
    Verb,
    Verdict,
    Weight,
    Window,
)
from rollout.core.reason import Level, Reason
from tests.unit.core.world import NOON, V1, V2, World, at, judged, order, policy

FROZEN = (Hold(Reason.FROZEN, "by ana: a sale"),)
DEAD = Unseen("edge-1 does not answer")


def freeze(world: World) -> None:
    world.holds = FROZEN


def pause(world: World) -> None:
    world.state = replace(world.ramp, paused=None)
    world.order(Verb.PAUSE)


def suspend(world: World) -> None:
    world.asks(suspend=True)


def close_the_window(world: World) -> None:
    world.asks(windows=(Window((world.now.weekday(),), time(1), time(2), "UTC"),))


def nobody(world: World) -> None:
    """Nobody holds it."""


HELD = {"freeze": freeze, "pause": pause, "suspend": suspend, "window": close_the_window}
ANY_HOLD = HELD | {"nobody": nobody}
any_hold = pytest.mark.parametrize("hold", ANY_HOLD.values(), ids=ANY_HOLD)
held = pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
any_breaker = pytest.mark.parametrize("breaker_open", [False, True], ids=["closed", "open"])


def ripe(**world: Any) -> World:
    """A healthy canary at 10 % that has enough requests and baked for all but two of its seconds."""
    made = at(Stage(0), **world)
    made.looks(57)
    assert made.last is not None
    assert made.last.reason is Reason.BAKING
    return made


def blind(seconds: float, **world: Any) -> World:
    """A canary at 10 % whose counters have not been seen for so long."""
    made = at(Stage(0), **world)
    made.metrics_gone = DEAD
    for _ in range(round(seconds / 10)):
        made.look(10.0)
    return made


# --- PASS ----------------------------------------------------------------------------------------


def test_pass_counts_and_raises_when_the_bake_and_the_samples_are_there():
    """PASS, stable ok, not held, breaker closed: count; raise when bake and sample rules are satisfied."""
    world = ripe()
    before = world.ramp.clock.baked
    decision = world.look()
    assert (decision.verdict, decision.reason, world.ramp.clock.baked) == (
        Verdict.PASSING,
        Reason.BAKING,
        before + 1,
    )
    decision = world.look()
    assert decision.reason is Reason.STEP_PASSED
    assert world.weight == 5000


def test_pass_is_persisted_before_the_raise():
    """PASS: the decision that raises bears the state to be recorded, with its intent, and one action."""
    world = ripe()
    world.look()
    version = f"v{world.version}"
    decision = world.look()
    [action] = decision.actions
    assert isinstance(decision.state, Ramping)
    assert decision.state.rung == Stage(1)
    assert decision.state.intent is not None
    assert (decision.state.intent.version, action.version) == (version, version)


@any_hold
@any_breaker
def test_pass_without_a_stable_to_fall_back_to_holds_with_an_alarm(hold, breaker_open):
    """PASS, stable not ok, any, any: HOLD + A1 (S3)."""
    world = ripe(breaker_open=breaker_open)
    hold(world)
    world.ready[V1] = 0
    decisions = world.looks(5)
    assert {decision.reason for decision in decisions} == {Reason.STABLE_NOT_READY}
    assert decisions[0].verdict is Verdict.PASSING
    assert decisions[0].reason.level is Level.PAGE
    assert not any(decision.actions for decision in decisions)
    assert world.weight == 1000


@held
@any_breaker
def test_pass_while_held_goes_on_counting_and_does_not_raise(hold, breaker_open):
    """PASS, stable ok, held, any: HOLD, the count continues."""
    world = ripe(breaker_open=breaker_open)
    hold(world)
    before = world.ramp.clock.baked, world.ramp.counts[0].canary_n
    decisions = world.looks(20)
    assert {decision.verdict for decision in decisions} == {Verdict.PASSING}
    assert {decision.reason for decision in decisions} < {
        Reason.FROZEN,
        Reason.PAUSED,
        Reason.SUSPENDED,
        Reason.WINDOW_CLOSED,
    }
    assert not any(decision.actions for decision in decisions)
    assert (world.ramp.clock.baked, world.ramp.counts[0].canary_n) == (before[0] + 20, before[1] + 200)


# --- FAIL ----------------------------------------------------------------------------------------


@any_hold
@any_breaker
def test_fail_rolls_back_at_once_whatever_holds_it(hold, breaker_open):
    """FAIL, stable ok, any, any: RB at once. A freeze never blocks it."""
    world = at(Stage(0), breaker_open=breaker_open)
    hold(world)
    world.failing[V2] = 1.0
    decision = world.look()
    assert (decision.verdict, decision.reason) == (Verdict.FAILING, Reason.WORSE)
    assert isinstance(decision.state, RollingBack)
    assert decision.state.cause is Cause.WORSE
    assert world.weight == 0


@any_hold
@any_breaker
def test_fail_over_an_absolute_limit_rolls_back_at_once(hold, breaker_open):
    """FAIL by a limit that stable keeps, stable ok, any, any: RB at once."""
    asked = policy(analysis=judged(checks=(Limit(0.05),)))
    world = at(Stage(0), asked=asked, breaker_open=breaker_open)
    hold(world)
    world.failing[V2] = 1.0
    decision = world.look()
    assert (decision.verdict, decision.reason) == (Verdict.FAILING, Reason.OVER_LIMIT)
    assert isinstance(decision.state, RollingBack)
    assert decision.state.cause is Cause.OVER_LIMIT
    assert world.weight == 0


def test_the_check_that_failed_is_told_by_its_own_counts():
    """Throttled requests are none of the limit's: its sentence counts what it counts."""
    asked = policy(analysis=judged(checks=(Comparison(Errors(("429",))), Limit(0.05))))
    world = at(Stage(0), asked=asked, failing={V2: 1.0})
    decision = world.last
    assert decision is not None
    assert decision.reason is Reason.OVER_LIMIT
    assert decision.facts["tally"] == "canary 10 of 10 failed (100.00%), stable 0 of 90 failed (0.00%)"


@any_hold
@any_breaker
def test_fail_without_a_home_holds_with_an_alarm(hold, breaker_open):
    """FAIL, stable not ok, any, any: HOLD + A1 (S3)."""
    world = at(Stage(0), breaker_open=breaker_open)
    hold(world)
    world.failing[V2] = 1.0
    world.ready[V1] = 0
    decisions = world.looks(5)
    assert {decision.reason for decision in decisions} == {Reason.STABLE_UNHEALTHY}
    assert {decision.verdict for decision in decisions} == {Verdict.FAILING}
    assert Reason.STABLE_UNHEALTHY.level is Level.PAGE
    assert not any(decision.actions for decision in decisions)
    world.ready[V1] = 1
    assert world.look().reason is Reason.WORSE
    assert world.weight == 0


def test_a_canary_not_worse_than_a_stable_that_breaks_the_limit_too_is_held_with_an_alarm():
    """S4, first half: both over the limit, canary not worse: HOLD + A1, never promoted."""
    asked = policy(analysis=judged(checks=(Limit(0.05),)))
    world = at(Stage(0), asked=asked, failing={V1: 0.2, V2: 0.2})
    decisions = world.looks(300)
    assert Reason.BOTH_OVER_LIMIT in {decision.reason for decision in decisions}
    assert Reason.BOTH_OVER_LIMIT.level is Level.PAGE
    assert isinstance(world.state, Ramping)
    assert world.weight == 1000


@pytest.mark.parametrize("asked", [policy(), policy(analysis=judged(checks=(Limit(0.05), *judged().checks)))])
def test_a_canary_worse_than_a_sick_stable_goes_home(asked):
    """S4, second half: stable is sick, the canary worse still: RB."""
    world = at(Stage(0), asked=asked, failing={V1: 0.1, V2: 0.6})
    decision = world.until(Reason.WORSE, Reason.OVER_LIMIT, most=60)
    assert decision.reason is Reason.WORSE
    assert world.weight == 0


def test_a_shared_incident_condemns_nobody():
    """S4 under the default check: both fail alike, nothing goes home."""
    world = at(Stage(0), failing={V1: 0.2, V2: 0.2})
    world.looks(50)
    assert isinstance(world.state, Ramping)
    assert world.weight == 1000


# --- NO_DATA and ERROR ---------------------------------------------------------------------------


@any_hold
def test_silence_holds_until_its_deadline_and_then_goes_home(hold):
    """NO_DATA or ERROR, stable ok, any, closed: HOLD; at the deadline RB."""
    world = at(Stage(0))
    hold(world)
    world.metrics_gone = DEAD
    decisions = [world.look(10.0) for _ in range(59)]
    assert {decision.verdict for decision in decisions} == {Verdict.ERROR}
    assert not any(decision.actions for decision in decisions)
    assert world.weight == 1000
    decision = world.look(10.0)
    assert decision.reason is Reason.NO_DATA_TOO_LONG
    assert isinstance(decision.state, RollingBack)
    assert decision.state.cause is Cause.NO_DATA
    assert world.weight == 0


def test_a_canary_that_completes_nothing_is_silence_too():
    """NO_DATA by traffic (S5): after a minute without a request the deadline begins, and then RB."""
    world = at(Stage(0), rate=0.0)
    said = [world.look(10.0).reason for _ in range(65)]
    assert said == [*[Reason.BAKING] * 5, *[Reason.BLIND] * 59, Reason.NO_DATA_TOO_LONG]
    assert world.weight == 0


def test_the_policy_may_ask_to_hold_through_silence():
    """NO_DATA with `then: hold`: at the deadline HOLD with an alarm, however long."""
    asked = policy(analysis=judged(no_data=NoDataRule(100.0, OnSilence.HOLD)))
    world = blind(100.0, asked=asked)
    said = [world.look(1000.0).reason for _ in range(10)]
    assert set(said) == {Reason.BLIND_HELD}
    assert Reason.BLIND_HELD.level is Level.PAGE
    assert world.weight == 1000


@any_hold
@pytest.mark.parametrize("stable_ready", [0, 2])
def test_an_open_breaker_suspends_the_deadline(hold, stable_ready):
    """NO_DATA or ERROR, any, any, open: HOLD + A1, past the deadline too, up to the cap of an hour."""
    world = at(Stage(0), breaker_open=True)
    hold(world)
    world.ready[V1] = stable_ready
    world.metrics_gone = DEAD
    decisions = [world.look(10.0) for _ in range(359)]
    assert not any(decision.actions for decision in decisions)
    assert world.weight == 1000
    assert {decision.reason for decision in decisions[59:]} == {Reason.BREAKER_OPEN}
    before = Reason.BREAKER_OPEN if stable_ready else Reason.STABLE_NOT_READY
    assert {decision.reason for decision in decisions[:59]} == {before}
    assert before.level is Level.PAGE
    assert Reason.BREAKER_OPEN.level is Level.PAGE


def test_the_breaker_excuses_an_hour_and_not_more():
    """The hard cap: after 60 minutes of blindness the policy's own choice holds, breaker or not."""
    assert timedelta(seconds=BREAKER_CAP) == timedelta(minutes=60)
    world = blind(3590.0, breaker_open=True)
    assert world.last is not None
    assert world.last.reason is Reason.BREAKER_OPEN
    assert world.look(10.0).reason is Reason.NO_DATA_TOO_LONG
    assert world.weight == 0


def test_after_the_cap_a_policy_that_holds_still_holds():
    """The hard cap with `then: hold`: HOLD, now for the policy's reason."""
    asked = policy(analysis=judged(no_data=NoDataRule(100.0, OnSilence.HOLD)))
    world = blind(3590.0, asked=asked, breaker_open=True)
    assert world.look(10.0).reason is Reason.BLIND_HELD
    assert world.weight == 1000


def test_an_open_breaker_is_named_at_once():
    """NO_DATA with the breaker open: the alarm does not wait for the deadline."""
    world = at(Stage(0), breaker_open=True)
    world.metrics_gone = DEAD
    assert world.look().reason is Reason.BREAKER_OPEN


@any_hold
@pytest.mark.parametrize("seconds", [1.0, 700.0])
def test_silence_without_a_home_holds_with_an_alarm(hold, seconds):
    """NO_DATA or ERROR, stable not ok, any, closed: HOLD + A1, also past the deadline."""
    world = at(Stage(0))
    hold(world)
    world.metrics_gone = DEAD
    world.ready[V1] = 0
    decision = world.look(seconds)
    assert decision.verdict is Verdict.ERROR
    assert decision.reason is Reason.STABLE_NOT_READY
    assert decision.reason.level is Level.PAGE
    assert not decision.actions
    assert world.weight == 1000


# --- what the table says below its rows ----------------------------------------------------------


@pytest.mark.parametrize("first", [Verb.ABORT, Verb.PROMOTE])
def test_abort_wins_over_promote(first):
    """Abort and promote in one look, in either order: the canary goes home, the promotion is refused."""
    world = at(Stage(0))
    second = Verb.PROMOTE if first is Verb.ABORT else Verb.ABORT
    decision = world.look(orders=[order(first, "full", number=1), order(second, "full", number=2)])
    assert decision.reason is Reason.ABORTED
    assert world.weight == 0
    outcome = dict(decision.obeyed)
    assert outcome[1 if first is Verb.ABORT else 2] == ""
    assert "nothing is under way" in outcome[2 if first is Verb.ABORT else 1]


@any_hold
@any_breaker
def test_an_abort_is_never_held(hold, breaker_open):
    """A person's abort, any, any: home at once."""
    world = at(Stage(0), breaker_open=breaker_open)
    hold(world)
    assert world.order(Verb.ABORT).reason is Reason.ABORTED
    assert world.weight == 0


def lose_endpoints(world: World) -> None:
    world.ready[V2] = 0


def fail(world: World) -> None:
    world.failing[V2] = 1.0


def revert(world: World) -> None:
    world.asks(revision=policy(V1).revision)


def go_blind(world: World) -> None:
    world.metrics_gone = DEAD
    world.looks(590, every=10.0)


def hide_the_mesh(world: World) -> None:
    world.mesh_gone = Unseen("away")


@pytest.mark.parametrize(
    ("first", "second", "reason", "rejected"),
    [
        (fail, revert, Reason.WORSE, True),
        (fail, lose_endpoints, Reason.WORSE, True),
        (revert, lose_endpoints, Reason.REVERTED, False),
        (go_blind, lose_endpoints, Reason.LOST_ENDPOINTS, True),
        (go_blind, hide_the_mesh, Reason.NO_DATA_TOO_LONG, True),
        (fail, hide_the_mesh, Reason.WORSE, True),
    ],
)
def test_of_several_reasons_to_go_home_the_weightiest_is_told(first, second, reason, rejected):
    """What was proved goes before what git says, that before what is missing: a canary that fails while git
    takes it back is rejected, one whose endpoints go because git took it back is not.
    """
    world = at(Stage(0))
    first(world)
    second(world)
    assert world.look(10.0).reason is reason
    assert (world.past.rejected != ()) is rejected


def test_silence_that_is_held_is_a_page_though_the_mesh_is_away_too():
    """The alarm of the policy's own rule is not hidden by a mesh that cannot be read."""
    asked = policy(analysis=judged(no_data=NoDataRule(100.0, OnSilence.HOLD)))
    world = blind(100.0, asked=asked)
    hide_the_mesh(world)
    assert world.look().reason is Reason.BLIND_HELD


@held
def test_who_holds_it_is_told_before_what_is_missing(hold):
    """Silence while held: people see the hold until the deadline of silence."""
    world = at(Stage(0))
    hold(world)
    world.metrics_gone = DEAD
    assert world.look().reason in {Reason.FROZEN, Reason.PAUSED, Reason.SUSPENDED, Reason.WINDOW_CLOSED}


@pytest.mark.parametrize("rung", [Probe(Weight(10)), Stage(0), Stage(1), Stage(2)], ids=str)
def test_a_dead_canary_goes_home_from_every_rung(rung):
    """FAIL on each rung: zero is one write away from everywhere."""
    world = at(rung, rate=2000.0)
    world.failing[V2] = 1.0
    world.until(Reason.WORSE, most=5)
    assert world.weight == 0
    assert len(world.writes) == 1
    assert world.now > NOON
