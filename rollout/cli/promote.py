"""`rollout promote`: take a step before its time."""

from __future__ import annotations

import click

from rollout.cli.commands import command as declare
from rollout.cli.orders import Spoken, give, order_options
from rollout.core.model import Verb


@declare("""
rollout promote jazz --reason "night traffic is thin"
rollout promote jazz --full --reason "hotfix"
""")
@click.argument("name")
@click.option("--full", is_flag=True, help="To the end, not only one step.")
@order_options
def command(name: str, full: bool, reason: str, yes: bool) -> int:
    """Let NAME take its next step without waiting for the bake and the counts.

    With --full it goes on so to the end. The canary is judged all the same: one that fails goes home.
    """
    return give(Verb.PROMOTE, name, Spoken(reason, yes), "full" if full else "")
