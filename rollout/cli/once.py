"""`rollout once`: one pass by hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from rollout.cli import logs, outputs, terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import NEGATIVE, OK, UNREACHABLE
from rollout.cli.settings import load_settings
from rollout.core.model import Decision
from rollout.core.reason import Level
from rollout.ports import SourceState
from rollout.settings import Settings


@declare("""
rollout once
rollout once -o json
""")
@outputs.output_option
def command(output: str) -> int:
    """Read every source once, look once at every rollout, do what is due, print each decision, and end.

    The daemon must not be running: it does this all the time. Exit code 4 when a source cannot be read,
    1 when a rollout needs a person.
    """
    shown, beside = terminal.out(wishes().color), terminal.err(wishes().color)
    logs.begin(logging.ERROR)
    decisions, sources = asyncio.run(_once(load_settings()))
    if output != outputs.TABLE:
        outputs.write(shown, output, _plain(decisions, sources))
    else:
        for name, decision in decisions.items():
            shown.say(f"{name}: {decision.reason.say(decision.facts)}")
        for action in (action for decision in decisions.values() for action in decision.actions):
            shown.say(f"written: {action.split}")
        if not decisions:
            shown.say("there are no rollouts")
        for name, source in sources.items():
            for trouble in filter(None, (source.problem, *source.complaints)):
                beside.say(beside.paint(f"source {name}: {trouble}", "yellow"))
    if any(source.problem for source in sources.values()):
        return UNREACHABLE
    needs_a_person = any(decision.reason.level is Level.PAGE for decision in decisions.values())
    return NEGATIVE if needs_a_person else OK


async def _once(settings: Settings) -> tuple[Mapping[str, Decision], Mapping[str, SourceState]]:
    from rollout.wiring import open_engine

    async with open_engine(settings) as engine:
        for name in engine.sources:
            await engine.poll(name)
        decisions = {name: await engine.look(name) for name in sorted(engine.rollouts)}
        return decisions, dict(engine.sources)


def _plain(decisions: Mapping[str, Decision], sources: Mapping[str, SourceState]) -> dict[str, Any]:
    return {
        "rollouts": [
            {
                "name": name,
                "reason": decision.reason.name,
                "sentence": decision.reason.say(decision.facts),
                "written": [str(action.split) for action in decision.actions],
            }
            for name, decision in decisions.items()
        ],
        "sources": [
            {"name": name, "problem": source.problem, "complaints": list(source.complaints)}
            for name, source in sources.items()
        ],
    }
