"""The steps: bake, proof, the last step and its control, promotion, the fast track."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rollout.core import judge
from rollout.core.model import (
    EVERYTHING,
    NOTHING,
    Clock,
    Comparison,
    Flow,
    Haste,
    Inconclusive,
    Limit,
    Past,
    Probe,
    Promoted,
    Ramping,
    Revision,
    Split,
    Stage,
    Steady,
    Tally,
    Unseen,
    Verb,
    Verdict,
    Weight,
)
from rollout.core.reason import Level, Reason
from tests.unit.core.world import (
    FIFTY,
    LAST,
    NOON,
    ROUTE,
    TEN,
    V1,
    V2,
    V3,
    Proxy,
    World,
    at,
    judged,
    policy,
    steady,
)

# --- steps ---------------------------------------------------------------------------------------


def test_bake_counts_only_while_the_weight_is_carried():
    """Seconds in which the mesh shows something else, or could not be read, or lags, are not baked."""
    world = at(TEN)
    assert world.ramp.clock.baked == 1.0
    world.proxies["edge-1"] = Proxy(splits=(Split.all_on(V1),))
    world.looks(5)
    world.proxies["edge-1"] = Proxy()
    world.look()
    assert world.ramp.clock.baked == 1.0
    world.mesh_gone = Unseen("away")
    world.looks(5)
    world.mesh_gone = None
    world.look()
    assert world.ramp.clock.baked == 1.0
    world.look()
    assert world.ramp.clock.baked == 2.0


def test_bake_counts_only_while_evidence_arrives():
    """Blind seconds stand still."""
    world = at(TEN)
    world.metrics_gone = Unseen("away")
    world.looks(20)
    assert world.ramp.clock.baked == 1.0
    world.metrics_gone = None
    world.look()
    assert world.ramp.clock.baked == 2.0


def quiet(every: float = 1.0) -> World:
    """The canary's last request was completed in the last look."""
    world = at(TEN, rate=0.0, look_every=every)
    world.count("edge-1", V2, 1)
    world.look()
    return world


def test_a_minute_without_a_canary_request_is_silence_and_not_a_moment_less():
    """Counted from the last completed request; a request ends it in the very look that counts it."""
    world = quiet()
    assert world.look(60.0).reason is Reason.BAKING
    assert world.look(5000.0, elapsed=None).reason is Reason.BAKING
    assert world.look(0.5).reason is Reason.BLIND
    world = quiet()
    world.look(59.0)
    world.count("edge-1", V2, 1)
    assert world.look(5.0).reason is Reason.BAKING
    assert world.ramp.clock.quiet == 0.0


def test_five_looks_without_a_canary_request_are_silence_where_looks_are_rare():
    """The longer of a minute and five looks."""
    world = quiet(every=20.0)
    assert world.look(100.0).reason is Reason.TOO_FEW
    assert world.look(1.0).reason is Reason.BLIND


def test_bake_counts_only_while_the_traffic_follows():
    """A proxy that carries the weight on paper bakes nothing (M3, R5)."""
    world = at(TEN, rate=0.0)
    for _ in range(2):
        world.count("edge-1", V1, 300)
        decision = world.look()
    assert decision.reason is Reason.SETTLING
    assert "requests do not follow" in str(decision.facts["detail"])
    baked = world.ramp.clock.baked
    world.count("edge-1", V1, 50)
    world.look()
    assert world.ramp.clock.baked == baked
    world.count("edge-1", V1, 130)
    world.count("edge-1", V2, 20)
    assert world.look().reason is Reason.BAKING
    assert world.ramp.clock.baked == baked + 1.0


def test_who_did_not_look_earns_three_looks_at_most():
    """Law 5: a stopped process or a starved host was blind, however well the clocks agree afterwards."""
    world = at(TEN)
    baked = world.ramp.clock.baked
    world.look(600.0)
    assert world.ramp.clock.baked == baked + 3.0
    world.look(2.5)
    assert world.ramp.clock.baked == baked + 5.5


def test_a_restart_gives_no_free_bake_and_forgets_none():
    """No time is counted in a look whose span cannot be said; what was earned stays."""
    world = at(TEN)
    world.looks(30)
    world.look(500.0, elapsed=None)
    assert world.ramp.clock.baked == 31.0
    world.look()
    assert world.ramp.clock.baked == 32.0


def test_a_baked_step_needs_enough_canary_requests():
    """Too few: held, however long it baked."""
    world = at(TEN, rate=1.0)
    world.until(Reason.TOO_FEW, most=100)
    assert world.ramp.clock.baked == 60.0
    decision = world.last
    assert decision is not None
    assert (decision.facts["requests"], decision.facts["needed"], decision.facts["arm"]) == (6, 20, "canary")
    assert decision.verdict is Verdict.NO_DATA
    decision = world.until(Reason.STEP_PASSED, most=200)
    assert decision.facts["canary_requests"] == 20


def test_a_baked_step_needs_some_stable_requests():
    """Without a control nothing is compared."""
    world = at(LAST, rate=0.0)
    for _ in range(60):
        world.count("edge-1", V2, 1)
        world.look()
    decision = world.look()
    assert decision.reason is Reason.TOO_FEW
    assert (decision.facts["requests"], decision.facts["needed"], decision.facts["arm"]) == (0, 10, "stable")
    world.count("edge-1", V1, 10)
    assert world.look().reason is Reason.PROMOTED


def test_the_requests_of_one_step_do_not_pass_the_next():
    """Each rung's proof begins anew, the bets go on."""
    world = at(TEN, rate=13.0)
    world.looks(58)
    assert world.ramp.flow != Flow()
    bets = world.ramp.evidence[0]
    world.until(Reason.STEP_PASSED)
    after = world.ramp
    assert (after.rung, after.clock, after.counts, after.flow) == (FIFTY, Clock(), (Tally(),), Flow())
    assert after.evidence[0].step == Tally()
    assert after.evidence[0] != judge.anew(bets)
    assert after.haste is Haste.NONE


def test_a_suspected_canary_does_not_pass():
    """Odds between 2 and 100 : 1: not proof enough to go home, too much to rise."""
    world = at(TEN, failing={V1: 0.01})
    world.looks(57)
    world.count("edge-1", V2, 9, 9)
    decision = world.until(Reason.SUSPECT, most=5)
    assert 2 < float(decision.facts["odds"]) < 100
    assert decision.verdict is Verdict.PASSING
    assert world.weight == 1000


def test_a_canary_over_an_absolute_limit_does_not_pass():
    """Over the limit by a little: not proof enough to go home, too much to rise."""
    world = at(TEN, asked=policy(analysis=judged(checks=(Limit(0.05),))), failing={V2: 0.055})
    decision = world.until(Reason.OVER_LIMIT_NOW, most=90)
    assert float(decision.facts["canary_share"]) > 0.05
    assert decision.facts["limit"] == 0.05
    assert decision.facts["stable_share"] == 0.0
    assert world.weight == 1000


def test_a_canary_exactly_at_its_limit_passes():
    """The limit is what is allowed."""
    world = at(TEN, asked=policy(analysis=judged(checks=(Limit(0.1),))), failing={V2: 0.1, V1: 0.1})
    world.until(Reason.STEP_PASSED, most=60)


def test_both_over_the_limit_is_an_alarm_before_the_bake_is_over():
    """A person hears of a shared incident when it is seen, not when the step ends."""
    limited = policy(analysis=judged(checks=(Limit(0.05),)))
    world = at(TEN, asked=limited, failing={V1: 0.2, V2: 0.2})
    decision = world.until(Reason.BOTH_OVER_LIMIT, most=20)
    assert decision.reason.level is Level.PAGE
    assert world.ramp.clock.baked < 60
    assert decision.facts["stable_share"] == pytest.approx(0.2, abs=0.02)


def test_every_check_has_to_pass():
    """One that lacks something holds the others."""
    asked = policy(analysis=judged(checks=(Comparison(), Limit(0.05, min_requests=700))))
    world = at(TEN, asked=asked)
    decision = world.until(Reason.TOO_FEW, most=70)
    assert decision.facts["needed"] == 700
    world.until(Reason.STEP_PASSED, most=20)


def test_the_last_step_keeps_a_control():
    """100 % is 95 % while it bakes, and is passed like every step."""
    world = at(FIFTY)
    decision = world.until(Reason.STEP_PASSED, most=90)
    assert (world.weight, decision.facts["weight"]) == (9500, "95 %")
    assert world.ramp.rung == LAST
    decision = world.until(Reason.PROMOTED, most=90)
    assert isinstance(decision.state, Steady)
    assert world.splits == (Split.all_on(V2),)


def test_the_holdback_is_the_policys():
    """What stable keeps can be chosen, also nothing."""
    for holdback, weight in ((Weight(2000), 8000), (NOTHING, EVERYTHING)):
        world = at(FIFTY, asked=policy(analysis=judged(holdback=holdback)))
        world.until(Reason.STEP_PASSED, most=90)
        assert world.weight == weight


def test_promotion_ends_the_journey():
    """The canary is stable, the former stable a known revision, and the next look has nothing to do."""
    world = at(LAST)
    decision = world.until(Reason.PROMOTED, most=90)
    assert decision.state == replace(
        steady(V2, attempt=1, promoted=(Promoted(Revision(V1), world.now), Promoted(Revision(V2))), writes=1),
        intent=decision.state.intent,  # type: ignore[union-attr]
    )
    assert world.look().reason is Reason.NOTHING_NEW


def test_a_policy_of_one_step_is_a_policy():
    """Probe, the one step with its control, everybody."""
    world = World(policy(steps=policy().steps[2:]), state=steady(), rate=1000.0)
    weights: list[int] = []
    while not isinstance(world.state, Steady) or world.past.stable != Revision(V2):
        world.look()
        if not weights or world.weight != weights[-1]:
            weights.append(world.weight)
    assert weights == [0, 100, 200, 400, 800, 1600, 3200, 6400, 9500, 10_000]


# --- the fast track ------------------------------------------------------------------------------


def returning(ago: float, rate: float = 1000.0, **changes: Any) -> World:
    """Git goes back to what was stable so many seconds ago."""
    past = Past(Revision(V2), ROUTE, promoted=(Promoted(Revision(V1), NOON), Promoted(Revision(V2))))
    world = World(policy(V1, **changes), state=Steady(past), rate=rate)
    world.foreign({V2: 1})
    world.now = NOON + timedelta(seconds=ago - 1)
    world.look()
    return world


def test_a_return_to_a_known_revision_is_probed_and_goes_straight_to_the_last_step():
    """Within the revert window: the probe's rungs, then 95 %, then everything."""
    world = returning(86_400.0)
    assert world.ramp.fast
    stages: list[object] = []
    while isinstance(world.state, Ramping):
        world.look()
        rung = getattr(world.state, "rung", None)
        if rung not in (None, *stages):
            stages.append(rung)
    assert stages[0] == Probe(Weight(100))
    assert [rung for rung in stages if isinstance(rung, Stage)] == [LAST]
    assert world.splits == (Split.all_on(V1),)


def test_a_return_of_a_rarely_asked_service_is_probed_too():
    """Ten requests a look would be all of them: it begins no higher than others, and needs a good look."""
    world = returning(100.0, rate=5.0)
    world.until(Reason.STARTED, most=2)
    assert world.splits == (Split.between(V2, V1, 1000),)
    world.until(Reason.RAISED, most=20)
    assert world.splits == (Split.between(V2, V1, 2000),)


def test_a_return_is_judged_like_everybody():
    """A known revision that fails goes home from the probe."""
    world = returning(100.0)
    world.failing[V1] = 1.0
    world.until(Reason.WORSE, most=10)
    assert world.splits == (Split.all_on(V2),)
    assert world.past.rejected == (Revision(V1),)


@pytest.mark.parametrize(
    "world",
    [
        lambda: returning(86_401.0),
        lambda: returning(61.0, revert_window=60.0),
        lambda: returning(1.0, revision=Revision(V1, "sha256:2")),
        lambda: returning(1.0, revision=Revision(V3)),
    ],
    ids=["too long ago", "the policy's own window", "another content", "never promoted"],
)
def test_what_is_not_known_takes_every_step(world):
    """No fast track."""
    assert not world().ramp.fast


def test_the_stable_of_now_is_not_a_known_revision_of_the_past():
    """Only what has ended can be returned to."""
    past = Past(Revision(V1), ROUTE, promoted=(Promoted(Revision(V2)),))
    world = World(state=Steady(past))
    world.look()
    assert not world.ramp.fast


def test_promotions_are_remembered_once_each_and_not_for_ever():
    """The newest ten, each revision once."""
    world = at(LAST)
    old = tuple(Promoted(Revision(f"old-{number}"), NOON) for number in range(12))
    known = (Promoted(Revision(V2), NOON), Promoted(Revision(V1)), *old)
    world.state = replace(world.ramp, past=replace(world.ramp.past, promoted=known))
    world.until(Reason.PROMOTED, most=90)
    promoted = world.past.promoted
    assert promoted == (*old[4:], Promoted(Revision(V1), world.now), Promoted(Revision(V2)))


# --- proof -----------------------------------------------------------------------------------------


def thin(rung: Stage, rate: float) -> World:
    return at(rung, asked=policy(analysis=judged(checks=(Comparison(min_requests=1),))), rate=rate)


@pytest.mark.parametrize(("rung", "few", "enough"), [(TEN, 3.0, 4.0), (FIFTY, 2.0, 3.0)])
def test_a_later_step_rules_out_smaller_faults(rung, few, enough):
    """20 percentage points to leave the first step, 5 to leave the next: by the rule of three, 21 and 82
    requests without an error.
    """
    decision = thin(rung, few).until(Reason.UNPROVEN, most=70)
    assert decision.facts["margin"] == (0.2 if rung is TEN else 0.05)
    assert thin(rung, enough).until(Reason.STEP_PASSED, Reason.UNPROVEN, most=70).reason is Reason.STEP_PASSED


def test_the_last_step_asks_for_its_bake_alone():
    """Everybody is on the canary by then but the control."""
    thin(LAST, 4.0).until(Reason.PROMOTED, most=70)


def test_a_person_may_waive_the_proof():
    """`rollout promote`: what speaks against the canary is never waived, what is lacking is."""
    world = thin(FIFTY, 2.0)
    world.until(Reason.UNPROVEN, most=70)
    assert world.order(Verb.PROMOTE).reason is Reason.STEP_PASSED


@pytest.mark.parametrize(
    ("then", "reason", "weight"),
    [
        (Inconclusive.HOLD, Reason.INCONCLUSIVE, 1000),
        (Inconclusive.PROMOTE, Reason.PASSED_UNPROVEN, 5000),
        (Inconclusive.ROLLBACK, Reason.INCONCLUSIVE_TOO_LONG, 0),
    ],
)
def test_a_step_in_doubt_for_three_bakes_is_the_policy_s_to_decide(then, reason, weight):
    """Not a moment before; and what is held goes on by itself when it is proved after all."""
    world = at(TEN, asked=policy(analysis=judged(inconclusive=then)), rate=0.6)
    world.until(Reason.TOO_FEW, most=100)
    world.until(reason, most=200)
    world.look()
    assert world.weight == weight
    if then is Inconclusive.HOLD:
        assert 180 <= world.ramp.clock.baked < 185
        world.count("edge-1", V2, 20)
        world.count("edge-1", V1, 200)
        assert world.look().reason is Reason.STEP_PASSED
    if then is Inconclusive.ROLLBACK:
        assert world.past.rejected == (Revision(V2),)


def test_nothing_that_is_suspected_is_promoted_for_lack_of_proof():
    """`onInconclusive: promote` asks that nothing speaks against the canary."""
    asked = policy(analysis=judged(inconclusive=Inconclusive.PROMOTE, checks=(Comparison(min_requests=500),)))
    world = at(TEN, asked=asked, rate=10.0, failing={V1: 0.01, V2: 0.03})
    decision = world.until(Reason.INCONCLUSIVE, most=200)
    assert float(decision.facts["odds"]) > 1
    assert world.weight == 1000
