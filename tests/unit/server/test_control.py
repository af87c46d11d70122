"""Orders over the control socket, given to a true engine in a world in memory."""

from __future__ import annotations

import getpass
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rollout.core.model import Paused, Ramping, RollingBack, Steady
from rollout.ports import Refused
from rollout.server.address import FREEZES, HEALTH, ORDERS, SOURCES, socket_of
from rollout.server.control import serve_control
from rollout.server.people import name_of
from tests.fakes.lab import JAZZ, Lab


class Person:
    """Somebody at the other end of the socket."""

    def __init__(self, lab: Lab, session: aiohttp.ClientSession) -> None:
        self.lab = lab
        self.session = session

    async def post(self, path: str, plain: Any = None, *, raw: bytes | None = None) -> tuple[int, Any]:
        body = json.dumps(plain).encode() if raw is None else raw
        async with self.session.post(f"http://control{path}", data=body) as answer:
            return answer.status, json.loads(await answer.read())

    async def order(self, verb: str, *names: str, reason: str = "because", **more: Any) -> dict[str, str]:
        status, said = await self.post(
            ORDERS, {"verb": verb, "names": names or [JAZZ], "reason": reason, **more}
        )
        assert status == 200, said
        assert said["format"] == 1
        answers: dict[str, str] = said["answers"]
        return answers


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Person]:
    """A person, and jazz-v2 at its first step."""
    lab = await Lab().adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(5.0)
    assert isinstance(lab.rollout().state, Ramping)
    connector = aiohttp.UnixConnector(str(socket_of(tmp_path)))
    async with (
        serve_control(lab.engine, tmp_path, group=False),
        aiohttp.ClientSession(connector=connector) as session,
    ):
        yield Person(lab, session)


async def test_an_order_is_obeyed_at_once_and_bears_its_actor(person: Person):
    """Who gave it is what the kernel says of the peer; why is what they said."""
    assert await person.order("pause", reason="lunch") == {JAZZ: ""}
    state = person.lab.rollout().state
    assert isinstance(state, Ramping)
    assert state.paused is not None
    assert (state.paused.actor, state.paused.why) == (getpass.getuser(), "lunch")


async def test_a_refusal_is_a_sentence(person: Person):
    assert await person.order("resume") == {JAZZ: "it is not paused"}
    assert await person.order("retry") == {JAZZ: "only a rollout at rest can be retried"}


async def test_a_wrong_name_is_told_the_right_ones(person: Person):
    assert await person.order("pause", "prod/rock") == {
        "prod/rock": "no rollout is named prod/rock; there are: prod/jazz"
    }


async def test_the_namespace_may_be_left_out(person: Person):
    """Who may not read the journal cannot know it."""
    assert await person.order("pause", "jazz") == {"jazz": ""}
    status, said = await person.post(FREEZES, {"name": "jazz", "reason": "x"})
    assert (status, said["answers"]) == (200, {JAZZ: ""})


async def test_an_abort_goes_home(person: Person):
    assert await person.order("abort") == {JAZZ: ""}
    assert isinstance(person.lab.rollout().state, RollingBack | Steady)
    assert person.lab.weight("jazz-v2") == 0


async def test_abort_all_means_whatever_is_under_way(person: Person):
    """The daemon knows better than the one who asked what that is."""
    assert await person.order("abort", all=True) == {JAZZ: ""}
    await person.lab.run(2.0)
    assert await person.order("abort", all=True) == {}


async def test_a_promotion_may_go_to_the_end(person: Person):
    assert await person.order("promote", argument="full") == {JAZZ: ""}
    await person.lab.run(20.0)
    assert person.lab.weight("jazz-v2") == 10_000


async def test_resume_lifts_a_freeze_of_that_rollout(person: Person):
    """Frozen by name and nothing else: lifting it is all, and no refusal follows."""
    assert await person.post(FREEZES, {"name": JAZZ, "reason": "x"}) == (
        200,
        {"format": 1, "answers": {JAZZ: ""}},
    )
    assert person.lab.engine.holds(JAZZ)
    assert await person.order("resume") == {JAZZ: ""}
    assert not person.lab.engine.holds(JAZZ)


async def test_resume_lifts_freeze_and_pause_together(person: Person):
    await person.order("pause")
    await person.post(FREEZES, {"name": JAZZ, "reason": "x"})
    assert await person.order("resume") == {JAZZ: ""}
    state = person.lab.rollout().state
    assert isinstance(state, Ramping)
    assert not isinstance(state.paused, Paused)


async def test_everything_is_frozen_and_thawed(person: Person):
    for lifted in (False, True):
        status, said = await person.post(FREEZES, {"name": "", "reason": "sale", "lifted": lifted})
        assert (status, said["answers"]) == (200, {"": ""})
        assert bool(person.lab.engine.freezes) is not lifted


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "there is no freeze of everything"), (JAZZ, "it is not frozen"), ("x", "no rollout is named x")],
)
async def test_what_is_not_frozen_cannot_be_thawed(person: Person, name: str, said: str):
    status, answer = await person.post(FREEZES, {"name": name, "lifted": True})
    assert (status, answer["answers"]) == (200, {name: said})


async def test_a_source_is_adopted_or_says_why_not(person: Person):
    status, said = await person.post(SOURCES, {"source": "main", "reason": "x"})
    assert (status, said["answers"]) == (200, {"main": "the history of main was not rewritten"})


async def test_the_health_says_who_is_there(person: Person):
    async with person.session.get(f"http://control{HEALTH}") as answer:
        said = await answer.json()
    assert (said["pid"], said["rollouts"]) == (os.getpid(), 1)


@pytest.mark.parametrize(
    ("path", "raw", "error"),
    [
        (ORDERS, b"nonsense", "the body is not JSON"),
        (ORDERS, b"[]", "the body must be a JSON object"),
        (ORDERS, b'{"verb": "destroy"}', "`verb` must be one of pause, resume, promote, abort, retry, adopt"),
        (ORDERS, b"{}", "`verb` must be one line of text, at most 500 characters"),
        (ORDERS, b'{"verb": "abort", "names": "x"}', "`names` must be a list of names"),
        (ORDERS, b'{"verb": "abort", "names": [1]}', "`names` must be a list of names"),
        (ORDERS, b'{"verb": "abort", "all": 1}', "`all` must be true or false"),
        (ORDERS, b'{"verb": "abort", "reason": "a\\nb"}', "`reason` must be one line of text"),
        (SOURCES, b"{}", "`source` must be one line of text"),
        ("/v1/nothing", b"{}", "Not Found"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(person: Person, path: str, raw: bytes, error: str):
    """A sentence in JSON, never a page or a traceback, and nothing is done."""
    status, said = await person.post(path, raw=raw)
    assert 400 <= status < 500
    assert said["error"].startswith(error)


async def test_a_flood_is_not_read(person: Person):
    status, said = await person.post(ORDERS, raw=b"x" * 100_000)
    assert status == 413
    assert said["error"]


async def test_an_order_that_cannot_be_written_down_is_not_obeyed(person: Person):
    """But for an abort: going home needs no disk (FAILURES Q1)."""
    person.lab.memory.unwritable = "the disk is full"
    status, said = await person.post(ORDERS, {"verb": "pause", "names": [JAZZ], "reason": "x"})
    assert status == 503
    assert "the disk is full" in said["error"]
    assert await person.order("abort") == {JAZZ: ""}


# --- the socket ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("group", "mode"), [(False, 0o600), (True, 0o660)])
async def test_the_mode_says_who_may_speak(tmp_path: Path, group: bool, mode: int):
    """Only the daemon's user, or its group too; what a dead daemon left behind does not matter."""
    path = socket_of(tmp_path)
    path.write_text("left behind", encoding="utf-8")
    path.parent.chmod(0o700)
    async with serve_control(Lab().engine, tmp_path, group=group):
        found = path.stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == mode
        assert stat.S_IMODE(path.parent.stat().st_mode) == (0o710 if group else 0o700)
    assert not path.exists()


async def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with pytest.raises(Refused, match="is over 107 bytes: name a shorter `state`"):
        async with serve_control(Lab().engine, deep, group=False):
            raise AssertionError


def test_a_user_without_a_name_is_a_number():
    assert name_of(0) == "root"
    assert name_of(3_999_999_999) == "uid 3999999999"
