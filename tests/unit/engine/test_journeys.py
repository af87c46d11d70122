"""Whole journeys of one rollout through the true engine, over fakes."""

import asyncio
from itertools import pairwise

from rollout.core.model import RollingBack, Steady, Verb
from tests.fakes.lab import JAZZ, Lab, route


def written(lab: Lab) -> list[int]:
    """The canary's weights, in the order of the writes."""
    return [write.split.weight("jazz-v2") for write in lab.mesh.writes]


async def test_a_healthy_canary_climbs_the_whole_ladder():
    """Probe rungs, 10 %, 50 %, 95 % with 5 % kept as control, then everybody."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2")
    await lab.run(60)
    weights = written(lab)
    assert weights[-4:] == [1000, 5000, 9500, 10_000]
    assert weights[0] < 1000
    assert all(before < after for before, after in pairwise(weights))
    assert isinstance(lab.rollout().state, Steady)
    assert lab.past().stable.backend == "jazz-v2"


async def test_at_rest_nothing_is_written_anywhere():
    """A day of heartbeats costs no write to the mesh or the journal."""
    lab = await Lab().adopted()
    await lab.run(120)
    records, writes = len(lab.memory.records), len(lab.mesh.writes)
    await lab.run(3600)
    assert (len(lab.memory.records), len(lab.mesh.writes)) == (records, writes)


async def test_a_dead_canary_goes_home_at_the_first_look():
    """The probe's ten requests are the price, and the next look takes the canary off."""
    lab = await Lab().adopted()
    lab.faults["jazz-v2"] = 1.0
    await lab.ask("jazz-v2")
    began = lab.clock.monotonic()
    await lab.run(3)
    assert lab.weight("jazz-v2") == 0
    assert "WORSE" in lab.reasons()
    assert lab.metrics.proxies["proxy-1"].counts["jazz-v2"].completed <= 20
    assert lab.clock.monotonic() - began < 5


async def test_a_rejected_revision_stays_rejected_across_restarts_and_new_commits():
    """I3: only another revision or `retry` begins again."""
    lab = await Lab().adopted()
    lab.faults["jazz-v2"] = 1.0
    await lab.ask("jazz-v2")
    await lab.run(5)
    lab.start()
    await lab.ask("jazz-v1")
    await lab.run(35)
    await lab.ask("jazz-v2", more="  # the same again\n")
    await lab.run(120)
    assert lab.weight("jazz-v2") == 0
    assert lab.reasons()[-1] == "REJECTED_BEFORE"
    lab.faults.clear()
    assert await lab.engine.order(JAZZ, Verb.RETRY, "ada", "it was the database") == ""
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000


async def test_a_restart_grants_no_free_step_and_forgets_no_bake():
    """Killed in the middle of a step, it bakes on from what was recorded, and raises each step once."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2", bake=20)
    await lab.run(14)
    baked = lab.ramp().clock.baked
    assert 5 < baked < 15
    lab.flow(100)
    lab.start()
    await lab.run(1.5)
    assert lab.weight("jazz-v2") == 1000
    assert baked <= lab.ramp().clock.baked < baked + 3
    await lab.run(120)
    assert written(lab).count(5000) == 1
    assert lab.weight("jazz-v2") == 10_000


async def test_a_commit_back_to_stable_is_an_abort_and_condemns_nothing():
    lab = await Lab().adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(10)
    await lab.ask("jazz-v1")
    await lab.run(2)
    assert lab.weight("jazz-v2") == 0
    assert "REVERTED" in lab.reasons()
    assert lab.past().rejected == ()


async def test_an_abort_wins_over_a_promotion_given_before_it():
    """I22: both orders wait for one look, and the canary goes home."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(10)
    rollout = lab.rollout()
    lab.engine.driven = True
    orders = [lab.engine.order(JAZZ, verb, "ada", "hm", "full") for verb in (Verb.PROMOTE, Verb.ABORT)]
    waiting = [asyncio.ensure_future(order) for order in orders]
    await asyncio.sleep(0.01)
    await lab.look()
    assert isinstance(rollout.state, RollingBack)
    assert lab.weight("jazz-v2") == 0
    assert (await waiting[1]) == ""
    assert "nothing is under way" in (await waiting[0])


async def test_freeze_stops_the_rise_and_never_the_way_home():
    lab = await Lab().adopted()
    await lab.ask("jazz-v2")
    await lab.run(4)
    await lab.engine.freeze("", "ada", "Black Friday", lifted=False)
    await lab.run(60)
    assert lab.weight("jazz-v2") == 1000
    lab.start()
    await lab.run(30)
    assert lab.weight("jazz-v2") == 1000
    lab.faults["jazz-v2"] = 1.0
    await lab.run(3)
    assert lab.weight("jazz-v2") == 0
    await lab.engine.freeze("", "ada", "over", lifted=True)
    assert lab.engine.holds(JAZZ) == ()


async def test_observe_mode_writes_nothing_and_says_what_it_would():
    """I23: judged, recorded, told, and no write to any mesh."""
    lab = Lab()
    lab.observing()
    await lab.adopted()
    await lab.ask("jazz-v2")
    await lab.run(90)
    assert lab.mesh.writes == []
    assert "STARTED" in lab.reasons()


async def test_a_policy_that_git_drops_goes_home_and_is_released():
    """P7: abort, then release; the memory of what was rejected stays."""
    lab = await Lab("jazz", "metal").adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(10)
    lab.source.commit({"prod/jazz.yaml": None})
    await lab.engine.poll("main")
    await lab.run(40, "metal")
    assert lab.mesh.split(route()).sole == "jazz-v1"
    assert JAZZ not in lab.engine.rollouts
    assert {"WITHDRAWN", "RELEASED"} <= set(lab.reasons())


async def test_i6_a_mixture_after_another_journey_is_news():
    """Its alert's key is not that of a mixture before the journey, within the same hour."""
    lab, observed = Lab("jazz", "metal"), "  observe: true\n"
    lab.mesh.put(route(), {"jazz-v1": 7, "jazz-v2": 3})
    await lab.ask("jazz-v1", more=observed)
    await lab.run(5)
    lab.mesh.put(route(), {"jazz-v1": 1})
    await lab.run(40)
    await lab.ask("jazz-v2", more=observed)
    await lab.run(5)
    lab.source.commit({"prod/jazz.yaml": None})
    await lab.engine.poll("main")
    await lab.run(40, "metal")
    lab.mesh.put(route(), {"jazz-v1": 7, "jazz-v2": 3})
    await lab.ask("jazz-v2", more=observed)
    await lab.run(5)
    told = [alert.key for record in lab.memory.records for _, alert in record.alerts]
    assert [key for key in told if "mixture" in key] == [
        "prod/jazz/0/mixture/2026-03-02T09",
        "prod/jazz/1/mixture/2026-03-02T09",
    ]
