"""Laws that compare two worlds which differ in one thing: what must not matter does not (I10, I12, I17)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from rollout.core.asked import HOLDBACK
from rollout.core.model import FULL, Split
from rollout.simulation.deed import Deed
from rollout.simulation.events import Jumped, Log, Wrote
from rollout.simulation.plan import SERVICES, Plan, draw
from rollout.simulation.referee import Violation
from rollout.simulation.world import World

BUG_LASTS, OUTAGE_AFTER = 6.0, 4.0
EARLIER = 1.5
"""Seconds by which a raise may come earlier and still be the same one: a look."""

LAST = FULL - HOLDBACK

Writes = list[tuple[float, str, Split]]


def quiet(seed: int) -> Plan:
    """The plan of a seed without its faults and whims; canaries are healthy, or dead from the start, so that
    nothing hangs on the instant of a look.
    """
    plan = draw(seed)
    asks = [deed for deed in plan.deeds if deed.kind == "ask"]
    dead = [Deed(0.0, "behave", deed.subject, "1.0") for deed in plan.deeds if deed.kind == "behave"]
    deeds = tuple(sorted({*asks, *dead}))
    services = tuple((name, replace(terms, windows=False)) for name, terms in plan.services)
    return replace(plan, deeds=deeds, services=services, observe=False)


def writes(log: Log, *, but: str = "") -> Writes:
    """What landed: when, where, which split; not on the route of one service."""
    return [
        (event.at, event.route.name, event.split)
        for event in log.events
        if isinstance(event, Wrote) and event.landed and event.route.name != but
    ]


def git_is_lost(seed: int) -> Iterator[Violation]:
    """I10: git fails after the last commit, in one of its ways; the same writes at the same instants."""
    plan = quiet(seed)
    last = max((deed.at for deed in plan.deeds if deed.kind == "ask"), default=0.0) + OUTAGE_AFTER
    kind = random.Random(f"twin {seed}").choice(("git away", "git gone", "git stale"))
    outage = Deed(last, kind, seconds=1000.0)
    yield from _same("I10", kind, _with(plan, outage), plan)


def a_file_is_bad(seed: int) -> Iterator[Violation]:
    """I12: somebody commits garbage beside the policies."""
    plan = quiet(seed)
    chance = random.Random(f"twin {seed}")
    kind = chance.choice(("bomb", "typo", "link", "empty", "number"))
    bad = Deed(chance.uniform(0.5, plan.calm - 1.0), "bad file", "", kind)
    yield from _same("I12", f"a bad file: {kind}", _with(plan, bad), plan)


def a_neighbour_breaks(seed: int) -> Iterator[Violation]:
    """I12: looks at one rollout break for a while; its neighbours' weights take the same way."""
    plan = quiet(seed)
    services = (*plan.services, (next(name for name in SERVICES[::-1]), plan.services[0][1]))
    if len(plan.services) == len(SERVICES):
        services = plan.services
    plan = replace(plan, services=services)
    broken = services[-1][0]
    bug = Deed(random.Random(f"twin {seed}").uniform(2.0, 20.0), "bug", broken, seconds=BUG_LASTS)
    ways = [_ways(World(one).run(), plan, but=broken) for one in (_with(plan, bug), plan)]
    if ways[0] != ways[1]:
        yield Violation(bug.at, "I12", broken, f"its bug changes its neighbours' ways: {ways}")


def the_clock_jumps(seed: int) -> Iterator[Violation]:
    """I17: jumps of the wall clock move no raise to an earlier instant, and no weight."""
    plan = quiet(seed)
    chance = random.Random(f"twin {seed}")
    jumps = [
        Deed(
            chance.uniform(1.0, plan.calm - 1.0), "jump", "", chance.choice(("-86400", "-40", "40", "86400"))
        )
        for _ in range(3)
    ]
    with_jumps, without = World(_with(plan, *jumps)).run(), World(plan).run()
    if _ways(with_jumps, plan) != _ways(without, plan):
        yield Violation(0.0, "I17", "everybody", "a jump of the clock changes the way of a weight")
        return
    for (at, route, split), (then, _, _) in zip(
        sorted(_steps(writes(with_jumps), plan), key=_place),
        sorted(_steps(writes(without), plan), key=_place),
        strict=True,
    ):
        if at < then - EARLIER:
            yield Violation(at, "I17", route, f"{split} comes {then - at:.1f} s earlier after a jump")
    if not any(isinstance(event, Jumped) for event in with_jumps.events):
        yield Violation(0.0, "I17", "everybody", "no clock jumped")


TWINS = (git_is_lost, a_file_is_bad, a_neighbour_breaks, the_clock_jumps)


def _with(plan: Plan, *deeds: Deed) -> Plan:
    return replace(plan, deeds=tuple(sorted((*plan.deeds, *deeds))))


def _same(law: str, what: str, changed: Plan, plan: Plan) -> Iterator[Violation]:
    one, other = writes(World(changed).run()), writes(World(plan).run())
    if one != other:
        at = next((a[0] for a, b in zip(one, other, strict=False) if a != b), 0.0)
        yield Violation(at, law, "everybody", f"{what}: {len(one)} writes, {len(other)} without it")


def _place(write: tuple[float, str, Split]) -> tuple[str, float]:
    return write[1], write[0]


def _ways(log: Log, plan: Plan, *, but: str = "") -> dict[str, list[str]]:
    """The splits of each route, in order; not the probes."""
    ways: dict[str, list[str]] = {}
    for _, route, split in _steps(writes(log, but=but), plan):
        ways.setdefault(route, []).append(str(split))
    return ways


def _steps(written: Writes, plan: Plan) -> Writes:
    """Without the probes, whose weight is aimed by the rate just measured, up to the first step's."""
    rungs = {
        name: {FULL, LAST, *(weight * FULL // 100 for weight, _ in terms.steps[1:])}
        for name, terms in plan.services
    }
    found, home = [], dict[str, str]()
    for one in written:
        _, route, split = one
        stable = home.setdefault(route, max(split.shares, key=lambda share: share[1])[0])
        if FULL - split.weight(stable) in {0, *rungs[route]}:
            found.append(one)
        home[route] = split.sole or stable
    return found
