"""The commands as a whole: help, names, endings, and what is not imported."""

import subprocess
import sys

import pytest

from rollout.cli.commands import COMMANDS
from tests.unit.cli.conftest import Cli

ALL = [name for section in COMMANDS.values() for name in section]
HEAVY = {
    "aiohttp",
    "apscheduler",
    "git",
    "kubernetes",
    "orjson",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlite3",
    "yaml",
}


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_names_every_command_and_begins_with_examples(cli: Cli):
    ended = cli("--help")
    assert ended.code == 0
    assert ended.out.startswith("Examples:\n  rollout lint")
    assert all(f"  {name} " in ended.out for name in ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_command_shows_examples_first(cli: Cli, name: str):
    """The first thing in a command's help can be copied."""
    ended = cli(name, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Examples:\n  rollout {name}")
    assert f"Usage: rollout {name}" in ended.out
    assert "--config FILE" in ended.out


def loaded(*arguments: str) -> set[str]:
    """The packages that a command has imported when it ends."""
    names = "sorted({name.split('.')[0] for name in sys.modules})"
    ended = python(f"import sys, rollout.cli; rollout.cli.main({arguments!r}); print(*{names})")
    return set(ended.stdout.splitlines()[-1].split())


def test_help_imports_nothing_heavy():
    """`rollout --help` must be there at once: neither a command nor what commands need is imported."""
    assert not loaded("--help") & HEAVY


def test_lint_imports_neither_rich_nor_a_server():
    assert not loaded("lint", "not-there") & (HEAVY - {"pydantic", "yaml"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["abrot"], "there is no command `abrot`; did you mean `abort`?\nsee `rollout --help`\n"),
        (["xyzzy"], "there is no command `xyzzy`; see `rollout --help`\nsee `rollout --help`\n"),
        (["get", "--wacth"], "No such option '--wacth'. Did you mean '--watch'?\nsee `rollout get --help`\n"),
        (["why"], "Missing argument 'NAME'.\nsee `rollout why --help`\n"),
        (["get", "-o", "xml"], "Invalid value for '-o' / '--output': 'xml' is not one of"),
        (["status", "jazz", "--timeout", "soon"], "Invalid value for '--timeout': "),
        (["abort"], "say which rollout, or --all\n"),
        (["freeze", "jazz", "--all"], "say which rollout, or --all\n"),
        (["adopt"], "say which rollout, or --source and which source\n"),
    ],
)
def test_a_command_that_was_mistyped_is_told_what_to_type(cli: Cli, arguments: list[str], said: str):
    """Exit code 2, one or two lines on standard error, nothing else."""
    ended = cli(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(said)


def test_without_a_command_help_is_shown_and_it_is_a_mistake(cli: Cli):
    ended = cli()
    assert ended.code == 2
    assert ended.err.startswith("Examples:")


def test_the_version_is_told(cli: Cli):
    ended = cli("--version")
    assert ended.code == 0
    assert ended.out.startswith("rollout 0.")


def test_general_options_stand_before_the_command_or_after_it(cli: Cli, house):
    before = cli("--config", str(house.settings), "get")
    after = cli("get", "--config", str(house.settings))
    assert before == after
    assert "there is no journal" in before.err


def test_settings_that_are_not_there_are_named(cli: Cli, tmp_path):
    ended = cli("get", "--config", str(tmp_path / "none.toml"))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory\n"


def test_every_complaint_about_the_settings_has_its_place(cli: Cli, house):
    """Bad settings end a command with 2, and say all that is wrong, line by line."""
    house.settings.write_text("stat = 'x'\nlisten = 5\n[sources.main]\nurll = 1\n", encoding="utf-8")
    ended = cli("run", *house.config)
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert any(f"{house.settings}:1:1: unknown key stat" in line for line in lines)
    assert any(":2:" in line for line in lines)
    assert any(":4:1: unknown key sources.main.urll" in line for line in lines)


BUG = "import sys; from rollout.cli import _Hook, Wishes; sys.excepthook = _Hook(Wishes(debug={})); {{}}['x']"


def test_a_bug_is_one_line_and_has_a_code_of_its_own():
    """Nobody is shown a traceback who did not ask for one."""
    ended = python(BUG.format(False))
    assert ended.returncode == 70
    assert ended.stderr == "this is a bug in rollout: KeyError: 'x'; run with --debug for the traceback\n"


def test_a_bug_shows_its_traceback_to_those_who_ask():
    ended = python(BUG.format(True))
    assert ended.returncode == 70
    assert "Traceback (most recent call last)" in ended.stderr
    assert ended.stderr.rstrip().endswith("KeyError: 'x'")


def test_the_schema_is_printed_as_json(cli: Cli):
    ended = cli("schema")
    assert ended.code == 0
    assert ended.json["$schema"] == "http://json-schema.org/draft-07/schema#"
