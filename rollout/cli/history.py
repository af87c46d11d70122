"""`rollout history`: what was decided, ordered and written, oldest first."""

from __future__ import annotations

from typing import Any

import click

from rollout.adapters.journals.reader import Entry, read_only
from rollout.cli import layout, outputs, terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import OK
from rollout.cli.reading import Picture
from rollout.cli.settings import load_settings
from rollout.core.model import percent
from rollout.core.reason import Reason


@declare("""
rollout history jazz
rollout history jazz --limit 5
rollout history jazz -o json
""")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, help="The newest so many. Default: 50.")
@outputs.output_option
def command(name: str, limit: int, output: str) -> int:
    """Show what happened to NAME: every transition, order and write, with its reason and numbers."""
    settings, shown = load_settings(), terminal.out(wishes().color)
    picture = Picture.read(settings)
    whole = picture.find(name).name
    entries = read_only(settings.state).history(whole, limit)
    if output != outputs.TABLE:
        outputs.write(shown, output, {"name": whole, "entries": list(map(_plain, entries))})
        return OK
    for line in layout.labelled(
        shown, [(f"{entry.at:%Y-%m-%d %H:%M:%S} UTC", _told(entry)) for entry in entries if not _dull(entry)]
    ):
        shown.say(line)
    if note := picture.daemon.note():
        terminal.err(wishes().color).say(note)
    return OK


def _plain(entry: Entry) -> dict[str, Any]:
    at = entry.at.isoformat(timespec="milliseconds")
    return {"id": entry.id, "at": at, "kind": entry.kind, "told": _told(entry), **entry.said}


def _told(entry: Entry) -> str:
    said = entry.said
    match entry.kind:
        case "order":
            what = f"{str(said['verb']).lower()} {said.get('argument', '')}".strip()
            return f"{what}, ordered by {said['actor']}{_because(said)}"
        case "freeze" | "thaw":
            done = "frozen" if entry.kind == "freeze" else "freeze lifted"
            return f"{done} by {said['actor']}{_because(said)}"
        case "result":
            return f"write: {said['outcome']}"
        case _:
            before, after = int(said["before"]), int(said["after"])
            moved = f"{percent(before)} → {percent(after)}: " if before != after else ""
            return f"{moved}{_sentence(said)}{_refusals(said)}"


def _dull(entry: Entry) -> bool:
    """A write that went as announced is told by the decision that announced it."""
    return entry.kind == "result" and entry.said["outcome"] == "written"


def _because(said: Any) -> str:
    return f": {said['why']}" if said.get("why") else ""


def _refusals(said: Any) -> str:
    return "".join(f"; an order was refused: {why}" for _, why in said.get("obeyed", ()) if why)


def _sentence(said: Any) -> str:
    """The reason with its numbers; of an entry that another version wrote, at least its name."""
    try:
        return Reason[said["reason"]].say(said["facts"])
    except (KeyError, ValueError):
        return str(said["reason"])
