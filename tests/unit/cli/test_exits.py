"""The exit codes are written down as they are."""

from pathlib import Path

from rollout.cli import exits

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "exit-codes.md"


def test_every_code_is_on_the_page():
    """The first column of the page's first table is the module's codes, no more and no fewer."""
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    rows = [
        line.split("|")[1].strip() for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line
    ]
    assert {int(row) for row in rows if row.isdigit()} == codes


def test_every_command_is_on_the_page():
    from rollout.cli.commands import COMMANDS

    text = PAGE.read_text(encoding="utf-8")
    names = {name for section in COMMANDS.values() for name in section} - {"schema"}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []
