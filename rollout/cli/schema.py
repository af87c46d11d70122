"""`rollout schema`: what editors need to know of a policy."""

from __future__ import annotations

from rollout.cli import terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import OK


@declare("""
rollout schema > rollout.schema.json
# then, in the first line of a policy:
# yaml-language-server: $schema=./rollout.schema.json
""")
def command() -> int:
    """Print the JSON Schema (draft-07) of a policy document."""
    import json

    from rollout.policy.json_schema import json_schema

    terminal.out(wishes().color).say(json.dumps(json_schema(), indent=2, ensure_ascii=True))
    return OK
