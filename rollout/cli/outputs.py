"""Objects as programs read them: JSON and YAML, with the number of their format at the top."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from rollout.cli.terminal import Terminal

FORMAT = 1
TABLE, JSON, YAML = "table", "json", "yaml"


output_option = click.option(
    "-o", "--output", type=click.Choice([TABLE, JSON, YAML]), default=TABLE, help="Default: table."
)


def write(terminal: Terminal, output: str, plain: Mapping[str, Any]) -> None:
    """Write an object in JSON (indented) or YAML."""
    whole = {"format": FORMAT, **plain}
    if output == JSON:
        terminal.say(json.dumps(whole, indent=2))
        return
    import yaml

    terminal.say(yaml.safe_dump(whole, sort_keys=False, allow_unicode=terminal.letters).rstrip())


def write_line(terminal: Terminal, output: str, plain: Mapping[str, Any]) -> None:
    """Write one object of many: a line of JSON, or a document of YAML."""
    if output == JSON:
        terminal.say(json.dumps({"format": FORMAT, **plain}))
        return
    terminal.say("---")
    write(terminal, output, plain)
