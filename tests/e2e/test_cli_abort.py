"""The road home without the daemon: `abort` takes its place until the mesh shows everything on stable."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StartSite
from tests.envoys import Site
from tests.installation import SCRIPT, Installation, Traffic


@pytest.fixture
def site(start_site: StartSite) -> Site:
    return start_site({"jazz-v1": 200, "jazz-v2": 200})


@pytest.fixture
def house(tmp_path: Path, site: Site) -> Iterator[Installation]:
    """jazz-v2 had 10 % when the daemon was killed."""
    folder = tmp_path / "house"
    folder.mkdir()
    with Traffic(site.address()), Installation(folder, site) as house:
        house.commit("jazz-v1")
        house.start()
        house.until("steady")
        house.commit("jazz-v2")
        house.until("ramping", reason="BAKING")
        house.stop(kill=True)
        yield house


FULL_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""No file of this process grows beyond 4 KiB: the route's file need not, the journal's would have to. This
binds root too, unlike a mode."""


def on_a_full_disk(house: Installation, *arguments: str) -> subprocess.Popen[str]:
    """Begin a command that can write nothing to the state directory's files."""
    return subprocess.Popen(
        [sys.executable, "-c", FULL_DISK, str(SCRIPT), *arguments],
        cwd=house.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def weights(site: Site) -> dict[str, int]:
    """What Envoy itself routes by."""
    dump = json.loads(site.proxies[0].get("/config_dump?resource=dynamic_route_configs"))
    [host] = dump["configs"][0]["route_config"]["virtual_hosts"]
    clusters = host["routes"][0]["route"]["weighted_clusters"]["clusters"]
    return {each["name"]: each.get("weight", 0) for each in clusters if each.get("weight")}


@pytest.mark.parametrize("which", ["jazz", "--all"])
def test_abort_works_without_the_daemon(house: Installation, site: Site, which: str):
    """Killed at 10 %: the command takes the lock, goes home, and waits until Envoy is seen there."""
    assert set(weights(site)) == {"jazz-v1", "jazz-v2"}
    ended = house.run("abort", which, "--yes", "--reason", "incident")
    assert ended.returncode == 0, ended.stderr
    assert "prod/jazz: 10 % → 0 %, all to jazz-v1, now" in ended.stderr
    assert "the daemon is not running: doing it without\n" in ended.stderr
    assert ended.stdout == "prod/jazz: done: jazz-v2 is off the traffic, jazz-v1 serves everybody\n"
    assert set(weights(site)) == {"jazz-v1"}
    seen = house.json("get", "jazz")
    assert (seen["rollout"]["state"], seen["daemon"]["running"]) == ("steady", False)
    assert ": incident; from 10 % to 0 %" in house.run("history", "jazz").stdout
    again = house.run("abort", "jazz", "--yes")
    assert again.returncode == 5
    assert "prod/jazz: refused: nothing is under way: all traffic is on stable already\n" in again.stderr


def test_what_was_aborted_without_the_daemon_stays_aborted(house: Installation):
    """The daemon that comes later remembers it, and tries the revision no more."""
    assert house.run("abort", "jazz", "--yes").returncode == 0
    house.start()
    house.until("steady", reason="REJECTED_BEFORE")


def test_a_mesh_that_does_not_follow_is_said_how_to_mend_by_hand(house: Installation, site: Site):
    """A proxy that hangs keeps the abort from being seen: exit code 3 after its time, and the way by hand."""
    os.kill(site.proxies[0].pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        ended = house.run("abort", "jazz", "--yes", "--timeout", "2")
        assert time.monotonic() - began < 20
    finally:
        os.kill(site.proxies[0].pid, signal.SIGCONT)
    assert ended.returncode == 3, ended.stderr
    assert "prod/jazz: not home after 2 s. By hand: in " in ended.stderr
    assert f"{site.path} give jazz-v1 the whole weight" in ended.stderr
    assert "jazz-v2" not in [name for name, weight in weights(site).items() if weight], (
        "the file was written all the same"
    )


def test_a_route_file_that_cannot_be_written_is_named(house: Installation, site: Site):
    """The route is gone: nothing to write, nothing claimed; exit code 3."""
    site.path.unlink()
    ended = house.run("abort", "jazz", "--yes", "--timeout", "1")
    assert ended.returncode == 3
    assert "jazz.yaml" in ended.stderr
    assert "By hand: " in ended.stderr


@pytest.mark.parametrize("shared", [True, False], ids=["index", "no index"])
def test_q1_abort_needs_no_disk(house: Installation, site: Site, shared: bool):
    """The disk is full: it is said, nothing is remembered, and the canary is home all the same."""
    if not shared:
        (house.state / "journal.sqlite-shm").write_bytes(b"")
    before = (house.state / "journal.sqlite-wal").read_bytes()
    with on_a_full_disk(house, "abort", "--all", "--yes", "--reason", "incident") as command:
        try:
            out, err = command.communicate(timeout=20)
        finally:
            command.kill()
    assert command.returncode == 0, err
    assert out == "prod/jazz: done: jazz-v1 serves everybody\n"
    assert "prod/jazz: not remembered: the journal" in err
    assert set(weights(site)) == {"jazz-v1"}
    assert (house.state / "journal.sqlite-wal").read_bytes() == before


def test_q1_a_daemon_that_comes_back_to_a_full_disk_watches_its_canary(house: Installation, site: Site):
    """It begins with what it can read, and lets nothing rise; an order to abort is obeyed."""
    (house.state / "control.sock").unlink()
    with on_a_full_disk(house, "run") as command:
        try:
            deadline = time.monotonic() + 20
            while not (house.state / "control.sock").exists():
                assert command.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert house.run("abort", "jazz", "--yes").returncode == 0
            deadline = time.monotonic() + 20
            while set(weights(site)) != {"jazz-v1"}:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        finally:
            command.terminate()
            command.communicate(timeout=20)
    assert command.returncode == 0
