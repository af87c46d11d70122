"""`python -m bench [NAME ...] [--quick]`: one JSON object a line; exit code 1 when a budget is missed."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import MappingProxyType

from bench.figures import Measured, Unusable

BENCHES = MappingProxyType(
    {
        "rollback": ("rollback.from_the_start", "a canary that is dead from the start goes home"),
        "rollback-50": ("rollback.in_the_middle", "a canary that dies in the 50 % step goes home"),
        "rollback-last": ("rollback.in_the_end", "a canary that dies in the last step goes home"),
        "verdicts": ("verdicts.measure", "good and bad canaries, told apart on a real Envoy"),
        "commit": ("commit.measure", "from a commit to the first canary request"),
        "restart": ("restart.measure", "from kill -9 to looking again"),
        "decide": ("decide.measure", "one decision about a ramping rollout"),
        "answers": ("answers.measure", "five megabytes from Envoy, and 1 000 rollouts decided on them"),
        "lint": ("lint.measure", "1 000 policies"),
        "simulate": ("simulate.measure", "simulated rollouts"),
        "help": ("help.measure", "cold start of `rollout --help`"),
        "judge": ("judge.report.measure", "the judge on simulated rollouts, beside its peers and an oracle"),
        "steady": ("steady.measure", "1 000 policies at rest and 100 ramping"),
    }
)
"""By name: the function that measures, and what."""
JUDGE = "judge"


def find(name: str) -> Callable[..., Iterable[Measured]]:
    """The function that measures; each module is imported only when it is asked for."""
    module, _, function = BENCHES[name][0].rpartition(".")
    found: Callable[..., Iterable[Measured]] = getattr(importlib.import_module(f"bench.{module}"), function)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for, or everything; 1 when a budget was missed, 2 when it could not be measured."""
    listed = "\n".join(f"  {name:14} {what}" for name, (_, what) in BENCHES.items())
    parser = argparse.ArgumentParser(
        "python -m bench",
        description=f"Measure against the budgets. The benches:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; without any: all")
    parser.add_argument("--quick", action="store_true", help="fewer runs: does it work, not how well")
    parser.add_argument("--suite", type=Path, metavar="FILE", help="judge: the scenarios of a file instead")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.names if name not in BENCHES]:
        parser.error(f"there is no bench {unknown[0]}; there are: {', '.join(BENCHES)}")
    if asked.suite is not None and asked.names != [JUDGE]:
        parser.error(f"--suite belongs to one bench: python -m bench {JUDGE} --suite FILE")
    try:
        return int(_run(asked.names or list(BENCHES), quick=asked.quick, suite=asked.suite))
    except Unusable as error:
        print(error, file=sys.stderr)
        return 2


def _run(names: Iterable[str], *, quick: bool, suite: Path | None) -> bool:
    """Was any budget missed?"""
    missed = False
    for name in names:
        given = {} if suite is None else {"suite": suite}
        for figure in find(name)(quick=quick, **given):
            print(figure.line(name), flush=True)
            missed |= figure.ok is False
    return missed


if __name__ == "__main__":
    sys.exit(main())
