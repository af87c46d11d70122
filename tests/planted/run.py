"""``python -m tests.planted.run NAME``: plant a fault, and run worlds until the referee sees what it breaks.

Other laws do not count, nor does what a seed's world breaks without the fault as well.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.planted.mechanism import ROOT, plant
from tests.planted.worlds import BY_NAME

if TYPE_CHECKING:
    from rollout.simulation.referee import Violation

SOUND = "-"
"""The name of no fault at all."""
SURVIVED = 3
"""Exit status: no world showed it."""


def say(line: str) -> None:
    """For people, and for who started this."""
    sys.stdout.write(line + "\n")


def broken(seed: int) -> list[Violation]:
    """The laws that the seed's world breaks, in this process."""
    from rollout.simulation.plan import draw
    from rollout.simulation.referee import Referee
    from rollout.simulation.world import SINKS, World

    plan = draw(seed)
    world, referee = World(plan), Referee(SINKS, plan.rate)
    world.log.listeners.append(referee.hear)
    world.run()
    return referee.violations


def excused(seed: int) -> set[str]:
    """The laws that the seed's world breaks without any fault."""
    command = [sys.executable, "-m", "tests.planted.run", SOUND, "--from", str(seed)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return set(said.split())


def main() -> int:
    """Say which law saw the fault, in which world."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("name")
    asked.add_argument("--worlds", type=int, default=2000)
    asked.add_argument("--from", type=int, default=1, dest="first")
    asked.add_argument("--all", action="store_true", help="go on after the first, and count by law")
    given = asked.parse_args()
    if given.name == SOUND:
        say(" ".join(sorted({violation.law for violation in broken(given.first)})))
        return 0
    finder = plant(BY_NAME[given.name])
    counts: dict[str, int] = {}
    laws = finder.fault.laws
    for number, seed in enumerate(range(given.first, given.first + given.worlds), 1):
        found = broken(seed)
        known = excused(seed) if found else set()
        new = [violation for violation in found if violation.law not in known]
        for law in {violation.law for violation in new}:
            counts[law] = counts.get(law, 0) + 1
        caught = next((violation for violation in new if violation.law in laws), None)
        if caught and not given.all:
            say(f"{given.name}: {caught.law} in world {number} (seed {seed}): {caught}")
            return 0
    if not finder.planted:
        say(f"{given.name}: no world imports {finder.fault.module}")
        return 1
    say(f"{given.name}: " + (f"in {given.worlds} worlds {counts}" if counts else "survived"))
    return 0 if counts.keys() & set(laws) else SURVIVED


if __name__ == "__main__":
    sys.exit(main())
