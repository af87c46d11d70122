"""Whole runs as text: what happened when, how much the canary had, and the sentence that says why.

After a wanted change: UPDATE_GOLDEN=1 pytest tests/golden/test_runs.py, and read the difference.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.core.model import Decision, State, Steady, Unseen, Verb, Withdrawn, percent
from rollout.policy.codec import decode, encode
from tests.unit.core.world import NOON, V1, V2, World, policy

RUNS = Path(__file__).parent / "runs"
UNTIL = 3600


def begin(rate: float = 400.0) -> World:
    """A service of so many requests a second, failing one in a thousand; git asks for its second version."""
    return World(policy(), rate=rate, failing={V1: 0.001, V2: 0.001})


def at_rest(world: World) -> bool:
    return (
        isinstance(world.state, Steady)
        and world.last is not None
        and world.last.reason.name
        in {
            "NOTHING_NEW",
            "REJECTED_BEFORE",
            "RELEASED",
        }
    )


def told(world: World, script: Callable[[World, float], str] = lambda _world, _second: "") -> Iterator[str]:
    """One line for each new reason or weight, and one for whatever the script does in between."""
    before = None
    for second in range(UNTIL):
        last, done = world.last, script(world, second)
        if done:
            yield f"{'':>17}-- {done}"
        if world.last is not last and world.last is not None:
            yield line(world, world.last)
        decision = world.look()
        if decision.actions or (decision.reason, world.weight) != before:
            yield line(world, decision)
        before = decision.reason, world.weight
        if at_rest(world) and not script(world, second + 0.5):
            return


def line(world: World, decision: Decision) -> str:
    time = int((world.now - NOON).total_seconds())
    clock = f"{time // 60:>3}:{time % 60:02}"
    wrote = "writes" if decision.actions else ""
    said = f"{decision.reason.name:<18}{decision.reason.say(decision.facts)}"
    return f"{clock} {percent(world.weight):>8} {wrote:<7}{said}"


def healthy() -> Iterator[str]:
    """A good canary: probe, 10, 50, 95, everybody."""
    yield from told(begin(2000.0))


def sick() -> Iterator[str]:
    """A canary that begins to fail one request in five in the second step."""

    def script(world: World, second: float) -> str:
        if second != 100:
            return ""
        world.failing[V2] = 0.2
        return "jazz-v2 begins to fail 20 %"

    yield from told(begin(), script)


def dead() -> Iterator[str]:
    """A canary that never answers anything but errors."""
    world = begin()
    world.failing[V2] = 1.0
    yield from told(world)


def blind() -> Iterator[str]:
    """The counters go away in the first step, come back, and go away for good."""

    def script(world: World, second: float) -> str:
        if second in {30, 200}:
            world.metrics_gone = Unseen("edge-1 does not answer: timed out")
            return "the proxy's counters cannot be read any more"
        if second == 90:
            world.metrics_gone = None
            return "the counters are back"
        return ""

    yield from told(begin(), script)


def withdrawn() -> Iterator[str]:
    """The policy is deleted from git in the second step."""

    def script(world: World, second: float) -> str:
        if second != 100:
            return ""
        world.asked = Withdrawn("prod/jazz")
        return "a commit deletes the policy"

    yield from told(begin(), script)


def paused() -> Iterator[str]:
    """Somebody pauses it, lets it go on, and another one lowers it by hand."""

    def script(world: World, second: float) -> str:
        match second:
            case 40:
                world.order(Verb.PAUSE, actor="ben", why="the quarter closes")
                return "ben says: rollout pause"
            case 200:
                world.order(Verb.RESUME, actor="ben")
                return "ben says: rollout resume"
            case 220:
                world.foreign({V1: 100})
                return "somebody writes jazz-v1 100 % into the route"
            case 300:
                world.order(Verb.RESUME, actor="ana")
                return "ana says: rollout resume"
        return ""

    yield from told(begin(), script)


def crashed() -> Iterator[str]:
    """The daemon is killed between record and write, again while it bakes, and comes back each time."""

    def script(world: World, second: float) -> str:
        match second:
            case 60:
                world.loses = 1
                return "the next write will not be made: the daemon is killed on its way"
            case 120 if not world.loses:
                restart(world, 45.0)
                return "the daemon is killed while it bakes; 45 s later it starts again"
        if (
            world.last is not None
            and world.last.actions
            and world.loses == 0
            and second > 60
            and not world.epoch > 1
        ):
            restart(world, 5.0)
            return "5 s later it starts again"
        return ""

    yield from told(begin(), script)


def restart(world: World, seconds: float) -> None:
    """What the journal holds is what there is; the time in between counts for nothing."""
    world.state = decode(State, json.loads(json.dumps(encode(world.state))))
    world.epoch += 1
    world.look(seconds, elapsed=None)


def meddled() -> Iterator[str]:
    """Another tool writes 77/23 over and over, until a person is called and ends it."""

    def script(world: World, second: float) -> str:
        if second in {30, 40, 50, 60}:
            world.foreign({V1: 23, V2: 77})
            return "somebody writes jazz-v1 23 %, jazz-v2 77 % into the route"
        if second == 90:
            world.order(Verb.RESUME, actor="ana")
            return "ana stops the other tool and says: rollout resume"
        return ""

    yield from told(begin(), script)


def reverted() -> Iterator[str]:
    """A promoted canary, and the commit that brings the former version back: the fast track."""
    world = begin()
    yield from told(world)
    world.asked = policy(V1)
    yield f"{'':>17}-- a commit asks for jazz-v1 again"
    yield from told(world)


STORIES = (healthy, sick, dead, blind, withdrawn, paused, crashed, meddled, reverted)


@pytest.mark.parametrize("story", STORIES, ids=[story.__name__ for story in STORIES])
def test_a_whole_run_reads_as_it_did(story: Callable[[], Iterator[str]]):
    """Every rung, every reason, every write, in order."""
    head = f"{story.__doc__}\n\n  time   canary        reason            why\n"
    text = head + "".join(f"{line.rstrip()}\n" for line in story())
    path = RUNS / f"{story.__name__}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_run_on_file_is_told():
    """No file outlives its story."""
    assert {path.stem for path in RUNS.glob("*")} == {story.__name__ for story in STORIES}
    assert replace(begin()).asked == policy()
