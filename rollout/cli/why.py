"""`rollout why`: the present in sentences."""

from __future__ import annotations

import click

from rollout.cli import layout, outputs, shapes, terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import OK
from rollout.cli.reading import Picture
from rollout.cli.settings import load_settings
from rollout.core.explain import why


@declare("""
rollout why jazz
rollout why prod/jazz -o json
""")
@click.argument("name")
@outputs.output_option
def command(name: str, output: str) -> int:
    """Explain where NAME is: what was seen, what was decided, what must happen next, and when."""
    picture, shown = Picture.read(load_settings()), terminal.out(wishes().color)
    moment = picture.find(name)
    told = why(moment)
    if output != outputs.TABLE:
        sentences = [{"heading": heading, "text": text} for heading, text in told]
        plain = {
            "daemon": shapes.daemon(picture),
            "rollout": shapes.rollout(moment, picture),
            "why": sentences,
        }
        outputs.write(shown, output, plain)
        return OK
    for line in layout.labelled(shown, told):
        shown.say(line)
    damaged = picture.damaged.get(moment.name)
    notes = [*picture.notes(), *([f"its row in the journal cannot be read: {damaged}"] if damaged else [])]
    beside = terminal.err(wishes().color)
    for note in notes:
        beside.say(beside.paint(note, "yellow"))
    return OK
