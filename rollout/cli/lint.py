"""`rollout lint`: what is wrong with policies, before git has them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli import outputs, terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import NEGATIVE, OK, USAGE, Ends
from rollout.core.words import counted

if TYPE_CHECKING:
    from rollout.core.model import Policy
    from rollout.policy.complaint import Complaint
    from rollout.policy.limits import Limits

MOST = 16 * 1024 * 1024
"""Bytes that are read of a file at all; the rules refuse far smaller ones."""
_SUFFIXES = (".yaml", ".yml")


@declare("""
rollout lint policies/
rollout lint policies/prod/jazz.yaml --config rollout.toml
rollout lint policies/ -o json
""")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@outputs.output_option
def command(paths: tuple[Path, ...], output: str) -> int:
    """Check policies: files, and every *.yaml below folders.

    Each complaint says file, line and column, what is wrong and what to write instead; policies that clash
    with one another are found too. With --config (or $ROLLOUT_CONFIG) names and guard rails are checked.
    """
    from rollout.policy.lint import check, nothing_in

    texts, complaints = read_files(paths)
    policies, found = check(texts, guard())
    complaints += found
    spoken_of = {each.path for each in complaints} | {each.origin.path for each in policies}
    complaints += [nothing_in(path) for path in texts if Path(path) in paths and path not in spoken_of]
    complaints.sort(key=lambda said: (said.path, said.line, said.column, said.code))
    shown = terminal.out(wishes().color)
    if output != outputs.TABLE:
        counts = {"files": len(texts), "policies": len(policies)}
        outputs.write(shown, output, {**counts, "complaints": list(map(_plain, complaints))})
    elif complaints:
        for said in complaints:
            tell(shown, said, texts)
        terminal.err(wishes().color).say(counted(len(complaints), "complaint"))
    else:
        judged = counted(len(policies), "policy", "policies")
        shown.say(f"no complaints about {judged} in {counted(len(texts), 'file')}")
    return NEGATIVE if complaints else OK


def guard() -> Limits | None:
    """What the operator allows, if the settings are named."""
    from rollout.settings.load import VARIABLE

    if wishes().config is None and not os.environ.get(VARIABLE):
        return None
    from rollout.cli.settings import load_settings
    from rollout.settings.limits import limits

    return limits(load_settings())


def policies_in(paths: Sequence[Path], purpose: str) -> tuple[Policy, ...]:
    """The policies in these files, for a command that needs them whole.

    Raises:
        Ends: there are none, or complaints, which are told.
    """
    from rollout.policy.lint import check, nothing_in

    texts, complaints = read_files(paths)
    policies, found = check(texts, guard())
    complaints += found
    if not policies and not complaints:
        complaints += [nothing_in(path) for path in texts]
    if complaints:
        said = terminal.err(wishes().color)
        for complaint in sorted(complaints, key=lambda each: (each.path, each.line, each.column, each.code)):
            tell(said, complaint, texts)
        raise Ends(USAGE, f"{counted(len(complaints), 'complaint')}: mend them first, then {purpose}")
    return policies


def read_files(paths: Sequence[Path]) -> tuple[dict[str, bytes], list[Complaint]]:
    """The files' texts by path, and complaints about those that the daemon would not read."""
    from rollout.policy.complaint import Complaint

    texts: dict[str, bytes] = {}
    refused: list[Complaint] = []
    for path in _files(paths):
        named = path in paths
        try:
            found = path.stat() if named else path.lstat()
            if not stat.S_ISREG(found.st_mode):
                if named:
                    raise Ends(USAGE, f"{path} is not a regular file: name files or folders of policies")
                kind = "is a symbolic link" if stat.S_ISLNK(found.st_mode) else "is not a regular file"
                refused.append(Complaint(str(path), 1, 1, "RP014", kind, "commit the text itself"))
                continue
            if found.st_size > MOST:
                refused.append(Complaint(str(path), 1, 1, "RP002", f"has {found.st_size} bytes", "split it"))
                continue
            texts[str(path)] = path.read_bytes()
        except OSError as error:
            raise Ends(USAGE, f"{path} cannot be read: {error.strerror}") from None
    return texts, refused


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(_below(path))
        if not found:
            raise Ends(USAGE, f"there is no *.yaml below {path}: name the folder of the policies")
        yield from found


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in names if name.endswith(_SUFFIXES))


def _plain(said: Complaint) -> dict[str, str | int]:
    return {
        "path": said.path,
        "line": said.line,
        "column": said.column,
        "code": said.code,
        "what": said.what,
        "instead": said.instead,
    }


def tell(shown: terminal.Terminal, said: Complaint, texts: dict[str, bytes]) -> None:
    """On a terminal with the line it is about, elsewhere on one line that other programs can read."""
    if not shown.live:
        shown.say(_printable(str(said)))
        return
    place = f"{said.path}:{said.line}:{said.column}"
    head = f"{shown.paint(_printable(place), bold=True)}: {shown.paint(said.code, 'red', bold=True)}"
    shown.say(f"{head} {_printable(said.what)}")
    for line in _frame(shown, said, texts.get(said.path, b"")):
        shown.say(line)


def _frame(shown: terminal.Terminal, said: Complaint, text: bytes) -> Iterator[str]:
    """The line and a mark under its column; long lines are cut around the place."""
    indent, bar = " " * len(str(said.line)), shown.paint("│", "blue")
    lines = text.decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n")
    if said.line <= len(lines) and lines[said.line - 1]:
        width = max(20, shown.width - len(indent) - 4)
        start = max(0, said.column - width // 2) if said.column > width - 5 else 0
        yield f" {said.line} {bar} {_printable(lines[said.line - 1][start : start + width])}"
        yield f" {indent} {bar} {' ' * (said.column - 1 - start)}{shown.paint('^', 'red')}"
    if said.instead:
        yield f" {indent} {shown.paint('=', 'blue')} {_printable(said.instead)}"
    yield ""


def _printable(text: str) -> str:
    """Nothing in a file's name or text may steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
