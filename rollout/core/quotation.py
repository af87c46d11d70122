"""The judge quoted: what he counted, how strong that is, and what he could not have seen (ANALYSIS 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollout.core import judge
from rollout.core.model import Check, Comparison, Judged, Limit, Tally
from rollout.core.words import count, share, span

SURE = 99.0
"""Per cent from which "would not have shown" says nothing."""
TELLING = 2.0
"""Odds from which it is said how rare they are."""


def counted(counts: Tally) -> str:
    """Both arms over the same time, as a clause; of an error-free canary, what could not have been seen."""
    if not counts.canary_n + counts.stable_n:
        return "No request was counted at this weight yet"
    canary, unseen = share(counts.canary_x, counts.canary_n), 100 * judge.shows(counts.canary_n)
    if not counts.canary_x and unseen < SURE:
        canary = f"0 of {count(counts.canary_n)} (a fault below {unseen:.2g} % would not have shown)"
    over = f" over the same {span(counts.seconds)}" if counts.seconds >= 1 else ""
    return f"Canary failed {canary}, stable {share(counts.stable_x, counts.stable_n)}{over}"


def strength(check: Check, value: float) -> str:
    """How rare such odds are if the check is kept; empty where there is nothing to tell."""
    if value < TELLING:
        return ""
    rare = f"evidence this strong would appear in fewer than 1 of {count(min(int(value), _MANY))} rollouts"
    return f"If the canary {_kept(check)}, {rare}, however long we watched."


_MANY = 1_000_000


def _kept(check: Check) -> str:
    """The null that the bets are laid against."""
    match check:
        case Comparison():
            return f"were not worse than {judge.RATIO:g}x stable"
        case Limit(max=limit):
            return f"kept the limit of {100 * limit:g} %, or were not worse than {judge.RATIO:g}x stable"


def at_rung(record: Sequence[Judged], check: int = 0) -> Tally:
    """What a check counted at the rung of the record's last look, in looks that were fed to the bets."""
    total = Tally()
    for back, look in enumerate(reversed(record)):
        if back and look.rose:
            break
        if len(look.fed) > check:
            total += look.fed[check][0]
    return total


def worst(odds: Sequence[float]) -> int:
    """The check with the highest odds."""
    return max(range(len(odds)), key=odds.__getitem__, default=0)


def last_words(checks: Sequence[Check], record: Sequence[Judged]) -> Iterator[str]:
    """Of a journey that is over: what was counted at its last rung, and what that is worth."""
    if not record or not any(look.fed for look in record):
        return
    end = record[-1]
    index = worst(end.odds)
    yield f"{counted(at_rung(record, index))}."
    if index < len(checks) and (said := strength(checks[index], end.odds[index])):
        yield said
