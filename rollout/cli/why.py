"""`rollout why`: the present in sentences."""

from __future__ import annotations

import click

from rollout.adapters.journals.reader import Reader, read_only
from rollout.cli import layout, outputs, shapes, terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import OK
from rollout.cli.reading import Picture
from rollout.cli.settings import load_settings
from rollout.core.explain import why
from rollout.core.moment import Moment, ramp_of
from rollout.core.quotation import last_words
from rollout.core.replay import checks_of


@declare("""
rollout why jazz
rollout why prod/jazz -o json
""")
@click.argument("name")
@outputs.output_option
def command(name: str, output: str) -> int:
    """Explain where NAME is: what was seen, what was decided, what must happen next, and when."""
    settings, shown = load_settings(), terminal.out(wishes().color)
    picture = Picture.read(settings)
    moment = picture.find(name)
    told = why(moment, _last(read_only(settings.state), moment))
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


def _last(reader: Reader, moment: Moment) -> str:
    """What the judge had to say of the journey before, if none is under way."""
    if ramp_of(moment.decision.state if moment.decision else None) is not None:
        return ""
    attempts = reader.journeys(moment.name)
    looks = reader.journey(moment.name, attempts[-1]).looks if attempts else ()
    return " ".join(last_words(checks_of(looks), looks))
