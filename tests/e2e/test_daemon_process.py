"""The daemon as a process: how it stops and goes on, what it serves, what it writes when it may not write.

Real Envoy, real git, real traffic, the real console script.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rollout.adapters.lock import holder
from rollout.server.address import socket_of
from tests.e2e.conftest import StartSite
from tests.envoys import Site
from tests.installation import POLICY, Installation, Traffic
from tests.unit.server.test_exposition import PROMISED


@pytest.fixture
def site(start_site: StartSite) -> Site:
    return start_site({"jazz-v1": 200, "jazz-v2": 200, "jazz-bad": 503})


@pytest.fixture
def house(tmp_path: Path, site: Site) -> Iterator[Installation]:
    """jazz-v1 serves everybody, and git says so; the daemon is not started."""
    folder = tmp_path / "house"
    folder.mkdir()
    with Traffic(site.address()), Installation(folder, site) as house:
        house.commit("jazz-v1")
        yield house


def carried(site: Site) -> dict[str, int]:
    """The weights that Envoy itself routes by."""
    dump = json.loads(site.proxies[0].get("/config_dump?resource=dynamic_route_configs"))
    [host] = dump["configs"][0]["route_config"]["virtual_hosts"]
    clusters = host["routes"][0]["route"]["weighted_clusters"]["clusters"]
    return {each["name"]: each["weight"] for each in clusters if each.get("weight")}


def climb(house: Installation, backend: str = "jazz-v2", *, bake: str = "60s") -> None:
    """It is at its first step."""
    house.until("steady")
    house.commit(backend, bake=bake)
    house.until("ramping", reason="BAKING")


def ends(house: Installation, number: signal.Signals) -> float:
    """Send the signal; seconds until the process ended, with 0."""
    assert house.daemon is not None
    began = time.monotonic()
    house.daemon.send_signal(number)
    assert house.daemon.wait(20) == 0, house.log
    return time.monotonic() - began


def gone(house: Installation) -> None:
    """No socket, no lock, no traceback is left of the process."""
    assert not socket_of(house.state).exists()
    assert holder(house.state) is None
    assert "Traceback" not in house.log


def raises(house: Installation) -> list[int]:
    """The canary's weights in the order in which they were decided on, from the audit."""
    entries = house.json("history", "jazz", "--limit", "1000")["entries"]
    return [entry["after"] for entry in entries if entry["kind"] == "intent"]


def test_d2_a_stop_in_the_middle_of_a_step_changes_nothing(house: Installation, site: Site, tmp_path: Path):
    """Exit 0 within ten seconds, weights and file as they were, socket and lock gone, the supervisor told;
    the next start goes on where it was and raises no step twice.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(5)
        house.start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert supervisor.recv(100) == b"READY=1"
        climb(house, bake="2s")
        before, text = carried(site), site.path.read_bytes()
        assert set(before) == {"jazz-v1", "jazz-v2"}
        assert ends(house, signal.SIGTERM) < 10
        supervisor.setblocking(False)
        heard = [supervisor.recv(100)]
        while heard[-1] != b"STOPPING=1":
            heard.append(supervisor.recv(100))
        assert set(heard[:-1]) == {b"WATCHDOG=1"}
    assert (carried(site), site.path.read_bytes()) == (before, text)
    gone(house)
    assert house.json("get", "jazz")["rollout"]["state"] == "ramping"
    house.start()
    house.until("steady", seconds=40)
    assert carried(site) == {"jazz-v2": sum(before.values())}
    weights = raises(house)
    assert weights == sorted(set(weights))


def test_what_it_serves_on_loopback(house: Installation, site: Site):
    """/metrics with every family promised, /healthz; the series of a rollout go when its policy goes; alerts
    that no sink takes are counted; a process that stands still answers nothing (D4). Ctrl-C in the middle of
    a step is a stop like any other (D2), though a sink is dead (L3).
    """
    with socket.socket() as reserved, socket.socket() as dead:
        for each in (reserved, dead):
            each.bind(("127.0.0.1", 0))
        address, nobody = (f"127.0.0.1:{each.getsockname()[1]}" for each in (reserved, dead))
        reserved.close()
        text = house.settings.read_text(encoding="utf-8").replace('listen = ""', f'listen = "{address}"')
        house.write(f'{text}\n[sinks.hook]\nkind = "webhook"\nurl = "http://{nobody}/"\n')
        more = POLICY.format(backend="jazz-v1", bake="60s").replace("name: jazz", "name: rock", 1)
        rock = more.replace("routeConfiguration: jazz", "routeConfiguration: rock")
        house.repository.commit({"policies/rock.yaml": rock})
        house.start()
        climb(house)
        found = scrape(address)
        assert {name for name, _ in found} >= PROMISED
        assert found["rollout_weight_ratio", "prod/jazz"] == 0.1
        assert found["rollout_step", "prod/jazz"] == 1
        assert found["rollout_alive", ""] == 1
        assert ("rollout_state", "prod/rock") in found
        until(lambda: scrape(address)["rollout_undelivered_alerts", ""] >= 2)
        assert get(address, "/healthz") == (200, {"alive": True, "rollouts": 2})
        house.repository.commit({"policies/rock.yaml": None})
        until(lambda: not {name for name, rollout in scrape(address) if rollout == "prod/rock"})
        assert ("rollout_state", "prod/jazz") in scrape(address)
        assert house.daemon is not None
        os.kill(house.daemon.pid, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                get(address, "/healthz")
        finally:
            os.kill(house.daemon.pid, signal.SIGCONT)
        until(lambda: get(address, "/healthz")[0] == 200)
        before = carried(site)
        assert set(before) == {"jazz-v1", "jazz-v2"}
        assert ends(house, signal.SIGINT) < 10
    assert carried(site) == before
    gone(house)


def test_i23_observe_mode_writes_no_route_ever(house: Installation, site: Site):
    """A good canary and a bad one are judged, recorded and told as they would have gone; the folder of route
    files stays as it was, to the inode and the nanosecond.
    """
    before = untouched(site)
    house.start("--observe")
    house.until("steady")
    house.commit("jazz-v2")
    house.until("ramping")
    house.commit("jazz-bad")
    until(lambda: '"reason": "CHANGED"' in house.log)
    house.until("ramping")
    assert house.run("abort", "jazz", "--yes").returncode == 0
    assert ends(house, signal.SIGTERM) < 10
    assert untouched(site) == before
    assert set(carried(site)) == {"jazz-v1"}
    assert '"reason": "STARTED"' in house.log


def untouched(site: Site) -> dict[str, tuple[int, int, bytes]]:
    """Every file in the folder: inode, time of change, content."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(site.routes.iterdir())
    }


def get(address: str, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=1) as answer:
            body = answer.read().decode()
            return answer.status, json.loads(body) if path == "/healthz" else body
    except urllib.error.HTTPError as error:
        return error.code, error.reason


def scrape(address: str) -> dict[tuple[str, str], float]:
    """(family, rollout) to the value of its last series."""
    _, text = get(address, "/metrics")
    return {
        (family.name, sample.labels.get("rollout", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def until(what: Any, seconds: float = 15) -> None:
    ends_at = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends_at
        time.sleep(0.1)
