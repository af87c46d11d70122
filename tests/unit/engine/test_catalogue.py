"""Which policies are in force: claims to one name or route, restarts, and what is said of a source."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.core.model import Origin, Policy, Revision, Route, Step, Verb, Weight
from rollout.core.reason import Level
from rollout.engine.catalogue import Catalogue
from rollout.settings import SourceSettings
from rollout.simulation.policy_source import SimulatedPolicySource
from tests.fakes.lab import Lab, policy


def asks(name: str, route: str = "", backend: str = "v1", source: str = "main") -> Policy:
    origin = Origin(source, f"prod/{name}.yaml", "c1", "Ada", "change")
    wanted = Route("envoy", "envoy", route or name)
    return Policy(f"prod/{name}", wanted, Revision(backend), (Step(Weight(10_000), 60.0),), origin=origin)


def settled(*policies: Policy, before: Catalogue | None = None) -> Catalogue:
    catalogue = before or Catalogue()
    catalogue.policies = {}
    for one in policies:
        catalogue.policies.setdefault(one.origin.source, {})[one.name] = one
    catalogue.settle()
    return catalogue


def in_force(catalogue: Catalogue) -> dict[str, tuple[str, str]]:
    """Name to (route, backend)."""
    return {
        name.removeprefix("prod/"): (one.route.name, one.revision.backend)
        for name, one in catalogue.in_force.items()
    }


def test_p5_two_newcomers_for_one_route_both_get_nothing():
    """Neither is the rightful owner, whichever file comes first."""
    for order in (("a", "b"), ("b", "a")):
        catalogue = settled(*(asks(name, "one") for name in order))
        assert catalogue.in_force == {}
        assert set(catalogue.contested) == {"prod/a", "prod/b"}


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")])
def test_p5_a_route_that_is_kept_is_not_given_away(order: tuple[str, ...]):
    """a wants b's route and may not have it, so a keeps its own, which c wants: c gets nothing."""
    before = settled(asks("a"), asks("b"))
    wanted = {"a": asks("a", "b", "v2"), "b": asks("b"), "c": asks("c", "a")}
    catalogue = settled(*(wanted[name] for name in order), before=before)
    assert in_force(catalogue) == {"a": ("a", "v1"), "b": ("b", "v1")}
    assert set(catalogue.contested) == {"prod/a", "prod/b", "prod/c"}


def test_two_policies_may_change_places():
    """What nobody else claims in the new tree is free, whoever had it before."""
    before = settled(asks("a"), asks("b"))
    catalogue = settled(asks("a", "b"), asks("b", "a"), before=before)
    assert in_force(catalogue) == {"a": ("b", "v1"), "b": ("a", "v1")}
    assert catalogue.contested == {}


def test_p5_one_name_in_two_sources_keeps_what_it_was():
    before = settled(asks("a"))
    catalogue = settled(asks("a", backend="v2"), asks("a", backend="v3", source="other"), before=before)
    assert in_force(catalogue) == {"a": ("a", "v1")}
    assert catalogue.contested == {"prod/a": "2 policies claim name prod/a"}
    assert "also claimed by `prod/a` at prod/a.yaml:1 of source other" in catalogue.clashes["main"][0]


def test_a_clash_that_ends_gives_everybody_what_they_ask():
    catalogue = settled(asks("a"), asks("b", "a"))
    catalogue = settled(asks("a"), asks("b"), before=catalogue)
    assert in_force(catalogue) == {"a": ("a", "v1"), "b": ("b", "v1")}
    assert (catalogue.contested, catalogue.clashes) == ({}, {"main": ()})


TWIN = policy("jazz-v3", "a-twin").replace("routeConfiguration: a-twin", "routeConfiguration: jazz")


async def test_p5_a_restart_does_not_change_who_has_a_route():
    """The journal knows who had it: the newcomer is not even looked at, and the owner goes nowhere."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(6)
    lab.source.commit({"prod/twin.yaml": TWIN})
    await lab.engine.poll("main")
    lab.memory.policies["main"] = dict(sorted(lab.memory.policies["main"].items()))  # the newcomer first
    lab.start()
    await lab.run(5)
    assert set(lab.engine.rollouts) == {"prod/jazz"}
    assert lab.weight("jazz-v2") == 1000
    assert "SHARED_TARGET" in lab.reasons()


@pytest.mark.parametrize("released", [True, False])
async def test_p5_after_a_restart_a_route_has_one_owner(*, released: bool):
    """jazz gave its route up, a twin has it, and jazz is asked for again: the next process begins, and leaves
    the route to the twin, also where jazz is not home yet.
    """
    lab = await Lab("jazz", "metal").adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(6)
    lab.mesh.loses = 0 if released else 10**6
    lab.source.commit({"prod/jazz.yaml": None})
    await lab.engine.poll("main")
    await lab.run(40, "metal")
    lab.source.commit({"prod/twin.yaml": TWIN})
    await lab.engine.poll("main")
    await lab.run(2, "metal")
    assert await lab.engine.order("prod/a-twin", Verb.ADOPT, "ada", "v1 it is", "jazz-v1") == ""
    await lab.ask("jazz-v2")
    owner = lab.engine.catalogue.in_force
    assert set(owner) == {"prod/a-twin", "prod/metal"}
    lab.start()
    assert lab.engine.catalogue.in_force == owner
    assert set(lab.engine.catalogue.contested) == {"prod/a-twin", "prod/jazz"}


async def test_p5_people_hear_of_a_clash_also_when_nothing_is_under_way():
    """A page, both places named, as a complaint about the source; and the complaint goes with its cause."""
    lab = await Lab().adopted()
    lab.source.commit({"prod/twin.yaml": TWIN})
    await lab.engine.poll("main")
    await lab.engine.poll("main")
    await lab.postman.sweep()
    [page] = [alert for alert in lab.sink.arrived if alert.reason == "SOURCE"]
    assert page.level is Level.PAGE
    assert "RP081 route `envoy jazz` is also claimed by `prod/a-twin`" in page.headline
    assert lab.memory.sources["main"].complaints == lab.engine.sources["main"].complaints
    assert len(lab.engine.sources["main"].complaints) == 2
    lab.source.commit({"prod/twin.yaml": None})
    await lab.engine.poll("main")
    assert lab.memory.sources["main"].complaints == ()


async def test_p5_a_clash_between_two_sources_is_told_by_both():
    """The other source hears of it at its own next poll, and both are clear again when one gives way."""
    lab = await Lab().adopted()
    other = SimulatedPolicySource("other", "prod")
    other.commit({"prod/twin.yaml": TWIN})
    lab.settings = replace(lab.settings, sources=(*lab.settings.sources, SourceSettings("other", "/other")))
    lab.sources["other"] = other
    lab.start()
    for name in ("other", "main"):
        await lab.engine.poll(name)
    sources = lab.engine.sources
    assert [len(sources[name].complaints) for name in ("main", "other")] == [1, 1]
    other.commit({"prod/twin.yaml": None, "prod/rock.yaml": policy("rock-v1", "rock")})
    for name in ("other", "main"):
        await lab.engine.poll(name)
    assert [sources[name].complaints for name in ("main", "other")] == [(), ()]


async def two_sources() -> tuple[Lab, SimulatedPolicySource]:
    """A lab with a second source, whose rollout of the first one is under way."""
    lab = Lab()
    other = SimulatedPolicySource("other", "prod")
    lab.settings = replace(lab.settings, sources=(*lab.settings.sources, SourceSettings("other", "/other")))
    lab.sources["other"] = other
    lab.start()
    await lab.adopted()
    return lab, other


@pytest.mark.parametrize("under_way", [True, False])
async def test_p5_a_restart_does_not_change_which_source_has_a_name(*, under_way: bool):
    """The newcomer's policy neither replaces the owner's in the journal nor is obeyed by the next process."""
    lab, other = await two_sources()
    if under_way:
        await lab.ask("jazz-v2", bake=60)
        await lab.run(6)
    before, weight = lab.engine.catalogue.in_force["prod/jazz"], lab.weight("jazz-v2")
    other.commit({"prod/jazz.yaml": policy("jazz-v3", bake=1)})
    for _ in range(2):
        await lab.engine.poll("other")
        assert lab.engine.catalogue.in_force == {"prod/jazz": before}
        assert lab.engine.catalogue.in_force["prod/jazz"].origin.source == "main"
        await lab.run(5)
        lab.start()
        await lab.engine.poll("main")
    await lab.run(60)
    assert (lab.weight("jazz-v2"), lab.weight("jazz-v3")) == (weight, 0)
    assert lab.engine.catalogue.contested == {"prod/jazz": "2 policies claim name prod/jazz"}
    other.commit({"prod/jazz.yaml": None, "prod/rock.yaml": policy("rock-v1", "rock")})
    await lab.engine.poll("other")
    assert lab.engine.catalogue.contested == {}


async def test_p5_a_clash_between_files_of_one_path_names_the_other_source():
    """Each source is told its own side, also where both files have the same path."""
    lab, other = await two_sources()
    other.commit({"prod/jazz.yaml": policy("jazz-v3")})
    for name in ("other", "main"):
        await lab.engine.poll(name)
    for name, there in (("main", "other"), ("other", "main")):
        said = [one for one in lab.engine.sources[name].complaints if "RP080" in one]
        assert [f"prod/jazz.yaml:1 of source {there}" in one for one in said] == [True]


@pytest.mark.parametrize("newcomer", ["prod/a.yaml", "prod/zz.yaml"])
@pytest.mark.parametrize("under_way", [True, False])
async def test_p5_one_name_in_two_files_keeps_what_it_was(newcomer: str, *, under_way: bool):
    """Whichever path comes first: nothing moves, a page names both places, also after a restart; and all is
    well when one of them goes.
    """
    lab = await Lab().adopted()
    if under_way:
        await lab.ask("jazz-v2", bake=60)
        await lab.run(6)
    before, weight = lab.engine.catalogue.in_force["prod/jazz"], lab.weight("jazz-v2")
    lab.source.commit({newcomer: policy("jazz-v3", bake=1)})
    for _ in range(2):
        await lab.engine.poll("main")
        await lab.run(60)
        assert lab.engine.catalogue.in_force == {"prod/jazz": before}
        assert [hold.reason.name for hold in lab.engine.holds("prod/jazz")] == ["SHARED_TARGET"]
        assert (lab.weight("jazz-v2"), lab.weight("jazz-v3")) == (weight, 0)
        assert len(lab.engine.sources["main"].complaints) == 2
        lab.start()
    await lab.postman.sweep()
    [page] = [alert for alert in lab.sink.arrived if alert.reason == "SOURCE"]
    assert page.level is Level.PAGE
    assert f"RP080 policy `prod/jazz` is also claimed by `prod/jazz` at {newcomer}:1" in page.headline
    lab.source.commit({newcomer: None})
    await lab.engine.poll("main")
    assert (lab.engine.sources["main"].complaints, lab.engine.catalogue.contested) == ((), {})
    assert lab.engine.catalogue.in_force == {"prod/jazz": before}


async def test_p5_a_new_name_in_two_files_belongs_to_neither():
    lab = await Lab().adopted()
    lab.source.commit({"prod/a.yaml": policy("rock-v1", "rock"), "prod/b.yaml": policy("rock-v2", "rock")})
    await lab.engine.poll("main")
    assert set(lab.engine.rollouts) == {"prod/jazz"}
    assert set(lab.engine.catalogue.contested) == {"prod/rock"}


async def test_a_source_that_the_settings_no_longer_name_is_forgotten_for_good():
    """What it said does not come back with a later start, when its policies' new source has given them up."""
    lab = await Lab("jazz", "rock").adopted()
    lab.sources["new"] = lab.source
    del lab.sources["main"]
    lab.settings = replace(lab.settings, sources=(SourceSettings("new", "/new"),))
    lab.start()
    assert set(lab.engine.catalogue.in_force) == {"prod/jazz", "prod/rock"}
    await lab.engine.poll("new")
    lab.source.commit({"prod/rock.yaml": None})
    await lab.engine.poll("new")
    lab.start()
    assert set(lab.engine.catalogue.policies) == {"new"}
    assert set(lab.engine.catalogue.in_force) == {"prod/jazz"}


async def test_g1_a_source_that_is_silent_for_an_hour_is_a_page():
    """News after three polls, a page after an hour, and nothing between or after."""
    lab = await Lab().adopted()
    lab.source.cut()
    for _ in range(3 * 120):
        lab.clock.advance(30)
        await lab.engine.poll("main")
        await lab.postman.sweep()
    told = [alert for alert in lab.sink.arrived if alert.reason == "SOURCE"]
    assert [alert.level for alert in told] == [Level.NOTIFY, Level.PAGE]
    assert told[1].at - told[0].at == timedelta(seconds=3_600 - 90)


async def test_g4_a_page_is_not_taken_for_news_told_before_it():
    """git silent for three polls is news; an hour is not over when the branch is gone, which is a page."""
    lab = await Lab().adopted()
    lab.source.cut()
    for _ in range(3):
        await lab.engine.poll("main")
    lab.source.mend()
    lab.source.drop_branch()
    await lab.engine.poll("main")
    await lab.postman.sweep()
    told = [alert.level for alert in lab.sink.arrived if alert.reason == "SOURCE"]
    assert told == [Level.NOTIFY, Level.PAGE]


async def test_q1_what_is_said_of_a_source_is_said_once_while_the_disk_is_full():
    """The page goes out without the journal, once and not with every poll; nothing unremembered is taken."""
    lab = await Lab().adopted()
    lab.memory.unwritable = "disk full"
    lab.source.commit({"prod/jazz.yaml": "kind: [", "prod/rock.yaml": policy("rock-v1", "rock")})
    accepted = lab.engine.sources["main"].accepted
    for _ in range(5):
        await lab.engine.poll("main")
    await lab.postman.flush()
    assert [alert.reason for alert in lab.sink.arrived].count("SOURCE") == 1
    assert set(lab.engine.rollouts) == {"prod/jazz"}
    assert lab.engine.sources["main"].accepted == accepted
    lab.memory.unwritable = ""
    await lab.engine.poll("main")
    assert set(lab.engine.rollouts) == {"prod/jazz", "prod/rock"}
    assert lab.memory.sources["main"] == lab.engine.sources["main"]


async def test_q1_a_rewrite_seen_on_a_full_disk_is_remembered_later():
    """It holds at once, and is written down when the disk is back, though nothing new was seen."""
    lab = await Lab().adopted()
    lab.memory.unwritable = "disk full"
    lab.source.head = None
    lab.source.commit({"prod/jazz.yaml": policy("jazz-v2")}, "rewritten")
    await lab.engine.poll("main")
    assert lab.engine.sources["main"].rewritten
    lab.memory.unwritable = ""
    await lab.engine.poll("main")
    assert lab.memory.sources["main"].rewritten
