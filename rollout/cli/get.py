"""`rollout get`: where every rollout is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from rollout.cli import layout, outputs, shapes, terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import OK
from rollout.cli.reading import Picture
from rollout.cli.settings import load_settings
from rollout.cli.terminal import Terminal
from rollout.core.moment import Moment, state_word, weight_of
from rollout.core.words import instant
from rollout.settings import Settings

AGAIN = 1.0
"""Seconds between two readings while watching."""


@declare("""
rollout get
rollout get jazz
rollout get --watch
rollout get -o json
""")
@click.argument("name", required=False)
@click.option("-w", "--watch", is_flag=True, help="Go on showing; Ctrl-C ends it.")
@outputs.output_option
def command(name: str | None, watch: bool, output: str) -> int:
    """Show every rollout, or the one called NAME in detail.

    It is read from the journal, so it works while the daemon is down, and says so. With --watch and
    -o json each change is one line.
    """
    settings, shown = load_settings(), terminal.out(wishes().color)
    if watch:
        _watch(shown, settings, name, output)
        return OK
    picture = Picture.read(settings)
    if output != outputs.TABLE:
        outputs.write(shown, output, _plain(picture, name))
        return OK
    for line in _lines(shown, picture, name):
        shown.say(line)
    _say_notes(picture)
    return OK


def _plain(picture: Picture, name: str | None) -> dict[str, Any]:
    if name is None:
        return shapes.picture(picture)
    return {"daemon": shapes.daemon(picture), "rollout": shapes.rollout(picture.find(name), picture)}


def _lines(shown: Terminal, picture: Picture, name: str | None) -> list[str]:
    if name is not None:
        return layout.page(shown, picture.find(name))
    if picture.moments:
        return layout.table(shown, picture)
    return ["there are no rollouts: no policy has been taken from git yet"]


def _say_notes(picture: Picture) -> None:
    beside = terminal.err(wishes().color)
    for note in picture.notes():
        beside.say(beside.paint(note, "yellow"))


def _watch(shown: Terminal, settings: Settings, name: str | None, output: str) -> None:
    if output != outputs.TABLE:
        _stream(shown, settings, name, output)
    elif shown.live:
        _live(shown, settings, name)
    else:
        _log(shown, settings, name)


def _live(shown: Terminal, settings: Settings, name: str | None) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(console=shown.console(), auto_refresh=False) as live:
        while True:
            picture = Picture.read(settings)
            lines = [*_lines(shown, picture, name), *("" for _ in picture.notes()[:1])]
            lines += [shown.paint(note, "yellow") for note in picture.notes()]
            live.update(Text.from_ansi("\n".join(lines), no_wrap=True), refresh=True)
            time.sleep(AGAIN)


def _log(shown: Terminal, settings: Settings, name: str | None) -> None:
    """A line for each change."""
    before: dict[str, Any] = {}
    said: list[str] = []
    while True:
        picture = Picture.read(settings)
        for moment in _chosen(picture, name):
            decision = moment.decision
            known = decision and (decision.reason, weight_of(decision.state))
            if moment.name not in before or before[moment.name] != known:
                before[moment.name] = known
                shown.say(f"{instant(moment.at, moment.now)}  {_line(moment)}")
        if picture.notes() != said and (said := picture.notes()):
            _say_notes(picture)
        time.sleep(AGAIN)


def _line(moment: Moment) -> str:
    decision = moment.decision
    if decision is None:
        return f"{moment.name}  new"
    return f"{moment.name}  {state_word(decision.state)}  {decision.reason.say(decision.facts)}"


def _stream(shown: Terminal, settings: Settings, name: str | None, output: str) -> None:
    """An object for each change."""
    before: dict[str, Any] = {}
    while True:
        picture = Picture.read(settings)
        for moment in _chosen(picture, name):
            plain = shapes.rollout(moment, picture)
            # What comes next is told in seconds from now, which alone is no change.
            known = {key: value for key, value in plain.items() if key != "next"}
            if before.get(moment.name) != known:
                before[moment.name] = known
                outputs.write_line(shown, output, {"rollout": plain})
        time.sleep(AGAIN)


def _chosen(picture: Picture, name: str | None) -> Iterator[Moment]:
    yield from picture.moments.values() if name is None else [picture.find(name)]
