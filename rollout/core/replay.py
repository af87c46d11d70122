"""The judge asked again: from what was recorded of each look to the same verdicts, bit for bit (ANALYSIS 8).

A record begins with the look that brings its checks, or with one at which the judge's evidence was kept. It
is followed with the functions that judged it live, and nothing else is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rollout.core import judge, latency
from rollout.core.model import EVERYTHING, NOTHING, Check, Evidence, Judged, Verdict
from rollout.core.terms import evidence_under


@dataclass(frozen=True, slots=True)
class Standing:
    """What the judge knew after the look of this ``number``."""

    number: int
    checks: tuple[Check, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One look judged again. ``findings`` and ``verdict``: the answer now, if it can be had; ``missing`` says
    why it cannot. ``differs``: in what it is not what was recorded; empty when it is the same, bit for bit.
    ``after``: what the judge knows then.
    """

    look: Judged
    checks: tuple[Check, ...] = ()
    findings: tuple[judge.Finding, ...] = ()
    verdict: Verdict | None = None
    differs: str = ""
    missing: str = ""
    after: Standing | None = None


class Unheard(ValueError):  # noqa: N818 - it says what the thing is
    """What the judge needs is not in the record; ``str()`` says what."""


def settled(record: Iterable[Judged]) -> tuple[Judged, ...]:
    """The looks that the journey went on from. One that was written though its writer was told otherwise was
    taken again, under the same number: the later one stands. So does a journey that began anew.
    """
    kept: list[Judged] = []
    for look in record:
        while kept and kept[-1].number >= look.number:
            kept.pop()
        kept.append(look)
    return tuple(kept)


def checks_of(record: Sequence[Judged]) -> tuple[Check, ...]:
    """The checks in force at a record's end; none if it does not say."""
    return next((look.checks for look in reversed(record) if look.checks), ())


def replay(record: Iterable[Judged]) -> Iterator[Replayed]:
    """Each look of a settled record, judged again."""
    standing: Standing | None = None
    for look in record:
        try:
            standing, replayed = judged_again(standing, look)
        except Unheard as missing:
            standing = _entered(look)
            replayed = Replayed(look, missing=str(missing), after=standing)
        yield replayed


def judged_again(before: Standing | None, look: Judged) -> tuple[Standing, Replayed]:
    """One look more: what the judge knows after it, and the answer beside the recorded one.

    Raises:
        Unheard: what the answer depends on is not in the record.
    """
    checks, evidence = _under(before, look)
    try:
        if look.fed:
            evidence = _heard(checks, evidence, look)
        for check, edges in look.edges:
            evidence = (*evidence[:check], latency.begin(edges), *evidence[check + 1 :])
        findings = judge.findings(checks, evidence)
    except (ValueError, ArithmeticError) as error:
        raise Unheard(f"what is recorded cannot have been: {error}") from error
    worst = judge.worst(findings)
    verdict = worst if worst is Verdict.FAILING else look.silence or worst
    after = Standing(look.number, checks, tuple(map(judge.anew, evidence)) if look.rose else evidence)
    differs = _difference(look, findings, verdict, after)
    return after, Replayed(look, checks, findings, verdict, differs, after=after)


def _under(before: Standing | None, look: Judged) -> tuple[tuple[Check, ...], tuple[Evidence, ...]]:
    """The checks of this look, and what the judge knew of them before it."""
    if look.number == 1 and look.checks:
        return look.checks, tuple(map(judge.start, look.checks))
    if before is None:
        raise Unheard("the looks before it are not kept")
    if look.number != before.number + 1:
        raise Unheard(f"{look.number - before.number - 1} looks before it were never written down")
    if not look.checks:
        return before.checks, before.evidence
    return look.checks, evidence_under(before.checks, before.evidence, look.checks)


def _heard(checks: Sequence[Check], evidence: Sequence[Evidence], look: Judged) -> tuple[Evidence, ...]:
    """What the judge knows after the counts of a look, as he was fed them live."""
    control, bets = look.weight < EVERYTHING, look.weight != NOTHING
    return tuple(
        judge.hear(check, known, fed, proof=look.proof, phis=phis, control=control, bets=bets)
        for check, known, fed, phis in zip(checks, evidence, look.fed, look.noise, strict=True)
    )


def _entered(look: Judged) -> Standing | None:
    """Where a record can be entered in its middle."""
    whole = look.checks and len(look.checks) == len(look.evidence)
    return Standing(look.number, look.checks, look.evidence) if whole else None


def _difference(look: Judged, findings: Sequence[judge.Finding], verdict: Verdict, after: Standing) -> str:
    odds, verdicts = tuple(each.odds for each in findings), tuple(each.verdict for each in findings)
    if odds != look.odds:
        return f"the odds are {_numbers(odds)}, recorded were {_numbers(look.odds)}"
    if (*verdicts, verdict) != (*look.verdicts, look.verdict):
        said, recorded = _words((*verdicts, verdict)), _words((*look.verdicts, look.verdict))
        return f"the verdicts are {said}, recorded were {recorded}"
    if look.evidence and look.evidence != after.evidence:
        return "the evidence kept with it is another"
    return ""


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(map(repr, values)) or "none"


def _words(verdicts: Iterable[Verdict]) -> str:
    return ", ".join(verdict.value for verdict in verdicts)
