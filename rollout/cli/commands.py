"""The commands by name, each imported when it is called: ``rollout --help`` must stay quick."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from rollout.cli.exits import REFUSED, UNREACHABLE, USAGE, Ends

COMMANDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Daemon": {
            "run": "Run the daemon",
            "once": "Look once at everything, do what is due, and end",
            "doctor": "Check everything around us; say how to mend it",
            "demo": "Watch a good and a bad canary on a real Envoy",
        },
        "Policies": {
            "lint": "Check policies; say what is wrong with file, line and column",
            "simulate": "Say what policies will do, on invented traffic",
            "schema": "Print the JSON Schema of a policy, for editors",
        },
        "Looking": {
            "get": "Show every rollout, or one in detail",
            "why": "Explain where a rollout is, and what must happen next",
            "history": "Show what was decided, when, by whom and why",
            "replay": "Judge a canary again from its record; ask what another policy would have said",
            "status": "Wait until a rollout has come to its end",
        },
        "Orders": {
            "pause": "Keep a rollout at its weight",
            "resume": "Let it go on; lift a freeze",
            "promote": "Take the next step now, or with --full go to the end",
            "abort": "Send the canary home, now; works without the daemon too",
            "retry": "Try a rejected revision again",
            "adopt": "Say which backend is stable, or take a rewritten history",
            "freeze": "Keep weight from rising; the way home stays open",
        },
    }
)

_EXAMPLES = """\
  rollout lint policies/
  rollout run --config rollout.toml
  rollout get --watch
  rollout why jazz
  rollout abort jazz --reason "500s in checkout"
"""


@dataclass(slots=True)
class Wishes:
    """What was said for every command: the settings file, colour, and whether a bug shows its traceback."""

    config: Path | None = None
    color: str = "auto"
    debug: bool = False


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    wishes = context.ensure_object(Wishes)
    if value is not None and value is not False:
        setattr(wishes, str(parameter.name), value)


def wishes() -> Wishes:
    """Of the command that runs."""
    found = click.get_current_context().find_object(Wishes)
    return found or Wishes()


def general() -> list[click.Parameter]:
    """Options that may stand before the command or after it."""
    more: dict[str, Any] = {"expose_value": False, "callback": _remember, "is_eager": True}
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Settings; else $ROLLOUT_CONFIG, ./rollout.toml, ~/.config/rollout/, /etc/rollout/.",
            **more,
        ),
        click.Option(
            ["--color"], type=click.Choice(["auto", "always", "never"]), help="Default: auto.", **more
        ),
        click.Option(["--debug"], is_flag=True, help="Show the traceback of a bug in rollout.", **more),
    ]


class Command(click.Command):
    """A command that shows its examples first and ends as docs/reference/exit-codes.md says."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.params = [*self.params, *general()]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(formatter, self.examples)
        super().format_help(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; what the world answers becomes an ending with a sentence."""
        from rollout.ports import Refused, Unavailable
        from rollout.settings.load import SettingsError

        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise Ends(USAGE, str(error)) from error
        except Refused as refused:
            raise Ends(REFUSED, str(refused)) from refused
        except Unavailable as trouble:
            raise Ends(UNREACHABLE, str(trouble)) from trouble


class Commands(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = importlib.import_module(f"rollout.cli.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], known, 1)
            hint = f"did you mean `{close[0]}`?" if close else "see `rollout --help`"
            raise click.UsageError(f"there is no command `{args[0]}`; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(formatter, _EXAMPLES)
        super().format_help(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        for heading, section in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl(list(section.items()))


def _write_examples(formatter: click.HelpFormatter, examples: str) -> None:
    if not examples:
        return
    formatter.write("Examples:\n")
    for line in _lines(examples):
        formatter.write(f"  {line}\n")
    formatter.write("\n")


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.strip().splitlines())


def command(examples: str = "") -> Callable[[Callable[..., int]], Command]:
    """Decorate a function that is a command; its docstring is the help, its answer the exit code."""
    return click.command(cls=Command, examples=examples)
