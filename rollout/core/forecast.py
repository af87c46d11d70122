"""What must happen before weight rises again, and when that can be at the earliest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rollout.core import bets, blame, judge, ladder, schedule
from rollout.core.blame import Blame
from rollout.core.model import (
    EVERYTHING,
    Comparison,
    Haste,
    Limit,
    Paused,
    Policy,
    Probe,
    Ramping,
    Rung,
    Stage,
    State,
    Steady,
    Waiting,
    Weight,
    percent,
)
from rollout.core.words import count, odds, span


class Place(Enum):
    """Where a rung is, seen from the rollout."""

    PASSED = "passed"
    NOW = "now"
    AHEAD = "ahead"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Mark:
    """One rung of the ladder as people see it; ``bake`` in seconds."""

    weight: Weight
    place: Place
    bake: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next rise: to what (``None``: the request rate decides), in how many seconds (``None``: nobody can
    say; not ``exact``: at the earliest), and what it needs, each a clause that completes "if ...".
    """

    weight: Weight | None
    seconds: float | None
    needs: tuple[str, ...] = ()
    exact: bool = True


def marks(policy: Policy, state: State) -> tuple[Mark, ...]:
    """The policy's ladder with the rollout's place on it, a probe's rung only while the rollout is there.

    None when what git asks for was stable already: it was adopted, and climbed nothing.
    """
    here, fast = (state.rung, state.fast) if isinstance(state, Ramping) else (None, False)
    done = isinstance(state, Steady) and state.past.stable == policy.revision
    if done and not _climbed(state):
        return ()
    found = [Mark(here.weight, Place.NOW, note="probe")] if isinstance(here, Probe) else []
    for index, step in enumerate(policy.steps):
        weight = ladder.weight_of(Stage(index), policy)
        note = _kept(weight) if step.weight == EVERYTHING and weight != EVERYTHING else ""
        place = _place(index, here, left_out=fast and index + 1 < len(policy.steps), done=done)
        found.append(Mark(weight, place, step.bake, note))
    if found[-1].weight != EVERYTHING:
        found.append(Mark(EVERYTHING, Place.PASSED if done else Place.AHEAD, note="promoted"))
    return tuple(found)


def _climbed(state: State) -> bool:
    """Did what is stable now get there by a journey?"""
    return isinstance(state, Steady) and any(
        each.revision == state.past.stable for each in state.past.promoted
    )


def rung_words(rung: Rung, policy: Policy) -> str:
    """A rung in words: ``10 % (step 1 of 3)``, ``95 % (step 3 of 3; 5 % kept as control)``."""
    weight = ladder.weight_of(rung, policy)
    match rung:
        case Waiting():
            return percent(weight)
        case Probe():
            return f"{percent(weight)} (probe)"
        case Stage(step=step):
            number = f"step {step + 1} of {len(policy.steps)}"
            whole = policy.steps[step].weight == EVERYTHING and weight != EVERYTHING
            return (
                f"{percent(weight)} ({number}; {_kept(weight)})" if whole else f"{percent(weight)} ({number})"
            )


def forecast(state: Ramping, at: datetime, now: datetime) -> Forecast:
    """The next rise of a rollout that was last looked at ``at``, as far as its own rung decides it.

    Who holds it (a person, a window, blindness) is the decision's to say.
    """
    policy, rung = state.policy, state.rung
    after = ladder.after(rung, policy, fast=state.fast)
    weight = EVERYTHING if after is None else ladder.weight_of(after, policy)
    passed = max(0.0, (now - at).total_seconds())
    if isinstance(rung, Waiting):
        return Forecast(None, None, ("its endpoints are ready", "the request rate is known"))
    if state.haste is not Haste.NONE:
        return Forecast(weight, 0.0, ("nothing speaks against it (a promotion was ordered)",))
    if isinstance(rung, Probe):
        return _after_probe(state, weight, passed)
    return _after_bake(state, rung, weight, passed)


def rises_from(policy: Policy, now: datetime) -> datetime | None:
    """When the windows next let weight rise; ``None`` when they do now."""
    return None if schedule.is_open(policy.windows, now) else schedule.opens(policy.windows, now)


def is_paused(state: State) -> bool:
    """Did a person stop the rise?"""
    return isinstance(state, Ramping) and isinstance(state.paused, Paused)


def _kept(weight: Weight) -> str:
    return f"{percent(EVERYTHING - weight)} kept as control"


def _place(index: int, here: Rung | None, *, left_out: bool, done: bool) -> Place:
    if left_out:
        return Place.LEFT_OUT
    if done:
        return Place.PASSED
    if not isinstance(here, Stage) or index > here.step:
        return Place.AHEAD
    return Place.NOW if index == here.step else Place.PASSED


def _after_probe(state: Ramping, weight: Weight, passed: float) -> Forecast:
    step = state.evidence[state.policy.analysis.main].step
    missing = ladder.PROBE_LEAST - step.canary_n
    needs = (
        f"at least {ladder.PROBE_LEAST} canary requests were completed ({count(step.canary_n)} so far)",
        "the look after them is a good one",
    )
    return Forecast(weight, _wait(missing, step.canary_n, step.seconds, passed), needs)


def _after_bake(state: Ramping, rung: Stage, weight: Weight, passed: float) -> Forecast:
    baked = state.clock.baked + (passed if state.clock.carried else 0.0)
    waits: list[float | None] = [max(0.0, ladder.bake_of(rung, state.policy) - baked)]
    for check, evidence in zip(state.policy.analysis.checks, state.evidence, strict=True):
        step = evidence.step
        waits.append(_wait(check.min_requests - step.canary_n, step.canary_n, step.seconds, passed))
        if isinstance(check, Comparison):
            waits.append(_wait(bets.LEAST_STABLE - step.stable_n, step.stable_n, step.seconds, passed))
            lacking = judge.lacks(step, ladder.margin_of(rung, state.policy))
            waits.append(_wait(lacking, step.canary_n, step.seconds, passed))
    known = [wait for wait in waits if wait is not None]
    return Forecast(weight, max(known), tuple(_needs(state, rung)), exact=len(known) == len(waits))


def _needs(state: Ramping, rung: Stage) -> Iterator[str]:
    """Each a clause; what checks need of the same things is said once, by the one that needs most."""
    checks, margin = state.policy.analysis.checks, ladder.margin_of(rung, state.policy)
    findings = judge.findings(checks, state.evidence)
    said = [blame.of(check, evidence) for check, evidence in zip(checks, state.evidence, strict=True)]
    for things in dict.fromkeys(one.things for one in said):
        these = [finding for finding, one in zip(findings, said, strict=True) if one.things == things]
        least = max(finding.check.min_requests for finding in these)
        canary = min(finding.step.canary_n for finding in these)
        yield f"at least {count(least)} canary {things} were counted ({count(canary)} so far)"
    proofs: dict[str, int] = {}
    for finding, one in zip(findings, said, strict=True):
        if finding.lacking in {"unknown", "no edge"}:
            yield "stable's latency is known well enough to compare with"
        elif isinstance(finding.check, Comparison):
            if finding.step.stable_n < bets.LEAST_STABLE:
                yield f"at least {bets.LEAST_STABLE} of stable ({count(finding.step.stable_n)} so far)"
            clause = _ruled_out(one, margin or 0.0)
            proofs[clause] = max(proofs.get(clause, 0), judge.lacks(finding.step, margin))
    yield from (f"{count(lacking)} {clause}" for clause, lacking in proofs.items() if lacking)
    worst = max(finding.odds for finding in findings)
    yield f"the odds against it are at most {judge.CALM:g} : 1 (now {odds(worst)})"
    for finding, one in zip(findings, said, strict=True):
        if isinstance(finding.check, Limit):
            seen, most = judge.share(finding.step.canary_x, finding.step.canary_n), finding.check.max
            if one == Blame():
                yield f"it fails at most {most:.2%} of them (now {seen:.2%})"
            else:
                yield f"at most {most:.2%} of its {one.things} {one.do} (now {seen:.2%})"


def _ruled_out(bad: Blame, margin: float) -> str:
    if bad == Blame():
        return f"more without an error rule out that it fails {margin:.0%} more"
    return f"more {bad.things} of which none {bad.did} rule out that {margin:.0%} more of them {bad.do}"


def _wait(missing: int, counted: int, seconds: float, passed: float) -> float | None:
    """Seconds until so many more requests came, at the rate seen so far; ``None`` without a rate."""
    if missing <= 0:
        return 0.0
    if not counted or not seconds:
        return None
    return max(0.0, missing * seconds / counted - passed)


def say(expected: Forecast) -> str:
    """In a sentence."""
    weight = "the first weight" if expected.weight is None else percent(expected.weight)
    goal = f"promotion ({weight})" if expected.weight == EVERYTHING else weight
    if expected.seconds is None:
        when = ""
    elif expected.seconds:
        wait = span(expected.seconds)
        when = f" in about {wait}" if expected.exact else f" in {wait} at the earliest"
    else:
        return f"{goal} as soon as {_and(expected.needs)}"
    return f"{goal}{when}, if {_and(expected.needs)}"


def _and(clauses: tuple[str, ...]) -> str:
    return clauses[0] if len(clauses) == 1 else f"{', '.join(clauses[:-1])} and {clauses[-1]}"
