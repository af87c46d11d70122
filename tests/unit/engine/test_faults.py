"""What each fault outside must lead to (FAILURES 2.1), shown on the true engine over fakes."""

import asyncio
import copy
from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.core.model import Held, Ramping, RollingBack, Steady, Unadopted, Verb, Weight, Why
from rollout.ports import Later, Unavailable
from rollout.settings import SourceSettings
from rollout.simulation.journal import SimulatedJournal
from tests.fakes.lab import JAZZ, Lab, policy, route


async def ramping(*names: str, bake: int = 60) -> Lab:
    """jazz-v2 bakes at 10 %."""
    lab = await Lab(*names).adopted()
    await lab.ask("jazz-v2", bake=bake)
    await lab.run(6)
    assert lab.weight("jazz-v2") == 1000
    return lab


# --- git -----------------------------------------------------------------------------------------


async def test_g1_losing_git_changes_nothing_of_what_was_accepted():
    """I10: the weights written without git are those written with it; people hear after three polls."""
    lab, other = await ramping(bake=5), await ramping(bake=5)
    lab.source.cut()
    for _ in range(40):
        await lab.engine.poll("main")
        await lab.run(1)
        await other.run(1)
    assert [write.split for write in lab.mesh.writes] == [write.split for write in other.mesh.writes]
    assert lab.weight("jazz-v2") == 10_000
    await lab.postman.sweep()
    assert [alert.reason for alert in lab.sink.arrived].count("SOURCE") == 1


async def test_g1_a_strict_shop_holds_while_git_is_lost():
    lab = await ramping(bake=120)
    source = SourceSettings("main", "/repository", hold_when_lost=True)
    lab.engine.settings = replace(lab.engine.settings, sources=(source,))
    lab.source.cut()
    for _ in range(8):
        await lab.run(30)
        await lab.engine.poll("main")
    assert lab.weight("jazz-v2") == 1000
    assert "GIT_LOST" in lab.reasons()


async def test_g2_an_older_commit_is_ignored():
    lab = await Lab().adopted()
    old = lab.source.head or ""
    await lab.ask("jazz-v2", bake=60)
    await lab.run(6)
    lab.source.move(old)
    await lab.engine.poll("main")
    await lab.run(3)
    assert lab.weight("jazz-v2") == 1000
    assert "older" in lab.engine.sources["main"].problem


async def test_g3_rewritten_history_holds_until_a_person_adopts_it():
    """Nothing rises, a page is owed, the status names both commits; adopting it goes on."""
    lab = await ramping(bake=10)
    accepted = lab.engine.sources["main"].accepted
    lab.source.head = None
    lab.source.commit({"prod/jazz.yaml": policy("jazz-v2", bake=10)}, "rewritten")
    await lab.engine.poll("main")
    await lab.run(60)
    state = lab.engine.sources["main"]
    assert state.rewritten
    assert (state.accepted, state.attempted) == (accepted, lab.source.head)
    assert lab.weight("jazz-v2") == 1000
    assert "REWRITTEN" in lab.reasons()
    assert await lab.engine.adopt_source("main", "ada", "we squashed it") == ""
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000


async def test_g4_a_branch_that_is_gone_removes_nothing_and_is_told_at_once():
    lab = await ramping()
    lab.source.drop_branch()
    await lab.engine.poll("main")
    await lab.run(5)
    await lab.postman.sweep()
    assert lab.weight("jazz-v2") == 1000
    assert any(alert.reason == "SOURCE" for alert in lab.sink.arrived)


async def test_i11_removing_many_policies_at_once_is_refused():
    """Four of five gone in one commit is an accident until shown otherwise; one is a wish."""
    names = ("jazz", "a", "b", "c", "d")
    lab = await Lab(*names).adopted()
    accepted = lab.engine.sources["main"].accepted
    lab.source.commit({f"prod/{name}.yaml": None for name in names[1:]})
    await lab.engine.poll("main")
    assert set(lab.engine.rollouts) == {f"prod/{name}" for name in names}
    assert "4 of 5" in lab.engine.sources["main"].problem
    assert lab.engine.sources["main"].accepted == accepted


async def test_a_renamed_source_disturbs_nothing():
    """The policies of a source that the settings no longer name stay until the new one was read."""
    lab = await ramping()
    lab.settings = replace(lab.settings, sources=(SourceSettings("main", "/repository"),))
    for policies in lab.memory.policies.values():
        for name, one in policies.items():
            policies[name] = replace(one, origin=replace(one.origin, source="before"))
    lab.memory.policies["before"] = lab.memory.policies.pop("main")
    lab.memory.sources.clear()
    lab.start()
    await lab.run(2)
    assert lab.weight("jazz-v2") == 1000
    await lab.engine.poll("main")
    await lab.run(3)
    assert lab.weight("jazz-v2") == 1000


# --- policies ------------------------------------------------------------------------------------


async def test_p4_a_broken_policy_quarantines_itself_alone():
    """I12: the last good one stays in force, its neighbour's commit is taken, the complaint is kept."""
    lab = await ramping("jazz", "metal")
    broken = policy("jazz-v2").replace("backend:", "bakend:")
    lab.source.commit({"prod/jazz.yaml": broken, "prod/metal.yaml": policy("metal-v2", "metal")})
    await lab.engine.poll("main")
    await lab.run(30)
    assert lab.weight("jazz-v2") == 1000
    assert lab.weight("metal-v2", "metal") == 10_000
    assert "prod/jazz.yaml:6" in lab.engine.sources["main"].complaints[0]


@pytest.mark.parametrize("text", ["", "kind: [", "kind: ConfigMap\n"])
async def test_i11_a_file_that_lost_its_policy_withdraws_nothing(text):
    """Emptied by accident or on purpose: only deleting the file, or moving the policy, withdraws it."""
    lab = await ramping()
    lab.source.commit({"prod/jazz.yaml": text})
    await lab.engine.poll("main")
    await lab.run(10)
    assert lab.weight("jazz-v2") == 1000
    assert "prod/jazz.yaml" in lab.engine.sources["main"].complaints[0]


async def test_p5_two_policies_for_one_route_move_nothing():
    """Who had the route keeps its policy and holds; the newcomer gets nothing."""
    lab = await ramping(bake=5)
    twin = policy("jazz-v3", "twin").replace("routeConfiguration: twin", "routeConfiguration: jazz")
    lab.source.commit({"prod/twin.yaml": twin})
    await lab.engine.poll("main")
    await lab.run(30)
    assert lab.weight("jazz-v2") == 1000
    assert "SHARED_TARGET" in lab.reasons()
    assert "prod/twin" not in lab.engine.rollouts
    lab.source.commit({"prod/twin.yaml": None})
    await lab.engine.poll("main")
    await lab.run(30)
    assert lab.weight("jazz-v2") == 10_000


async def test_p6_another_bake_mid_rollout_goes_home_and_begins_afresh():
    lab = await ramping(bake=60)
    await lab.ask("jazz-v2", bake=5)
    await lab.run(1)
    assert "CHANGED" in lab.reasons()
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000


# --- mesh and metrics ----------------------------------------------------------------------------


async def test_t3_a_raised_weight_is_set_back_after_a_second_read():
    lab = await ramping()
    lab.mesh.put(route(), {"jazz-v1": 20, "jazz-v2": 80})
    await lab.run(1.1)
    assert lab.weight("jazz-v2") == 8000
    await lab.run(1.5)
    assert lab.weight("jazz-v2") == 1000
    assert "CORRECTED" in lab.reasons()


async def test_t4_a_lowered_weight_is_a_persons_wish():
    lab = await ramping(bake=5)
    lab.mesh.put(route(), {"jazz-v1": 1})
    await lab.run(30)
    assert lab.weight("jazz-v2") == 0
    assert isinstance(lab.rollout().state, Held)
    assert await lab.engine.order(JAZZ, Verb.RESUME, "ada", "it was a test") == ""
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000


async def test_m2_a_proxy_that_rejects_is_named_and_nothing_rises():
    lab = await ramping(bake=5)
    lab.mesh.proxies["proxy-1"].rejects = "no such cluster"
    await lab.run(10)
    lab.mesh.put(route(), {"jazz-v1": 90, "jazz-v2": 10})
    assert lab.decision().reason.name in {"SETTLING", "NOT_CONVERGING"}
    assert "proxy-1 rejected it: no such cluster" in str(lab.decision().facts["detail"])


async def test_a_lost_write_is_made_again_and_a_lost_answer_is_read_back():
    """DESIGN 14.1: no weight is skipped, none is taken for a foreign hand."""
    lab = await ramping(bake=5)
    lab.mesh.loses = 1
    await lab.run(7)
    lab.mesh.swallows = 1
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000
    assert not {"LOWERED", "DRIFT"} & set(lab.reasons())


async def test_e1_blindness_holds_and_then_goes_home():
    lab = await ramping(bake=5)
    lab.metrics.proxies["proxy-1"].silent = "connection refused"
    await lab.run(300)
    assert lab.weight("jazz-v2") == 1000
    await lab.run(320)
    assert lab.weight("jazz-v2") == 0
    assert "NO_DATA_TOO_LONG" in lab.reasons()


async def test_i19_when_many_go_blind_the_observer_is_broken_not_they():
    """Two go home for lack of evidence, then the breaker is open and the others hold."""
    names = tuple("abcdef")
    lab = await Lab(*names).adopted()
    lab.source.commit({f"prod/{name}.yaml": policy(f"{name}-v2", name, bake=60) for name in names})
    await lab.engine.poll("main")
    await lab.run(6, "a")
    lab.metrics.proxies["proxy-1"].silent = "connection refused"
    await lab.run(900, "a")
    home = [name for name in names if lab.weight(f"{name}-v2", name) == 0]
    assert len(home) == 2
    held = set(names) - set(home)
    assert all(lab.decision(name).reason.name == "BREAKER_OPEN" for name in held)


async def test_s2_a_canary_that_loses_its_endpoints_goes_home():
    lab = await ramping()
    lab.mesh.set_ready("jazz-v2", 0)
    await lab.run(2)
    assert lab.weight("jazz-v2") == 0
    assert "LOST_ENDPOINTS" in lab.reasons()


async def test_s3_a_failing_canary_stays_when_there_is_no_home():
    lab = await ramping()
    lab.mesh.set_ready("jazz-v1", 0)
    lab.faults["jazz-v2"] = 1.0
    await lab.run(5)
    assert lab.weight("jazz-v2") == 1000
    assert "STABLE_UNHEALTHY" in lab.reasons()
    lab.mesh.set_ready("jazz-v1", 1)
    await lab.run(2)
    assert lab.weight("jazz-v2") == 0


# --- memory --------------------------------------------------------------------------------------


async def test_q1_an_unwritable_journal_stops_the_rise_and_never_the_way_home():
    """Nothing rises on what is not remembered; going home needs no disk, and people hear without it."""
    lab = await ramping(bake=5)
    lab.memory.unwritable = "disk full"
    await lab.run(30)
    assert lab.weight("jazz-v2") == 1000
    assert lab.decision().reason.name == "UNRECORDED"
    lab.faults["jazz-v2"] = 1.0
    await lab.run(3)
    assert lab.weight("jazz-v2") == 0
    await asyncio.sleep(0)
    assert {alert.reason for alert in lab.sink.arrived} >= {"UNRECORDED", "WORSE"}


async def test_q1_a_crash_after_an_unrecorded_rollback_raises_nothing():
    """I4: the restart remembers 10 % and finds 0 %; the counters condemn the canary again, nothing rises."""
    lab = await ramping()
    lab.memory.unwritable = "disk full"
    lab.faults["jazz-v2"] = 1.0
    await lab.run(3)
    assert lab.weight("jazz-v2") == 0
    lab.memory.unwritable = ""
    lab.faults.clear()
    writes = len(lab.mesh.writes)
    lab.start()
    await lab.run(30)
    assert lab.weight("jazz-v2") == 0
    assert all(write.split.sole == "jazz-v1" for write in lab.mesh.writes[writes:])
    assert "WORSE" in lab.reasons()


async def test_q1_what_could_not_be_recorded_is_recorded_when_the_disk_is_back():
    lab = await ramping()
    lab.memory.unwritable = "disk full"
    lab.faults["jazz-v2"] = 1.0
    await lab.run(3)
    lab.memory.unwritable = ""
    await lab.run(40)
    lab.start()
    assert isinstance(lab.rollout().state, Steady)
    assert [revision.backend for revision in lab.past().rejected] == ["jazz-v2"]


async def test_going_home_does_not_wait_for_a_slow_disk():
    """DESIGN 14.14: 20 ms, then the write goes first."""
    lab = await ramping()
    lab.faults["jazz-v2"] = 1.0
    lab.flow(1)
    written_at = []

    class Slow(SimulatedJournal):
        async def record(self, record):
            await asyncio.sleep(0.2)
            written_at.append([write.split.weight("jazz-v2") for write in lab.mesh.writes][-1])
            await super().record(record)

    lab.engine.world = replace(lab.engine.world, journal=Slow(lab.memory, lab.clock))
    await lab.look()
    assert lab.weight("jazz-v2") == 0
    await asyncio.sleep(0.3)
    assert written_at == [0]


class Late(SimulatedJournal):
    """A disk that takes no record of these reasons for a while, and then refuses it."""

    reasons = ("GOING_HOME", "PROMOTED")

    async def record(self, record):
        if record.decision.reason.name in self.reasons:
            await asyncio.sleep(0.2)
            raise Unavailable("disk full")
        await super().record(record)


async def test_q1_what_a_disk_refused_late_on_the_way_home_is_recorded_when_it_is_back():
    """Who was told on the way home that there is nothing to retry is not obeyed by the next process."""
    lab = await ramping()
    lab.mesh.loses = 10**6
    lab.faults["jazz-v2"] = 1.0
    await lab.run(3)
    assert isinstance(lab.rollout().state, RollingBack)
    journal = lab.engine.journal
    lab.engine.world = replace(lab.engine.world, journal=Late(lab.memory, lab.clock))
    assert "at rest" in await lab.engine.order(JAZZ, Verb.RETRY, "ada", "again")
    await asyncio.sleep(0.3)
    lab.engine.world = replace(lab.engine.world, journal=journal)
    lab.mesh.loses = 0
    await lab.run(5)
    assert list(lab.memory.obeyed) == [1]
    lab.start()
    await lab.run(5)
    assert [revision.backend for revision in lab.past().rejected] == ["jazz-v2"]


async def test_q1_nobody_is_told_late_of_a_step_that_was_given_up():
    """The disk hangs as the canary is to be promoted, and then refuses: it never was."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2")
    lab.engine.world = replace(lab.engine.world, journal=Late(lab.memory, lab.clock), patience=0.01)
    await lab.run(60)
    await asyncio.sleep(0.3)
    assert lab.weight("jazz-v2") == 9500
    assert {alert.reason for alert in lab.sink.arrived} == {"UNRECORDED"}


async def test_q2_a_lost_journal_writes_nothing_until_a_person_adopts():
    lab = await ramping()
    lab.memory = type(lab.memory)()
    lab.start()
    await lab.engine.poll("main")
    await lab.run(60)
    state = lab.rollout().state
    assert isinstance(state, Held)
    assert state.why is Why.FORGOTTEN
    assert lab.weight("jazz-v2") == 1000
    assert await lab.engine.order(JAZZ, Verb.ADOPT, "ada", "v1 it is", "jazz-v1") == ""
    await lab.run(1)
    assert isinstance(lab.rollout().state, Steady | Ramping)


async def test_q2_an_old_backup_of_the_journal_writes_nothing():
    """The object bears a newer epoch than the journal knows."""
    lab = await Lab().adopted()
    backup = lab.memory.epoch
    for _ in range(5):
        lab.start()
    await lab.ask("jazz-v2")
    await lab.run(60)
    await lab.ask("jazz-v1")
    lab.memory.epoch = backup
    lab.start()
    writes = len(lab.mesh.writes)
    await lab.run(60)
    assert len(lab.mesh.writes) == writes
    assert isinstance(lab.rollout().state, Held)


async def test_q2_a_backup_of_the_same_run_writes_nothing_either():
    """Taken and restored without a start in between: the epoch looks right, the count of writes does not."""
    lab = await Lab().adopted()
    backup = copy.deepcopy(lab.memory)
    await lab.ask("jazz-v2")
    await lab.run(60)
    assert (lab.weight("jazz-v2"), str(lab.past().stable)) == (10_000, "jazz-v2")
    lab.memory = backup
    lab.start()
    writes = len(lab.mesh.writes)
    await lab.run(30)
    await lab.engine.poll("main")
    await lab.run(30)
    assert len(lab.mesh.writes) == writes
    state = lab.rollout().state
    assert isinstance(state, Held)
    assert state.why is Why.FORGOTTEN
    assert await lab.engine.order(JAZZ, Verb.ADOPT, "ada", "it was promoted", "jazz-v2") == ""
    await lab.run(30)
    assert lab.decision().reason.name == "NOTHING_NEW"


async def test_q1_a_rollback_that_was_not_recorded_is_not_taken_for_another_journals():
    """The start finds one write more than it remembers, and everything on stable: nobody has to adopt."""
    lab = await ramping()
    lab.memory.unwritable = "disk full"
    lab.faults["jazz-v2"] = 1.0
    await lab.run(3)
    lab.memory.unwritable = ""
    lab.start()
    await lab.run(60)
    assert "FORGOTTEN" not in lab.reasons()
    assert [revision.backend for revision in lab.past().rejected] == ["jazz-v2"]


async def test_d1_killed_between_record_and_write_the_write_is_made_by_the_next_process():
    """The intent stands, the version still holds: it is our own write that never happened."""
    lab = await ramping(bake=5)
    lab.mesh.loses = 1
    while lab.mesh.loses:
        await lab.run(0.5)
    lab.start()
    await lab.run(60)
    assert lab.weight("jazz-v2") == 10_000
    assert [write.split.weight("jazz-v2") for write in lab.mesh.writes].count(Weight(5000)) == 1


@pytest.mark.parametrize("jump", [timedelta(hours=3), timedelta(hours=-3)])
async def test_c1_a_jump_of_the_wall_clock_neither_bakes_nor_forgets(jump):
    lab = await ramping()
    baked = lab.ramp().clock.baked
    lab.clock.set(lab.clock.now() + jump)
    await lab.run(2.2)
    assert baked < lab.ramp().clock.baked <= baked + 2.2


# --- people --------------------------------------------------------------------------------------


async def test_l1_an_alert_is_tried_until_it_arrives():
    """Back-off, Retry-After honoured, delivered once the sink takes it, in order."""
    lab = await ramping()
    lab.sink.answers.extend([Later("429", after=120.0)])
    await lab.postman.sweep()
    assert lab.sink.arrived == []
    lab.clock.advance(60)
    await lab.postman.sweep()
    assert lab.sink.arrived == []
    lab.clock.advance(61)
    await lab.postman.sweep()
    assert [alert.reason for alert in lab.sink.arrived] == ["ADOPTED", "STARTED"]
    assert lab.postman.undelivered == 0


async def test_l2_one_alert_for_one_transition_however_often_it_is_decided():
    lab = await ramping()
    for _ in range(5):
        lab.mesh.set_ready("jazz-v1", 0)
        await lab.run(2)
        lab.mesh.set_ready("jazz-v1", 1)
        await lab.run(2)
    await lab.postman.sweep()
    assert [alert.reason for alert in lab.sink.arrived].count("STABLE_NOT_READY") == 1


async def test_l3_undelivered_alerts_are_counted_and_given_up_after_a_day():
    lab = await ramping()
    lab.sink.down = "connection refused"
    await lab.postman.sweep()
    assert lab.postman.undelivered > 0
    for _ in range(100):
        lab.clock.advance(3600)
        await lab.postman.sweep()
    lab.sink.down = ""
    lab.clock.advance(3600)
    await lab.postman.sweep()
    assert lab.sink.arrived == []


async def test_an_order_that_cannot_be_journalled_is_refused_but_an_abort_is_obeyed():
    lab = await ramping()
    lab.memory.unwritable = "disk full"
    with pytest.raises(Unavailable):
        await lab.engine.order(JAZZ, Verb.PAUSE, "ada", "hm")
    assert await lab.engine.order(JAZZ, Verb.ABORT, "ada", "it burns") == ""
    assert lab.weight("jazz-v2") == 0
    assert isinstance(lab.rollout().state, RollingBack | Steady)


async def test_a_rollout_that_does_not_exist_is_named_with_those_that_do():
    lab = await Lab().adopted()
    assert "prod/jazz" in await lab.engine.order("prod/jaz", Verb.ABORT, "ada", "")


async def test_a_mixture_is_not_adopted_by_guess():
    lab = Lab()
    lab.mesh.put(route(), {"jazz-v1": 60, "jazz-v2": 40})
    await lab.adopted()
    assert isinstance(lab.rollout().state, Unadopted)
    assert await lab.engine.order(JAZZ, Verb.ADOPT, "ada", "it is v1", "jazz-v1") == ""
    await lab.run(60)
    assert lab.mesh.split(route()).sole == "jazz-v1"
