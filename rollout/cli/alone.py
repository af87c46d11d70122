"""An abort without the daemon: take its place, give the order, look until everything is on stable.

The way home needs the mesh only: git is not asked, and a journal that cannot be written does not stop it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from rollout.adapters.clock import SystemClock
from rollout.cli import logs, terminal
from rollout.cli.commands import wishes
from rollout.cli.exits import OK, REFUSED, TIMEOUT
from rollout.core.convergence import exposure, lag
from rollout.core.model import Held, Ramping, RollingBack, Verb
from rollout.core.reason import Reason
from rollout.engine.engine import Engine
from rollout.engine.rollout import Rollout
from rollout.ports import Refused, Unavailable
from rollout.server.people import name_of
from rollout.settings import EnvoyMesh, Settings
from rollout.wiring import open_engine

PAUSE = 0.2
"""Seconds between two looks at a mesh that does not carry it yet."""


def abort(settings: Settings, names: Sequence[str], reason: str, timeout: float) -> int:
    """Abort these rollouts (none named: all that are under way) and wait until the mesh shows it.

    Raises:
        Refused: a daemon was started in the meantime.
    """
    terminal.err(wishes().color).say("the daemon is not running: doing it without")
    logs.begin(logging.ERROR)
    return asyncio.run(_abort(settings, names, reason, timeout))


async def _abort(settings: Settings, names: Sequence[str], reason: str, patience: float) -> int:
    async with open_engine(settings) as engine:
        chosen = list(names) or [name for name, each in engine.rollouts.items() if _away(each)]
        actor = name_of(os.getuid())
        answers = await asyncio.gather(*(engine.order(name, Verb.ABORT, actor, reason) for name in chosen))
        refused = {name: answer for name, answer in zip(chosen, answers, strict=True) if answer}
        beside = terminal.err(wishes().color)
        for name, answer in refused.items():
            beside.say(beside.paint(f"{name}: refused: {answer}", "red"))
        home = await asyncio.gather(
            *(_until_home(engine, name, settings, patience) for name in chosen if name not in refused)
        )
    if not all(home):
        return TIMEOUT
    return REFUSED if refused else OK


async def _until_home(engine: Engine, name: str, settings: Settings, patience: float) -> bool:
    """Look until the mesh was seen with everything on stable."""
    shown, beside = terminal.out(wishes().color), terminal.err(wishes().color)
    clock = SystemClock()
    until, said = clock.monotonic() + patience, ""
    while True:
        decision = await engine.look(name)
        sentence = decision.reason.say(decision.facts)
        rollout = engine.rollouts.get(name)
        if rollout is None or not _away(rollout):
            shown.say(f"{name}: done: {sentence}")
            return True
        if decision.reason is Reason.UNRECORDED and await _is_home(engine, rollout):
            shown.say(f"{name}: done: {rollout.past.stable if rollout.past else 'stable'} serves everybody")
            beside.say(beside.paint(f"{name}: not remembered: {decision.facts['detail']}", "yellow"))
            return True
        if sentence != said:
            beside.say(f"{name}: {sentence}")
            said = sentence
        if clock.monotonic() > until:
            beside.say(
                beside.paint(f"{name}: not home after {patience:.0f} s. {by_hand(rollout, settings)}", "red")
            )
            return False
        await clock.sleep(PAUSE)


async def _is_home(engine: Engine, rollout: Rollout) -> bool:
    """Whether everything is on stable, which cannot be written down: the mesh says so."""
    route, past = rollout.route, rollout.past
    if not (route and past and isinstance(rollout.state, RollingBack)):
        return False
    try:
        mesh = await engine.world.meshes[route.mesh].read(route, 1.0)
    except (Unavailable, Refused):
        return False
    one = mesh.splits[0] if mesh.splits else None
    return one is not None and not exposure(mesh, past.stable.backend) and not lag(mesh, one)


def by_hand(rollout: Rollout, settings: Settings) -> str:
    """What a person can do to the mesh itself."""
    route, past = rollout.route, rollout.past
    mesh = next((each for each in settings.meshes if route and each.name == route.mesh), None)
    if route is None or past is None or not isinstance(mesh, EnvoyMesh):
        return "By hand: give stable all of the traffic"
    file = mesh.directory / f"{route.name}.yaml"
    return (
        f"By hand: in {file} give {past.stable.backend} the whole weight and the other backend 0 "
        f"(write a copy beside it, then mv the copy over it)"
    )


def _away(rollout: Rollout) -> bool:
    state = rollout.state.was if isinstance(rollout.state, Held) else rollout.state
    return isinstance(state, Ramping | RollingBack)
