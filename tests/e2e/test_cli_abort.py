"""The road home without the daemon: `abort` takes its place until the mesh shows everything on stable."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StartSite
from tests.envoys import Site
from tests.installation import Installation, Traffic


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
