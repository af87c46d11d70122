"""What a benchmark prints is one JSON object a line, and a missed budget is an exit code."""

import json

import pytest

from bench.__main__ import BENCHES, find, main
from bench.figures import Figure, quantile, spread


def test_a_quantile_is_a_value_that_was_measured():
    """Nearest rank: of twenty values, the 95th percentile is the second largest."""
    values = [float(number) for number in range(20, 0, -1)]
    assert quantile(values, 0.5) == 10
    assert quantile(values, 0.95) == 19
    assert quantile([7.0], 0.95) == 7
    with pytest.raises(ValueError, match="no value"):
        quantile([], 0.5)


@pytest.mark.parametrize(("value", "budget", "ok"), [(2.0, 2.0, True), (2.1, 2.0, False), (2.1, None, None)])
def test_a_budget_is_the_most_that_is_allowed(value: float, budget: float | None, ok: bool | None):
    """At the budget is within it; without one nothing is promised."""
    line = Figure("restart", value, "s", budget).line("restart")
    assert json.loads(line) == {
        "bench": "restart", "metric": "restart", "value": value, "unit": "s", "budget": budget, "ok": ok
    }  # fmt: skip


def test_the_budget_belongs_to_the_95th_percentile():
    """A spread holds its tail to the budget, not its middle."""
    middle, tail = spread("commit", [1.0] * 18 + [9.0] * 2, "s", 2.0)
    assert (middle.value, middle.ok, tail.value, tail.ok) == (1.0, None, 9.0, False)


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_is_there(name: str):
    """Each name leads to a function."""
    assert callable(find(name))


def test_a_bench_prints_its_figures_as_json(capsys: pytest.CaptureFixture[str]):
    """One object a line, with the six fields."""
    code = main(["decide", "--quick"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 3
    assert all(list(line) == ["bench", "metric", "value", "unit", "budget", "ok"] for line in lines)
    assert code == int(any(line["ok"] is False for line in lines))


def test_an_unknown_bench_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]):
    """A wrong name is a usage error that lists the right ones."""
    with pytest.raises(SystemExit) as end:
        main(["roll-back"])
    assert end.value.code == 2
    assert "there are: rollback, rollback-50" in capsys.readouterr().err
