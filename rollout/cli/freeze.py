"""`rollout freeze`: no weight rises."""

from __future__ import annotations

import click

from rollout.cli import changes
from rollout.cli.commands import command as declare
from rollout.cli.exits import USAGE, Ends
from rollout.cli.orders import Spoken, confirm, look, order_options, report, running
from rollout.cli.reading import resolve
from rollout.cli.settings import load_settings


@declare("""
rollout freeze --all --reason "incident 4711"
rollout freeze jazz --reason "holidays"
rollout resume --all --reason "incident is over"
""")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every rollout, those to come included.")
@order_options
def command(name: str | None, everything: bool, reason: str, yes: bool) -> int:
    """Keep the weight of NAME, or with --all of every rollout, from rising.

    The way home stays open: canaries are judged, and those that fail go home. `rollout resume` lifts it.
    """
    return freeze(name, Spoken(reason, yes), everything=everything, lifted=False)


def freeze(name: str | None, spoken: Spoken, *, everything: bool, lifted: bool) -> int:
    """Begin or lift a freeze."""
    if (name is None) != everything:
        raise Ends(USAGE, "say which rollout, or --all")
    settings = load_settings()
    daemon, picture = running(settings), look(settings)
    whole = resolve(name, tuple(picture.moments)) if name and picture else name or ""
    confirm([changes.freeze(whole, lifted=lifted)], spoken)
    return report(settings, daemon.freeze(whole, spoken.reason, lifted=lifted))
