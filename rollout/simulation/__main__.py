"""Run worlds, and say what was broken and what was covered."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter

from rollout.simulation.crash import matrix
from rollout.simulation.plan import draw
from rollout.simulation.swarm import Tally, judge_plan, shrink, story, swarm


def main() -> int:
    """0 when every law held in every world."""
    parser = argparse.ArgumentParser(prog="python -m rollout.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=300, help="worlds (300)")
    parser.add_argument("--seed", type=int, default=1, help="the first one's seed (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (all cores)")
    parser.add_argument("--complete", action="store_true", help="1 also when a row, pair or cell was not met")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.add_argument("--deaths", action="store_true", help="kill the daemon at each write instead")
    chosen = parser.parse_args()
    return _deaths(chosen.jobs) if chosen.deaths else _worlds(chosen)


def _deaths(jobs: int) -> int:
    count, diverging = matrix(jobs)
    print(*diverging, sep="\n", end="\n" if diverging else "")
    print(f"{count} deaths (each write, before it, unheard and after it), {len(diverging)} divergences")
    return 1 if diverging else 0


def _worlds(chosen: argparse.Namespace) -> int:
    tally = Tally()
    for verdict in swarm(range(chosen.seed, chosen.seed + chosen.runs), chosen.jobs):
        tally.add(verdict)
        for violation in verdict.violations[:1]:
            print(f"seed {verdict.seed}: {violation}", file=sys.stderr, flush=True)
    for broken in tally.broken[:1]:
        law = broken.violations[0].law
        least = shrink(draw(broken.seed), law)
        [first, *_] = [one for one in judge_plan(least).violations if one.law == law]
        print(f"\nthe first failure, as short as it gets:\n{story(least, first)}\n", file=sys.stderr)
    print(json.dumps(_counts(tally)) if chosen.json else _table(tally))
    return 1 if tally.broken or (chosen.complete and (tally.unmet or 0 in tally.looks.values())) else 0


def _counts(tally: Tally) -> dict[str, object]:
    return {
        "worlds": tally.worlds,
        "events": tally.events,
        "violations": len(tally.broken),
        "rows": dict(sorted(tally.rows.items())),
        "pairs": {
            "met": len(tally.pairs),
            "least": min(tally.pairs.values(), default=0),
            "unmet": tally.unmet,
        },
        "cells": {" ".join(cell): count for cell, count in sorted(tally.cells.items())},
    }


def _table(tally: Tally) -> str:
    """The coverage: each row by itself, the rarest pairs, and each cell of the decision table."""
    rare = Counter(tally.pairs).most_common()[:-6:-1]
    lines = [
        f"{tally.worlds} worlds, {tally.events} events, {len(tally.broken)} with a broken law",
        "",
        "rows of the failure model, worlds that had them",
        "  " + "  ".join(f"{row} {count}" for row, count in sorted(tally.rows.items())),
        f"pairs: {len(tally.pairs)} met, {len(tally.unmet)} not; the rarest: "
        + ", ".join(f"{one}+{other} {count}" for (one, other), count in rare),
        "",
        "looks at canaries by verdict, stable, hold, breaker",
        *(f"  {count:9d}  {' '.join(cell[1:])}" for cell, count in tally.looks.items()),
        "",
        "looks by state, verdict, stable, hold, breaker",
        *(f"  {count:9d}  {' '.join(cell)}" for cell, count in sorted(tally.cells.items())),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
