"""`rollout retry`: try a rejected revision again."""

from __future__ import annotations

import click

from rollout.cli.commands import command as declare
from rollout.cli.orders import Spoken, give, order_options
from rollout.core.model import Verb


@declare("""
rollout retry jazz --reason "the database was down, not jazz"
""")
@click.argument("name")
@order_options
def command(name: str, reason: str, yes: bool) -> int:
    """Forget that the revision which git asks for was rejected, and begin it again."""
    return give(Verb.RETRY, name, Spoken(reason, yes))
