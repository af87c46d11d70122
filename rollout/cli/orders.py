"""What all orders share: show the change, ask, hand it to the daemon, say what became of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import click

from rollout.cli import terminal
from rollout.cli.asking import Daemon, not_running
from rollout.cli.changes import change
from rollout.cli.commands import wishes
from rollout.cli.exits import NEGATIVE, OK, REFUSED, UNREACHABLE, USAGE, Ends
from rollout.cli.reading import Picture, resolve
from rollout.cli.settings import load_settings
from rollout.core.model import Verb
from rollout.ports import Unavailable
from rollout.settings import Settings

UNSAID = "no reason given"
MOST = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the person said besides the verb."""

    reason: str
    yes: bool


def order_options(function: Callable[..., int]) -> Callable[..., int]:
    """``--reason`` and ``--yes``."""
    function = click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)
    return click.option(
        "-r", "--reason", default=UNSAID, metavar="TEXT", help="Why; it is kept in the history."
    )(function)


def give(verb: Verb, name: str, spoken: Spoken, argument: str = "") -> int:
    """One order for one rollout."""
    settings = load_settings()
    daemon, picture = running(settings), look(settings)
    whole = resolve(name, tuple(picture.moments)) if picture else name
    shown = f"{whole}: {verb.value} (what it does now cannot be read)"
    if picture:
        shown = change(verb, picture.moments[whole], argument, picture.freezes)
    confirm([shown], spoken)
    return report(settings, daemon.order(verb.value, [whole], spoken.reason, argument))


def look(settings: Settings) -> Picture | None:
    """What the journal says; an order does not need it, so it may be silent."""
    try:
        return Picture.read(settings)
    except Unavailable as trouble:
        terminal.err(wishes().color).say(str(trouble))
        return None


def running(settings: Settings) -> Daemon:
    """The daemon, if there is one.

    Raises:
        Ends: there is none.
    """
    daemon = Daemon(settings)
    if daemon.is_down:
        raise Ends(UNREACHABLE, not_running())
    return daemon


def confirm(changes: Sequence[str], spoken: Spoken) -> None:
    """Show what will change; ask, where somebody can answer.

    Raises:
        Ends: nobody can, and ``--yes`` was not said.
    """
    if not spoken.reason.isprintable() or len(spoken.reason) > MOST:
        raise Ends(USAGE, f"--reason is one line of at most {MOST} characters")
    beside = terminal.err(wishes().color)
    for line in changes:
        beside.say(beside.paint(line, bold=True))
    if spoken.yes:
        return
    if not sys.stdin.isatty():
        raise Ends(USAGE, "nobody is here to be asked: say --yes, or run it on a terminal")
    if not click.confirm("Do it?", err=True):
        raise Ends(NEGATIVE, "nothing was done")


def report(settings: Settings, answers: Mapping[str, str]) -> int:
    """Say what became of each order, and what follows from it."""
    shown, beside = terminal.out(wishes().color), terminal.err(wishes().color)
    picture = look(settings)
    for name, refused in answers.items():
        if refused:
            beside.say(beside.paint(f"{name or 'everything'}: refused: {refused}", "red"))
            continue
        moment = picture.moments.get(name) if picture else None
        decision = moment.decision if moment else None
        told = f": {decision.reason.say(decision.facts)}" if decision else ""
        shown.say(f"{name or 'everything'}: done{told}")
    return REFUSED if any(answers.values()) else OK
