"""The commands beside a running daemon: real Envoy, real git, real traffic, the real console script."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StartSite
from tests.installation import SCRIPT, Installation, Traffic


@pytest.fixture
def house(tmp_path: Path, start_site: StartSite) -> Iterator[Installation]:
    """A daemon at work, jazz-v1 serving everybody."""
    site = start_site({"jazz-v1": 200, "jazz-v2": 200, "jazz-bad": 503})
    folder = tmp_path / "house"
    folder.mkdir()
    with Traffic(site.address()), Installation(folder, site) as house:
        house.commit("jazz-v1")
        house.start()
        house.until("steady")
        yield house


def climbing(house: Installation, *, bake: str = "60s") -> None:
    """jazz-v2 is at its first step."""
    house.commit("jazz-v2", bake=bake)
    house.until("ramping", reason="BAKING")


def test_a_person_looks_pauses_promotes_and_aborts(house: Installation):
    """Each order is shown, given, obeyed and remembered with its actor; each refusal has exit code 5."""
    climbing(house)
    paused = house.run("pause", "jazz", "--yes", "--reason", "lunch")
    assert paused.returncode == 0, paused.stderr
    assert paused.stderr == (
        "prod/jazz: stays at 10 % until `rollout resume`; a failing canary still goes home\n"
    )
    assert paused.stdout.startswith("prod/jazz: done: paused by ")
    assert paused.stdout.endswith(": lunch; holding at 10 %\n")
    assert house.json("get", "jazz")["rollout"]["state"] == "paused"

    refused = house.run("promote", "jazz", "--yes")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "prod/jazz: refused: it is paused: `resume` first\n" in refused.stderr
    assert house.run("retry", "jazz", "--yes").returncode == 5

    assert house.run("resume", "jazz", "--yes").returncode == 0
    promoted = house.run("promote", "jazz", "--yes")
    assert promoted.returncode == 0
    assert "10 % → 50 %" in promoted.stderr
    assert house.until("ramping", reason="BAKING")["weight_percent"] == 50.0

    aborted = house.run("abort", "jazz", "--yes", "--reason", "500s in checkout")
    assert aborted.returncode == 0
    assert "50 % → 0 %, all to jazz-v1, now" in aborted.stderr
    assert house.until("steady")["asked"]["backend"] == "jazz-v2"
    assert house.run("status", "jazz").returncode == 1

    kinds = [entry["kind"] for entry in house.json("history", "jazz")["entries"]]
    assert kinds.count("result") == kinds.count("intent"), "each write is remembered once"
    told = house.run("history", "jazz").stdout
    for line in (
        "pause, ordered by ",
        ": lunch",
        "promote, ordered by ",
        ": 500s in checkout; from 50 % to 0 %",
    ):
        assert line in told

    assert house.run("retry", "jazz", "--yes", "--reason", "it was the database").returncode == 0
    assert house.until("ramping")["canary"] == "jazz-v2"


def test_a_freeze_of_everything_holds_and_is_lifted(house: Installation):
    """It is named wherever one looks, and only `resume --all` lifts it."""
    climbing(house)
    assert house.run("freeze", "--all", "--yes", "--reason", "incident 4711").returncode == 0
    assert house.until("ramping", reason="FROZEN")["weight_percent"] == 10.0
    seen = house.run("get")
    assert "frozen: everything, by " in seen.stderr
    assert "incident 4711" in seen.stderr
    assert "`rollout resume prod/jazz`, or `--all`" in house.run("why", "jazz").stdout
    resumed = house.run("resume", "jazz", "--yes")
    assert resumed.returncode == 5
    assert "`rollout resume --all`" in resumed.stderr
    assert house.run("resume", "--all", "--yes").returncode == 0
    house.until("ramping", reason="BAKING")
    assert house.run("resume", "--all", "--yes").returncode == 5


def test_status_waits_for_the_end(house: Installation):
    """0 for a promotion; 1 for a rollback; 3 when its time is over first."""
    climbing(house, bake="1s")
    late = house.run("status", "jazz", "--timeout", "1s")
    assert late.returncode == 3
    assert "prod/jazz: not at its end after 1 s: " in late.stderr
    promoted = house.run("status", "jazz", "--timeout", "60s")
    assert promoted.returncode == 0, promoted.stderr
    assert promoted.stdout.startswith("prod/jazz: ")
    house.commit("jazz-bad")
    house.until("ramping", "rolling back")
    failed = house.run("status", "jazz", "--timeout", "60s")
    assert failed.returncode == 1, failed.stderr


def test_every_verdict_of_a_real_daemon_is_judged_again_the_same(house: Installation):
    """A promotion with a kill -9 in its middle, and a way home: from the journal alone, daemon up or down."""
    climbing(house, bake="2s")
    house.stop(kill=True)
    house.start()
    house.until("steady", seconds=60)
    whole = house.json("replay", "jazz")
    assert whole["equal"] is True
    assert whole["looks"][-1]["reason"] == "PROMOTED"
    house.commit("jazz-bad")
    house.until("ramping", "rolling back")
    assert house.run("status", "jazz", "--timeout", "60s").returncode == 1
    house.stop()
    home = house.run("replay", "jazz")
    assert home.returncode == 0, home.stdout
    assert " verdicts are the same, bit for bit" in home.stdout
    assert "fewer than 1 of " in house.run("why", "jazz").stdout
    drawn = house.run("history", "jazz", "--plot", str(house.folder / "jazz.svg"))
    assert drawn.returncode == 0, drawn.stderr
    assert "jazz-bad rolled back at " in (house.folder / "jazz.svg").read_text(encoding="utf-8")


def test_watching_shows_each_change_as_a_line(house: Installation):
    """In a pipe: plain lines, or NDJSON; Ctrl-C ends it with 130."""
    climbing(house)
    commands = [[str(SCRIPT), "get", "-w"], [str(SCRIPT), "get", "jazz", "-w", "-o", "json"]]
    watching = [
        subprocess.Popen(each, cwd=house.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for each in commands
    ]
    time.sleep(2.5)
    house.run("pause", "jazz", "--yes", "--reason", "lunch")
    time.sleep(2.5)
    for each in watching:
        each.send_signal(signal.SIGINT)
    said = [each.communicate(timeout=10) for each in watching]
    assert [each.returncode for each in watching] == [130, 130]
    lines = said[0][0].splitlines()
    assert len(lines) == 2
    assert "prod/jazz  ramping  baking at 10 %" in lines[0]
    assert "prod/jazz  paused  paused by " in lines[1]
    objects = [json.loads(line) for line in said[1][0].splitlines()]
    assert {each["format"] for each in objects} == {1}
    assert objects[0]["rollout"]["state"] == "ramping"
    assert objects[-1]["rollout"]["state"] == "paused"
    # An alert may be on its way at just that moment, which is said before.
    assert [err.strip().splitlines()[-1] for _, err in said] == ["interrupted", "interrupted"]


def test_a_second_daemon_is_refused(house: Installation):
    """It names the first one's pid; `once` would be a second one too."""
    assert house.daemon is not None
    for command in ("run", "once"):
        second = house.run(command)
        assert (second.returncode, second.stdout) == (5, "")
        assert f"pid {house.daemon.pid} holds the lock since" in second.stderr
        assert "end that one, or name another directory in `state`" in second.stderr
    assert house.until("steady")


def test_a_daemon_that_hangs_is_named_by_every_order(house: Installation):
    """Stopped in its tracks: exit code 4, its pid, how long its heart is silent, and what to do."""
    climbing(house)
    assert house.daemon is not None
    os.kill(house.daemon.pid, signal.SIGSTOP)
    try:
        ended = house.run("abort", "jazz", "--yes")
        seen = house.run("get")
    finally:
        os.kill(house.daemon.pid, signal.SIGCONT)
    assert ended.returncode == 4
    assert f"pid {house.daemon.pid} holds the lock since" in ended.stderr
    assert "its heartbeat is overdue by " in ended.stderr
    assert f"kill -9 {house.daemon.pid}; nothing is lost by that" in ended.stderr
    assert f"the daemon hangs: pid {house.daemon.pid}" in seen.stderr
    house.until("steady", "rolling back")


def test_once_does_one_pass_without_a_daemon(house: Installation):
    """It reads git, looks, writes what is due, prints it, and ends."""
    house.stop()
    house.commit("jazz-v2")
    first = house.run("once")
    assert first.returncode == 0, first.stderr
    assert first.stdout == "prod/jazz: jazz-v2 is asked for; learning the request rate before the probe\n"
    said = json.loads(house.run("once", "-o", "json").stdout)
    assert said["rollouts"][0]["name"] == "prod/jazz"
    assert said["sources"] == [{"name": "main", "problem": "", "complaints": []}]


def test_once_says_by_its_exit_code_that_a_person_is_needed(house: Installation):
    """The route's file is gone, which pages: exit code 1."""
    house.stop()
    assert house.site
    house.site.path.unlink()
    ended = house.run("once")
    assert ended.returncode == 1, ended.stderr
    assert "prod/jazz: the route is gone" in ended.stdout
