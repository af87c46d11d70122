"""Many worlds: what was broken, what was covered, and the shortest story of a failure.

``python -m rollout.simulation --runs 2000`` runs them from the command line.
"""

from __future__ import annotations

import gc
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from rollout.core.model import Held, RollingBack, State
from rollout.simulation.deed import Deed
from rollout.simulation.events import Event, Looked
from rollout.simulation.faults import ROWS_OF
from rollout.simulation.plan import Plan, draw
from rollout.simulation.referee import Referee, Violation
from rollout.simulation.world import SINKS, World

Cell = tuple[str, str, str, str, str]
"""State, verdict, stable's health, held or not, breaker open or not: a cell of the decision table."""


VERDICTS = ("PASSING", "FAILING", "NO_DATA", "ERROR")
AXES = (("ready", "down"), ("free", "held"), ("closed", "open"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one world came to. ``rows``: of the failure model, that it showed; ``events`` is how many."""

    seed: int
    violations: tuple[Violation, ...]
    rows: frozenset[str]
    cells: tuple[tuple[Cell, int], ...]
    events: int
    hash: str = ""


def judge_world(seed: int, *, hashed: bool = False) -> Verdict:
    """Draw the plan of a seed, let it happen, and hear the referee."""
    return judge_plan(draw(seed), hashed=hashed)


def judge_plan(plan: Plan, *, hashed: bool = False) -> Verdict:
    """Let a plan happen, and hear the referee."""
    world, referee = World(plan), Referee(SINKS, plan.rate)
    cells: Counter[Cell] = Counter()
    world.log.listeners += [referee.hear, _counting(cells)]
    gc.disable()  # a seventh of its time, and it is gone before anything is worth collecting
    try:
        log = world.run()
    finally:
        gc.enable()
    return Verdict(
        plan.seed,
        tuple(referee.violations),
        frozenset(row for deed in plan.deeds for row in ROWS_OF.get(deed.kind, ())),
        tuple(sorted(cells.items())),
        len(log.events),
        log.hash() if hashed else "",
    )


def _counting(cells: Counter[Cell]) -> Callable[[Event], None]:
    def count(event: Event) -> None:
        if isinstance(event, Looked):
            cells[cell(event)] += 1

    return count


def cell(event: Looked) -> Cell:
    """Which cell of the decision table a look was in."""
    verdict = event.decision.verdict
    return (
        _name(event.decision.state),
        verdict.name if verdict else "-",
        {-1: "unknown", 0: "down"}.get(event.stable_ready, "ready"),
        "held" if event.held else "free",
        "open" if event.breaker_open else "closed",
    )


def _name(state: State) -> str:
    match state:
        case Held(why=why):
            return f"Held {why.name}"
        case RollingBack(cause=cause):
            return f"RollingBack {cause.name}"
        case _:
            return type(state).__name__


@dataclass(slots=True)
class Tally:
    """Of many worlds. ``rows`` and ``pairs`` count the worlds that had them."""

    worlds: int = 0
    events: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    cells: Counter[Cell] = field(default_factory=Counter)
    broken: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """One more."""
        self.worlds += 1
        self.events += verdict.events
        rows = sorted(verdict.rows)
        self.rows.update(rows)
        self.pairs.update(itertools.combinations(rows, 2))
        self.cells.update(dict(verdict.cells))
        if verdict.violations:
            self.broken.append(verdict)

    @property
    def looks(self) -> dict[Cell, int]:
        """Looks at canaries that were judged, whatever the state became of it: each cell of FAILURES 2.2."""
        judged: dict[Cell, int] = {("", *rest): 0 for rest in itertools.product(VERDICTS, *AXES)}
        for (_, verdict, stable, hold, breaker), count in self.cells.items():
            if ("", verdict, stable, hold, breaker) in judged:
                judged["", verdict, stable, hold, breaker] += count
        return judged

    @property
    def unmet(self) -> list[tuple[str, str]]:
        """Pairs of rows that no world had together."""
        known = sorted({row for rows in ROWS_OF.values() for row in rows})
        return [pair for pair in itertools.combinations(known, 2) if not self.pairs[pair]]


def swarm(seeds: Iterable[int], jobs: int = 1) -> Iterator[Verdict]:
    """The worlds of these seeds, in their order, on so many processes."""
    if jobs == 1:
        yield from map(judge_world, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(judge_world, seeds, chunksize=20)


def shrink(plan: Plan, law: str) -> Plan:
    """The same failure with as few deeds as can be found by leaving them out, halves first (ddmin)."""
    size = max(1, len(plan.deeds) // 2)
    while True:
        smaller = next((less for less in _smaller(plan, size) if _breaks(less, law)), None)
        if smaller is not None:
            plan = smaller
        elif size == 1:
            return plan
        else:
            size = max(1, size // 2)


def _smaller(plan: Plan, size: int) -> Iterator[Plan]:
    for start in range(0, len(plan.deeds), size):
        yield plan.without(*plan.deeds[start : start + size])


def _breaks(plan: Plan, law: str) -> bool:
    return any(violation.law == law for violation in judge_plan(plan).violations)


def story(plan: Plan, violation: Violation) -> str:
    """What people and the world did, and what came of it, in plain words."""
    services = ", ".join(f"{name} in steps {_steps(terms.steps)}" for name, terms in plan.services)
    lines = [
        f"seed {plan.seed}: {services}; {plan.rate:g} requests/s each, {plan.fleet} proxies"
        + (", observed only" if plan.observe else ""),
        *map(_told, plan.deeds),
        str(violation),
    ]
    return "\n".join(lines)


def _steps(steps: tuple[tuple[int, float], ...]) -> str:
    return " ".join(f"{weight} % for {bake:g} s" for weight, bake in steps)


def _told(deed: Deed) -> str:
    return f"  {deed}"
