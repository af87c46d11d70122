"""The beginning: readiness and its deadline, the request rate, the probe."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rollout.core.climb import RATE_REQUESTS, RATE_SPAN, READY_DEADLINE
from rollout.core.ladder import PROBE_LEAST
from rollout.core.model import (
    Cause,
    Clock,
    Probe,
    Ramping,
    Revision,
    RollingBack,
    Split,
    Tally,
    Unseen,
    Verdict,
    Waiting,
    Weight,
)
from rollout.core.reason import Reason
from tests.unit.core.world import (
    TEN,
    V1,
    V2,
    Proxy,
    World,
    at,
    steady,
)


def begun(**world: Any) -> World:
    """The canary is asked for; its first look has been."""
    made = World(state=steady(), mesh_epoch=1, **world)
    assert made.look().reason is Reason.MEASURING
    return made


def probing(weight: int = 10, *, aimed: bool = True, **world: Any) -> World:
    return at(Probe(Weight(weight), aimed), **world)


# --- before the first raise ----------------------------------------------------------------------


def test_a_journey_begins_by_counting():
    """The first look takes the baseline: nothing is counted, nothing written, and it has its number."""
    world = begun()
    ramp = world.ramp
    assert (ramp.rung, ramp.canary, ramp.began) == (Waiting(), Revision(V2), world.now)
    assert (ramp.past.attempt, ramp.past.stable) == (1, Revision(V1))
    assert ramp.counts == (Tally(),)
    assert ramp.baseline is not None
    assert ramp.clock == Clock(carried=True)
    assert world.writes == []


def test_a_canary_without_endpoints_is_waited_for():
    """S1: held, and said what is missing, whether the mesh knows the backend or not."""
    world = begun(ready={V1: 2, V2: 0})
    decision = world.look()
    assert (decision.reason, decision.facts["detail"]) == (Reason.NOT_READY, "jazz-v2 has none")
    del world.ready[V2]
    assert world.look().facts["detail"] == "the mesh does not know jazz-v2"
    world.ready[V2] = 1
    assert world.look().reason is Reason.STARTED


@pytest.mark.parametrize("ready", [{V1: 2, V2: 0}, {V1: 2}], ids=["none", "unknown to the mesh"])
def test_a_canary_that_never_gets_an_endpoint_is_given_up(ready):
    """S1: the deadline passed, it is rejected; nothing was ever written."""
    world = begun(ready=ready)
    assert {world.look(10.0).reason for _ in range(int(READY_DEADLINE / 10) - 1)} == {Reason.NOT_READY}
    decision = world.look(10.0)
    assert decision.reason is Reason.NEVER_READY
    assert decision.facts["total"] == READY_DEADLINE == timedelta(minutes=10).total_seconds()
    assert isinstance(decision.state, RollingBack)
    assert (decision.state.cause, decision.state.past.rejected) == (Cause.NOT_READY, (Revision(V2),))
    assert world.look().reason is Reason.ROLLED_BACK
    assert world.look().reason is Reason.REJECTED_BEFORE
    assert world.writes == []


def test_the_deadline_of_a_canary_starts_again_once_it_had_an_endpoint():
    """It is the time without one, not the time waited."""
    world = begun(ready={V1: 2, V2: 0})
    world.look(READY_DEADLINE - 1)
    world.ready[V2] = 1
    world.asks(suspend=True)
    world.look()
    world.ready[V2] = 0
    world.asks(suspend=False)
    assert world.look(READY_DEADLINE - 1).reason is Reason.NOT_READY


def test_a_mesh_that_cannot_be_read_neither_shortens_nor_renews_the_deadline():
    """What was not seen counts neither way."""
    world = begun(ready={V1: 2, V2: 0})
    world.look(READY_DEADLINE - 1)
    world.mesh_gone = Unseen("away")
    assert world.look(100.0).reason is Reason.MESH_UNSEEN
    world.mesh_gone = None
    assert world.look(0.5).reason is Reason.NOT_READY
    assert world.look(0.5).reason is Reason.NEVER_READY


def test_a_mesh_that_cannot_tell_readiness_is_trusted():
    """-1 is "nobody can say": the deadline is for what is known to be missing."""
    world = begun(ready={V1: -1, V2: -1})
    assert world.look().reason is Reason.STARTED


def test_a_baseline_too_young_says_nothing_of_the_rate():
    """Fewer than 0.2 s, or no span at all after a restart: another look."""
    assert RATE_SPAN == 0.2
    world = begun()
    assert world.look(RATE_SPAN / 2).reason is Reason.MEASURING
    assert world.look(elapsed=None).reason is Reason.MEASURING
    assert world.look(RATE_SPAN).reason is Reason.STARTED


def test_without_counters_nothing_begins():
    """Blind before the first raise: held; after the deadline a person is called, and nobody is rejected."""
    world = begun(metrics_gone=Unseen("edge-1: 503"))
    decision = world.look()
    assert (decision.reason, decision.verdict) == (Reason.BLIND, Verdict.ERROR)
    assert decision.facts["detail"] == "edge-1: 503"
    assert world.look(598.0).reason is Reason.BLIND
    decision = world.look(1.0)
    assert (decision.reason, decision.facts["blind"]) == (Reason.BLIND_HELD, 600.0)
    assert isinstance(decision.state, Ramping)
    world.metrics_gone = None
    assert world.look().reason is Reason.STARTED
    assert world.ramp.rung == Probe(Weight(1), aimed=False)


@pytest.mark.parametrize(
    ("rate", "look", "resolution", "first"),
    [
        (50.0, 1.0, 1, TEN),
        (100.0, 1.0, 1, Probe(Weight(500))),
        (1000.0, 1.0, 1, Probe(Weight(50))),
        (1000.0, 0.25, 1, Probe(Weight(200))),
        (1000.0, 1.0, 100, Probe(Weight(100))),
        (350.0, 1.0, 1, Probe(Weight(143))),
        (5.0, 1.0, 1, TEN),
        (0.0, 1.0, 1, Probe(Weight(1), aimed=False)),
        (0.0, 1.0, 100, Probe(Weight(100), aimed=False)),
    ],
)
def test_the_probe_aims_at_five_requests_a_look(rate, look, resolution, first):
    """Five canary requests in one look, in what the mesh can express, rounded up; unknown: the least."""
    world = begun(rate=rate, look_every=look, resolution=resolution)
    decision = world.look()
    assert decision.reason is Reason.STARTED
    assert world.ramp.rung == first
    assert decision.facts["before"] == "0 %"
    assert [action.split.weight(V2) for action in decision.actions] == [world.weight]


def test_the_rate_is_requests_by_the_time_they_took():
    """Half a second between the first two looks, as the daemon makes them."""
    for seconds in (0.5, 2.0):
        world = begun(rate=1000.0)
        world.look(seconds)
        assert world.ramp.rung == Probe(Weight(50))


def test_the_first_raise_stages_the_way_home():
    """The action bears the all-stable split and the version it is conditional on."""
    world = begun()
    version = f"v{world.version}"
    [action] = world.look().actions
    assert (action.home, action.version) == (Split.all_on(V1), version)


# --- the probe -----------------------------------------------------------------------------------


def test_a_probe_doubles_on_each_good_look_up_to_the_first_step():
    """5, 10, 20 ... requests: nothing is skipped, and the step's own clock begins when it is reached."""
    world = begun(rate=1000.0)
    world.look()
    weights = [world.weight]
    while world.ramp.rung != TEN:
        decision = world.look()
        if decision.reason is Reason.RAISED:
            weights.append(world.weight)
            assert decision.facts["before"] == f"{weights[-2] / 100:g} %"
            assert decision.facts["weight"] == f"{weights[-1] / 100:g} %"
        else:
            assert decision.reason in {Reason.PROBING, Reason.SETTLING}
    assert weights == [50, 100, 200, 400, 800, 1000]
    assert world.ramp.clock == Clock()


def test_a_probe_with_less_than_five_completed_requests_waits():
    """Four are silence, five are a look, whenever they came."""
    world = probing(10, rate=1000.0)
    while world.ramp.evidence[0].step.canary_n < PROBE_LEAST - 1:
        assert world.look().reason is Reason.PROBING
    assert (PROBE_LEAST, world.look().reason) == (5, Reason.RAISED)
    assert world.weight == 20


def test_requests_from_before_the_weight_was_carried_prove_nothing():
    """What was counted while the mesh did not show the probe's weight does not double it."""
    world = probing(10, rate=0.0)
    world.proxies["edge-1"] = Proxy(splits=(Split.all_on(V1),))
    world.count("edge-1", V2, 100)
    assert world.look().reason is Reason.SETTLING
    world.proxies["edge-1"] = Proxy()
    world.count("edge-1", V2, 100)
    assert world.look().reason is Reason.PROBING
    world.count("edge-1", V2, PROBE_LEAST)
    assert world.look().reason is Reason.RAISED


@pytest.mark.parametrize("seconds", [1.0, 30.0])
def test_silence_never_doubles_a_probe(seconds):
    """Without requests a probe stays where it is, until silence sends it home."""
    world = probing(10, rate=0.0)
    said = {world.look(seconds).reason for _ in range(int(59 / seconds))}
    assert said == {Reason.PROBING}
    assert world.weight == 10


def test_a_hanging_canary_does_not_double():
    """Requests pending beyond the latency seen on stable: held, however many others completed."""
    world = probing(10, rate=2000.0)
    world.hanging = {V2: 3}
    world.look()
    rung = world.ramp.rung
    assert {decision.reason for decision in world.looks(10)} == {Reason.PROBING}
    assert world.ramp.rung == rung
    world.hanging = {}
    world.count("edge-1", V2, 3)
    assert world.look().reason is Reason.RAISED


def test_a_canary_as_slow_as_stable_doubles():
    """The same share of stable's requests is pending as long."""
    world = probing(100, rate=2000.0)
    world.hanging = {V1: 400, V2: 4}
    world.look()
    assert Reason.RAISED in {decision.reason for decision in world.looks(3)}


def test_a_suspect_canary_does_not_double():
    """Odds over 2 : 1 against it are no good look."""
    world = probing(10, rate=2000.0, failing={V1: 0.01})
    world.count("edge-1", V2, 2, 2)
    for decision in world.looks(3):
        assert decision.reason is Reason.SUSPECT
        assert 2 < float(decision.facts["odds"]) < 100
    assert world.weight == 10


def test_a_probe_chosen_blindly_is_aimed_once_the_rate_is_known():
    """From the least weight straight to the right probe, when five requests of either arm tell the rate."""
    assert RATE_REQUESTS == 5
    world = probing(1, aimed=False, rate=0.0)
    world.count("edge-1", V1, RATE_REQUESTS - 1)
    assert world.look().reason is Reason.PROBING
    exactly = replace(world, failing={}, _done=dict(world._done))
    exactly.count("edge-1", V2, 1)
    assert exactly.look().reason is Reason.RAISED
    world.count("edge-1", V1, 6000 - (RATE_REQUESTS - 1))
    decision = world.look()
    assert decision.reason is Reason.RAISED
    rate = 6000 / 3  # requests by seconds since the write
    assert world.ramp.rung == Probe(Weight(int(5 / rate * 10_000)))


def test_a_rare_service_goes_from_the_blind_probe_to_the_first_step():
    """Five requests a look would need more than the first step's weight."""
    world = probing(1, aimed=False, rate=0.0)
    world.count("edge-1", V1, 10)
    assert world.look().reason is Reason.RAISED
    assert world.ramp.rung == TEN


def test_a_probe_is_never_aimed_downward():
    """At the least weight that the mesh can express it already has more than five requests: it stays."""
    world = probing(100, aimed=False, rate=0.0, resolution=100)
    world.count("edge-1", V1, 100_000)
    assert world.look().reason is Reason.PROBING
    assert world.weight == 100


@pytest.mark.parametrize(("spoil", "reason"), [("failing", Reason.SUSPECT), ("hanging", Reason.PROBING)])
def test_a_probe_is_not_aimed_over_a_bad_look(spoil, reason):
    """The rate is known, but the canary's few requests failed or hang."""
    world = probing(1, aimed=False, rate=0.0)
    if spoil == "hanging":
        world.hanging = {V2: 2}
        world.look()
    else:
        world.count("edge-1", V2, 2, 2)
    world.count("edge-1", V1, 4000, 40)
    assert world.look().reason is reason
    assert world.weight == 1
