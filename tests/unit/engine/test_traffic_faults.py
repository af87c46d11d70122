"""Traffic that is not there, not everywhere, or not where the weight says: through the true engine."""

from __future__ import annotations

from rollout.core.model import Held, Ramping, Stage, Steady, Why
from rollout.core.reason import Level
from rollout.simulation.metrics import SimulatedMetrics
from tests.fakes.lab import Lab, policy, route

FLEET = ("proxy-1", "proxy-2", "proxy-3")


async def baking(*names: str, bake: int = 60, more: str = "", fleet: tuple[str, ...] = FLEET[:1]) -> Lab:
    """jazz-v2 bakes at 10 %."""
    lab = await Lab(*names, fleet=fleet).adopted()
    await lab.ask("jazz-v2", bake=bake, more=more)
    await lab.run(6)
    assert lab.weight("jazz-v2") == 1000
    return lab


# --- no traffic ----------------------------------------------------------------------------------


async def test_s5_a_night_without_traffic_promotes_nobody():
    """Nothing comes: the canary waits where it is until the deadline, then goes home. No news is no proof."""
    lab = await baking(bake=120)
    lab.rate = 0
    await lab.run(600)
    assert lab.weight("jazz-v2") == 1000
    await lab.run(120)
    assert lab.weight("jazz-v2") == 0
    assert "NO_DATA_TOO_LONG" in lab.reasons()


async def test_s5_a_policy_may_wait_for_the_morning():
    """`then: hold`: nothing moves in the night, people hear of it, and with the traffic it goes on."""
    lab = await baking(bake=70, more="  analysis: {noData: {hold: 5m, then: hold}}\n")
    lab.rate = 0
    await lab.run(1800)
    assert lab.weight("jazz-v2") == 1000
    lab.rate = 200
    await lab.run(400)
    assert lab.weight("jazz-v2") == 10_000
    await lab.postman.sweep()
    assert Level.PAGE in {alert.level for alert in lab.sink.arrived if alert.reason == "BLIND_HELD"}


async def test_s5_a_canary_asked_for_at_night_starts_small_and_stays_there():
    """No rate is known: the least weight, and no rung more without requests."""
    lab = await Lab().adopted()
    lab.rate = 0
    await lab.ask("jazz-v2")
    await lab.run(300)
    assert 0 < lab.weight("jazz-v2") <= 1000
    assert not isinstance(lab.rollout().state, Steady)
    assert {write.split.weight("jazz-v2") for write in lab.mesh.writes} == {lab.weight("jazz-v2")}


async def test_s1_a_canary_that_never_gets_an_endpoint_gets_nothing_and_is_given_up():
    """HOLD at zero, then rejected and told."""
    lab = await Lab().adopted()
    lab.mesh.set_ready("jazz-v2", 0)
    await lab.ask("jazz-v2")
    await lab.run(900)
    assert lab.mesh.writes == []
    assert "NEVER_READY" in lab.reasons()
    await lab.postman.sweep()
    assert "NEVER_READY" in [alert.reason for alert in lab.sink.arrived]


async def test_s4_a_shared_incident_condemns_and_promotes_nobody():
    """Both versions fail alike over an absolute limit: held, with a page."""
    more = "  analysis:\n    checks:\n      - errors: {}\n      - errors: {max: 5%, minRequests: 100}\n"
    lab = await baking(bake=20, more=more)
    lab.faults = {"jazz-v1": 0.3, "jazz-v2": 0.3}
    await lab.run(120)
    assert lab.weight("jazz-v2") == 1000
    assert "BOTH_OVER_LIMIT" in lab.reasons()
    await lab.postman.sweep()
    assert Level.PAGE in {alert.level for alert in lab.sink.arrived if alert.reason == "BOTH_OVER_LIMIT"}


# --- not everywhere ------------------------------------------------------------------------------


async def test_e1_one_silent_proxy_of_three_stops_nobody():
    """Two thirds of the requests are seen: that is evidence enough to climb on."""
    lab = await baking(bake=5, fleet=FLEET)
    lab.metrics.proxies["proxy-3"].silent = "connection refused"
    lab.mesh.proxies["proxy-3"].unreachable = "connection refused"
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000


async def test_e1_two_silent_proxies_of_three_are_no_evidence():
    """A third of the requests may hide the zone that burns: nothing rises, and the deadline runs."""
    lab = await baking(bake=30, fleet=FLEET)
    for name in FLEET[1:]:
        lab.metrics.proxies[name].silent = "connection refused"
    await lab.run(300)
    assert lab.weight("jazz-v2") == 1000
    assert "BLIND" in lab.reasons()
    await lab.run(320)
    assert lab.weight("jazz-v2") == 0


async def test_e1_a_canary_that_fails_where_one_still_sees_goes_home():
    """Little is seen, but what is seen burns: silence elsewhere keeps nobody from going home."""
    lab = await baking(fleet=FLEET)
    for name in FLEET[1:]:
        lab.metrics.proxies[name].silent = "connection refused"
    lab.faults["jazz-v2"] = 1.0
    await lab.run(4)
    assert lab.weight("jazz-v2") == 0


async def test_e2_a_proxy_that_restarts_invents_no_failure_and_hides_none():
    """Counters at zero again are neither a burst of success nor a negative count."""
    lab = await baking(bake=5, fleet=FLEET)
    lab.metrics.restart("proxy-2")
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000
    bad = await baking(fleet=FLEET)
    bad.metrics.restart("proxy-2")
    bad.faults["jazz-v2"] = 1.0
    await bad.run(3)
    assert bad.weight("jazz-v2") == 0


# --- not where the weight says -------------------------------------------------------------------


class Astray(SimulatedMetrics):
    """Whatever the weights say, every request goes to jazz-v1."""

    def serve(self, backend: str, number: int, *, proxy: str = "", **codes: int) -> None:
        super().serve("jazz-v1", number, proxy=proxy, **codes)


async def test_m3_r5_a_weight_that_the_traffic_does_not_follow_proves_nothing():
    """Every proxy says 10 %, stable gets it all and is green: no bake is earned, and a person is called."""
    lab = await baking(bake=30)
    astray = Astray()
    astray.proxies = lab.metrics.proxies
    lab.metrics = astray
    await lab.run(120)
    assert lab.weight("jazz-v2") == 1000
    assert "NOT_CONVERGING" in lab.reasons()
    await lab.postman.sweep()
    assert Level.PAGE in {alert.level for alert in lab.sink.arrived if alert.reason == "NOT_CONVERGING"}


async def test_r3_two_good_requests_pass_no_step():
    """The bake is over, the canary answered too few: it stays until there are enough."""
    lab = await baking(bake=20, more="  analysis: {checks: [{errors: {max: 5%, minRequests: 200}}]}\n")
    lab.rate = 2
    await lab.run(60)
    assert lab.weight("jazz-v2") == 1000
    assert "TOO_FEW" in lab.reasons()
    lab.rate = 200
    await lab.run(30)
    assert lab.weight("jazz-v2") > 1000


async def test_r4_each_step_is_judged_by_its_own_requests():
    """At 50 % everything is counted anew: what was good at 10 % has earned nothing there."""
    lab = await baking(bake=20)
    before = lab.rollout().state
    while isinstance(state := lab.rollout().state, Ramping) and state.rung == Stage(0):
        before = state
        await lab.run(1)
    assert isinstance(before, Ramping)
    assert isinstance(state, Ramping)
    assert before.counts[0].canary_n > 300
    assert state.counts[0].canary_n < 150
    assert state.clock.baked < 2


# --- the route -----------------------------------------------------------------------------------


async def test_t1_a_route_that_is_deleted_is_not_made_again():
    """Nothing is written while it is gone, a person is called; when it is back, the journey goes on."""
    lab = await baking(bake=30)
    was, epoch = lab.mesh.split(route()), lab.mesh.epoch(route())
    thing = lab.mesh._objects[route().key]
    lab.mesh.delete(route())
    writes = len(lab.mesh.writes)
    await lab.run(120)
    assert len(lab.mesh.writes) == writes
    assert lab.reasons()[-1] == "TARGET_LOST"
    await lab.postman.sweep()
    assert Level.PAGE in {alert.level for alert in lab.sink.arrived if alert.reason == "TARGET_LOST"}
    lab.mesh._objects[route().key] = thing
    assert (lab.mesh.split(route()), lab.mesh.epoch(route())) == (was, epoch)
    await lab.run(120)
    assert lab.weight("jazz-v2") == 10_000


async def test_t2_a_route_made_anew_by_others_gets_nothing_by_itself():
    """It shows all on stable: a person's wish (T4). Nothing rises until `resume`."""
    lab = await baking(bake=5)
    lab.mesh.delete(route())
    await lab.run(5)
    lab.mesh.put(route(), {"jazz-v1": 1})
    await lab.run(60)
    assert lab.weight("jazz-v2") == 0
    state = lab.rollout().state
    assert isinstance(state, Held)
    assert state.why is Why.LOWERED


async def test_n1_git_metrics_and_people_gone_together_each_cost_what_they_cost_alone():
    """No repository, no counters, no sink: held for ten minutes, then home, and everything is told later."""
    lab = await baking()
    lab.source.cut()
    lab.metrics.proxies["proxy-1"].silent = "connection refused"
    lab.sink.down = "connection refused"
    for _ in range(64):
        await lab.engine.poll("main")
        await lab.postman.sweep()
        await lab.run(10)
    assert lab.weight("jazz-v2") == 0
    lab.sink.down = ""
    for _ in range(400):
        lab.clock.advance(1)
        await lab.postman.sweep()
    assert {"SOURCE", "NO_DATA_TOO_LONG"} <= {alert.reason for alert in lab.sink.arrived}
    assert lab.engine.sources["main"].accepted is not None


async def test_n1_a_mesh_that_is_away_is_left_alone_and_goes_home_when_it_is_back():
    """A failing canary whose mesh cannot be reached: nothing can be done; the first read does it."""
    lab = await baking()
    lab.mesh.down = "connection refused"
    lab.faults["jazz-v2"] = 1.0
    writes = len(lab.mesh.writes)
    await lab.run(30)
    assert len(lab.mesh.writes) == writes
    lab.mesh.down = ""
    await lab.run(2)
    assert lab.weight("jazz-v2") == 0


async def test_p6_a_tighter_limit_holds_from_the_next_look():
    """No fresh start: the step goes on, and what breaks the new limit goes home under it."""
    more = "  analysis: {{checks: [{{errors: {{max: {limit}, minRequests: 20}}}}]}}\n"
    lab = await baking(more=more.format(limit="40%"))
    lab.faults["jazz-v2"] = 0.2
    await lab.run(10)
    assert lab.weight("jazz-v2") == 1000
    await lab.ask("jazz-v2", bake=60, more=more.format(limit="5%"))
    await lab.run(10)
    assert lab.weight("jazz-v2") == 0
    assert "OVER_LIMIT" in lab.reasons()
    assert "CHANGED" not in lab.reasons()


async def test_p7_a_policy_that_is_withdrawn_while_nothing_can_go_home_is_held():
    """Stable has no endpoint: the canary keeps what it has, a person is called, and later it goes home."""
    lab = await baking("jazz", "metal")
    lab.mesh.set_ready("jazz-v1", 0)
    lab.source.commit({"prod/jazz.yaml": None, "prod/metal.yaml": policy("metal-v1", "metal")})
    await lab.engine.poll("main")
    await lab.run(10)
    assert lab.weight("jazz-v2") == 1000
    await lab.postman.sweep()
    assert Level.PAGE in {alert.level for alert in lab.sink.arrived if alert.rollout == "prod/jazz"}
    lab.mesh.set_ready("jazz-v1", 1)
    await lab.run(5, "metal")
    assert lab.weight("jazz-v2") == 0
