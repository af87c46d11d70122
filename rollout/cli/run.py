"""`rollout run`: the daemon."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import click

from rollout.cli import logs
from rollout.cli.commands import command as declare
from rollout.cli.exits import OK
from rollout.cli.settings import load_settings


@declare("""
rollout run --config /etc/rollout/rollout.toml
rollout run --observe
""")
@click.option("--observe", is_flag=True, help="Judge and alert, but write no weight anywhere.")
def command(observe: bool) -> int:
    """Run the daemon until SIGTERM or Ctrl-C. Stopping it changes no weight."""
    from rollout.wiring import run_daemon

    settings = load_settings()
    logs.begin()
    asyncio.run(run_daemon(replace(settings, observe=True) if observe else settings))
    return OK
