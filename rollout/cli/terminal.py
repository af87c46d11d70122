"""What a terminal, a pipe or a log file gets: colour, width and letters that it can show.

Colour is never the only signal. It is left out in a pipe, where ``NO_COLOR`` is set and on a dumb terminal;
``FORCE_COLOR`` and ``--color`` overrule that.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:  # rich takes a while to import, and most answers are plain text
    from rich.console import Console, RenderableType

WIDEST = 10_000
"""Columns of a pipe: lines are the reader's to break."""

_PLAIN = str.maketrans({
    "→": "->", "…": "...", "·": "|", "✓": "+", "✗": "x", "●": "*", "○": "o", "━": "=", "╺": "-", "─": "-",
    "▸": ">",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Terminal:
    """One standard stream. ``letters``: it shows more than ASCII; ``live``: on a clever terminal."""

    stream: TextIO
    colour: bool
    letters: bool
    live: bool
    width: int

    @classmethod
    def of(cls, stream: TextIO, colour: str, environment: Mapping[str, str]) -> Terminal:
        """``colour`` is ``auto``, ``always`` or ``never``."""
        there, letters = stream.isatty(), _speaks_unicode(stream)
        clever = there and environment.get("TERM", "") not in {"dumb", "unknown"}
        width = shutil.get_terminal_size().columns if there else WIDEST
        shade = _coloured(colour, environment, there=clever)
        return cls(stream, shade, letters, live=clever and letters, width=width)

    def say(self, text: str = "") -> None:
        """Write a line."""
        self.stream.write(self.spell(text) + "\n")
        self.stream.flush()

    def spell(self, text: str) -> str:
        """The text in letters that the stream can show."""
        encoding = self.stream.encoding or "ascii"
        text = text if self.letters else text.translate(_PLAIN)
        return text.encode(encoding, errors="replace").decode(encoding)

    def paint(self, text: str, colour: str = "", *, bold: bool = False, dim: bool = False) -> str:
        """The text in colour, where colour is shown."""
        return (
            click.style(text, fg=colour or None, bold=bold or None, dim=dim or None) if self.colour else text
        )

    def console(self) -> Console:
        """Rich on this stream."""
        from rich.console import Console

        return Console(
            file=self.stream,
            color_system="standard" if self.colour else None,
            force_terminal=self.colour or self.live,
            no_color=False,
            width=self.width,
            highlight=False,
            emoji=False,
            markup=False,
            legacy_windows=False,
        )

    def show(self, *shown: RenderableType) -> None:
        """Write what rich draws, without blanks at the ends of lines."""
        console = self.console()
        with console.capture() as captured:
            console.print(*shown)
        for line in captured.get().splitlines():
            self.say(line.rstrip())


def out(colour: str = "auto") -> Terminal:
    """Standard output."""
    return Terminal.of(sys.stdout, colour, os.environ)


def err(colour: str = "auto") -> Terminal:
    """Standard error."""
    return Terminal.of(sys.stderr, colour, os.environ)


def _coloured(wish: str, environment: Mapping[str, str], *, there: bool) -> bool:
    if wish != "auto":
        return wish == "always"
    if environment.get("NO_COLOR"):
        return False
    force = environment.get("FORCE_COLOR", "")
    return force not in {"", "0"} or there


def _speaks_unicode(stream: TextIO) -> bool:
    try:
        "→✓━·…".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
