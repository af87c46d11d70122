"""`rollout abort`: the canary goes home, now, whether the daemon runs or not."""

from __future__ import annotations

import click

from rollout.cli.asking import Daemon
from rollout.cli.changes import change
from rollout.cli.commands import command as declare
from rollout.cli.exits import NEGATIVE, OK, USAGE, Ends
from rollout.cli.orders import Spoken, confirm, look, order_options, report
from rollout.cli.reading import Picture, resolve
from rollout.cli.settings import load_settings
from rollout.core.model import Verb
from rollout.core.moment import ramp_of
from rollout.core.reason import Reason

NO_STABLE = (Reason.FORGOTTEN, Reason.MIXTURE)


@declare("""
rollout abort jazz --reason "500s in checkout"
rollout abort --all --yes --reason "incident 4711"
""")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every rollout that is under way.")
@click.option("--timeout", type=click.FloatRange(1), default=60.0, help="Seconds. Default: 60.")
@order_options
def command(name: str | None, everything: bool, timeout: float, reason: str, yes: bool) -> int:
    """Send the canary of NAME, or with --all every canary, home: everything to stable, now.

    It beats every other order. While the daemon is down the command does it itself: it takes the daemon's
    place until the mesh is seen with everything on stable, or --timeout is over.
    """
    if (name is None) != everything:
        raise Ends(USAGE, "say which rollout, or --all")
    settings, spoken = load_settings(), Spoken(reason, yes)
    daemon, picture = Daemon(settings), look(settings)
    names = [_named(name, picture)] if name else _under_way(picture)
    lost = _without_stable(picture) if everything else []
    for each in lost:
        told = (
            f"it is not known which backend is stable: `rollout adopt {each} BACKEND` sends everything there"
        )
        click.echo(f"{each}: {told}", err=True)
    if everything and picture and not names:
        click.echo("nothing is under way")
        return NEGATIVE if lost else OK
    confirm(_changes(names, picture), spoken)
    if daemon.is_down:
        from rollout.cli.alone import abort

        code = abort(settings, names, reason, timeout)
    elif everything:
        code = report(settings, daemon.abort_all(reason))
    else:
        code = report(settings, daemon.order(Verb.ABORT.value, names, reason))
    return code or (NEGATIVE if lost else OK)


def _changes(names: list[str], picture: Picture | None) -> list[str]:
    if picture:
        return [change(Verb.ABORT, picture.moments[name]) for name in names]
    return [f"{name}: all to stable, now" for name in names or ["every canary that is under way"]]


def _named(name: str, picture: Picture | None) -> str:
    return resolve(name, tuple(picture.moments)) if picture else name


def _without_stable(picture: Picture | None) -> list[str]:
    """Those that may have traffic on a canary, and nobody knows where home is."""
    moments = picture.moments.values() if picture else ()
    return [each.name for each in moments if each.decision and each.decision.reason in NO_STABLE]


def _under_way(picture: Picture | None) -> list[str]:
    moments = picture.moments.values() if picture else ()
    return [each.name for each in moments if each.decision and ramp_of(each.decision.state)]
