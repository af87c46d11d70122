"""The reference page of ``rollout.toml``, rendered from the tables that the loader reads.

``python -m rollout.settings.reference > docs/reference/settings.md`` writes it; a test keeps it fresh.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rollout.settings import tables
from rollout.settings.tables import Key, Table

EXAMPLE = """\
state = "/var/lib/rollout"

[guard]
max_first_weight = "10%"

[sources.apps]
url = "https://git.example.com/platform/policies.git"
path = "prod"
token = { file = "/etc/rollout/git-token" }

[meshes.edge]
kind = "envoy"
directory = "/etc/envoy/routes"
admin = ["127.0.0.1:9901", "127.0.0.1:9902"]

[sinks.ops]
kind = "slack"
url = { env = "SLACK_URL" }
"""

_INTRODUCTION = """\
# Settings

The daemon's own configuration is one TOML file. It is `--config FILE`, else `$ROLLOUT_CONFIG`, else the first
that is there of `./rollout.toml`, `$XDG_CONFIG_HOME/rollout/rollout.toml` and `/etc/rollout/rollout.toml`.
It is read once, at the start. Every mistake in it is named with its line, column and what to write instead; a
key that is not known is a mistake.

- A **duration** is text with units: `"250ms"`, `"30s"`, `"5m"`, `"1h30m"`.
- A **percentage** is `"5%"` or a share, `0.05`.
- A relative **path** begins at the file's own folder; `~` is the home folder of the daemon's user.
- A secret is written nowhere in the file. A **reference** says where it is kept: `{ env = "NAME" }`, an
  environment variable, or `{ file = "/path" }`, a file that not everybody may read. It is read at
  each use, so a new one needs no restart.
- NAME is yours: letters, digits, `_`, `.` and `-`. Policies speak of meshes, metrics and sinks by it.
"""

_HEADING = "| key | value | default | what it does |\n| --- | --- | --- | --- |"


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_parts()) + "\n"


def _parts() -> Iterator[str]:
    yield _INTRODUCTION
    yield f"```toml\n{EXAMPLE}```\n"
    yield "## At the top\n"
    yield _keys(tables.TOP)
    yield "## `[control]`\n"
    yield _keys(tables.CONTROL)
    yield f"## `[guard]`\n\n{tables.GUARD.says}\n"
    yield _keys(tables.GUARD.keys)
    yield f"## `[sources.NAME]`\n\n{tables.SOURCE.says} At least one is needed.\n"
    yield _keys(tables.SOURCE.keys)
    for name, choice, needed in (
        ("meshes", tables.MESHES, " At least one mesh is needed."),
        ("metrics", tables.METRICS, ""),
        ("sinks", tables.SINKS, ""),
    ):
        for kind, table in choice.items():
            yield f'## `[{name}.NAME]` with `kind = "{kind}"`\n\n{table.says}{needed}\n'
            yield from _described(table)


def _described(table: Table) -> Iterator[str]:
    yield _keys(table.keys) if table.keys else "It has no other keys.\n"


def _keys(keys: Sequence[Key]) -> str:
    return "\n".join([_HEADING, *map(_row, keys)]) + "\n"


def _row(key: Key) -> str:
    default = "*must be written*" if key.default is None else f"`{key.default}`" if key.default else "none"
    return f"| `{key.name}` | {key.form} | {default} | {key.says} |"


if __name__ == "__main__":
    sys.stdout.write(page())
