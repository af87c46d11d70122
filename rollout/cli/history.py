"""`rollout history`: what was decided, ordered and written, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from rollout.adapters.journals.reader import Entry, Reader, read_only
from rollout.cli import layout, outputs, terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import OK, USAGE, Ends
from rollout.cli.reading import Picture
from rollout.cli.settings import load_settings
from rollout.core.model import percent
from rollout.core.reason import Reason
from rollout.core.words import counted


@declare("""
rollout history jazz
rollout history jazz --limit 5
rollout history jazz --plot jazz.svg
rollout history jazz -o json
""")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, help="The newest so many. Default: 50.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg",
    help="Draw its newest canary instead: weight, failures, evidence, and where it ended.",
)
@outputs.output_option
def command(name: str, limit: int, plot: Path | None, output: str) -> int:
    """Show what happened to NAME: every transition, order and write, with its reason and numbers."""
    settings, shown = load_settings(), terminal.out(wishes().color)
    picture = Picture.read(settings)
    whole = picture.find(name).name
    reader = read_only(settings.state)
    if plot is not None:
        shown.say(_draw(reader, whole, plot))
        return OK
    entries = reader.history(whole, limit)
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


def _draw(reader: Reader, name: str, path: Path) -> str:
    """Write the picture; what was drawn.

    Raises:
        Ends: nothing is recorded, or the file cannot be written.
    """
    from rollout.core.picture import draw

    attempts = reader.journeys(name)
    journey = reader.journey(name, attempts[-1]) if attempts else None
    if journey is None or not journey.looks:
        raise Ends(
            USAGE, f"of {name} no journey is recorded: it has had no canary yet, or its record is gone"
        )
    canary, ended = _names(reader.history(name, 1_000))
    try:
        path.write_text(draw(name, canary, journey.looks, ended=ended), encoding="utf-8")
    except OSError as error:
        raise Ends(USAGE, f"{path} cannot be written: {error.strerror}") from None
    return f"{path}: attempt {journey.attempt} of {name}, {counted(len(journey.looks), 'look')}"


def _names(entries: Sequence[Entry]) -> tuple[str, str]:
    """The newest canary, and who aborted it, if somebody did."""
    canary, ended = "the canary", ""
    for entry in entries:
        facts, reason = entry.said.get("facts", {}), entry.said.get("reason")
        if reason in {Reason.MEASURING.name, Reason.STARTED.name}:
            canary, ended = str(facts["canary"]), ""
        elif reason == Reason.ABORTED.name:
            ended = f"aborted by {facts['actor']}: {facts['why']}"
    return canary, ended


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
