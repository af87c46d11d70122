"""The demo on the terminal: lines that stay, and below them on a real terminal what happens right now.

In a pipe there are plain lines and no escape codes. Colour is never the only sign of anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rollout.core.words import share
from rollout.demo.tape import Count

ROOMY = 72
"""Columns from which a line is a table."""
WIDEST_BAR = 48
GOOD, BAD, CALM, NEWS = "green", "bold red", "dim", "bold"


@dataclass(frozen=True, slots=True)
class Panel:
    """One service right now: who answered what, the canary's weight in per cent, and why it stands there."""

    service: str
    stable: str
    canary: str
    weight: float
    stable_count: Count
    canary_count: Count
    sentence: str


class Screen:
    """Use it in a ``with`` block; ``start`` is the monotonic second that is called 0."""

    def __init__(self, console: Console, start: float) -> None:
        self._console = console
        self._start = start
        lively = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, auto_refresh=False, transient=True) if lively else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.update(Text(), refresh=True)
            self._live.stop()

    def tell(self, at: float, service: str, who: str, text: str, style: str = "") -> None:
        """A line that stays. ``who`` says it: git, rollout, envoy, alert, demo."""
        since = f"{at - self._start:6.1f} s"
        if not self._console.is_terminal:
            self.say(f"{since}  {service:<5}  {who:<7}  {text}")
        elif self._console.width < ROOMY:
            self._console.print(Text(f"{since.strip()} {service} {who}: {text}", style=style))
        else:
            row = Table.grid(padding=(0, 2))
            for width in (8, 5, 7):
                row.add_column(min_width=width, no_wrap=True)
            row.add_column(overflow="fold")
            row.add_row(Text(since, CALM), Text(service, NEWS), Text(who, CALM), Text(text, style))
            self._console.print(row)

    def say(self, text: str = "", style: str = "") -> None:
        """Plain text, never broken into lines where nobody asked for it."""
        self._console.print(Text(text, style=style), soft_wrap=not self._console.is_terminal)

    def summary(self, title: str, lines: Sequence[tuple[str, str]], style: str) -> None:
        """A block of (what, figures)."""
        self.say(title, style)
        for what, figures in lines:
            if self._console.is_terminal:
                row = Table.grid(padding=(0, 2))
                row.add_column(min_width=10, no_wrap=True)
                row.add_column(overflow="fold")
                row.add_row(Text(f"  {what}", CALM), Text(figures))
                self._console.print(row)
            else:
                self.say(f"  {what:<8}  {figures}")

    def show(self, panels: Sequence[Panel]) -> None:
        """What happens right now, on a real terminal."""
        if self._live:
            rows = [row for panel in panels for row in self._rows(panel)]
            self._live.update(Group(Text(), *rows), refresh=True)

    def _rows(self, panel: Panel) -> list[RenderableType]:
        heading = Text.assemble(
            (f"{panel.service:<6}", NEWS),
            (f"{panel.stable} ", GOOD),
            *self._bar(panel),
            (f" {panel.canary} ", "yellow"),
            (f"{panel.weight:g} %", NEWS),
        )
        return [
            heading,
            Text.assemble(
                " " * 6,
                ("callers  ", CALM),
                *_failures(panel.stable, panel.stable_count),
                "   ",
                *_failures(panel.canary, panel.canary_count),
            ),
            Text.assemble(" " * 6, ("rollout  ", CALM), panel.sentence),
        ]

    def _bar(self, panel: Panel) -> list[tuple[str, str]]:
        room = self._console.width - len(panel.stable) - len(panel.canary) - 20
        width = max(8, min(WIDEST_BAR, room))
        canary = round(width * panel.weight / 100)
        if 0 < panel.weight < 100:  # noqa: PLR2004 - a share that is there is seen, however small
            canary = min(max(canary, 1), width - 1)
        left, right = ("-", "#") if self._console.options.ascii_only else ("\u2501", "\u2588")
        return [(left * (width - canary), GOOD), (right * canary, "yellow")]


def _failures(backend: str, counted: Count) -> list[tuple[str, str] | str]:
    style = BAD if counted.failed else GOOD if counted.requests else CALM
    return [f"{backend} ", (f"{share(counted.failed, counted.requests)} failed", style)]
