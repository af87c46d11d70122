"""Orders from people on this machine, over a unix socket in the state directory (DESIGN 14.20).

Whoever may write to the socket may give orders: its mode says who that is, and the kernel says who they are.
Each answer is JSON; why an order was refused is a sentence in it, an empty one means that it was obeyed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from rollout import __version__
from rollout.core.model import Held, Paused, Ramping, RollingBack, Verb
from rollout.engine.engine import Engine
from rollout.ports import Refused, Unavailable
from rollout.server.address import FREEZES, HEALTH, LONGEST, ORDERS, SOURCES, socket_of
from rollout.server.people import name_of, peer_of

FORMAT = 1
MOST = 64 * 1024
"""Bytes of a request."""
MOST_SAID = 500
"""Characters of a reason."""
SHUTDOWN = 1.0
"""Seconds that orders under way get when the daemon stops."""

_ENGINE = web.AppKey("engine", Engine)


class _Bad(Exception):  # noqa: N818 - it says what the request is
    """The request makes no sense; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request's body, each field of the kind it must be."""

    plain: Mapping[str, Any]

    def text(self, key: str, default: str | None = None) -> str:
        found = self.plain.get(key, default)
        if not isinstance(found, str) or not (found.isprintable() and len(found) <= MOST_SAID):
            raise _Bad(f"`{key}` must be one line of text, at most {MOST_SAID} characters")
        return found

    def flag(self, key: str) -> bool:
        found = self.plain.get(key, False)
        if not isinstance(found, bool):
            raise _Bad(f"`{key}` must be true or false")
        return found

    def names(self) -> list[str]:
        found = self.plain.get("names", [])
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise _Bad("`names` must be a list of names")
        return found


def make_control(engine: Engine) -> web.Application:
    """The control API; it trusts whoever can reach it."""
    application = web.Application(client_max_size=MOST, middlewares=[_explained])
    application[_ENGINE] = engine
    application.router.add_get(HEALTH, _health)
    application.router.add_post(ORDERS, _order)
    application.router.add_post(FREEZES, _freeze)
    application.router.add_post(SOURCES, _adopt_source)
    return application


@contextlib.asynccontextmanager
async def serve_control(engine: Engine, state: Path, *, group: bool) -> AsyncIterator[None]:
    """Serve it at the state directory's socket; with ``group`` the socket's group may give orders too.

    The caller holds the daemon's lock, so a socket that is there already was left by the dead.

    Raises:
        Refused: the path is too long for a socket.
        Unavailable: the socket cannot be made.
    """
    path = socket_of(state)
    if len(os.fsencode(path)) > LONGEST:
        raise Refused(f"the control socket's path {path} is over {LONGEST} bytes: name a shorter `state`")
    runner = web.AppRunner(make_control(engine), access_log=None, shutdown_timeout=SHUTDOWN)
    await runner.setup()
    try:
        await web.SockSite(runner, _bound(path, group=group)).start()
        yield
    finally:
        path.unlink(missing_ok=True)
        await runner.cleanup()


def _bound(path: Path, *, group: bool) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        path.unlink(missing_ok=True)
        bound.bind(str(path))
        path.chmod(0o660 if group else 0o600)
        if group:  # may pass through the directory to the socket, and still list and read nothing in it
            path.parent.chmod(stat.S_IMODE(path.parent.stat().st_mode) | stat.S_IXGRP)
    except OSError as error:
        bound.close()
        raise Unavailable(f"cannot make the control socket {path}: {error.strerror}") from error
    return bound


# --- answers -------------------------------------------------------------------------------------


@web.middleware
async def _explained(request: web.Request, handler: Any) -> web.StreamResponse:
    """What cannot be done is a sentence, not a page of HTML."""
    try:
        answer: web.StreamResponse = await handler(request)
        return answer
    except _Bad as bad:
        return _answer({"error": str(bad)}, status=400)
    except Unavailable as trouble:
        return _answer({"error": str(trouble)}, status=503)
    except web.HTTPException as error:
        return _answer({"error": error.reason}, status=error.status)


async def _health(request: web.Request) -> web.Response:
    engine = request.app[_ENGINE]
    return _answer({"version": __version__, "pid": os.getpid(), "rollouts": len(engine.rollouts)})


async def _order(request: web.Request) -> web.Response:
    asked, engine = await _body(request), request.app[_ENGINE]
    try:
        verb = Verb(asked.text("verb"))
    except ValueError:
        raise _Bad(f"`verb` must be one of {', '.join(verb.value for verb in Verb)}") from None
    names = _under_way(engine) if asked.flag("all") else asked.names()
    actor, why, argument = _actor(request), asked.text("reason", ""), asked.text("argument", "")
    given = await asyncio.gather(*(_give(engine, name, verb, actor, why, argument) for name in names))
    return _answer({"answers": dict(zip(names, given, strict=True))})


async def _give(engine: Engine, wish: str, verb: Verb, actor: str, why: str, argument: str) -> str:
    """One order; `resume` also lifts a freeze of this one rollout."""
    name = _whole(engine, wish)
    if verb is Verb.RESUME and name in engine.freezes:
        await engine.freeze(name, actor, why, lifted=True)
        if not _waits_for_a_person(engine, name):
            return ""
    return await engine.order(name, verb, actor, why, argument)


def _whole(engine: Engine, wish: str) -> str:
    """A name with its namespace, which may be left out where one rollout can be meant."""
    found = [name for name in engine.rollouts if wish in (name, name.rpartition("/")[2])]
    return found[0] if len(found) == 1 else wish


def _waits_for_a_person(engine: Engine, name: str) -> bool:
    rollout = engine.rollouts.get(name)
    return rollout is not None and (
        isinstance(rollout.state, Held)
        or (isinstance(rollout.state, Ramping) and isinstance(rollout.state.paused, Paused))
    )


def _under_way(engine: Engine) -> list[str]:
    """Every rollout that an abort can mean."""
    return [
        name
        for name, rollout in sorted(engine.rollouts.items())
        if isinstance(
            rollout.state.was if isinstance(rollout.state, Held) else rollout.state, Ramping | RollingBack
        )
    ]


async def _freeze(request: web.Request) -> web.Response:
    asked, engine = await _body(request), request.app[_ENGINE]
    name, lifted = _whole(engine, asked.text("name", "")), asked.flag("lifted")
    if name and name not in engine.rollouts:
        return _answer({"answers": {name: f"no rollout is named {name}"}})
    if lifted and name not in engine.freezes:
        return _answer(
            {"answers": {name: "it is not frozen" if name else "there is no freeze of everything"}}
        )
    await engine.freeze(name, _actor(request), asked.text("reason", ""), lifted=lifted)
    return _answer({"answers": {name: ""}})


async def _adopt_source(request: web.Request) -> web.Response:
    asked, engine = await _body(request), request.app[_ENGINE]
    source = asked.text("source")
    return _answer(
        {"answers": {source: await engine.adopt_source(source, _actor(request), asked.text("reason", ""))}}
    )


async def _body(request: web.Request) -> _Asked:
    try:
        plain = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise _Bad(f"the body is not JSON: {error}") from None
    if not isinstance(plain, dict):
        raise _Bad("the body must be a JSON object")
    return _Asked(plain)


def _answer(plain: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps({"format": FORMAT, **plain}), status=status, content_type="application/json"
    )


def _actor(request: web.Request) -> str:
    """Who is at the other end, as the kernel says."""
    transport = request.transport
    peer = transport.get_extra_info("socket") if transport else None
    if peer is None:
        raise _Bad("the connection is gone")
    return name_of(peer_of(peer))
