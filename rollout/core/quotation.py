"""The judge quoted: what he counted, how strong that is, and what he could not have seen (ANALYSIS 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollout.core import bets, judge
from rollout.core.model import (
    Analysis,
    Check,
    Comparison,
    Errors,
    Judged,
    Latency,
    Limit,
    Measure,
    Query,
    Tally,
)
from rollout.core.words import count, share, span

SURE = 99.0
"""Per cent from which "would not have shown" says nothing."""
TELLING = 2.0
"""Odds from which it is said how rare they are."""
_MANY = 1_000_000


def counted(counts: Tally, check: Check | None = None) -> str:
    """Both arms over the same time, as a clause; of an error-free canary, what could not have been seen."""
    if not counts.canary_n + counts.stable_n:
        return "No request was counted at this weight yet"
    canary, unseen = share(counts.canary_x, counts.canary_n), 100 * judge.shows(counts.canary_n)
    if not counts.canary_x and unseen < SURE:
        canary = f"0 of {count(counts.canary_n)} (a fault below {unseen:.2g} % would not have shown)"
    over = f" over the same {span(counts.seconds)}" if counts.seconds >= 1 else ""
    verb = _verb(check.of) if check else "failed"
    return f"Canary {verb} {canary}, stable {share(counts.stable_x, counts.stable_n)}{over}"


def _verb(of: Measure) -> str:
    match of:
        case Errors():
            return "failed"
        case Latency(over=None):
            return "was slow in"
        case Latency(over=edge):
            return f"took over {edge:g} ms in"
        case Query(name=name):
            return f"was bad by {name} in"


def named(check: Check) -> str:
    """A check in few words: ``errors``, ``errors over 5 %``, ``latency over 250 ms``."""
    match check.of:
        case Errors() as errors:
            what = "errors" if errors == Errors() else f"errors ({', '.join(errors.counted)})"
        case Latency(over=edge):
            what = "latency" if edge is None else f"latency over {edge:g} ms"
        case Query(name=name):
            what = f"query {name}"
    return f"{what} over {100 * check.max:g} %" if isinstance(check, Limit) else what


def bad(check: Check) -> str:
    """What a check counts, as a heading."""
    return "failed requests" if isinstance(check.of, Errors) else named(Comparison(check.of))


def strength(check: Check, value: float) -> str:
    """How rare such odds are if the check is kept; empty where there is nothing to tell."""
    if value < TELLING:
        return ""
    rare = f"evidence this strong would appear in fewer than 1 of {count(min(int(value), _MANY))} rollouts"
    return f"If the canary {_kept(check)}, {rare}, however long we watched."


def _kept(check: Check) -> str:
    """The null that the bets are laid against."""
    match check:
        case Comparison(of=Errors()):
            return f"were not worse than {bets.ERRORS.ratio:g}x stable"
        case Comparison(of=Latency()):
            return f"were not slow more than {bets.SLOWNESS.ratio:g}x as often as stable"
        case Comparison():
            return f"were not bad by that query more than {bets.ERRORS.ratio:g}x as often as stable"
        case Limit(max=limit):
            return (
                f"kept its limit of {100 * limit:g} %, or were not worse than {bets.ERRORS.ratio:g}x stable"
            )


def counts_of(look: Judged, check: int) -> Tally:
    """What a look counted for a check, at the lowest edge of several; nothing in a blind look."""
    return look.fed[check][0] if check < len(look.fed) and look.fed[check] else Tally()


def at_rung(record: Sequence[Judged], check: int) -> Tally:
    """What a check counted at the rung of the record's last look."""
    total = Tally()
    for back, look in enumerate(reversed(record)):
        if back and look.rose:
            break
        total += counts_of(look, check)
    return total


def worst(odds: Sequence[float]) -> int:
    """The check with the highest odds."""
    return max(range(len(odds)), key=odds.__getitem__, default=0)


def told_by(checks: Sequence[Check], odds: Sequence[float]) -> int:
    """The check whose counts are told: the one with the highest odds, if it has one kind of count; else the
    one that speaks for the rollout.
    """
    index, main = worst(odds), Analysis(checks=tuple(checks)).main
    together = odds[index : index + 1] == odds[main : main + 1]
    several = isinstance(checks[index], Comparison) and isinstance(checks[index].of, Latency)
    return main if together or several else index


def last_words(checks: Sequence[Check], record: Sequence[Judged]) -> Iterator[str]:
    """Of a journey that is over: what was counted at its last rung, and what that is worth."""
    end = record[-1] if record else None
    if end is None or len(checks) != len(end.odds) or not checks or not any(look.fed for look in record):
        return
    index, told = worst(end.odds), told_by(checks, end.odds)
    yield f"{counted(at_rung(record, told), checks[told])}."
    if said := strength(checks[index], end.odds[index]):
        yield said
