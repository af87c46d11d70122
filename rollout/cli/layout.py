"""Rollouts as people read them: a table of all, a page of one, sentences under headings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rollout.cli.reading import Picture
from rollout.cli.terminal import Terminal
from rollout.core import judge
from rollout.core.explain import asked_by
from rollout.core.forecast import Mark, Place, marks, rung_words
from rollout.core.model import FULL, NOTHING, Probe, Ramping, Stage, State, Tally, percent
from rollout.core.moment import Moment, odds_of, ramp_of, seen_of, stable_of, state_word, weight_of
from rollout.core.next_step import next_rise, next_step
from rollout.core.words import instant, odds, ratio, share, span

NARROW = 120
"""Columns below which a reason stands under its rollout instead of beside it."""
BAR = 30

_COLOURS = {
    "ramping": "cyan",
    "paused": "yellow",
    "held": "yellow",
    "rolling back": "red",
    "steady": "green",
}
_SIGNS = {Place.PASSED: "✓", Place.NOW: "▸", Place.AHEAD: "·", Place.LEFT_OUT: "-"}
_HEADINGS = ("NAME", "STATE", "STEP", "WEIGHT", "SEEN", "NEXT IN", "CANARY", "STABLE")


def table(terminal: Terminal, shown: Picture) -> list[str]:
    """All rollouts, a line each; on a narrow terminal the reason has a line of its own."""
    wide = terminal.width >= NARROW
    rows = [(_cells(moment), _sentence(moment)) for moment in shown.moments.values()]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *(cells for cells, _ in rows), strict=True)]
    lines = [terminal.paint(_row(_HEADINGS, widths) + ("  REASON" if wide else ""), bold=True)]
    for cells, said in rows:
        line = _row(cells, widths).replace(cells[1], terminal.paint(cells[1], _COLOURS.get(cells[1], "")), 1)
        indent = " " * (sum(widths) + 2 * len(widths)) if wide else "    "
        wrapped = _wrap(said, terminal.width, indent)
        lines += [line + "  " + wrapped[0].lstrip(), *wrapped[1:]] if wide else [line.rstrip(), *wrapped]
    return lines


def page(terminal: Terminal, moment: Moment) -> list[str]:
    """One rollout in detail."""
    state = moment.decision.state if moment.decision else None
    word = state_word(state)
    since = f" since {instant(moment.since, moment.now)}" if moment.decision else ""
    head = f"{terminal.paint(moment.name, bold=True)}  {terminal.paint(word, _COLOURS.get(word, ''))}{since}"
    return [head, *labelled(terminal, _lines(moment, state))]


def labelled(terminal: Terminal, rows: Iterable[tuple[str, str]]) -> list[str]:
    """Headings with their text beside them, wrapped where the terminal ends."""
    kept = [(heading, text) for heading, text in rows if text]
    wide = max((len(heading) for heading, _ in kept), default=0) + 2
    lines = []
    for heading, text in kept:
        first, *others = _wrap(text, terminal.width, " " * wide)
        lines += [terminal.paint(heading.ljust(wide), bold=True) + first[wide:], *others]
    return lines


def _wrap(text: str, width: int, indent: str) -> list[str]:
    room = max(width, len(indent) + 20)
    return textwrap.wrap(
        text, room, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    ) or [indent]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))


def _cells(moment: Moment) -> tuple[str, ...]:
    decision = moment.decision
    state = decision.state if decision else None
    ramp, rise = ramp_of(state), next_rise(moment)
    seen = seen_of(decision) if decision else None
    counts = ramp.counts[ramp.policy.analysis.main] if ramp and ramp.counts else Tally()
    return (
        moment.name,
        state_word(state),
        _step(ramp),
        percent(weight_of(state)) if ramp else "-",
        "?" if seen is None else percent(seen) if ramp else "-",
        span(rise.seconds) if rise and rise.seconds is not None else "-",
        ratio(counts.canary_x, counts.canary_n),
        ratio(counts.stable_x, counts.stable_n),
    )


def _step(ramp: Ramping | None) -> str:
    match ramp.rung if ramp else None:
        case Stage(step=step):
            return f"{step + 1}/{len(ramp.policy.steps)}" if ramp else "-"
        case Probe():
            return "probe"
        case _:
            return "-"


def _sentence(moment: Moment) -> str:
    return moment.decision.reason.say(moment.decision.facts) if moment.decision else "not looked at yet"


def _lines(moment: Moment, state: State | None) -> Iterable[tuple[str, str]]:
    ramp, stable = ramp_of(state), stable_of(state)
    if stable:
        yield "stable", f"{stable} {percent(FULL - weight_of(state))}"
    if ramp and moment.decision:
        seen = seen_of(moment.decision)
        carried = "seen in the mesh" if seen is not None else "not yet seen in the mesh"
        yield "canary", f"{ramp.canary} {rung_words(ramp.rung, ramp.policy)}, {carried}"
        yield "", bar(weight_of(state))
    policy = ramp.policy if ramp else moment.policy
    if policy and moment.decision:
        yield "ladder", ladder(marks(policy, moment.decision.state))
    if ramp and ramp.counts and weight_of(state) != NOTHING:
        yield "errors", _errors(ramp.counts[ramp.policy.analysis.main])
        yield "odds", f"{odds(odds_of(ramp))} against the canary; {judge.ODDS:.0f} : 1 sends it home"
    yield "says", _sentence(moment)
    yield "next", next_step(moment)
    yield "asked by", asked_by(moment)


def ladder(rungs: Iterable[Mark]) -> str:
    """The rungs, each with a sign for its place and what is special about it."""
    return "  ".join(_rung(mark) for mark in rungs)


def bar(weight: int) -> str:
    """A weight as a bar."""
    filled = round(BAR * weight / FULL)
    head = "╺" if filled < BAR else ""
    return "━" * filled + head + "─" * (BAR - filled - len(head))


def _rung(mark: Mark) -> str:
    note = f" ({mark.note})" if mark.note else ""
    return f"{_SIGNS[mark.place]} {percent(mark.weight)}{note}"


def _errors(counts: Tally) -> str:
    canary, stable = share(counts.canary_x, counts.canary_n), share(counts.stable_x, counts.stable_n)
    return f"canary {canary}, stable {stable}"
