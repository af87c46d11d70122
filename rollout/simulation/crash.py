"""Kill the daemon at each write of a run, before it, unheard and after it: it must not matter (I4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from rollout.core.past import past_of
from rollout.simulation.deed import Deed
from rollout.simulation.events import Delivered, Log
from rollout.simulation.plan import Plan, Terms
from rollout.simulation.referee import Referee
from rollout.simulation.watch import Cut, Side
from rollout.simulation.world import SINKS, World

TERMS = Terms(((10, 8.0), (100, 8.0)))
TWO = (("jazz", TERMS), ("metal", TERMS))
CALM = 40.0
BATCH = 20


def _plan(number: int, *deeds: Deed) -> Plan:
    return Plan(number, TWO, 2, 100.0, tuple(sorted(deeds)), CALM)


REFERENCES = {
    "a healthy canary and a dead one": _plan(
        1,
        Deed(0.5, "ask", "jazz", "v2"),
        Deed(0.5, "ask", "metal", "v2"),
        Deed(0.0, "behave", "metal-v2", "1.0"),
    ),
    "one that fails late, a pause, a freeze": _plan(
        2,
        Deed(0.5, "ask", "jazz", "v2"),
        Deed(0.5, "ask", "metal", "v2"),
        Deed(9.0, "pause", "jazz"),
        Deed(22.0, "resume", "jazz"),
        Deed(8.0, "freeze", "metal"),
        Deed(19.0, "thaw", "metal"),
        Deed(24.0, "behave", "metal-v2", "1.0"),
    ),
    "people change their minds": _plan(
        3,
        Deed(0.5, "ask", "jazz", "v2"),
        Deed(6.5, "ask", "jazz", "v3"),
        Deed(0.5, "ask", "metal", "v2"),
        Deed(9.0, "abort", "metal"),
        Deed(16.0, "ask", "metal", "v3"),
        Deed(22.0, "delete", "metal"),
    ),
}
"""Runs whose end does not hang on the second in which something is noticed."""


TIMED = re.compile(r"/[0-9]+(/[0-9]{4}-.*)?$")
"""The weight of a probe and the time in an alert's key, which a death may change."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a run ended: each rollout's state, stable and rejected revisions; the weights; who heard what."""

    states: tuple[tuple[str, str], ...]
    weights: tuple[tuple[str, str], ...]
    heard: frozenset[tuple[str, str]]


def ending(world: World, log: Log) -> Ending:
    """Read it off the disk, the mesh and people's ears."""
    states = []
    for name, decision in sorted(world.memory.decisions.items()):
        past = past_of(decision.state)
        known = (str(past.stable), sorted(map(str, past.rejected))) if past else ()
        states.append((name, f"{type(decision.state).__name__} {decision.reason.name} {known}"))
    weights = [
        (name, str(split)) for name, route in world.routes.items() for split in world.objects.splits(route)
    ]
    heard = {
        (event.sink, TIMED.sub("", event.alert.key))
        for event in log.events
        if isinstance(event, Delivered) and event.arrived
    }
    return Ending(tuple(states), tuple(weights), frozenset(heard))


def run(plan: Plan, cut: Cut | None = None) -> tuple[Ending, int, list[str]]:
    """(where it ended, how many writes it made, which laws it broke)."""
    world, referee = World(plan, cut), Referee(SINKS, plan.rate)
    world.log.listeners.append(referee.hear)
    log = world.run()
    wrote = world.process.wrote if world.process else world.wrote
    return ending(world, log), wrote, [str(violation) for violation in referee.violations]


def points(plan: Plan) -> list[Cut]:
    """Each write of the reference run, on each side."""
    _, writes, _ = run(plan)
    return [Cut(number, side) for number in range(1, writes + 1) for side in Side]


def matrix(jobs: int) -> tuple[int, list[str]]:
    """All points of all reference runs: how many there are, and where one diverges."""
    batches = [
        (name, cuts[start : start + BATCH])
        for name, cuts in ((name, points(plan)) for name, plan in REFERENCES.items())
        for start in range(0, len(cuts), BATCH)
    ]
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(_diverging, batches))
    return sum(len(cuts) for _, cuts in batches), [one for part in found for one in part]


def _diverging(batch: tuple[str, list[Cut]]) -> list[str]:
    name, cuts = batch
    return [f"{name}: {what}" for what in divergences(REFERENCES[name], cuts)]


def divergences(plan: Plan, cuts: list[Cut]) -> Iterator[str]:
    """What differs from the run without a death, or breaks a law."""
    expected, _, _ = run(plan)
    for cut in cuts:
        found, _, broken = run(plan, cut)
        where = f"killed {cut.side.value} write {cut.number}"
        yield from (f"{where}: {what}" for what in broken)
        if found.states != expected.states or found.weights != expected.weights:
            yield f"{where}: ends {found.states} {found.weights}, not {expected.states} {expected.weights}"
        if missing := expected.heard - found.heard:
            yield f"{where}: nobody heard {sorted(missing)}"
