"""`rollout simulate`: what it says, in which forms, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installation import POLICY
from tests.unit.cli.conftest import Cli

GOOD = POLICY.format(backend="jazz-v2", bake="1m")
BAD = "--errors", "stable=0.1%,canary=20%", "--from", "step:1", "--traffic", "200/s"


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "jazz.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return str(path)


def test_it_says_what_it_assumes_what_happens_and_what_to_try(cli: Cli, policy: str):
    ended = cli("simulate", policy, "--runs", "5")
    assert (ended.code, ended.err) == (0, "")
    for part in (
        "prod/jazz\nassumed\n",
        "traffic  100 requests a second",
        "a typical run: promoted, as 100 % of the runs",
        "jazz-v2 serves everybody",
        "over 5 runs",
        "promoted     100 % (95 % sure: 57 % to 100 %)",
        "false alarm  0 %",
        "try next",
    ):
        assert part in ended.out


def test_a_bad_canary_goes_home_and_its_cost_is_told(cli: Cli, policy: str):
    ended = cli("simulate", policy, *BAD, "--runs", "5", "-o", "json")
    assert ended.code == 0
    assert ended.json["errors"] == {"stable": 0.001, "canary": 0.2}
    assert ended.json["from"] == {"step": 1, "seconds": 0.0}
    [told] = ended.json["policies"]
    assert told["outcomes"]["rolled back"]["share"] == 1.0
    assert told["outcomes"]["promoted"]["seconds"] is None
    assert told["false_alarms"]["share"] == 0.0
    assert told["failed"]["mean"] > 0
    assert [line["reason"] for line in told["typical"]["lines"]][-2:] == ["WORSE", "ROLLED_BACK"]


def test_a_slow_canary_goes_home_where_the_policy_asks_for_latency(cli: Cli, tmp_path: Path):
    path = tmp_path / "slow.yaml"
    path.write_text(GOOD + "  analysis: {checks: [{errors: {}}, {latency: {}}]}\n", encoding="utf-8")
    ended = cli("simulate", str(path), "--latency", "stable=60ms,canary=+200ms", "--runs", "3")
    assert ended.code == 0
    assert "half of stable's answers come within 60 ms, of jazz-v2's within 260 ms" in ended.out
    assert "jazz-v2 is worse: canary " in ended.out
    assert " took over " in ended.out


def test_faults_are_told_of(cli: Cli, policy: str):
    ended = cli("simulate", policy, "--fault", "blind:20s", "--fault", "restart:5s@20s", "--runs", "2")
    assert ended.code == 0
    assert "no counters can be read for 20 s, from when 30 s of step 1 are over" in ended.out
    assert "the daemon is down for 5 s, from when 20 s are over" in ended.out


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_a_seed_says_the_same_in_any_process(policy: str, output: str):
    said = set()
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "rollout", "simulate", policy, *BAD, "--runs", "3", "-o", output]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        said.add(ended.stdout)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--traffic", "lots"], "lots is no traffic (write 200/s, or 30/m)"),
        (["--traffic", "0/s"], "0/s is no traffic"),
        (["--errors", "canary=2"], "canary=2 is no share of errors (write stable=0.1%,canary=2%)"),
        (["--errors", "canary=200%"], "canary=200% is no share"),
        (["--latency", "canary=200"], "canary=200 is no latency (write stable=60ms,canary=+200ms)"),
        (["--latency", "stable=+60ms"], "stable=+60ms is no latency"),
        (["--latency", "stable=0ms"], "no answer comes at once"),
        (["--from", "step:9"], "there is no step 9 in prod/jazz: it has "),
        (["--from", "soon"], "soon"),
        (
            ["--fault", "fire:5m"],
            "fire:5m is no fault (write KIND:DURATION, as blind:5m; KIND is blind, mesh",
        ),
        (["--fault", "blind:5m@step:0"], "there is no step 0"),
    ],
)
def test_what_cannot_be_assumed_is_refused(cli: Cli, policy: str, options: list[str], said: str):
    ended = cli("simulate", policy, *options)
    assert ended.code == 2
    assert said in ended.err


def test_complaints_come_as_from_lint(cli: Cli, policy: str):
    Path(policy).write_text(GOOD.replace("bake", "bakee"), encoding="utf-8")
    linted, ended = cli("lint", policy), cli("simulate", policy)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(linted.out)


def test_a_folder_without_policies_is_no_success(cli: Cli, policy: str):
    Path(policy).write_text("kind: Other\n", encoding="utf-8")
    ended = cli("simulate", policy)
    assert ended.code == 2
    assert "holds no policy" in ended.err
