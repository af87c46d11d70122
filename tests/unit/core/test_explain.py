"""Every reason that the core can give is reached here, and explained in whole sentences with its numbers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import time, timedelta

import pytest

from rollout.core import blame, explain, forecast, judge, next_step
from rollout.core.forecast import Place
from rollout.core.model import (
    Analysis,
    Bet,
    Comparison,
    Decision,
    EdgeEvidence,
    Errors,
    Fact,
    Hold,
    Inconclusive,
    Latency,
    LatencyEvidence,
    Limit,
    NoDataRule,
    OnSilence,
    Policy,
    Probe,
    Promoted,
    Protocol,
    Query,
    Revision,
    Route,
    Split,
    Unadopted,
    Unseen,
    Verb,
    Weight,
    Window,
    Withdrawn,
)
from rollout.core.moment import Moment, seen_of, stable_of, state_word, weight_of
from rollout.core.reason import Reason
from rollout.core.terms import evidence_of
from tests.unit.core.world import (
    FIFTY,
    LAST,
    TEN,
    V1,
    V2,
    Proxy,
    World,
    at,
    judged,
    policy,
    steady,
)

GONE = Unseen("edge-1 does not answer")
LIMITED = policy(analysis=judged(checks=(Limit(0.05, min_requests=20),)))


def decided(world: World, reason: Reason) -> World:
    """The world, having come to that reason."""
    assert world.last is not None
    assert world.last.reason is reason, world.last
    return world


def until(world: World, reason: Reason, every: float = 1.0) -> World:
    world.until(reason, every=every)
    return world


def looked(world: World, seconds: float = 1.0) -> World:
    world.look(seconds)
    return world


def ordered(world: World, verb: Verb, argument: str = "") -> World:
    world.order(verb, argument)
    return world


def with_(world: World, **changes: object) -> World:
    for name, value in changes.items():
        setattr(world, name, value)
    return world


def begun(**changes: object) -> World:
    """At rest on v1, and v2 is asked for."""
    return with_(World(state=steady(), mesh_epoch=1), **changes)


def lowered(world: World) -> World:
    world.foreign({V1: 99, V2: 1})
    return looked(world)


def drifted(world: World) -> World:
    world.foreign({V1: 40, V2: 60})
    return looked(world)


def raised_by_hand(world: World, times: int = 1) -> World:
    for _ in range(times):
        world.foreign({V1: 40, V2: 60})
        world.looks(2)
    return world


def held_by(reason: Reason, detail: str) -> Callable[[], World]:
    return lambda: looked(at(TEN, holds=(Hold(reason, detail),)))


def closed() -> World:
    world = at(TEN)
    world.asks(windows=(Window((world.now.weekday(),), time(1), time(2), "UTC"),))
    return looked(world)


def contested() -> World:
    world = raised_by_hand(at(TEN), 3)
    world.foreign({V1: 40, V2: 60})
    return until(world, Reason.CONTESTED)


def asks(world: World, **changes: object) -> World:
    world.asks(**changes)
    return looked(world)


def withdrawn(world: World) -> World:
    world.asked = Withdrawn("prod/jazz")
    return looked(world)


def unfollowed(world: World) -> World:
    """The proxies do not take the weight."""
    world.proxies["edge-1"] = Proxy(splits=(Split.all_on(V2),))
    return world


def stuck(reason: Reason) -> World:
    world = at(TEN)
    unfollowed(world)
    return until(world, reason)


def not_home(reason: Reason) -> World:
    world = unfollowed(at(FIFTY))
    world.order(Verb.ABORT)
    return until(world, reason)


def silent(then: OnSilence, reason: Reason, **more: object) -> World:
    analysis = judged(no_data=NoDataRule(100.0, then))
    return until(at(TEN, asked=policy(analysis=analysis), metrics_gone=GONE, **more), reason, every=10.0)


TIMED = policy(analysis=judged(checks=(Comparison(), Comparison(Latency()), Limit(0.1, Latency(900.0)))))


def slowest(reason: Reason) -> World:
    """All answers take longer than any bucket's edge."""
    asked = policy(analysis=judged(checks=(Comparison(), Comparison(Latency()))))
    return until(at(TEN, asked=asked, slow={V1: 1.0, V2: 1.0}, tail=1.0), reason)


def slightly_over(canary: float, stable: float, reason: Reason) -> World:
    """Above the limit by too little to be condemned."""
    asked = replace(LIMITED, steps=tuple(replace(step, bake=3.0) for step in LIMITED.steps))
    world = at(TEN, asked=asked, rate=100.0, failing={V2: canary, V1: stable})
    return until(world, reason)


def doubtful(then: Inconclusive, reason: Reason) -> World:
    asked = policy(analysis=judged(inconclusive=then))
    return until(at(TEN, asked=asked, rate=0.4), reason)


def thin(reason: Reason) -> World:
    return until(at(TEN, rate=1.0), reason)


def suspect() -> World:
    steps = tuple(replace(step, bake=3.0) for step in policy().steps)
    world = at(TEN, asked=policy(steps=steps), rate=100.0, failing={V2: 0.06, V1: 0.01})
    return until(world, Reason.SUSPECT)


SCENES: Mapping[Reason, Callable[[], World]] = {
    Reason.NOTHING_NEW: lambda: looked(World(policy(V1), steady())),
    Reason.ADOPTED: lambda: looked(World()),
    Reason.OTHER_ROUTE: lambda: looked(World(policy(route=Route("envoy", "edge", "other")), steady())),
    Reason.MIXTURE: lambda: looked(World(splits=(Split.of({V1: 60, V2: 40}),))),
    Reason.REJECTED_BEFORE: lambda: looked(World(state=steady(rejected=(Revision(V2),)))),
    Reason.SAME_BACKEND: lambda: looked(World(policy(revision=Revision(V1, "new")), steady())),
    Reason.MEASURING: lambda: looked(begun()),
    Reason.STARTED: lambda: until(begun(), Reason.STARTED),
    Reason.RAISED: lambda: until(begun(rate=1000.0), Reason.RAISED),
    Reason.STEP_PASSED: lambda: until(at(TEN), Reason.STEP_PASSED),
    Reason.PROMOTED: lambda: until(at(LAST), Reason.PROMOTED),
    Reason.NOT_READY: lambda: looked(looked(begun(ready={V1: 2, V2: 0}))),
    Reason.STABLE_NOT_READY: lambda: looked(at(TEN, ready={V1: 0, V2: 2})),
    Reason.SETTLING: lambda: stuck(Reason.SETTLING),
    Reason.NOT_CONVERGING: lambda: stuck(Reason.NOT_CONVERGING),
    Reason.PROBING: lambda: until(with_(until(begun(rate=500.0), Reason.STARTED), rate=50.0), Reason.PROBING),
    Reason.BAKING: lambda: looked(at(TEN)),
    Reason.TOO_FEW: lambda: thin(Reason.TOO_FEW),
    Reason.UNCOMPARED: lambda: slowest(Reason.UNCOMPARED),
    Reason.OVER_LIMIT_NOW: lambda: slightly_over(0.06, 0.0, Reason.OVER_LIMIT_NOW),
    Reason.SUSPECT: suspect,
    Reason.BOTH_OVER_LIMIT: lambda: slightly_over(0.2, 0.2, Reason.BOTH_OVER_LIMIT),
    Reason.BLIND: lambda: looked(at(TEN, metrics_gone=GONE)),
    Reason.BLIND_HELD: lambda: silent(OnSilence.HOLD, Reason.BLIND_HELD),
    Reason.BREAKER_OPEN: lambda: silent(OnSilence.ROLLBACK, Reason.BREAKER_OPEN, breaker_open=True),
    Reason.STABLE_UNHEALTHY: lambda: until(
        at(TEN, ready={V1: 0, V2: 2}, failing={V2: 1.0}), Reason.STABLE_UNHEALTHY
    ),
    Reason.MESH_UNSEEN: lambda: looked(at(TEN, mesh_gone=GONE)),
    Reason.TARGET_LOST: lambda: looked(at(TEN, mesh_gone=Unseen("jazz.yaml is gone", lost=True))),
    Reason.PAUSED: lambda: ordered(at(TEN), Verb.PAUSE),
    Reason.SUSPENDED: lambda: asks(at(TEN), suspend=True),
    Reason.FROZEN: held_by(Reason.FROZEN, "by ana: a sale"),
    Reason.WINDOW_CLOSED: closed,
    Reason.REWRITTEN: held_by(Reason.REWRITTEN, "main"),
    Reason.SHARED_TARGET: held_by(Reason.SHARED_TARGET, "2 policies claim route jazz"),
    Reason.GIT_LOST: held_by(Reason.GIT_LOST, "120 s (no answer)"),
    Reason.LOWERED: lambda: lowered(at(TEN)),
    Reason.DRIFT: lambda: drifted(at(TEN)),
    Reason.CORRECTED: lambda: raised_by_hand(at(TEN)),
    Reason.CONTESTED: contested,
    Reason.FORGOTTEN: lambda: looked(World(mesh_epoch=3)),
    Reason.WORSE: lambda: until(with_(at(TEN), failing={V2: 1.0}), Reason.WORSE),
    Reason.OVER_LIMIT: lambda: until(with_(at(TEN, asked=LIMITED), failing={V2: 1.0}), Reason.OVER_LIMIT),
    Reason.NO_DATA_TOO_LONG: lambda: silent(OnSilence.ROLLBACK, Reason.NO_DATA_TOO_LONG),
    Reason.UNPROVEN: lambda: until(at(FIFTY, rate=1.0), Reason.UNPROVEN),
    Reason.INCONCLUSIVE: lambda: doubtful(Inconclusive.HOLD, Reason.INCONCLUSIVE),
    Reason.INCONCLUSIVE_TOO_LONG: lambda: doubtful(Inconclusive.ROLLBACK, Reason.INCONCLUSIVE_TOO_LONG),
    Reason.PASSED_UNPROVEN: lambda: doubtful(Inconclusive.PROMOTE, Reason.PASSED_UNPROVEN),
    Reason.NEVER_READY: lambda: until(begun(ready={V1: 2, V2: 0}), Reason.NEVER_READY, every=50.0),
    Reason.LOST_ENDPOINTS: lambda: looked(with_(at(TEN), ready={V1: 2, V2: 0})),
    Reason.ABORTED: lambda: ordered(at(TEN), Verb.ABORT),
    Reason.WITHDRAWN: lambda: withdrawn(at(TEN)),
    Reason.REVERTED: lambda: asks(at(TEN), revision=Revision(V1)),
    Reason.CHANGED: lambda: asks(at(TEN), revision=Revision("jazz-v3")),
    Reason.GOING_HOME: lambda: not_home(Reason.GOING_HOME),
    Reason.NOT_HOME: lambda: not_home(Reason.NOT_HOME),
    Reason.ROLLED_BACK: lambda: looked(ordered(at(TEN), Verb.ABORT)),
    Reason.RELEASED: lambda: withdrawn(World(policy(V1), steady())),
}
"""How each reason of the core comes about."""

BY_THE_ENGINE: Mapping[Reason, Mapping[str, Fact]] = {
    Reason.UNRECORDED: {"detail": "the disk is full"},
    Reason.BROKEN: {"times": 5, "detail": "KeyError: 'x'", "name": "prod/jazz"},
}
"""Reasons that a pass gives when no decision could be made or kept, with the facts it gives them."""


def moment(world: World, *, later: float = 0.0) -> Moment:
    asked = world.asked if isinstance(world.asked, Policy) else None
    now = world.now + timedelta(seconds=later)
    return Moment("prod/jazz", world.last, asked, world.now, world.now - timedelta(seconds=5), now)


def headings(world: World, **more: float) -> dict[str, str]:
    return dict(explain.why(moment(world, **more)))


def test_every_reason_has_a_scene():
    """No reason can be added without showing here how it comes about."""
    assert set(SCENES) | set(BY_THE_ENGINE) == set(Reason)


@pytest.mark.parametrize("reason", SCENES, ids=lambda reason: reason.name)
def test_every_reason_is_said_and_explained(reason):
    """A reason's sentence finds all its facts, and `why` says where it is and what comes next."""
    world = decided(SCENES[reason](), reason)
    assert world.last is not None
    assert reason.say(world.last.facts)
    told = headings(world)
    assert {"Now", "Decided", "Next", "Asked"} <= set(told)
    assert all(whole(text) for text in told.values()), told


@pytest.mark.parametrize("reason", BY_THE_ENGINE, ids=lambda reason: reason.name)
def test_what_the_engine_says_is_explained(reason):
    world = looked(at(TEN))
    assert world.last is not None
    world.last = Decision(world.state, reason, {**world.last.facts, **BY_THE_ENGINE[reason]})
    assert all(whole(text) for text in headings(world).values())


def whole(text: str) -> bool:
    """A sentence: it ends, and nothing was forgotten to be filled in."""
    return text.endswith(".") and not re.search(r"[{}]|None|\bnan\b|Ramping|Revision\(", text)


@pytest.mark.parametrize("reason", [Reason.LOWERED, Reason.CONTESTED, Reason.FORGOTTEN], ids=lambda r: r.name)
def test_what_is_held_is_said_while_the_mesh_cannot_be_read(reason):
    """A person who has to speak is told of what, also in the minute in which the mesh is away."""
    world = with_(SCENES[reason](), mesh_gone=GONE)
    decided(looked(world), reason)
    assert all(whole(text) for text in headings(world).values())


def test_what_is_forgotten_promises_nothing_of_the_weight():
    """Nobody knows which backend is the canary, or how much it has."""
    told = headings(decided(SCENES[Reason.FORGOTTEN](), Reason.FORGOTTEN))
    assert told["Now"] == (
        "prod/jazz is held: which backend is stable is not known. Nothing is written until a person says it."
    )


# --- each kind of check --------------------------------------------------------------------------


def test_a_slow_canary_is_told_by_the_edge_that_shows_it():
    """What was counted for each check, in its own words; and why it went home."""
    world = at(TEN, asked=TIMED, slow={V1: 0.01, V2: 0.01})
    world.looks(20)
    assert headings(world)["Seen"].startswith(
        "Canary failed 0 of 210 (a fault below 1.6 % would not have shown), stable 0 of 1 890 (0.00 %) "
        "over the same 21 s. "
        "Requests that took over 250 ms: canary 2 of 210 (0.95 %), stable 18 of 1 890 (0.95 %). "
        "Requests that took over 900 ms: canary 0 of 210 (0.00 %), stable 1 of 1 890 (0.05 %)."
    )
    assert "at most 10.00% of its requests take over 900 ms (now 0.00%)" in headings(world)["Next"]
    decided(until(with_(world, slow={V1: 0.01, V2: 0.3}), Reason.WORSE), Reason.WORSE)
    arm = r"\d+ of \d+ took over 250 ms \([0-9.]+%\)"
    assert re.match(rf"jazz-v2 is worse: canary {arm}, stable {arm}; odds", headings(world)["Decided"])


def test_latency_that_is_not_known_yet_is_told():
    """Too little of stable was timed, or nothing of its answers is within any bucket."""
    world = at(FIFTY, asked=TIMED, rate=2.0, slow={V1: 0.1, V2: 0.1})
    world.reset("edge-1")
    few = until(replace(world, state=replace(world.ramp, evidence=evidence_of(TIMED))), Reason.UNCOMPARED)
    assert "compared yet at 50 %: stable has not answered the 300" in headings(few)["Decided"]
    slow = headings(slowest(Reason.UNCOMPARED))["Decided"]
    assert "at every edge of its proxies' buckets more than 70% of stable's answers are slower" in slow
    assert "stable's latency is known well enough to compare with" in headings(few)["Next"]


def test_a_limit_names_what_breaks_it():
    """For latency, the bound of what is slow; the share is of those."""
    limits = (Limit(0.01, Latency(250.0)),)
    world = at(TEN, asked=policy(analysis=judged(checks=limits)), slow={V1: 0.0, V2: 0.0})
    told = headings(until(with_(world, slow={V1: 0.0, V2: 0.9}), Reason.OVER_LIMIT))["Decided"]
    assert "breaks the limit of 1.00%: 45.00% of its requests took over 250 ms; canary 9 of 20 took" in told
    both = at(TEN, asked=policy(analysis=judged(checks=limits)), slow={V1: 0.9, V2: 0.9})
    told = headings(until(both, Reason.BOTH_OVER_LIMIT))["Decided"]
    assert told.startswith(
        "Canary (90.00% of its requests took over 250 ms) and stable (90.00%) both break the"
    )


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (Errors(("429",)), ("requests", "fail", "failed")),
        (Errors(protocol=Protocol.GRPC), ("calls", "fail", "failed")),
        (Errors(protocol=Protocol.TCP), ("connections", "fail", "failed")),
        (Latency(1500.0), ("requests", "take over 1.5 s", "took over 1.5 s")),
        (Query("payments"), ("counts of payments", "are bad", "were bad")),
        (Query("queue", 250.0), ("readings of queue", "are over 250", "were over 250")),
    ],
)
def test_each_measure_has_its_words(of, words):
    """As sentences need them."""
    check = Limit(0.1, of)
    assert blame.of(check, judge.start(check)) == blame.Blame(*words)


def test_who_speaks_loudest_is_named():
    """Comparisons share one capital: latency counts half of errors; limits speak for themselves."""
    checks = (Comparison(), Comparison(Latency()), Limit(0.05))
    calm = [judge.start(check) for check in checks]
    slow = LatencyEvidence((EdgeEvidence(100.0, Bet(1.0, (40.0,))),))
    assert blame.loudest(checks, calm) == 2
    assert blame.loudest(checks, [calm[0], slow, calm[2]]) == 1


# --- the numbers ---------------------------------------------------------------------------------


def test_a_baking_step_says_what_was_seen_and_when_it_ends():
    """Counts, what they could not have shown, seconds baked, and the next weight with its earliest time."""
    world = at(TEN)
    world.looks(20)
    told = headings(world)
    assert told["Now"] == (
        "prod/jazz is on its way: jazz-v2 has 10 % (step 1 of 3), jazz-v1 the rest, since 12:00:00 UTC."
    )
    assert told["Seen"].startswith(
        "Canary failed 0 of 210 (a fault below 1.6 % would not have shown), stable 0 of 1 890 (0.00 %) "
        "over the same 21 s."
    )
    assert told["Decided"].startswith("Baking at 10 %: 21 of 60 s;")
    assert told["Next"].startswith(
        "50 % in about 39 s, if at least 20 canary requests were counted (210 so far) and the odds"
    )
    assert "All to jazz-v1 at once if the odds reach 100 : 1" in told["Way home"]


def test_what_no_proxy_was_asked_for_is_not_called_certain():
    """A control plane that accepted a split has not distributed it."""
    world = at(TEN, verified=False)
    world.looks(5)
    assert headings(world)["Now"].endswith(
        "That is not verified at the proxies: only requests tell what they carry."
    )


def test_a_failing_canary_is_told_with_its_share():
    """A run without failures says what it could not show; one with failures says how many."""
    world = with_(at(TEN), failing={V1: 0.02, V2: 0.02})
    world.looks(20)
    assert headings(world)["Seen"].startswith("Canary failed 4 of 210 (1.90 %), stable 36 of 1 890 (1.90 %) ")


def test_odds_are_told_with_how_rare_they_are():
    """ANALYSIS 8: the judge in a sentence, once there is something to tell."""
    world = with_(at(TEN), failing={V2: 0.02})
    world.looks(12)
    assert " If the canary were not worse than 1.1x stable, evidence this strong" in headings(world)["Seen"]


def test_at_rest_the_judge_s_last_words_are_told():
    """What a canary went home for can be asked after it has; under way there are newer words."""
    world = World(policy(V1), steady())
    world.looks(2)
    assert dict(explain.why(moment(world), "Canary failed."))["Judged"] == "Canary failed."
    climbing = at(TEN)
    climbing.looks(2)
    assert "Judged" not in dict(explain.why(moment(climbing), "Canary failed."))


def test_time_that_passed_since_the_look_counts_down():
    """What is read a while after the look says what is left now."""
    world = at(TEN)
    world.looks(20)
    assert "in about 29 s" in headings(world, later=10)["Next"]


def test_thin_traffic_makes_the_wait_longer():
    """With one request a second, a tenth of it the canary's, the requests take longer than the bake."""
    world = at(TEN, rate=1.0)
    world.looks(40)
    rise = forecast.forecast(world.ramp, world.now, world.now)
    assert rise.seconds is not None
    assert 140 < rise.seconds < 180
    assert "20 canary requests were counted (4 so far)" in rise.needs[0]


def test_without_a_rate_only_the_bake_is_promised():
    """Before the first canary request nobody knows when the last one needed will come."""
    world = looked(at(TEN, rate=0.0))
    told = forecast.say(forecast.forecast(world.ramp, world.now, world.now))
    assert told.startswith(
        "50 % in 60 s at the earliest, if at least 20 canary requests were counted (0 so far)"
    )


def test_the_control_is_named():
    """In the last step the faces say what stays on stable."""
    world = looked(at(LAST))
    assert "jazz-v2 has 95 % (step 3 of 3; 5 % kept as control)" in headings(world)["Now"]
    assert headings(world)["Next"].startswith("Promotion (100 %) in about")


def test_an_ordered_promotion_needs_no_waiting():
    world = at(TEN)
    world.state = replace(world.ramp, paused=None)
    world.holds = (Hold(Reason.FROZEN, "by ana: x"),)
    world.order(Verb.PROMOTE)
    assert forecast.say(forecast.forecast(world.ramp, world.now, world.now)).startswith(
        "50 % as soon as nothing speaks against it"
    )


def test_limits_are_among_the_needs():
    """A step is passed only under the limit, so the forecast says how far from it the canary is."""
    world = at(TEN, asked=replace(LIMITED, analysis=Analysis(checks=(Comparison(), Limit(0.05)))))
    world.looks(3)
    needs = forecast.forecast(world.ramp, world.now, world.now).needs
    assert "it fails at most 5.00% of them (now 0.00%)" in needs


def test_a_closed_window_says_when_it_opens():
    world = closed()
    told = headings(world)["Next"]
    assert told.startswith("At 2026-03-09 01:00 UTC weight may rise again: 50 %, if at least")


def test_the_blind_know_how_long_they_have():
    assert "In 9 min 49 s without any it goes home" not in headings(SCENES[Reason.BLIND]())["Next"]
    assert "without any it goes home" in headings(SCENES[Reason.BLIND]())["Next"]
    hold = policy(analysis=judged(no_data=NoDataRule(100.0, OnSilence.HOLD)))
    assert "a person is called" in headings(looked(at(TEN, asked=hold, metrics_gone=GONE)))["Next"]
    assert "evidence stays away" not in headings(looked(at(TEN, asked=hold)))["Way home"]


def test_observe_mode_is_said_first():
    world = looked(begun(observe=True))
    assert headings(world)["Now"].startswith("In observe mode, where nothing is written: ")


def test_what_comes_after_a_rollback_depends_on_git():
    """A rejected revision waits for git or a person; another one is begun."""
    world = SCENES[Reason.ROLLED_BACK]()
    assert "until git offers another revision" in headings(world)["Next"]
    world.asks(revision=Revision("jazz-v3"))
    assert headings(world)["Next"] == "jazz-v3, which git asks for, is begun at the next look."


def test_before_the_first_look_there_is_still_something_to_say():
    world = World()
    assert dict(explain.why(moment(world))) == {
        "Now": "The daemon has not looked at it yet.",
        "Asked": "Git asks for jazz-v2: (:1).",
    }
    assert next_step.next_step(moment(world)) == "the first look"
    assert next_step.next_rise(moment(world)) is None


# --- where it is ---------------------------------------------------------------------------------


def test_the_ladder_marks_where_the_rollout_is():
    """Passed, here, ahead; the last step below 100 % is followed by the promotion."""
    asked = policy()
    places = [(mark.weight, mark.place, mark.note) for mark in forecast.marks(asked, at(FIFTY).state)]
    assert places == [
        (1000, Place.PASSED, ""),
        (5000, Place.NOW, ""),
        (9500, Place.AHEAD, "5 % kept as control"),
        (10_000, Place.AHEAD, "promoted"),
    ]


def test_a_probe_is_a_rung_only_while_it_lasts():
    probing = at(Probe(Weight(50)))
    assert next(mark.note for mark in forecast.marks(policy(), probing.state)) == "probe"
    assert len(forecast.marks(policy(), at(TEN).state)) == 4


def test_a_ladder_without_holdback_ends_with_its_last_step():
    asked = policy(analysis=judged(holdback=Weight(0)))
    assert [mark.weight for mark in forecast.marks(asked, at(TEN, asked=asked).state)] == [1000, 5000, 10_000]


def test_a_promoted_ladder_is_passed_and_a_fast_one_leaves_rungs_out():
    done = steady(V2, promoted=(Promoted(Revision(V2)),))
    assert {mark.place for mark in forecast.marks(policy(), done)} == {Place.PASSED}
    assert forecast.marks(policy(), steady(V2)) == (), "adopted: nothing was climbed"
    assert {mark.place for mark in forecast.marks(policy(), steady(V1))} == {Place.AHEAD}
    fast = replace(at(LAST).ramp, fast=True)
    assert [mark.place for mark in forecast.marks(policy(), fast)] == [
        Place.LEFT_OUT,
        Place.LEFT_OUT,
        Place.NOW,
        Place.AHEAD,
    ]


@pytest.mark.parametrize(
    ("reason", "word", "weight", "seen"),
    [
        (Reason.ADOPTED, "steady", 0, 0),
        (Reason.MIXTURE, "unadopted", 0, None),
        (Reason.BAKING, "ramping", 1000, 1000),
        (Reason.SETTLING, "ramping", 1000, None),
        (Reason.STEP_PASSED, "ramping", 5000, None),
        (Reason.PAUSED, "paused", 1000, 1000),
        (Reason.LOWERED, "held", 100, None),
        (Reason.DRIFT, "ramping", 1000, None),
        (Reason.ABORTED, "rolling back", 0, None),
        (Reason.MESH_UNSEEN, "ramping", 1000, None),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_table_shows_what_is_wanted_and_what_was_seen(reason, word, weight, seen):
    """The weight that is seen is told only when the last look saw the mesh carry what is wanted."""
    world = SCENES[reason]()
    assert world.last is not None
    state = world.last.state
    assert (state_word(state), weight_of(state), seen_of(world.last)) == (word, weight, seen)


def test_a_rise_is_expected_only_where_nothing_else_stands_in_the_way():
    assert next_step.next_rise(moment(SCENES[Reason.BAKING]())) is not None
    for reason in (Reason.PAUSED, Reason.FROZEN, Reason.BLIND, Reason.NOTHING_NEW, Reason.LOWERED):
        assert next_step.next_rise(moment(SCENES[reason]())) is None


def test_nobody_is_stable_before_adoption():
    assert stable_of(None) is stable_of(Unadopted()) is None
    assert stable_of(steady()) == Revision(V1)
    assert state_word(None) == "new"
