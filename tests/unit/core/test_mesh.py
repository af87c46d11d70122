"""What the mesh carries: accepted, distributed, effective; and endpoints (FAILURES 2.3, M, S, E1)."""

import pytest

from rollout.core.convergence import ENOUGH, EXPECTED, TOLERANCE, exposure, lag, least, ready
from rollout.core.machine import SETTLING_DEADLINE
from rollout.core.model import (
    Cause,
    MeshSeen,
    Probe,
    ProxySeen,
    Ramping,
    Revision,
    RollingBack,
    Split,
    Unseen,
    Verb,
    Weight,
)
from rollout.core.reason import Level, Reason
from tests.unit.core.world import LAST, TEN, V1, V2, V3, Proxy, World, at

HOME = Split.all_on(V1)
TENTH = Split.between(V1, V2, 1000)


def seen(*proxies: ProxySeen, splits: tuple[Split, ...] = (TENTH,), **endpoints: int) -> MeshSeen:
    return MeshSeen(splits, "v1", endpoints, proxies)


# --- accepted and distributed --------------------------------------------------------------------

LAGS = {
    "carried": (seen(ProxySeen("a", (TENTH,)), ProxySeen("b", (TENTH,))), ""),
    "no proxy asked": (seen(), ""),
    "one of two answers": (seen(ProxySeen("a", (TENTH,)), ProxySeen("b", unreachable="timed out")), ""),
    "not accepted": (seen(splits=(HOME,)), "the route shows jazz-v1 100 %"),
    "half accepted": (
        seen(splits=(HOME, TENTH)),
        "the route shows jazz-v1 100 % and jazz-v1 90 %, jazz-v2 10 %",
    ),
    "nothing in it": (seen(splits=()), "the route shows no backend"),
    "one lags": (
        seen(ProxySeen("a", (TENTH,)), ProxySeen("b", (HOME,))),
        "b still shows jazz-v1 100 %",
    ),
    "one lags in one of its routes": (
        seen(ProxySeen("a", (TENTH, HOME))),
        "a still shows jazz-v1 90 %, jazz-v2 10 % and jazz-v1 100 %",
    ),
    "one has no such route": (seen(ProxySeen("a")), "a still shows no such route"),
    "one rejects": (
        seen(ProxySeen("a", (TENTH,)), ProxySeen("b", (HOME,), rejected="no such cluster")),
        "b rejected it: no such cluster",
    ),
    "none answers": (
        seen(ProxySeen("a", unreachable="timed out"), ProxySeen("b", unreachable="refused")),
        "a cannot be asked: timed out; b cannot be asked: refused",
    ),
}


@pytest.mark.parametrize(("mesh", "said"), LAGS.values(), ids=LAGS)
def test_what_is_not_carried_is_named(mesh, said):
    """Which proxy, and what it shows, rejected or failed to answer (M2)."""
    assert lag(mesh, TENTH) == said


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (Proxy(splits=(HOME,)), "edge-2 still shows jazz-v1 100 %"),
        (Proxy(rejected="bad weight"), "edge-2 rejected it: bad weight"),
    ],
    ids=["lags", "rejects"],
)
def test_a_proxy_that_lags_or_rejects_holds_the_rise_and_is_a_page_after_a_minute(proxy, said):
    """M1, M2: held, named, and a person is called at the deadline; the raise is never taken for carried."""
    world = at(TEN, proxies={"edge-1": Proxy(), "edge-2": Proxy()})
    world.proxies["edge-2"] = proxy
    decisions = world.looks(60)
    assert {decision.reason for decision in decisions} == {Reason.SETTLING}
    assert decisions[-1].facts["settling"] == 60.0 == SETTLING_DEADLINE
    decision = world.look()
    assert decision.reason is Reason.NOT_CONVERGING
    assert decision.reason.level is Level.PAGE
    assert decision.facts["detail"] == said
    assert decision.facts["settling"] == 61.0
    assert decision.actions == ()
    world.proxies["edge-2"] = Proxy()
    assert world.look().reason is Reason.BAKING
    assert world.ramp.clock.settling == 0.0


def test_a_proxy_that_is_down_holds_nothing_while_another_speaks():
    """E1 for the mesh: the reachable ones count."""
    world = at(TEN, proxies={"edge-1": Proxy(), "edge-2": Proxy(), "edge-3": Proxy()})
    world.proxies["edge-3"] = Proxy(unreachable="timed out")
    assert world.look().reason is Reason.BAKING


def test_no_proxy_at_all_is_silence_and_no_convergence():
    """Nobody can say whether the weight is carried."""
    world = at(TEN)
    world.proxies["edge-1"] = Proxy(unreachable="timed out")
    decision = world.look()
    assert decision.reason is Reason.SETTLING
    assert decision.facts["detail"] == "edge-1 cannot be asked: timed out"
    assert world.ramp.clock.baked == 1.0


def test_most_proxies_away_is_no_evidence():
    """E1: less than the quorum of requests is covered; held, and named."""
    world = at(TEN, proxies={f"edge-{number}": Proxy() for number in (1, 2, 3)})
    world.proxies["edge-1"] = world.proxies["edge-2"] = Proxy(unreachable="timed out")
    decision = world.look()
    assert decision.reason is Reason.BLIND
    assert decision.facts["detail"] == "too few proxies answer: edge-1: timed out; edge-2: timed out"


def test_what_a_silent_proxy_counted_is_counted_when_it_answers_again():
    """Nothing is lost in the gap; but it may be of an earlier weight, and does not pass this step."""
    world = at(TEN, proxies={f"edge-{number}": Proxy() for number in (1, 2, 3)}, rate=0.0)
    before, proven = world.ramp.counts[0].canary_n, world.ramp.evidence[0].step
    world.proxies["edge-3"] = Proxy(unreachable="timed out")
    world.count("edge-3", V2, 40)
    world.look()
    assert world.ramp.counts[0].canary_n == before
    world.proxies["edge-3"] = Proxy()
    world.look()
    assert world.ramp.counts[0].canary_n == before + 40
    assert world.ramp.evidence[0].step.canary_n == proven.canary_n


def test_a_mesh_that_cannot_be_read_on_the_way_up_is_left_alone():
    """Nothing is written on what was not seen; the bets go on, and so does the way home."""
    world = at(TEN, mesh_gone=Unseen("edge.yaml: permission denied"))
    decision = world.look()
    assert (decision.reason, decision.actions) == (Reason.MESH_UNSEEN, ())
    assert decision.facts["detail"] == "edge.yaml: permission denied"
    assert "weight" in decision.facts
    world.failing[V2] = 1.0
    decision = world.until(Reason.WORSE, most=3)
    assert isinstance(decision.state, RollingBack)
    assert decision.actions == ()
    decision = world.look()
    assert (decision.reason, decision.facts["detail"]) == (Reason.GOING_HOME, "edge.yaml: permission denied")
    world.mesh_gone = None
    world.look()
    assert world.weight == 0


def test_a_route_that_is_gone_is_not_made_again():
    """T1: nothing is written, a person is called."""
    world = at(TEN, mesh_gone=Unseen("jazz is gone", lost=True))
    decision = world.look()
    assert (decision.reason, decision.actions) == (Reason.TARGET_LOST, ())
    assert decision.reason.level is Level.PAGE
    assert isinstance(decision.state, Ramping)


# --- effective -----------------------------------------------------------------------------------


def test_the_numbers_of_the_share_check():
    """Five points, from a hundred requests on, or twenty expected and none seen."""
    assert (TOLERANCE, ENOUGH, EXPECTED) == (0.05, 100, 20)


def counted(world: World, canary: int, stable: int) -> Reason:
    world.count("edge-1", V2, canary)
    world.count("edge-1", V1, stable)
    return world.look().reason


@pytest.mark.parametrize(
    ("rung", "canary", "stable", "follows"),
    [
        (TEN, 150, 850, True),
        (TEN, 151, 849, False),
        (TEN, 50, 950, True),
        (TEN, 49, 951, False),
        (TEN, 19, 81, True),  # three sigma of a hundred are nine points
        (TEN, 20, 80, False),
        (TEN, 32, 168, True),  # three sigma of two hundred are 6.4 points
        (TEN, 33, 167, False),
        (TEN, 0, 99, True),
        (TEN, 0, 199, False),
        (LAST, 20, 2, True),
        (LAST, 0, 21, True),
        (LAST, 0, 22, False),  # twenty expected, none seen
        (Probe(Weight(2500)), 0, 79, True),
        (Probe(Weight(2500)), 0, 80, False),  # exactly twenty expected
        (Probe(Weight(10)), 4, 95, True),
        (Probe(Weight(10)), 60, 940, False),
    ],
)
def test_traffic_that_does_not_follow_twice_in_a_row_is_not_carried(rung, canary, stable, follows):
    """M3, R5: the realised share must be near the weight; one window off is chance, two are not."""
    world = at(rung, rate=0.0)
    normal = {Reason.BAKING, Reason.PROBING, Reason.RAISED}
    assert counted(world, canary, stable) in normal
    if isinstance(world.state, Ramping) and world.ramp.rung == rung:
        assert (counted(world, canary, stable) in normal) is follows


def test_requests_gather_until_they_are_enough_to_compare():
    """A window of little traffic is a long one."""
    world = at(TEN, rate=0.0)
    said = [counted(world, 10, 10) for _ in range(9)]
    assert set(said) == {Reason.BAKING}
    assert counted(world, 10, 10) is Reason.SETTLING


def test_traffic_that_never_follows_is_a_page():
    """The deadline of settling holds for it too, and the sentence says what may be wrong."""
    world = at(TEN, rate=0.0)
    said = [counted(world, 300, 700) for _ in range(63)]
    assert said[:2] == [Reason.BAKING, Reason.SETTLING]
    assert said[-1] is Reason.NOT_CONVERGING
    assert world.last is not None
    assert world.last.facts["detail"] == (
        "the proxies carry 10 %, but requests do not follow (sticky sessions, header routes?)"
    )


# --- endpoints -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mesh", "count"),
    [
        (seen(jazz=3), 3),
        (seen(jazz=0), 0),
        (seen(jazz=-1), None),
        (seen(), 0),
        (seen(ProxySeen("a")), 0),
        (seen(ProxySeen("a", unreachable="away")), None),
        (seen(ProxySeen("a", unreachable="away"), ProxySeen("b")), 0),
    ],
)
def test_endpoints_are_counted_where_somebody_can_say(mesh, count):
    """What no reachable proxy knows is zero; where none could be asked, nobody can say."""
    assert ready(mesh, "jazz") == count


def test_the_most_and_the_least_of_several_entries():
    """Drift above looks at the entry that gives most away, drift below at the one that gives least."""
    mesh = seen(splits=(Split.of({V1: 90, V2: 10}), Split.of({V1: 60, V2: 20, V3: 20})))
    assert (exposure(mesh, V1), least(mesh, V2), least(mesh, V3)) == (4000, 1000, 0)
    assert (exposure(seen(splits=()), V1), least(seen(splits=()), V2)) == (0, 0)


@pytest.mark.parametrize("rung", [Probe(Weight(10)), TEN, LAST], ids=str)
def test_a_canary_that_loses_its_endpoints_goes_home_at_once(rung):
    """S2, whatever the checks say."""
    world = at(rung)
    world.ready[V2] = 0
    decision = world.look()
    assert decision.reason is Reason.LOST_ENDPOINTS
    assert decision.facts["detail"] == "jazz-v2 has none"
    assert isinstance(decision.state, RollingBack)
    assert (decision.state.cause, decision.state.past.rejected) == (Cause.LOST_ENDPOINTS, (Revision(V2),))
    assert world.weight == 0


def test_a_canary_that_loses_its_endpoints_stays_while_stable_has_none_either():
    """There is no living side: nothing is moved (I8), a person is called."""
    world = at(TEN)
    world.ready.update({V1: 0, V2: 0})
    decision = world.look()
    assert decision.reason is Reason.STABLE_NOT_READY
    assert decision.facts["detail"] == "it should go home: lost_endpoints"
    assert decision.actions == ()


def test_endpoints_that_nobody_can_count_are_not_lost():
    """Unknown is not zero: every proxy is away, or the mesh cannot say."""
    world = at(TEN)
    world.ready[V2] = -1
    assert world.look().reason is Reason.BAKING
    world = at(TEN)
    world.ready = {}
    world.proxies["edge-1"] = Proxy(unreachable="timed out")
    assert isinstance(world.look().state, Ramping)


def test_a_write_never_gives_more_to_a_side_without_endpoints():
    """I8 at the last hop: a lost raise is not made again towards nobody, nor a way home."""
    world = at(TEN)
    world.looks(57)
    world.loses = 1
    world.until(Reason.STEP_PASSED)
    world.ready[V2] = 0
    world.ready[V1] = 0
    assert world.look().actions == ()
    world = at(TEN)
    world.loses = 1
    world.order(Verb.ABORT)
    world.ready[V1] = 0
    decision = world.look()
    assert (decision.reason, decision.actions) == (Reason.STABLE_NOT_READY, ())
    world.ready[V1] = 1
    world.look()
    assert world.weight == 0
