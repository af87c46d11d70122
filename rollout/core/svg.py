"""The few SVG shapes that a picture needs. All text is escaped here; colours are classes, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]

_SHADES = {
    "paper": ("#ffffff", "#15181d"),
    "ink": ("#1c2128", "#e8eaed"),
    "soft": ("#5c6670", "#a0a8b2"),
    "rule": ("#e4e7eb", "#2c323a"),
    "canary": ("#d4580b", "#ff9a4d"),
    "stable": ("#1769aa", "#6cb6ff"),
    "odds": ("#6b3fa0", "#c297ff"),
    "bad": ("#c4232b", "#ff6b70"),
    "good": ("#1a7f37", "#56d364"),
}
"""Each colour on light and on dark paper."""


def _style(dark: int) -> str:
    return "".join(
        f".f-{name}{{fill:{shades[dark]}}}.s-{name}{{stroke:{shades[dark]};fill:none}}"
        for name, shades in _SHADES.items()
    )


DARK = _style(1)
"""The rules of dark paper, for who has to force them."""


def document(width: float, height: float, title: str, shapes: Iterable[str]) -> str:
    """A whole file. ``title`` is for who cannot see it."""
    font = "text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;font-size:12px}"
    style = f"{font}{_style(0)}@media (prefers-color-scheme:dark){{{DARK}}}"
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(_visible(title))}</title><style>{style}</style>",
        f'<rect class="f-paper" width="{width:g}" height="{height:g}"/>',
        *shapes,
        "</svg>\n",
    ])  # fmt: skip


def text(
    x: float,
    y: float,
    said: str,
    colour: str = "ink",
    *,
    size: float = 12,
    bold: bool = False,
    anchor: str = "start",
) -> str:
    """A line of text; ``anchor`` is start, middle or end."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text class="f-{colour}" x="{x:.1f}" y="{y:.1f}" style="font-size:{size:g}px"{weight} '
        f'text-anchor="{anchor}">{escape(_visible(said))}</text>'
    )


def line(start: Point, end: Point, colour: str = "rule", *, width: float = 1, dashes: str = "") -> str:
    """A straight line."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line class="s-{colour}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" '
        f'y2="{end[1]:.1f}" stroke-width="{width:g}"{dashed}/>'
    )


def curve(points: Sequence[Point], colour: str, *, width: float = 2) -> str:
    """Points in a row, joined."""
    return (
        f'<polyline class="s-{colour}" points="{_row(points)}" stroke-width="{width:g}" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
    )


def area(points: Sequence[Point], colour: str, *, opacity: float = 0.15) -> str:
    """What a row of points encloses."""
    return f'<polygon class="f-{colour}" points="{_row(points)}" fill-opacity="{opacity:g}"/>'


def dot(at: Point, colour: str, *, radius: float = 4.5) -> str:
    """A point that must be seen, with a rim of paper."""
    x, y = at
    return (
        f'<circle class="f-paper" cx="{x:.1f}" cy="{y:.1f}" r="{radius + 2:g}"/>'
        f'<circle class="f-{colour}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
    )


def _row(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _visible(said: str) -> str:
    """Control characters and lone surrogates have no place in XML."""
    return "".join(letter if letter.isprintable() else "?" for letter in said)
