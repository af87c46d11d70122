"""`rollout doctor` on a whole installation: all well, and each thing broken once."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartSite
from tests.envoys import Site
from tests.installation import Installation


@pytest.fixture
def site(start_site: StartSite) -> Site:
    return start_site()


@pytest.fixture
def house(tmp_path: Path, site: Site) -> Iterator[Installation]:
    (tmp_path / "house").mkdir()
    with Installation(tmp_path / "house", site) as house:
        house.commit("jazz-v1")
        yield house


def findings(house: Installation, *arguments: str) -> dict[str, Any]:
    """What was found, by what it is about."""
    found = house.json("doctor", *arguments)["findings"]
    return {each["about"]: each for each in found}


def test_all_is_well(house: Installation, site: Site):
    """A running daemon, its Envoy, its git: every line is good, and the exit code 0."""
    house.start()
    house.until("steady")
    ended = house.run("doctor")
    assert ended.returncode == 0, ended.stdout
    lines = ended.stdout.splitlines()
    assert all(line.startswith("✓ ok    ") for line in lines), ended.stdout
    for part in ("settings: ", "daemon: pid ", "journal: whole, 1 rollout", "1 policy", "sink log"):
        assert any(part in line for line in lines), part
    assert any(f"mesh envoy, {site.proxies[0].admin}: Envoy 1." in line for line in lines)
    assert any("mesh envoy, prod/jazz: the file shows jazz-v1 100 %" in line for line in lines)


def test_before_the_first_start_nothing_fails(house: Installation):
    """What the daemon makes by itself is no fault, and the doctor does not make it."""
    ended = house.run("doctor")
    assert ended.returncode == 0, ended.stdout
    assert "· note  daemon: is not running" in ended.stdout
    assert "mend it: rollout run, or systemctl start rollout" in ended.stdout
    assert not house.state.exists()


def test_a_backend_that_no_cluster_serves(house: Installation):
    house.commit("jazz-v7")
    found = findings(house)["mesh envoy, prod/jazz"]
    assert (found["health"], found["said"]) == (
        "fails",
        "jazz-v7, which git asks for, is no cluster of the proxies",
    )
    assert found["mend"]


def test_a_route_file_that_is_missing_or_broken(house: Installation, site: Site):
    site.path.write_text("resources: [", encoding="utf-8")
    found = findings(house)["mesh envoy, prod/jazz"]
    assert found["health"] == "fails"
    assert str(site.path) in found["said"]
    site.path.unlink()
    assert findings(house)["mesh envoy, prod/jazz"]["health"] == "fails"


def test_a_route_that_no_listener_takes(house: Installation):
    """The policy names a route configuration that Envoy was never told of."""
    text = house.repository.git("show", "main:policies/jazz.yaml").replace(
        "routeConfiguration: jazz", "routeConfiguration: rock"
    )
    house.repository.commit({"policies/jazz.yaml": text})
    found = house.json("doctor")["findings"]
    assert any(each["said"] == "no listener takes the route configuration rock" for each in found)


def test_an_envoy_that_does_not_watch_its_folder(
    tmp_path: Path, start_envoy: Any, house: Installation, site: Site
):
    """Without watched_directory Envoy does not see a rename: found in its config_dump."""
    config = json.loads(json.dumps(site.proxies[0].config))
    text = json.dumps(config)
    assert '"watched_directory"' in text
    listener = config["static_resources"]["listeners"][0]
    rds = listener["filter_chains"][0]["filters"][0]["typed_config"]["rds"]
    del rds["config_source"]["path_config_source"]["watched_directory"]
    for address in (config["admin"]["address"], listener["address"]):
        address["socket_address"]["port_value"] = 0
    other = start_envoy("unwatched", config)
    house.write(house.settings.read_text(encoding="utf-8").replace(site.proxies[0].admin, other.admin))
    found = findings(house)[f"mesh envoy, {other.admin}"]
    assert found["said"] == "jazz has no watched_directory"
    assert "watched_directory" in found["mend"]


def test_a_test_message_is_sent_only_if_asked(house: Installation):
    """A webhook hears of `--send-test` and of nothing else; one that refuses is named."""
    heard: list[bytes] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        status = 204

        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(Hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/hook"
        more = f'[sinks.hook]\nkind = "webhook"\nurl = "{url}"\n'
        house.write(house.settings.read_text(encoding="utf-8") + more)
        assert findings(house)["sink hook"]["health"] == "ok"
        assert heard == []
        assert findings(house, "--send-test")["sink hook"]["said"] == "took a test message"
        assert b"this is a test" in heard[0]
        Hook.status = 500
        refused = findings(house, "--send-test")["sink hook"]
        server.shutdown()
        thread.join()
    assert refused["health"] == "fails"
    assert refused["mend"]


def test_a_rewritten_history_is_told_with_what_ends_it(house: Installation):
    """After a force-push the doctor names the source and the command that takes it."""
    house.start()
    house.until("steady")
    house.repository.move(
        house.repository.commit({"policies/jazz.yaml": "# other\n"}, "a new beginning", parents=[])
    )
    for _ in range(40):
        found = house.json("doctor")["findings"]
        if any(each["said"].startswith("its history was rewritten") for each in found):
            break
    told = next(each for each in found if each["said"].startswith("its history was rewritten"))
    assert told["mend"] == "look at it, then `rollout adopt --source main`"
    ended = house.run("adopt", "--source", "main", "--yes", "--reason", "we rebased")
    assert ended.returncode == 0, ended.stderr
    assert "source main: its present history is taken" in ended.stderr
