"""The commands people type: one file each, thin. They parse, call and print; nothing is decided here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import TracebackType

import click

from rollout.cli.commands import Commands, Wishes, general
from rollout.cli.exits import BUG, INTERRUPTED, USAGE, Ends


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script; the exit code."""
    wishes = Wishes()
    sys.excepthook = _Hook(wishes)
    try:
        return int(group().main(arguments, obj=wishes, standalone_mode=False, prog_name="rollout") or 0)
    except Ends as end:
        _say(str(end))
        return end.code
    except click.exceptions.NoArgsIsHelpError as error:
        _say(error.format_message())
        return USAGE
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "rollout"
        _say(f"{error.format_message()}\nsee `{command} --help`")
        return USAGE
    except click.ClickException as error:
        _say(error.format_message())
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return INTERRUPTED


def group() -> click.Group:
    """`rollout` itself."""
    from rollout import __version__

    made = Commands(
        "rollout",
        params=general(),
        help="GitOps progressive delivery: judges a new version on live traffic, moves weights, goes home "
        "when it fails.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    return click.version_option(__version__, prog_name="rollout", message="%(prog)s %(version)s")(made)


def _say(text: str) -> None:
    from rollout.cli import terminal

    if text:
        terminal.err().say(text)


class _Hook:
    """Says that a bug is one, in one line, and ends with a code of its own."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if self._wishes.debug or os.environ.get("ROLLOUT_DEBUG"):
            sys.__excepthook__(kind, error, trace)
        else:
            said = f"{kind.__name__}: {error}" if str(error) else kind.__name__
            _say(f"this is a bug in rollout: {said}; run with --debug for the traceback")
        raise SystemExit(BUG)
