"""`rollout resume`: go on."""

from __future__ import annotations

import click

from rollout.cli.commands import command as declare
from rollout.cli.freeze import freeze
from rollout.cli.orders import Spoken, give, order_options
from rollout.core.model import Verb


@declare("""
rollout resume jazz --reason "data team is done"
rollout resume --all --reason "incident is over"
""")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Lift the freeze of everything.")
@order_options
def command(name: str | None, everything: bool, reason: str, yes: bool) -> int:
    """Let NAME go on: it was paused, frozen by name, or held until a person speaks.

    With --all the freeze of everything is lifted; what was paused or frozen by name stays so.
    """
    spoken = Spoken(reason, yes)
    if name is None or everything:
        return freeze(name, spoken, everything=everything, lifted=True)
    return give(Verb.RESUME, name, spoken)
