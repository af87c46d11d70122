"""What the demo and the examples say to git, Envoy and the daemon is what those accept."""

from pathlib import Path

import pytest
import yaml

from rollout.core.ladder import first, weight_of
from rollout.core.model import Policy, Probe
from rollout.demo import djapp
from rollout.policy.lint import lint
from rollout.policy.parse import parse
from rollout.settings.load import load

ROOT = Path(__file__).resolve().parents[3]


def policy(service: str, backend: str) -> Policy:
    parsed = parse(f"{service}.yaml", djapp.policy(service, backend).encode())
    assert parsed.complaints == ()
    (found,) = parsed.policies
    return found


@pytest.mark.parametrize("service", djapp.SERVICES)
def test_the_demos_policies_are_policies(service: str) -> None:
    """They name the rollout, the backend and the sink that the rest of the demo goes by."""
    found = policy(service, djapp.canary_of(service))
    assert (found.name, found.revision.backend) == (djapp.rollout_of(service), f"{service}-v2")
    assert found.alerts == (djapp.SINK,)


def test_the_probe_has_rungs_of_its_own() -> None:
    """At the demo's rate the first weights are below the first step, also when the rate is measured badly."""
    asked = policy("jazz", "jazz-v2")
    for rate in (0.5 * djapp.RATE, 0.85 * djapp.RATE, djapp.RATE, 1.6 * djapp.RATE):
        rung = first(asked, rate, 1.0, 1, fast=False)
        assert isinstance(rung, Probe)
        assert weight_of(rung, asked) < 1_000


def test_the_settings_are_settings(tmp_path: Path) -> None:
    """rollout.toml as the demo writes it."""
    path = tmp_path / "rollout.toml"
    text = djapp.settings(
        state=tmp_path / 'a "state"',
        listen="127.0.0.1:9460",
        repository=tmp_path / "policies",
        routes=tmp_path / "routes",
        admin="127.0.0.1:9901",
        webhook="http://127.0.0.1:8080/alerts",
        secret=tmp_path / "secret",
    )
    path.write_text(text, encoding="utf-8")
    settings = load(path)
    assert settings.state == tmp_path / 'a "state"'
    assert [sink.name for sink in settings.sinks] == [djapp.SINK]
    assert [source.name for source in settings.metrics] == ["envoy"]


def test_everybody_begins_on_v1(tmp_path: Path) -> None:
    """The route files name stable alone; the canary's entry is added when it is needed."""
    djapp.write_routes(tmp_path)
    for service in djapp.SERVICES:
        text = (tmp_path / f"{service}.yaml").read_text(encoding="utf-8")
        (resource,) = yaml.safe_load(text)["resources"]
        clusters = resource["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
        assert clusters == [{"name": f"{service}-v1", "weight": 10_000}]


def test_a_v2_tells_where_they_come_from() -> None:
    """As in the App Mesh example: the city in brackets tells the versions apart."""
    for backend, answer in djapp.PLAYS.items():
        assert ("(" in answer) == backend.endswith("v2")


def test_the_example_policies_are_clean() -> None:
    """policies/ is what people copy first."""
    files = {path.name: path.read_bytes() for path in sorted((ROOT / "policies").glob("*.yaml"))}
    assert set(files) == {"jazz.yaml", "metal.yaml"}
    assert lint(files) == []
