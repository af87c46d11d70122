"""`rollout status`: wait for the end of a rollout, for scripts."""

from __future__ import annotations

import time

import click

from rollout.adapters.clock import SystemClock
from rollout.cli import outputs, shapes, terminal
from rollout.cli.asking import not_running
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.durations import DURATION
from rollout.cli.exits import NEGATIVE, OK, TIMEOUT, UNREACHABLE, Ends
from rollout.cli.reading import Picture
from rollout.cli.settings import load_settings
from rollout.core.model import Held, Ramping, RollingBack, Steady
from rollout.core.moment import Moment
from rollout.core.reason import Reason
from rollout.core.words import span

AGAIN = 0.5
"""Seconds between two readings."""


@declare("""
rollout status jazz --timeout 30m
rollout status jazz --timeout 30m && echo promoted
""")
@click.argument("name")
@click.option("--timeout", type=DURATION, default="5m", help="Such as 90s, 30m or 2h. Default: 5m.")
@outputs.output_option
def command(name: str, timeout: float, output: str) -> int:
    """Wait until NAME has come to its end, and say which: exit code 0 when what git asks for serves
    everybody, 1 when it was rolled back, rejected or is held, 3 when --timeout was over first.

    It goes by what the daemon has taken from git: after a push, give it one poll.
    """
    settings, clock = load_settings(), SystemClock()
    until, said = clock.monotonic() + timeout, ""
    beside, first = terminal.err(wishes().color), True
    while True:
        picture = Picture.read(settings)
        moment = picture.find(name)
        code = outcome(moment)
        if code is not None:
            return _end(picture, moment, output, code)
        if first and picture.daemon.holder is None:
            raise Ends(UNREACHABLE, f"{moment.name} is under way, but nothing moves: {not_running()}")
        sentence = moment.decision.reason.name if moment.decision else ""
        if sentence != said:
            beside.say(f"{moment.name}: {_sentence(moment)}")
        if clock.monotonic() > until:
            beside.say(f"{moment.name}: not at its end after {span(timeout)}: {_sentence(moment)}")
            return TIMEOUT
        said, first = sentence, False
        time.sleep(AGAIN)


def outcome(moment: Moment) -> int | None:
    """The exit code of a rollout that is at its end; ``None`` while it is under way."""
    decision, policy = moment.decision, moment.policy
    match decision.state if decision else None:
        case Steady(past=past) if policy is None or past.stable == policy.revision:
            return OK
        case Steady(past=past) if policy and policy.revision in past.rejected:
            return NEGATIVE
        case Steady() | None | Ramping() | RollingBack():
            return NEGATIVE if decision and decision.reason is Reason.SAME_BACKEND else None
        case Held():
            return NEGATIVE
        case _:
            return NEGATIVE if decision and decision.reason is Reason.MIXTURE else None


def _end(picture: Picture, moment: Moment, output: str, code: int) -> int:
    shown = terminal.out(wishes().color)
    if output != outputs.TABLE:
        outputs.write(shown, output, {"exit_code": code, "rollout": shapes.rollout(moment, picture)})
    else:
        shown.say(f"{moment.name}: {_sentence(moment)}")
    return code


def _sentence(moment: Moment) -> str:
    return moment.decision.reason.say(moment.decision.facts) if moment.decision else "not looked at yet"
