"""What the doctor finds on this machine, one fault at a time."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.lock import DaemonLock
from rollout.cli.checks import Finding, Health, envoy, here, sinks
from rollout.core.model import MeshSeen, ProxySeen, Split
from rollout.core.reason import Level, Reason
from rollout.ports import Alert, SourceState
from rollout.settings import LogSink, Reference, Settings, SlackSink, WebhookSink
from tests.unit.cli.conftest import House
from tests.unit.core.test_explain import SCENES
from tests.unit.core.world import V1, V2, policy


def only(findings: object, health: Health = Health.BAD) -> Finding:
    """The one finding of that kind."""
    [found] = [each for each in findings if each.health is health]  # type: ignore[attr-defined]
    assert isinstance(found, Finding)
    if health is Health.BAD:
        assert found.mend, "what fails says how to mend it"
    return found


def test_alerts_that_did_not_arrive_are_a_failure(house: House):
    """When every sink is silent, the exit code of the doctor still speaks."""
    alert = Alert("key", "prod/jazz", "WORSE", Level.NOTIFY, SystemClock().now(), "jazz is worse")
    house.remember(SCENES[Reason.BAKING](), alerts=(("ops", alert),))
    found = only(here.journal(Settings(house.state)))
    assert (found.about, found.said) == ("alerts", "not delivered: 1")


def test_a_rewritten_history_is_a_failure(house: House):
    house.remember(SCENES[Reason.BAKING](), source=SourceState("1" * 40, "2" * 40, rewritten=True))
    found = only(here.journal(Settings(house.state)))
    assert found.mend == "look at it, then `rollout adopt --source main`"


def test_a_row_that_was_tampered_with_is_a_failure(house: House):
    import sqlite3

    house.remember(SCENES[Reason.BAKING]())
    with sqlite3.connect(house.state / "journal.sqlite") as connection:
        connection.execute("UPDATE rollouts SET seal = 'x'")
    connection.close()
    found = [each for each in here.journal(Settings(house.state)) if each.health is Health.BAD]
    assert any("prod/jazz" in each.said for each in found)


async def test_a_heart_that_stopped_is_a_failure(tmp_path: Path):
    """The lock is held and its time is old: the pid is named, and that killing it loses nothing."""
    lock = await DaemonLock.take(tmp_path, SystemClock())
    before = time.time() - 60
    os.utime(tmp_path / "daemon.lock", (before, before))
    found = only(here.daemon(Settings(tmp_path)))
    lock.release()
    assert "its heartbeat is overdue by 60 s" in found.said
    assert found.mend == f"kill -9 {os.getpid()}, and start it again: nothing is lost by that"


def test_a_clock_that_went_back_is_a_failure(house: House):
    """The journal has seen a later day."""
    import sqlite3

    house.remember(SCENES[Reason.BAKING]())
    later = (SystemClock().now() + timedelta(hours=2)).isoformat(timespec="microseconds")
    with sqlite3.connect(house.state / "journal.sqlite") as connection:
        connection.execute("UPDATE rollouts SET at = ?", (later,))
    connection.close()
    found = only(here.journal(Settings(house.state)))
    assert found.about == "clock"
    assert found.said.startswith("is 2 h")
    assert "timedatectl" in found.mend


def test_the_clock_is_told(tmp_path: Path):
    assert [each.health for each in here.clock()] == [Health.GOOD]


def test_a_state_directory_is_not_made_by_looking(tmp_path: Path):
    found = only(here.state(Settings(tmp_path / "a" / "b")), Health.ODD)
    assert found.said == "is not there yet"
    assert not (tmp_path / "a").exists()


def test_observe_mode_and_silence_are_worth_a_note(tmp_path: Path):
    notes = [each.said for each in here.settings(tmp_path, Settings(tmp_path, observe=True))]
    assert notes[1:] == ["observe mode: nothing is written anywhere", "no sink: nobody is told of anything"]


# --- the mesh ------------------------------------------------------------------------------------


def seen(*proxies: ProxySeen, ready: dict[str, int] | None = None) -> MeshSeen:
    return MeshSeen((Split.all_on(V1),), "1", ready or {V1: 1, V2: 1}, proxies)


def test_a_proxy_that_rejected_the_file_is_named():
    proxy = ProxySeen("edge-1", (Split.all_on(V1),), rejected="no such cluster")
    found = only(envoy._seen("mesh", policy(), seen(proxy)))
    assert found.said == "edge-1 rejected the file: no such cluster"


def test_a_proxy_that_lags_is_named():
    proxy = ProxySeen("edge-1", (Split.all_on(V2),))
    found = only(envoy._seen("mesh", policy(), seen(proxy)))
    assert found.said == "the file says jazz-v1 100 %, edge-1 jazz-v2 100 %"


def test_a_canary_without_endpoints_is_named():
    proxy = ProxySeen("edge-1", (Split.all_on(V1),))
    found = only(envoy._seen("mesh", policy(), seen(proxy, ready={V1: 1, V2: 0})))
    assert found.said == "jazz-v2, which git asks for, has no ready endpoint"


def test_where_no_proxy_answers_no_backend_is_blamed():
    """The proxies' own lines say that they are silent."""
    found = list(envoy._seen("mesh", policy(), seen(ProxySeen("edge-1", unreachable="refused"), ready={})))
    assert [each.health for each in found] == [Health.GOOD]


# --- the sinks -----------------------------------------------------------------------------------


async def test_a_secret_file_that_everybody_may_read_is_a_failure(tmp_path: Path):
    secret = tmp_path / "url"
    secret.write_text("https://hooks.example.com/s3cr3t", encoding="utf-8")
    secret.chmod(0o644)
    found = await sinks.sink(SlackSink("chat", Reference(file=secret)), send=False)
    assert found.health is Health.BAD
    assert "may be read by everybody" in found.said
    assert "s3cr3t" not in str(found)


@pytest.mark.parametrize(
    "settings",
    [LogSink("log"), WebhookSink("hook", "https://example.com/hook")],
    ids=lambda sink: sink.name,
)
async def test_a_sink_that_needs_no_secret_is_good(settings: LogSink | WebhookSink):
    assert (await sinks.sink(settings, send=False)).health is Health.GOOD


async def test_a_webhook_nobody_listens_at_is_a_failure():
    found = await sinks.sink(WebhookSink("hook", "http://127.0.0.1:1/hook"), send=True)
    assert found.health is Health.BAD
    assert found.mend
