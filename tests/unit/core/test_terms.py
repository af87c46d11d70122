"""A policy that changes on the way (P6), goes back to stable, or is withdrawn (P7)."""

from dataclasses import replace
from datetime import time

import pytest

from rollout.core.model import (
    UNHEARD,
    Analysis,
    Bet,
    Cause,
    Comparison,
    ComparisonEvidence,
    Errors,
    Evidence,
    LatencyEvidence,
    Limit,
    LimitEvidence,
    NoDataRule,
    Noise,
    OnSilence,
    Policy,
    Ramping,
    Revision,
    RollingBack,
    Steady,
    Step,
    Tally,
    Waiting,
    Weight,
    Window,
    Withdrawn,
)
from rollout.core.reason import Reason
from tests.unit.core.world import FIFTY, ROUTE, STEPS, V1, V2, V3, World, at, judged, policy

LIMITED = judged(checks=(Comparison(), Limit(0.05)), no_data=NoDataRule(300.0, OnSilence.HOLD), look=2.0)


def steps(*bakes: float) -> tuple[Step, ...]:
    return tuple(Step(step.weight, bake) for step, bake in zip(STEPS, bakes, strict=True))


def changed(**fields: object) -> Policy:
    return replace(policy(analysis=LIMITED), **fields)  # type: ignore[arg-type]


def analysed(**fields: object) -> Policy:
    return policy(analysis=replace(LIMITED, **fields))  # type: ignore[arg-type]


def baked() -> World:
    """At 50 %, with half of the bake earned and some evidence."""
    world = at(FIFTY, asked=policy(analysis=LIMITED))
    world.looks(30)
    return world


KEPT = {
    "nothing": changed(),
    "alerts": changed(alerts=("ops",)),
    "windows": changed(windows=(Window((0, 1, 2, 3, 4, 5, 6), time(0), time(0), "UTC"),)),
    "spec.stable": changed(stable=V1),
    "revert window": changed(revert_window=60.0),
    "longer bake": changed(steps=steps(60.0, 90.0, 61.0)),
    "sooner deadline": analysed(no_data=NoDataRule(200.0, OnSilence.HOLD)),
    "rollback on silence": analysed(no_data=NoDataRule(300.0, OnSilence.ROLLBACK)),
    "quicker looks": analysed(look=1.0),
    "looks by default": analysed(look=None),
    "more requests": analysed(checks=(Comparison(min_requests=21), Limit(0.05, min_requests=101))),
    "lower limit": analysed(checks=(Comparison(), Limit(0.03))),
    "one more limit": analysed(checks=(*LIMITED.checks, Limit(0.1, Errors(("429",))))),
    "another order": analysed(checks=tuple(reversed(LIMITED.checks))),
}

AFRESH = {
    "another revision": changed(revision=Revision(V3)),
    "another content": changed(revision=Revision(V2, "sha256:2")),
    "another route": changed(route=replace(ROUTE, name="metal")),
    "fewer steps": changed(steps=STEPS[1:]),
    "more steps": changed(steps=(Step(Weight(500), 60.0), *STEPS)),
    "another weight": changed(steps=(Step(Weight(900), 60.0), *STEPS[1:])),
    "shorter bake": changed(steps=steps(60.0, 60.0, 59.0)),
    "another source": analysed(metrics="other"),
    "another holdback": analysed(holdback=Weight(1000)),
    "slower looks": analysed(look=2.5),
    "later deadline": analysed(no_data=NoDataRule(301.0, OnSilence.HOLD)),
    "higher limit": analysed(checks=(Comparison(), Limit(0.06))),
    "fewer requests": analysed(checks=(Comparison(min_requests=19), Limit(0.05))),
    "fewer requests under the limit": analysed(checks=(Comparison(), Limit(0.05, min_requests=99))),
    "other codes": analysed(checks=(Comparison(Errors(("429",))), Limit(0.05))),
    "other codes of the limit": analysed(checks=(Comparison(), Limit(0.05, Errors(("429",))))),
    "no limit": analysed(checks=(Comparison(),)),
    "no comparison": analysed(checks=(Limit(0.05),)),
}


@pytest.mark.parametrize("asked", KEPT.values(), ids=KEPT)
def test_what_tightens_or_does_not_bear_on_evidence_applies_at_once(asked):
    """The rollout goes on from where it is, under the new policy, with all that it has earned."""
    world = baked()
    before = world.ramp
    world.asked = asked
    decision = world.look()
    assert decision.reason is Reason.BAKING
    after = world.ramp
    assert after.policy == asked
    assert (after.rung, after.clock.baked) == (FIFTY, before.clock.baked + 1)
    known = dict(zip(before.policy.analysis.checks, before.counts, strict=True))
    for check, counts, evidence in zip(asked.analysis.checks, after.counts, after.evidence, strict=True):
        had = next(
            (counts for old, counts in known.items() if type(old) is type(check) and old.of == check.of),
            Tally(),
        )
        assert decision.judged is not None
        (gained,) = decision.judged.fed[asked.analysis.checks.index(check)]
        assert counts == had + gained
        assert (evidence.step.canary_n, evidence.step.seconds) == (counts.canary_n, counts.seconds)


def test_the_noise_of_a_check_goes_with_it():
    """A limit before the comparison: each is judged by the phi that it had."""
    world = baked()
    comparison, limit = LIMITED.checks
    assert isinstance(limit, Limit)
    world.noise = UNHEARD
    world.state = replace(world.ramp, noise=Noise(60, (((0.5, 2.0),), ((0.5, 3.0),))))
    world.asks(analysis=replace(LIMITED, checks=(replace(limit, max=0.01), comparison)))
    assert world.look().reason is Reason.BAKING
    assert world.ramp.noise == Noise(60, (((0.5, 3.0),), ((0.5, 2.0),)))


@pytest.mark.parametrize("asked", AFRESH.values(), ids=AFRESH)
def test_every_other_change_goes_home_and_begins_afresh(asked):
    """The evidence belongs to the old question: to nothing, then from the start, and nobody is rejected."""
    world = baked()
    world.asked = asked
    decision = world.look()
    assert decision.reason is Reason.CHANGED
    assert isinstance(decision.state, RollingBack)
    assert decision.state.cause is Cause.CHANGED
    assert decision.state.past.rejected == ()
    assert world.weight == 0
    assert world.look().reason is Reason.ROLLED_BACK
    if asked.route != ROUTE:
        world.mesh_epoch = None
    begun = world.until(Reason.MEASURING, most=4)
    assert isinstance(begun.state, Ramping)
    assert (begun.state.rung, begun.state.policy, begun.state.past.attempt) == (
        Waiting(),
        asked,
        2,
    )


def test_the_sentence_of_a_change_names_what_is_asked_and_by_which_commit():
    """Who reads it can find the commit."""
    world = baked()
    asked = changed(revision=Revision(V3))
    world.asked = replace(asked, origin=replace(asked.origin, commit="0123456789abcdef"))
    assert world.look().facts["detail"] == "jazz-v3, policy of 01234567"


def test_looks_by_default_are_a_second():
    """A policy that names no interval asks for the default: naming a longer one is looser."""
    world = at(FIFTY, asked=policy())
    world.asks(analysis=judged(look=1.0))
    assert world.look().reason is Reason.BAKING
    world.asks(analysis=judged(look=1.5))
    assert world.look().reason is Reason.CHANGED


def test_a_deadline_that_turns_to_holding_is_looser():
    """Giving up the way home on silence begins afresh."""
    world = at(FIFTY, asked=policy())
    world.asks(analysis=judged(no_data=NoDataRule(600.0, OnSilence.HOLD)))
    assert world.look().reason is Reason.CHANGED


def test_what_spoke_against_the_looser_limit_speaks_against_the_tighter_one():
    """The capital won so far is staked on: half at once, as at the start of every bet."""
    world = baked()
    comparison, limited = world.ramp.evidence
    assert isinstance(comparison, ComparisonEvidence)
    assert isinstance(limited, LimitEvidence)
    won = replace(limited, bet=Bet(20.0, (10.0,) * len(limited.bet.stakes), fresh=False))
    world.state = replace(world.ramp, evidence=(comparison, won))
    world.rate = 0.0
    world.asked = KEPT["lower limit"]
    world.look()
    _, after = world.ramp.evidence
    assert isinstance(after, LimitEvidence)
    assert after.bet == Bet(won.bet.evidence, (0.0,) * len(after.bet.stakes), fresh=True)
    assert (after.worse.mixture, after.worse.gross) == (won.worse.mixture, won.worse.gross)


def test_more_requests_asked_for_do_not_forget_a_suspicion():
    """The same question with a larger sample: the bets go on as they are."""
    world = baked()
    before = world.ramp.evidence
    world.rate = 0.0
    world.asked = KEPT["more requests"]
    world.look()
    assert [bets(evidence) for evidence in world.ramp.evidence] == [bets(evidence) for evidence in before]


def bets(evidence: Evidence) -> tuple[Bet, ...]:
    if isinstance(evidence, LatencyEvidence):
        return tuple(each.bet for each in evidence.edges or ())
    if isinstance(evidence, LimitEvidence):
        return (evidence.bet, *bets(evidence.worse))
    return evidence.mixture, evidence.gross


def test_the_tighter_of_two_kept_checks_keeps_its_own_evidence():
    """A check that stays as it is keeps what was gathered for it, not for its looser neighbour."""
    checks = (Limit(0.2), Limit(0.1))
    world = at(FIFTY, asked=policy(analysis=Analysis(checks=checks)))
    world.looks(5)
    loose, tight = world.ramp.evidence
    assert loose != tight
    world.rate = 0.0
    world.asks(analysis=Analysis(checks=(*checks, Limit(0.05))))
    world.look()
    assert isinstance(tight, LimitEvidence)
    kept = world.ramp.evidence[1]
    assert isinstance(kept, LimitEvidence)
    assert kept.bet == tight.bet


def test_suspension_in_git_stops_the_rise_and_a_later_commit_lets_it_go_on():
    """`suspend: true` is no other question: nothing restarts."""
    world = baked()
    world.asks(suspend=True)
    assert {decision.reason for decision in world.looks(60)} == {Reason.SUSPENDED}
    world.asks(suspend=False)
    assert world.look().reason is Reason.STEP_PASSED


def test_going_back_to_stable_is_an_abort_without_a_rejection():
    """Git asks for the running stable: home, and the canary may come again."""
    world = baked()
    world.asks(revision=Revision(V1))
    decision = world.look()
    assert decision.reason is Reason.REVERTED
    assert isinstance(decision.state, RollingBack)
    assert (decision.state.cause, decision.state.past.rejected) == (Cause.REVERTED, ())
    assert decision.state.was == 5000
    assert world.weight == 0
    assert world.look().reason is Reason.ROLLED_BACK
    assert world.look().reason is Reason.NOTHING_NEW
    world.asks(revision=Revision(V2))
    world.until(Reason.STARTED, most=3)


def test_a_withdrawn_policy_goes_home_and_is_released():
    """P7: home, then the route is left with stable on everything, and nobody is rejected."""
    world = baked()
    world.asked = Withdrawn("prod/jazz")
    decision = world.look()
    assert decision.reason is Reason.WITHDRAWN
    assert isinstance(decision.state, RollingBack)
    assert (decision.state.cause, decision.state.past.rejected) == (Cause.WITHDRAWN, ())
    assert world.weight == 0
    assert world.look().reason is Reason.ROLLED_BACK
    assert world.look().reason is Reason.RELEASED
    assert isinstance(world.state, Steady)


def test_a_withdrawn_policy_without_a_home_is_held_with_an_alarm():
    """P7: if stable has no endpoint nothing moves; when it has one again, home."""
    world = baked()
    world.asked, world.ready[V1] = Withdrawn("prod/jazz"), 0
    world.loses = 0
    for decision in world.looks(3):
        assert decision.reason is Reason.STABLE_NOT_READY
        assert "withdrawn" in str(decision.facts["detail"])
        assert not decision.actions
    world.ready[V1] = 1
    assert world.look().reason is Reason.WITHDRAWN
    assert world.weight == 0


def test_a_canary_that_waits_at_nothing_may_go_home_without_a_living_stable():
    """Nothing has to move: the journey ends."""
    world = World(ready={V1: 0, V2: 0}, state=Steady(at().ramp.past))
    world.look()
    world.asked = Withdrawn("prod/jazz")
    assert world.look().reason is Reason.WITHDRAWN
    assert world.look().reason is Reason.ROLLED_BACK
