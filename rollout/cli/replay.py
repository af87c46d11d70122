"""`rollout replay`: each verdict of a journey, asked for again from what was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from rollout.adapters.journals.reader import Journey, Reader, read_only
from rollout.cli import layout, outputs, terminal
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import NEGATIVE, OK, USAGE, Ends
from rollout.cli.lint import policies_in
from rollout.cli.reading import Picture
from rollout.cli.settings import load_settings
from rollout.core.model import Analysis, Policy, Verdict, percent
from rollout.core.otherwise import Otherwise, otherwise
from rollout.core.quotation import counts_of, last_words, named
from rollout.core.replay import Replayed, checks_of, replay
from rollout.core.words import count, counted, instant, odds
from rollout.policy.codec import encode

BEFORE, AFTER = 12, 4
"""Looks that are shown around a decision."""
_HEADINGS = ("TIME", "WEIGHT", "CANARY", "STABLE", "ODDS", "VERDICT", "REASON")


class Instant(click.ParamType[datetime]):
    """``2026-03-02T12:00:00Z``; without a date it is today, without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        from rollout.adapters.clock import SystemClock

        whole = str(value) if "-" in str(value) else f"{SystemClock().now():%Y-%m-%d}T{value}"
        try:
            found = datetime.fromisoformat(whole)
        except ValueError:
            self.fail(f"{value!r} is no time: write 12:03:04 or 2026-03-02T12:03:04Z", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@declare("""
rollout replay jazz
rollout replay jazz --at 03:12:07
rollout replay jazz --policy stricter.yaml
rollout replay jazz -o json
""")
@click.argument("name")
@click.option(
    "--at", type=Instant(), help="The journey, and the look, of this time (UTC). Default: the last."
)
@click.option(
    "--policy",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also say what this policy would have made of the same counts.",
)
@outputs.output_option
def command(name: str, at: datetime | None, file: Path | None, output: str) -> int:
    """Judge a journey of NAME again from its record, and compare each verdict with the one of then.

    Reads the journal, with the daemon up or down; writes nothing. Ends with 1 if any verdict differs, or if
    the record has a hole.
    """
    settings, shown = load_settings(), terminal.out(wishes().color)
    whole = Picture.read(settings).find(name).name
    journey = _journey(read_only(settings.state), whole, at)
    again = tuple(replay(journey.looks))
    other = otherwise(policy, again) if (policy := _policy(file, whole)) else None
    if output == outputs.TABLE:
        for line in _told(shown, journey, again, at):
            shown.say(line)
        for line in layout.labelled(shown, _rows(journey, again, other)):
            shown.say(line)
    else:
        outputs.write(shown, output, {"name": whole, **_plain(journey, again, other)})
    return OK if _holds(journey, again) else NEGATIVE


def _journey(reader: Reader, name: str, at: datetime | None) -> Journey:
    """The newest that had begun by then.

    Raises:
        Ends: there is none.
    """
    journey: Journey | None = None
    for attempt in reversed(reader.journeys(name)):
        journey = reader.journey(name, attempt)
        if at is None or (journey.looks and journey.looks[0].at <= at + timedelta(seconds=1)):
            return journey
    if journey is None:
        raise Ends(
            USAGE, f"of {name} no journey is recorded: it has had no canary yet, or its record is gone"
        )
    first = f"{journey.looks[0].at:%Y-%m-%d %H:%M:%S} UTC" if journey.looks else "an unknown time"
    raise Ends(USAGE, f"nothing of {name} is recorded before {first}: what is older is pruned")


def _policy(file: Path | None, name: str) -> Policy | None:
    """The policy of that name in a file, or the only one."""
    if file is None:
        return None
    found = {policy.name: policy for policy in policies_in((file,), "replay")}
    if name not in found and len(found) > 1:
        raise Ends(
            USAGE, f"{file} has no policy for {name}, but {', '.join(found)}: name one file of one policy"
        )
    return found.get(name) or next(iter(found.values()))


def _entry(again: Sequence[Replayed]) -> int:
    """So many looks at the record's beginning only say where it can be entered: what was before is pruned."""
    return 1 if again and again[0].missing and again[0].look.evidence else 0


def _wrong(again: Sequence[Replayed]) -> list[Replayed]:
    return [each for each in again[_entry(again) :] if each.differs or each.missing]


def _holds(journey: Journey, again: Sequence[Replayed]) -> bool:
    return bool(again) and not journey.damaged and not _wrong(again)


def _told(
    shown: terminal.Terminal, journey: Journey, again: Sequence[Replayed], at: datetime | None
) -> Iterator[str]:
    """The looks around the one that is asked about."""
    if not again:
        return
    asked = max((n for n, each in enumerate(again) if at is None or each.look.at <= at), default=0)
    here = again[max(0, asked - BEFORE) : asked + AFTER + 1]
    day = f"{again[asked].look.at.astimezone(UTC):%Y-%m-%d}"
    yield shown.paint(f"attempt {journey.attempt} of {day}, looks {here[0].look.number} to "
                      f"{here[-1].look.number} of {again[-1].look.number}", bold=True)  # fmt: skip
    rows = [_HEADINGS, *(_cells(each) for each in here)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield shown.paint(line, "red" if row[5] == Verdict.FAILING.value else "", bold=row is _HEADINGS)


def _cells(each: Replayed) -> tuple[str, ...]:
    look = each.look
    counts = counts_of(look, Analysis(checks=each.checks).main)
    counted_any = counts.canary_n + counts.stable_n > 0
    mark = " ✗" if each.differs else " ?" if each.missing else ""
    return (
        f"{look.at.astimezone(UTC):%H:%M:%S.%f}"[:-4],
        percent(look.might),
        f"{counts.canary_x}/{counts.canary_n}" if counted_any else "-",
        f"{counts.stable_x}/{counts.stable_n}" if counted_any else "-",
        ", ".join(odds(value) for value in look.odds) + mark,
        look.verdict.value,
        look.reason.name.lower().replace("_", " "),
    )


def _rows(journey: Journey, again: Sequence[Replayed], other: Otherwise | None) -> Iterator[tuple[str, str]]:
    yield "judge", " ".join(last_words(checks_of(journey.looks), journey.looks))
    yield "replay", _sum(again)
    for wrong in _wrong(again)[:3]:
        what = wrong.differs or wrong.missing
        yield "", f"look {wrong.look.number}, {wrong.look.at:%H:%M:%S} UTC: {what}"
    for damaged in journey.damaged[:3]:
        yield "damaged", damaged
    if other is not None:
        yield "policy", " ".join(_otherwise(other, journey))


def _sum(again: Sequence[Replayed]) -> str:
    if not again:
        return "no look of it can be read"
    entry, wrong = _entry(again), _wrong(again)
    judged = again[entry:]
    begins = (
        f"; the looks before number {again[0].look.number} are pruned, the judge was taken as he was then"
    )
    if not wrong:
        said = "the verdict is" if len(judged) == 1 else f"all {count(len(judged))} verdicts are"
        return f"judged again, {said} the same, bit for bit{begins if entry else ''}"
    differ, missing = sum(bool(each.differs) for each in wrong), sum(bool(each.missing) for each in wrong)
    parts = [f"{counted(differ, 'verdict')} of {count(len(judged))} differ"] if differ else []
    parts += [f"{counted(missing, 'verdict')} of {count(len(judged))} cannot be had"] if missing else []
    return f"judged again, {' and '.join(parts)}{begins if entry else ''}"


def _otherwise(other: Otherwise, journey: Journey) -> Iterator[str]:
    end = journey.looks[-1]
    most = ", ".join(
        f"{odds(most)} for {named(check)}" for check, most in zip(other.checks, other.odds, strict=True)
    )
    if other.fails is not None and other.failing is not None:
        when, why = _time(other.fails.at), named(other.failing)
        sooner = "the record's last look" if other.fails.number == end.number else _sooner(other, journey)
        yield f"On the same counts it would have sent the canary home at {when} for {why}: {sooner}."
    elif other.checks:
        yield (
            f"On the same counts it would not have gone home by {_time(end.at)}, where the record ends "
            f"({end.reason.name.lower().replace('_', ' ')}): odds came to {most}. "
            "What would have come later, nobody counted."
        )
    if other.parts is not None:
        yield (
            f"Its steps part from what happened at {_time(other.parts.at)}: {other.parting}. "
            "From there on the counts are those of another weight."
        )
    yield from (f"{each[:1].upper()}{each[1:]}." for each in other.unknown)


def _sooner(other: Otherwise, journey: Journey) -> str:
    assert other.fails is not None  # noqa: S101 - asked of a failure only
    looks, main = journey.looks, Analysis(checks=checks_of(journey.looks)).main
    spared = sum(counts_of(each, main).canary_x for each in looks if each.number > other.fails.number)
    before = (looks[-1].at - other.fails.at).total_seconds()
    return f"{before:.1f} s before the record ends, {counted(spared, 'failed canary request')} sooner"


def _time(at: datetime) -> str:
    return instant(at, at)


def _plain(journey: Journey, again: Sequence[Replayed], other: Otherwise | None) -> dict[str, Any]:
    looks = [
        {
            "at": each.look.at.isoformat(timespec="milliseconds"),
            "weight": each.look.might / 100,
            "fed": encode(each.look.fed),
            "proof": each.look.proof,
            "odds": list(each.look.odds),
            "verdict": each.look.verdict.value,
            "reason": each.look.reason.name,
            "again": each.verdict.value if each.verdict else None,
            "differs": each.differs,
            "missing": each.missing,
        }
        for each in again
    ]
    plain: dict[str, Any] = {
        "attempt": journey.attempt,
        "equal": _holds(journey, again),
        "damaged": list(journey.damaged),
        "looks": looks,
    }
    if other is not None:
        plain["policy"] = {
            "fails_at": other.fails.at.isoformat(timespec="milliseconds") if other.fails else None,
            "odds": list(other.odds),
            "parts_at": other.parts.at.isoformat(timespec="milliseconds") if other.parts else None,
            "parting": other.parting,
            "unknown": list(other.unknown),
            "told": " ".join(_otherwise(other, journey)),
        }
    return plain
