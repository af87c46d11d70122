"""What people read, word by word: each sentence with the numbers of its own scene.

After a wanted change: UPDATE_GOLDEN=1 pytest tests/unit/core/test_sentences.py, and read the difference.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from rollout.core.model import (
    Cause,
    Comparison,
    Held,
    Hold,
    Inconclusive,
    Latency,
    Limit,
    NoDataRule,
    OnSilence,
    Probe,
    Revision,
    RollingBack,
    Unadopted,
    Unseen,
    Verb,
    Weight,
    Why,
    Window,
    Withdrawn,
)
from rollout.core.reason import Reason
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

WITHDRAWN = Withdrawn("prod/jazz")
LIMITED = policy(analysis=judged(checks=(Limit(0.05),)))
FIRM = policy(analysis=judged(inconclusive=Inconclusive.ROLLBACK))
EASY = policy(analysis=judged(inconclusive=Inconclusive.PROMOTE))
HOLDING = policy(analysis=judged(no_data=NoDataRule(30.0, OnSilence.HOLD)))


TIMED = policy(analysis=judged(checks=(Comparison(), Comparison(Latency()))))


def said(world: World) -> str:
    assert world.last is not None
    assert world.last.facts["name"] == "prod/jazz"
    return f"{world.last.reason.name}: {world.last.reason.say(world.last.facts)}"


def looked(world: World, looks: int = 1) -> World:
    world.looks(looks)
    return world


def until(world: World, reason: Reason) -> World:
    world.until(reason, most=700)
    return world


def ordered(world: World, verb: Verb, argument: str = "") -> World:
    world.order(verb, argument, actor="ben", why="lunch")
    return world


def meddled(world: World, *weights: dict[str, int], looks: int = 1) -> World:
    world.foreign(*weights)
    return looked(world, looks)


def fought(world: World) -> World:
    for _ in range(4):
        meddled(world, {V1: 60, V2: 40}, looks=2)
    return world


def spoilt(world: World, **spoils: object) -> World:
    for name, value in spoils.items():
        setattr(world, name, value)
    return world


def lost_on_the_way_home() -> World:
    world = ordered(spoilt(at(TEN), loses=99), Verb.ABORT)
    return looked(world, 62)


def both_over() -> World:
    return until(at(TEN, asked=LIMITED, failing={V1: 0.25, V2: 0.25}), Reason.BOTH_OVER_LIMIT)


def over_for_good() -> World:
    world = at(FIFTY, asked=LIMITED)
    world.count("edge-1", V2, 100, 50)
    world.count("edge-1", V1, 100)
    return looked(world)


def counted(world: World, **arms: int) -> World:
    world.count("edge-1", V2, arms.get("canary", 0), arms.get("failed", 0))
    world.count("edge-1", V1, arms.get("stable", 0))
    return looked(world)


def promised(world: World) -> World:
    """The write of the promotion is lost, the policy withdrawn."""
    world.looks(57)
    world.loses = 2
    until(world, Reason.PROMOTED)
    world.asked = WITHDRAWN
    return looked(world)


AWAY = Unseen("edge-1: timed out")
GONE = Unseen("jazz is gone", lost=True)
FROZEN = (Hold(Reason.FROZEN, "by ana: sale"),)
CLOSED = (Window((2,), time(9), time(10), "UTC"),)
HOMEBOUND = RollingBack(steady().past, Revision(V2), Cause.WORSE, NOON, Weight(1000))


def suspended() -> World:
    world = at(TEN)
    world.asks(suspend=True)
    return looked(world)


def closed() -> World:
    world = at(TEN)
    world.asks(windows=CLOSED)
    return looked(world)


SCENES: dict[str, Callable[[], World]] = {
    "adopted": lambda: looked(World()),
    "nothing new": lambda: looked(World(policy(V1), steady())),
    "other route": lambda: looked(World(policy(route=replace(ROUTE, name="metal")), steady())),
    "mixture": lambda: meddled(World(), {V1: 1, V2: 1}),
    "rejected before": lambda: looked(World(state=steady(rejected=(Revision(V2),)))),
    "same backend": lambda: looked(World(policy(revision=Revision(V1, "2")), steady())),
    "measuring": lambda: looked(World(state=steady())),
    "not ready": lambda: looked(World(state=steady(), ready={V1: 1, V2: 0}), 2),
    "never ready": lambda: until(World(state=steady(), ready={V1: 1, V2: 0}), Reason.NEVER_READY),
    "started": lambda: looked(World(state=steady()), 2),
    "raised": lambda: at(Probe(Weight(100)), rate=1000.0),
    "probing": lambda: at(Probe(Weight(10)), rate=1000.0),
    "probing 2": lambda: at(Probe(Weight(10)), rate=0.0),
    "baking": lambda: at(TEN),
    "step passed": lambda: until(at(TEN), Reason.STEP_PASSED),
    "promoted": lambda: until(at(LAST), Reason.PROMOTED),
    "too few": lambda: until(at(TEN, rate=1.0), Reason.TOO_FEW),
    "uncompared": lambda: until(at(TEN, asked=TIMED, slow={V1: 1.0, V2: 1.0}, tail=1.0), Reason.UNCOMPARED),
    "unproven": lambda: until(at(FIFTY, rate=1.0), Reason.UNPROVEN),
    "inconclusive": lambda: until(at(TEN, rate=0.4), Reason.INCONCLUSIVE),
    "inconclusive too long": lambda: until(at(TEN, asked=FIRM, rate=0.4), Reason.INCONCLUSIVE_TOO_LONG),
    "passed unproven": lambda: until(at(TEN, asked=EASY, rate=0.4), Reason.PASSED_UNPROVEN),
    "settling": lambda: looked(spoilt(at(TEN), proxies={"edge-1": Proxy(rejected="bad")})),
    "not converging": lambda: looked(spoilt(at(TEN), proxies={"edge-1": Proxy(rejected="bad")}), 61),
    "stable not ready": lambda: looked(spoilt(at(TEN), ready={V1: 0, V2: 1})),
    "stable not ready 2": lambda: looked(spoilt(at(TEN), state=HOMEBOUND, ready={V1: 0, V2: 1})),
    "stable unhealthy": lambda: looked(spoilt(at(TEN, failing={V2: 1.0}, ready={V1: 0, V2: 1}))),
    "blind": lambda: looked(spoilt(at(TEN), metrics_gone=AWAY)),
    "blind held": lambda: looked(spoilt(at(TEN, asked=HOLDING), metrics_gone=AWAY), 30),
    "blind held 2": lambda: looked(World(HOLDING, steady(), metrics_gone=AWAY), 31),
    "no data too long": lambda: until(at(TEN, rate=0.0), Reason.NO_DATA_TOO_LONG),
    "breaker open": lambda: looked(spoilt(at(TEN), metrics_gone=AWAY, breaker_open=True)),
    "breaker open 2": lambda: looked(spoilt(at(TEN), metrics_gone=AWAY, breaker_open=True), 600),
    "mesh unseen": lambda: looked(spoilt(at(TEN), mesh_gone=AWAY)),
    "target lost": lambda: looked(spoilt(at(TEN), mesh_gone=GONE)),
    "paused": lambda: ordered(at(TEN), Verb.PAUSE),
    "suspended": suspended,
    "frozen": lambda: looked(spoilt(at(TEN), holds=FROZEN)),
    "window closed": closed,
    "lowered": lambda: meddled(at(TEN), {V1: 99, V2: 1}),
    "lowered 2": lambda: meddled(at(TEN), {V1: 99, V2: 1}, looks=3),
    "drift": lambda: meddled(at(TEN), {V1: 1, V2: 1}),
    "corrected": lambda: meddled(at(TEN), {V1: 1, V2: 1}, looks=2),
    "corrected 2": lambda: meddled(looked(World(policy(V1), steady())), {V1: 1, V2: 1}, looks=2),
    "contested": lambda: fought(at(TEN)),
    "contested 2": lambda: looked(spoilt(fought(at(TEN)), mesh_gone=AWAY)),
    "forgotten": lambda: looked(World(mesh_epoch=9)),
    "forgotten 2": lambda: looked(World(state=steady(), mesh_epoch=9)),
    "forgotten 3": lambda: looked(World(state=steady(), mesh_epoch=9), 2),
    "worse": lambda: counted(at(FIFTY, rate=0.0), canary=20, failed=20, stable=20),
    "worse 2": lambda: counted(at(FIFTY, rate=0.0), canary=2000, failed=2000, stable=2000),
    "worse 3": lambda: at(FIFTY, asked=TIMED, slow={V1: 0.01, V2: 0.5}),
    "over limit": over_for_good,
    "both over limit": both_over,
    "over limit now": lambda: until(at(TEN, asked=LIMITED, failing={V2: 0.055}), Reason.OVER_LIMIT_NOW),
    "lost endpoints": lambda: looked(spoilt(at(TEN), ready={V1: 1, V2: 0})),
    "aborted": lambda: ordered(at(TEN), Verb.ABORT),
    "withdrawn": lambda: looked(spoilt(at(TEN), asked=WITHDRAWN)),
    "reverted": lambda: looked(spoilt(at(TEN), asked=policy(V1))),
    "changed": lambda: looked(spoilt(at(TEN), asked=policy(V3))),
    "going home": lambda: looked(ordered(spoilt(at(TEN), loses=9), Verb.ABORT)),
    "going home 2": lambda: promised(at(LAST)),
    "not home": lost_on_the_way_home,
    "rolled back": lambda: looked(ordered(at(TEN), Verb.ABORT)),
    "released": lambda: looked(World(WITHDRAWN, steady())),
    "released 2": lambda: looked(World(WITHDRAWN, Unadopted())),
    "released 3": lambda: looked(World(WITHDRAWN, Held(Unadopted(), Why.FORGOTTEN))),
    "released 4": lambda: looked(World(WITHDRAWN, Held(steady(), Why.CONTESTED))),
}

WORDS = Path(__file__).parent / "sentences.txt"


def test_every_word_of_it():
    """Each scene's reason by name, and its sentence with the facts of the decision."""
    text = "".join(f"{name} | {said(scene())}\n" for name, scene in SCENES.items())
    if os.environ.get("UPDATE_GOLDEN"):
        WORDS.write_text(text, encoding="utf-8")
    assert text.splitlines() == WORDS.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "world",
    [
        lambda: looked(World(policy(V1), steady())),
        lambda: looked(World(WITHDRAWN, steady())),
        lambda: looked(ordered(at(TEN), Verb.ABORT)),
    ],
)
def test_a_message_at_rest_says_who_serves_and_how_much_others_get(world):
    """An alert's fields are facts, also those that its sentence does not use."""
    last = world().last
    assert last is not None
    assert last.facts["stable"] == V1
    assert last.facts["weight"] == "0 %"


@pytest.mark.parametrize(
    "scene", ["worse", "over limit", "lost endpoints", "withdrawn", "aborted", "rolled back"]
)
def test_a_way_home_says_from_where_to_where(scene):
    """The alert's two weights."""
    last = SCENES[scene]().last
    assert last is not None
    assert (last.facts["before"] in {"10 %", "50 %"}, last.facts["weight"]) == (True, "0 %")


def test_a_verdict_of_a_look_bears_all_its_numbers():
    """The numbers of the journal, the metrics and the alerts are the same."""
    world = at(FIFTY, failing={V1: 0.1})
    world.looks(3)
    last = world.last
    assert last is not None
    odds = last.facts["odds"]
    assert last.facts == {
        "name": "prod/jazz",
        "stable": V1,
        "canary": V2,
        "weight": "50 %",
        "tally": "canary 0 of 200 failed (0.00%), stable 20 of 200 failed (10.00%)",
        "canary_requests": 200,
        "canary_failed": 0,
        "stable_requests": 200,
        "stable_failed": 20,
        "odds": odds,
        "baked": 4.0,
        "bake": 60.0,
    }
    counted = replace(world.ramp.counts[0], canary_n=50, stable_n=50, stable_x=5, seconds=1.0)
    assert last.judged is not None
    assert last.judged.fed == ((counted,),)
