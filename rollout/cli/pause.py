"""`rollout pause`: stay at this weight."""

from __future__ import annotations

import click

from rollout.cli.commands import command as declare
from rollout.cli.orders import Spoken, give, order_options
from rollout.core.model import Verb


@declare("""
rollout pause jazz --reason "waiting for the data team"
""")
@click.argument("name")
@order_options
def command(name: str, reason: str, yes: bool) -> int:
    """Keep NAME at its weight until `rollout resume`.

    Evidence goes on counting, and a canary that fails goes home all the same.
    """
    return give(Verb.PAUSE, name, Spoken(reason, yes))
