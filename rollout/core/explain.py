"""The present of one rollout in sentences with numbers: what `rollout why` says.

Nothing is found out here: a decision says what was seen and decided, the state and the policy say what must
happen before weight rises, and when. Instants are told in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from rollout.core import blame, judge, ladder, noise
from rollout.core.blame import Blame
from rollout.core.forecast import rung_words
from rollout.core.model import (
    NOTHING,
    Decision,
    Held,
    LatencyEvidence,
    OnSilence,
    Ramping,
    RollingBack,
    State,
    Steady,
    Tally,
    Unadopted,
    Waiting,
    Why,
    percent,
)
from rollout.core.moment import Moment, odds_of, ramp_of, weight_of
from rollout.core.next_step import next_step
from rollout.core.quotation import counted, strength
from rollout.core.reason import Reason
from rollout.core.words import instant, odds, share, span

Said = tuple[str, str]
"""A heading and the sentences under it."""


def why(moment: Moment, last: str = "") -> tuple[Said, ...]:
    """The whole explanation: where it is, what was seen, what was decided, what comes next. ``last``: the
    judge's words about the journey before, of a rollout that has none under way.
    """
    decision = moment.decision
    if decision is None:
        return (("Now", "The daemon has not looked at it yet."), ("Asked", asked_by(moment)))
    told = (
        ("Now", _where(moment, decision.state) + _verified(decision)),
        ("Seen", " ".join(_seen(decision.state))),
        ("Judged", "" if ramp_of(decision.state) else last),
        ("Decided", _decided(moment, decision)),
        ("Next", f"{_capital(next_step(moment))}."),
        ("Way home", _way_home(decision)),
        ("Asked", asked_by(moment)),
    )
    return tuple((heading, text) for heading, text in told if text)


def _where(moment: Moment, state: State) -> str:
    virtual = getattr(getattr(state, "past", None), "virtual", False)
    observed = "In observe mode, where nothing is written: " if virtual else ""
    return f"{observed}{moment.name} {_standing(moment, state)}."


def _verified(decision: Decision) -> str:
    doubt = decision.facts.get("unverified")
    return f" That is {doubt}: only requests tell what they carry." if doubt else ""


def _standing(moment: Moment, state: State) -> str:
    match state:
        case Unadopted():
            return "is not adopted yet: which backend is stable has to be said. Nothing is written"
        case Steady(past=past):
            return f"is at rest: {past.stable} serves everybody"
        case Ramping(canary=canary, rung=rung, policy=policy, past=past):
            if isinstance(rung, Waiting):
                return f"is about to begin {canary}: {past.stable} has everything{_written(moment, state)}"
            parts = f"{canary} has {rung_words(rung, policy)}, {past.stable} the rest"
            return f"is on its way: {parts}{_written(moment, state)}"
        case RollingBack(canary=canary, was=was, past=past, began=began):
            lost = f"{canary} had {percent(was)}, {past.stable} gets everything"
            return f"is on its way home: {lost}, since {instant(began, moment.now)}"
        case Held(why=Why.FORGOTTEN):
            return "is held: which backend is stable is not known. Nothing is written until a person says it"
        case Held(weight=weight):
            return f"is held: the canary never gets more than {percent(weight)} until a person speaks"
        case _:
            assert_never(state)


def _written(moment: Moment, state: Ramping) -> str:
    at = state.intent.at if state.intent and ladder.weight_of(state.rung, state.policy) else state.began
    return f", since {instant(at, moment.now)}"


def _seen(state: State) -> Iterator[str]:
    ramp = ramp_of(state)
    if ramp is None:
        rejected = () if isinstance(state, Unadopted | Held) else state.past.rejected[-3:]
        if rejected:
            yield f"Rejected before: {', '.join(map(str, rejected))}."
        return
    if ramp.counts and ladder.weight_of(ramp.rung, ramp.policy) != NOTHING:
        yield from _checked(ramp)
        yield f"Odds against the canary are {odds(odds_of(ramp))}; {judge.ODDS:.0f} : 1 sends it home."
        yield from filter(None, [_strength(ramp)])
        yield _noise(ramp)
    if ramp.clock.blind:
        yield f"There was no evidence for the last {span(ramp.clock.blind)}."


def _strength(ramp: Ramping) -> str:
    """How rare such odds are, by the check that has the most."""
    findings = judge.findings(ramp.policy.analysis.checks, ramp.evidence)
    against = max(findings, key=lambda finding: finding.odds)
    return strength(against.check, against.odds)


def _noise(ramp: Ramping) -> str:
    known, phi = ramp.noise, _phi(ramp, ramp.policy.analysis.main)
    if not known.factors:
        return f"Evidence counts {1 / phi:.0%}: how noisy the service is by itself is not known yet."
    if phi == 1.0:
        return f"The service is no noisier than chance ({known.minutes} minutes of its history)."
    return f"Evidence counts {1 / phi:.0%}: so noisy was the service by itself in {known.minutes} minutes."


def _phi(ramp: Ramping, check: int) -> float:
    evidence = ramp.evidence[check]
    if isinstance(evidence, LatencyEvidence):
        return noise.at_edge(ramp.noise, check, evidence.worst.edge) if evidence.worst else noise.UNKNOWN
    return noise.factor(ramp.noise, check, ladder.weight_of(ramp.rung, ramp.policy))


def _checked(ramp: Ramping) -> Iterator[str]:
    """What was counted for each check, the main one first; checks that call the same bad say it once."""
    checks, main, said = ramp.policy.analysis.checks, ramp.policy.analysis.main, set[Blame]()
    for index in (main, *(index for index in range(len(checks)) if index != main)):
        bad = blame.of(checks[index], ramp.evidence[index])
        if bad not in said:
            said.add(bad)
            counts = ramp.counts[index]
            yield f"{counted(counts) if bad == Blame() else _of_kind(bad, counts)}."


def _of_kind(bad: Blame, counts: Tally) -> str:
    canary, stable = share(counts.canary_x, counts.canary_n), share(counts.stable_x, counts.stable_n)
    if not counts.canary_n + counts.stable_n:
        return f"No {bad.things} were counted at this weight yet that could show how many {bad.do}"
    return f"{_capital(bad.things)} that {bad.did}: canary {canary}, stable {stable}"


def _decided(moment: Moment, decision: Decision) -> str:
    held = (moment.at - moment.since).total_seconds()
    lasting = f" So it has been for {span(held)}." if held >= 1 else ""
    return f"{_capital(decision.reason.say(decision.facts))}.{lasting}"


def _way_home(decision: Decision) -> str:
    ramp = ramp_of(decision.state)
    if ramp is None or weight_of(decision.state) == NOTHING or decision.reason in _NO_WAY:
        return ""
    rule = ramp.policy.analysis.no_data
    falls = rule.then is OnSilence.ROLLBACK and decision.reason is not Reason.BREAKER_OPEN
    silence = f", evidence stays away for {span(rule.hold)}" if falls else ""
    return (
        f"All to {ramp.past.stable} at once if the odds reach {judge.ODDS:.0f} : 1, the canary loses its "
        f"endpoints{silence}, or somebody says `rollout abort`."
    )


_NO_WAY = frozenset({
    Reason.STABLE_NOT_READY, Reason.STABLE_UNHEALTHY, Reason.MESH_UNSEEN, Reason.TARGET_LOST,
})  # fmt: skip
"""Where nothing could go home now."""


def asked_by(moment: Moment) -> str:
    """What git asks for, and who said so where."""
    policy = moment.policy
    if policy is None:
        return "Git has no policy for it."
    origin = policy.origin
    by = f" by {origin.author}" if origin.author else ""
    subject = f': "{origin.subject}"' if origin.subject else ""
    commit = f"commit {origin.commit[:8]}{by}{subject} " if origin.commit else ""
    of = f", source {origin.source}" if origin.source else ""
    return f"Git asks for {policy.revision}: {commit}({origin.path}:{origin.line}{of})."


def _capital(text: str) -> str:
    """With a capital letter, unless it begins with a name or a number."""
    first = text.split(" ", 1)[0].rstrip(",:;")
    return text[:1].upper() + text[1:] if first.isalpha() else text
