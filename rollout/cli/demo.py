"""`rollout demo`: the DJ App on a real Envoy."""

from __future__ import annotations

from pathlib import Path

import click

from rollout.cli.commands import command as declare
from rollout.demo import run


@declare("""
rollout demo
rollout demo --once --report demo.json
""")
@click.option(
    "--once", is_flag=True, help="End after the two rollouts; exit code 0 if both went as they should."
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the figures as JSON, and beside it a picture of each rollout.",
)
def command(once: bool, report: Path | None) -> int:
    """Watch jazz-v2, which is healthy, being promoted, and metal-v2, which is not, going home.

    Everything is real and on this machine: Envoy, git, traffic, the daemon. Without --once it goes on until
    Ctrl-C, for you to play with.
    """
    return run(once, report)
