"""`rollout adopt`: say what only a person can know."""

from __future__ import annotations

import click

from rollout.cli.commands import command as declare
from rollout.cli.exits import USAGE, Ends
from rollout.cli.orders import Spoken, confirm, give, order_options, report, running
from rollout.cli.settings import load_settings
from rollout.core.model import Verb


@declare("""
rollout adopt jazz jazz-v1 --reason "v1 is what runs"
rollout adopt --source main --reason "we rebased on purpose"
""")
@click.argument("name", required=False)
@click.argument("backend", default="")
@click.option("--source", metavar="SOURCE", help="Take this source's rewritten history as it is now.")
@order_options
def command(name: str | None, backend: str, source: str | None, reason: str, yes: bool) -> int:
    """Say that BACKEND is the stable one of NAME, where the mesh or the journal cannot tell.

    With --source, take a git history that was rewritten as it is now.
    """
    spoken = Spoken(reason, yes)
    if source is None and name is not None:
        return give(Verb.ADOPT, name, spoken, backend)
    if source is None or name is not None:
        raise Ends(USAGE, "say which rollout, or --source and which source")
    settings = load_settings()
    daemon = running(settings)
    confirm([f"source {source}: its present history is taken, whatever was there before"], spoken)
    return report(settings, daemon.adopt_source(source, reason))
