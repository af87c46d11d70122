"""What another policy would have made of the same record, as far as the record can tell.

Its checks are put to the same counts: bets win or lose whatever weight brought the requests. Its steps are
followed until they part from what happened; what another weight would have brought, nobody counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rollout.core import judge, ladder, latency
from rollout.core.climb import INCONCLUSIVE_BAKES, INCONCLUSIVE_LEAST
from rollout.core.model import (
    EVERYTHING,
    NOTHING,
    Check,
    Comparison,
    Evidence,
    Inconclusive,
    Judged,
    LatencyEvidence,
    Policy,
    Stage,
    Verdict,
    Weight,
    percent,
)
from rollout.core.quotation import named
from rollout.core.reason import Reason
from rollout.core.replay import Replayed
from rollout.core.words import span

SLACK = 5.0
"""Seconds of bake that the record cannot tell: it knows what proved the rung, not what the clock said."""
_OWN = frozenset({
    Reason.PROBING, Reason.BAKING, Reason.TOO_FEW, Reason.SUSPECT, Reason.OVER_LIMIT_NOW,
    Reason.BOTH_OVER_LIMIT, Reason.UNPROVEN, Reason.INCONCLUSIVE,
})  # fmt: skip
"""Reasons of the rollout's own rung: nobody else held it."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """``fails``: the look at which a check fails, and which one. ``odds``: the highest that each check came
    to by then. ``parts``: where the steps part from the record, and how. ``unknown``: checks whose codes
    nobody counted, and why the counts end before the record does.
    """

    checks: tuple[Check, ...]
    odds: tuple[float, ...]
    fails: Judged | None = None
    failing: Check | None = None
    parts: Judged | None = None
    parting: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class _Trial:
    """The other policy's judge and ladder on the way through the record."""

    policy: Policy
    checks: tuple[Check, ...]
    evidence: list[Evidence]
    odds: list[float]
    baked: float = 0.0
    findings: tuple[judge.Finding, ...] = field(default=())

    def feed(self, each: Replayed) -> None:
        """One look's counts to each check that they answer."""
        look = each.look
        for index, check in enumerate(self.checks if look.fed else ()):
            source = _counts_of(check, each.checks)
            if source is not None and source < len(look.fed):
                self._hear(index, check, source, look)
        for index, check in enumerate(self.checks):
            self._choose(index, _counts_of(check, each.checks), each)
        self.findings = judge.findings(self.checks, self.evidence)
        self.odds = [max(odds, found.odds) for odds, found in zip(self.odds, self.findings, strict=True)]
        main = self.policy.analysis.main if self.checks == self.policy.analysis.checks else 0
        if look.proof and look.fed and look.silence is None and self.findings[main].step.canary_n:
            self.baked += max((tally.seconds for tallies in look.fed for tally in tallies), default=0.0)

    def _hear(self, index: int, check: Check, source: int, look: Judged) -> None:
        known = self.evidence[index]
        if isinstance(known, LatencyEvidence) and len(known.edges or ()) != len(look.fed[source]):
            return
        control, bets = look.weight < EVERYTHING, look.weight != NOTHING
        phis = look.noise[source]
        self.evidence[index] = judge.hear(
            check, known, look.fed[source], proof=look.proof, phis=phis, control=control, bets=bets
        )

    def _choose(self, index: int, source: int | None, each: Replayed) -> None:
        """A comparison of latencies asks at the edges that the record has."""
        known = self.evidence[index]
        there = each.after.evidence[source] if each.after and source is not None else None
        if not (isinstance(known, LatencyEvidence) and isinstance(there, LatencyEvidence)):
            return
        if known.edges is None and there.edges is not None:
            self.evidence[index] = latency.begin([edge.edge for edge in there.edges])

    def rise(self) -> None:
        """The record goes to another rung."""
        self.evidence, self.baked = list(map(judge.anew, self.evidence)), 0.0

    def lacks(self, step: int, slack: float) -> str:
        """What its own step would still have wanted; empty when nothing. ``slack``: seconds by which what it
        baked may be another number here than it was live.
        """
        bake = self.policy.steps[step].bake
        if self.baked < bake + slack:
            return f"baked {span(self.baked)} of {span(bake)}"
        analysis = self.policy.analysis
        if analysis.inconclusive is Inconclusive.PROMOTE and self.baked >= max(
            INCONCLUSIVE_BAKES * bake, INCONCLUSIVE_LEAST
        ):
            return ""
        margin = ladder.margin_of(Stage(step), self.policy)
        for found in self.findings:
            if found.verdict is not Verdict.PASSING or found.lacking:
                few = f"{found.step.canary_n} of {found.check.min_requests} requests"
                return few if found.lacking == "few" else f"odds {found.odds:.1f} : 1 or a limit against it"
            compared = isinstance(found.check, Comparison)
            if margin is not None and compared and not judge.proves(found.step, margin):
                return f"too few requests to rule out {margin:.0%} more failures"
        return ""


def otherwise(policy: Policy, record: Sequence[Replayed]) -> Otherwise:
    """Put its checks and steps to a replayed record."""
    record = _from_its_entry(record)
    known = record[0].checks if record else ()
    answered = tuple(each for each in policy.analysis.checks if _counts_of(each, known) is not None)
    unknown = [
        f"nobody counted {named(Comparison(each.of))} in these looks: that check is left out"
        for each in policy.analysis.checks
        if each not in answered
    ]
    if not answered:
        return Otherwise((), (), unknown=tuple(unknown))
    trial = _Trial(policy, answered, list(map(judge.start, answered)), [0.0] * len(answered))
    parts, parting = None, ""
    for number, each in enumerate(record):
        if each.missing:
            unknown.append(f"from {each.look.at:%H:%M:%S} UTC on the record has a gap: nothing is known then")
            break
        trial.feed(each)
        failed = next((found for found in trial.findings if found.verdict is Verdict.FAILING), None)
        if failed is not None:
            return Otherwise(
                answered, tuple(trial.odds), each.look, failed.check, parts, parting, tuple(unknown)
            )
        if parts is None and (parting := _parting(trial, record, number)):
            parts = each.look
        if each.look.rose:
            trial.rise()
    return Otherwise(answered, tuple(trial.odds), None, None, parts, parting, tuple(unknown))


def _from_its_entry(record: Sequence[Replayed]) -> Sequence[Replayed]:
    """Without the looks at its beginning that only say where it can be entered."""
    return record[next((number for number, each in enumerate(record) if not each.missing), len(record)) :]


def _counts_of(check: Check, recorded: Sequence[Check]) -> int | None:
    return next((index for index, each in enumerate(recorded) if each.of == check.of), None)


def _parting(trial: _Trial, record: Sequence[Replayed], number: int) -> str:
    """How the other's ladder leaves what happened at this look; empty while it would do the same."""
    look, policy = record[number].look, trial.policy
    weights = [ladder.weight_of(Stage(step), policy) for step in range(len(policy.steps))]
    here = weights.index(look.weight) if look.weight in weights else None
    after = _after(record, number)
    if after is None:
        own = look.reason in _OWN and here is not None and trial.checks
        ready = own and not trial.lacks(here or 0, SLACK)
        return f"it would have risen to {_next(weights, here)}" if ready else ""
    if here is None:
        wanted = after < weights[0] or after in (weights[0], weights[-1])
        return "" if wanted else f"it would have gone no further than {percent(weights[0])}"
    if lacking := trial.lacks(here, -SLACK):
        return f"it would have stayed at {percent(look.weight)}: {lacking}"
    wanted = after == (weights[here + 1] if here + 1 < len(weights) else EVERYTHING)
    return "" if wanted else f"it would have risen to {_next(weights, here)}, not {percent(after)}"


def _after(record: Sequence[Replayed], number: int) -> Weight | None:
    """The weight that the record rises to after this look."""
    look = record[number].look
    if look.reason is Reason.PROMOTED:
        return EVERYTHING
    following = record[number + 1].look if number + 1 < len(record) else None
    return following.weight if look.rose and following else None


def _next(weights: Sequence[Weight], here: int | None) -> str:
    last = here is None or here + 1 >= len(weights)
    return f"{percent(EVERYTHING)} (promoted)" if last or here is None else percent(weights[here + 1])
