"""What the judge's benchmark says: a line for each scenario and judge, then ratios, then the goals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.figures import Figure, quantile
from bench.judge.runs import FRESH, FULL, ORACLE, OURS, QUICK, TUNED_SAFE, Cell, Runs, cells, ours
from bench.judge.scenarios import DEAD, PUBLISHED
from bench.judge.statistics import geometric_mean, upper_bound
from bench.judge.suite import load

PROMOTED, ROLLED_BACK = 0, 1
FALSE_BUDGET = 0.01
DEAD_BUDGETS = {OURS: 20.0, FRESH: 30.0}
PROMOTED_BUDGET = 0.01
RATIO_BUDGETS = {TUNED_SAFE: 5.0, "flagger 99/5": 10.0, "argo 95/3": 25.0}
"""So many times our failures, at least (geometric mean over the published bad canaries)."""
LEAST_RATIO = 1.0
ORACLE_BUDGET = 1.6


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario under one judge. ``ok``: it carries no budget itself."""

    scenario: str
    judge: str
    bad: bool
    runs: int
    rolled_back: float
    """The share of runs that ended so after the onset: found, or for a healthy canary false."""
    early: float
    """The share of a bad canary's runs that ended so before its onset: false too."""
    promoted: float
    held: float
    median_delay: float | None
    """Seconds from the onset to the rollback."""
    failures: float
    """Requests that failed because of the canary, mean of all runs."""
    failures_p95: float
    promote_seconds: float | None
    setting: str
    ok: bool | None = None

    @property
    def false(self) -> int:
        """How many healthy canaries went home."""
        return round(self.runs * (self.early if self.bad else self.rolled_back))

    def line(self, bench: str) -> str:
        """As one line of JSON."""
        return json.dumps(
            {
                "bench": bench,
                "scenario": self.scenario,
                "judge": self.judge,
                "bad": self.bad,
                "runs": self.runs,
                "rolled_back": round(self.rolled_back, 5),
                "rolled_back_before_onset": round(self.early, 5),
                "promoted": round(self.promoted, 5),
                "held": round(self.held, 5),
                "median_delay_seconds": _rounded(self.median_delay),
                "canary_caused_failures": round(self.failures, 3),
                "canary_caused_failures_p95": round(self.failures_p95, 3),
                "promoted_after_seconds": _rounded(self.promote_seconds),
                **({"setting": self.setting} if self.setting else {}),
            }
        )


def measure(*, quick: bool, suite: Path | None = None) -> Iterator[Row | Figure]:
    """The published suite with the goals' budgets, or a file's scenarios without any.

    Raises:
        SuiteError: the file cannot be honoured.
    """
    scenarios = PUBLISHED if suite is None else load(suite)
    runs = QUICK if quick else FULL
    rows = []
    for scenario in scenarios:
        for cell in cells(scenario, runs):
            row = row_of(cell)
            rows.append(row)
            yield row
    yield from figures(rows, budgets=suite is None, quick=quick)
    if suite is None:
        yield from _dead(runs)


def row_of(cell: Cell) -> Row:
    """A cell's figures."""
    onset = cell.scenario.onset if cell.scenario.bad else 0.0
    home = cell.outcomes == ROLLED_BACK
    found = home & (cell.ended > onset)
    promoted = cell.outcomes == PROMOTED
    return Row(
        cell.scenario.id,
        cell.judge,
        cell.scenario.bad,
        len(cell.outcomes),
        float(found.mean()),
        float((home & ~found).mean()),
        float(promoted.mean()),
        float(1.0 - home.mean() - promoted.mean()),
        float(np.median(cell.ended[found] - onset)) if found.any() else None,
        float(cell.failures.mean()) if cell.scenario.bad else 0.0,
        quantile(cell.failures.tolist(), 0.95) if cell.scenario.bad else 0.0,
        float(cell.ended[promoted].mean()) if promoted.any() else None,
        cell.setting,
    )


def figures(rows: Sequence[Row], *, budgets: bool, quick: bool) -> Iterator[Figure]:
    """The goals: false rollbacks, bad canaries promoted, and everybody's failures by ours."""
    mine = {row.scenario: row for row in rows if row.judge == OURS}
    for name in (OURS, FRESH):
        if healthy := [row for row in rows if row.judge == name and not row.bad]:
            worst = max(healthy, key=lambda row: row.false)
            where = (
                f"worst ({worst.scenario})" if name == OURS else f"without history, worst ({worst.scenario})"
            )
            yield Figure(f"false rollbacks, {where}", worst.rolled_back, "share")
            bound = upper_bound(worst.false, worst.runs)
            budget = FALSE_BUDGET if budgets and not quick and name == OURS else None
            yield Figure(f"false rollbacks, {where}, 99 % upper bound", bound, "share", budget)
    bad = [row for row in mine.values() if row.bad]
    if not bad:
        return
    worst = max(bad, key=lambda row: row.promoted)
    budget = PROMOTED_BUDGET if budgets else None
    yield Figure(f"bad canaries promoted, worst ({worst.scenario})", worst.promoted, "share", budget)
    worst = max(bad, key=lambda row: row.early)
    yield Figure(f"rolled back before the onset, worst ({worst.scenario})", worst.early, "share")
    for name in dict.fromkeys(row.judge for row in rows if row.bad and row.judge != OURS):
        yield from _ratios(
            name, [row for row in rows if row.bad and row.judge == name], mine, budgets=budgets
        )


def _ratios(name: str, theirs: Sequence[Row], mine: dict[str, Row], *, budgets: bool) -> Iterator[Figure]:
    """Their failures by ours; the oracle's the other way round."""
    ratios = {row.scenario: _failures(row) / _failures(mine[row.scenario]) for row in theirs}
    if name == ORACLE:
        mean = geometric_mean(1 / ratio for ratio in ratios.values())
        yield Figure("failures, ours by the oracle's", mean, "ratio", ORACLE_BUDGET if budgets else None)
        return
    least, most = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
    inverse = 1 / geometric_mean(ratios.values())
    wanted = RATIO_BUDGETS.get(name) if budgets else None
    yield Figure(f"failures, ours by {name}'s", inverse, "ratio", 1 / wanted if wanted else None)
    yield Figure(f"failures, {name}'s by ours", 1 / inverse, "ratio")
    budget = LEAST_RATIO if budgets and name == TUNED_SAFE else None
    yield Figure(f"failures, ours by {name}'s, worst ({least})", 1 / ratios[least], "ratio", budget)
    yield Figure(f"failures, {name}'s by ours, most ({most})", ratios[most], "ratio")


def _failures(row: Row) -> float:
    """Never below one in all runs: where nobody failed a request, nobody is infinitely better."""
    return max(row.failures, 1.0 / row.runs)


def _dead(runs: Runs) -> Iterator[Row | Figure]:
    """A canary that fails everything, whatever the traffic."""
    for fresh in (False, True):
        rows = [row_of(ours(scenario, runs.of(scenario), fresh=fresh)) for scenario in DEAD]
        yield from rows
        worst = max(rows, key=lambda row: row.failures_p95)
        metric = f"failed requests of a dead canary, {worst.judge}, p95, worst ({worst.scenario})"
        yield Figure(metric, worst.failures_p95, "requests", DEAD_BUDGETS[worst.judge])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
