"""What the pages promise is so: links, examples, alerts, metrics, the systemd unit."""

import configparser
import re
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.adapters.supervisor import Supervisor
from rollout.cli.commands import COMMANDS
from rollout.core.reason import Level, Reason
from rollout.engine.daemon import BEAT, GRACE, MISSED_BEATS
from rollout.policy.lint import lint
from rollout.server.exposition import Exposition
from rollout.settings.load import load, parse

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
DECISIONS = ROOT / "docs" / "decisions"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
UNIT = ROOT / "manifests" / "rollout.service"


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(path), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Also to the heading that they name."""
    assert list(broken_links(page)) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    """The check can fail."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One two\n[a](gone.md) [b](#one-two) [c](#three) [d](https://example.com)\n", encoding="utf-8"
    )
    assert list(broken_links(page)) == ["gone.md", "#three"]


def test_every_alert_is_explained() -> None:
    """Each reason that people hear of, with its level, what it means and what to do."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([a-z, ]+) \| (.+?) \| (.+?) \|$", text(OPERATIONS), re.MULTILINE)
    explained = {name: level for name, level, *_ in rows}
    told = {reason.name: reason.level.name.lower() for reason in Reason if reason.level > Level.EVENT}
    assert explained.pop("SOURCE") == "notify, page"  # a repository's, not a rollout's
    assert explained.pop("COMMON_CAUSE") == "page"  # of many rollouts together
    assert explained == told
    assert len(rows) == len(told) + 2


def test_every_metric_is_named() -> None:
    """And none that does not exist."""
    families = {family.name: family.type for family in Exposition().registry.collect()}
    exposed = {f"{name}_total" if kind == "counter" else name for name, kind in families.items()}
    named = set(re.findall(r"^\| `(rollout_[a-z_]+)` \|", text(OPERATIONS), re.MULTILINE))
    assert named == exposed


def test_the_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    """The whole one loads as it is; the pieces do in a whole one."""
    whole, *pieces = blocks(OPERATIONS, "toml")
    path = tmp_path / "rollout.toml"
    path.write_text(whole, encoding="utf-8")
    assert [sink.name for sink in load(path).sinks] == ["ops", "audit"]
    assert pieces
    rest = '[meshes.envoy]\nkind = "envoy"\ndirectory = "/etc/envoy/routes"\nadmin = ["127.0.0.1:9901"]\n'
    source = '[sources.more]\nurl = "/srv/policies.git"\n'
    for piece in pieces:
        parse(f'state = "/var/lib/rollout"\n{piece}\n{rest}{source}', "rollout.toml", tmp_path)


def test_the_policy_of_the_readme_is_a_policy() -> None:
    """People copy it."""
    (policy,) = blocks(ROOT / "README.md", "yaml")
    assert lint({"jazz.yaml": policy.encode()}) == []


def test_the_readme_says_in_its_third_line_what_it_does_not_do() -> None:
    """It moves traffic; nobody should find out later that it starts nothing."""
    lines = [line for line in text(ROOT / "README.md").splitlines() if line]
    assert lines[3].startswith("It moves traffic, it starts no workloads")


def test_commands_that_the_pages_name_exist() -> None:
    """`rollout …` in a page can be typed."""
    known = {name for group in COMMANDS.values() for name in group}
    for page in PAGES:
        named = set(re.findall(r"(?:^    |`|bin/)rollout ([a-z]+)\b", text(page), re.MULTILINE))
        assert named <= known, page


def test_every_decision_is_in_the_index() -> None:
    """With a context, a decision and what was given up."""
    written = {path.name for path in DECISIONS.glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", text(DECISIONS / "README.md"))) == written
    for name in written:
        for part in ("**Context.**", "**Decision.**", "**Given up.**"):
            assert part in text(DECISIONS / name), f"{name} lacks {part}"


def test_the_unit_runs_the_daemon_as_the_page_installs_it() -> None:
    """Paths agree, and the watchdog waits longer than beats may be missed, or stopping may take."""
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text(UNIT))
    service = unit["Service"]
    assert service["ExecStart"] == "/opt/rollout/bin/rollout run --config /etc/rollout/rollout.toml"
    assert "python3 -m venv /opt/rollout" in text(OPERATIONS)
    assert f"/var/lib/{service['StateDirectory']}" == tomllib.loads(blocks(OPERATIONS, "toml")[0])["state"]
    assert service["ReadWritePaths"] == "-/etc/envoy/routes"
    assert (service["Type"], service["Restart"]) == ("notify", "on-failure")
    assert float(service["WatchdogSec"].removesuffix("s")) > max(MISSED_BEATS * BEAT, GRACE)


def test_the_daemon_says_that_it_is_ready_and_alive(tmp_path: Path) -> None:
    """In the words that systemd waits for."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        told = Supervisor(str(tmp_path / "notify"))
        for word in (told.ready, told.beat, told.stopping):
            word()
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
