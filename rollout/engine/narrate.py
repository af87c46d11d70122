"""What people are told of a transition: one alert for each sink, made of the decision's own numbers."""

from __future__ import annotations

from datetime import datetime

from rollout.core.ladder import weight_of
from rollout.core.model import Decision, Held, Origin, Policy, Ramping, State
from rollout.core.past import attempt_of, past_of
from rollout.core.reason import Level, Reason
from rollout.engine.rollout import Rollout
from rollout.ports import Alert, SourceState

RETRY = "it is not tried again until git offers another revision, or `rollout retry {name}`"
RISING = "the weight rises by itself; `rollout pause {name}` holds it, `rollout abort {name}` ends it"
LOOK = "`rollout why {name}` says more"
NEXT = {
    Reason.WORSE: RETRY,
    Reason.OVER_LIMIT: RETRY,
    Reason.NO_DATA_TOO_LONG: RETRY,
    Reason.INCONCLUSIVE_TOO_LONG: RETRY,
    Reason.LOST_ENDPOINTS: RETRY,
    Reason.NEVER_READY: RETRY,
    Reason.ABORTED: RETRY,
    Reason.STARTED: RISING,
    Reason.STEP_PASSED: RISING,
    Reason.PASSED_UNPROVEN: RISING,
    Reason.PROMOTED: "nothing; it is stable now",
    Reason.ROLLED_BACK: LOOK,
    Reason.CHANGED: "it begins afresh under the new policy once the mesh is seen at 0 %",
}
"""What happens next, by reason; elsewhere a person has to look."""

TRANSITIONS = frozenset(NEXT) | {Reason.WITHDRAWN, Reason.REVERTED}
"""Reasons that come once in a journey; the others may come and go, and are told once an hour at the most."""
ENTERED = frozenset({Reason.LOWERED, Reason.CONTESTED, Reason.FORGOTTEN})
"""Reasons that last until a person speaks: each time is news."""


def alerts_of(
    rollout: Rollout, decision: Decision, sinks: tuple[str, ...], now: datetime
) -> tuple[tuple[str, Alert], ...]:
    """The (sink, alert) pairs that this decision owes: none unless its reason is new and is for people."""
    before, reason = rollout.decision, decision.reason
    if reason.level is Level.EVENT or (
        before is not None and before.reason is reason and not decision.actions
    ):
        return ()
    alert = _alert(rollout, decision, now)
    asked = rollout.policy
    named = asked.alerts if asked is not None and asked.alerts else sinks
    return tuple((sink, alert) for sink in named if sink in sinks)


def _alert(rollout: Rollout, decision: Decision, now: datetime) -> Alert:
    reason, facts = decision.reason, decision.facts
    about = facts.get("canary", facts.get("stable", ""))
    parts = (rollout.name, str(attempt_of(decision.state)), about, reason.name.lower(), _rung(decision.state))
    key = "/".join(str(part) for part in (*parts, _when(decision, now)) if part != "")
    return Alert(
        key,
        rollout.name,
        reason.name,
        reason.level,
        now,
        f"{rollout.name}: {said(decision)}",
        _fields(rollout, decision),
        NEXT.get(reason, LOOK).format(name=rollout.name),
    )


def _fields(rollout: Rollout, decision: Decision) -> tuple[tuple[str, str], ...]:
    facts, origin = decision.facts, _origin(rollout)
    fields = [
        ("stable", facts.get("stable", "")),
        ("canary", facts.get("canary", "")),
        (
            "weight",
            f"{facts['before']} to {facts['weight']}" if "before" in facts else facts.get("weight", ""),
        ),
        ("counts", facts.get("tally", "")),
        ("odds", f"{facts['odds']:.3g} : 1" if "odds" in facts else ""),
        ("baked", f"{facts['baked']:.0f} s" if "baked" in facts else ""),
        ("commit", origin.commit[:12]),
        ("author", origin.author),
        ("policy", f"{origin.source}:{origin.path}" if origin.path else ""),
    ]
    return tuple((name, str(value)) for name, value in fields if value)


def _origin(rollout: Rollout) -> Origin:
    policy = rollout.policy
    return policy.origin if isinstance(policy, Policy) else rollout.asked.origin


def _rung(state: State) -> str:
    state = state.was if isinstance(state, Held) else state
    return str(weight_of(state.rung, state.policy)) if isinstance(state, Ramping) else ""


def _when(decision: Decision, now: datetime) -> str:
    """What tells two tellings of one reason apart."""
    state = decision.state
    if decision.reason in TRANSITIONS:
        return ""
    if decision.reason is Reason.PAUSED and isinstance(state, Ramping) and state.paused:
        return f"{state.paused.at:%Y-%m-%dT%H:%M:%S}"
    return f"{now:%Y-%m-%dT%H:%M:%S}" if decision.reason in ENTERED else f"{now:%Y-%m-%dT%H}"


def said(decision: Decision) -> str:
    """The decision's sentence; in observe mode, what would have been."""
    past = past_of(decision.state)
    observed = past is not None and past.virtual
    sentence = decision.reason.say(decision.facts)
    return f"observing, nothing is written: {sentence}" if observed else sentence


def common_cause(rollout: Rollout, sinks: tuple[str, ...], now: datetime) -> tuple[tuple[str, Alert], ...]:
    """Most canaries fail at once: what they share is broken, not each of them (FAILURES I19)."""
    alert = Alert(
        f"common-cause/{now:%Y-%m-%dT%H:%M}",
        rollout.name,
        "COMMON_CAUSE",
        Level.PAGE,
        now,
        f"more than half of the canaries failed within a minute, {rollout.name} last: what do they share?",
        next="each was sent home on its own evidence; `rollout history` says more",
    )
    return tuple((sink, alert) for sink in sinks)


def source_alert(name: str, state: SourceState, level: Level, now: datetime) -> Alert:
    """What is wrong with a source, at most once an hour for one commit."""
    return Alert(
        f"source/{name}/{state.attempted}/{level.name.lower()}/{now:%Y-%m-%dT%H}",
        f"source {name}",
        "SOURCE",
        level,
        now,
        f"source {name}: {state.problem or '; '.join(state.complaints)}",
        (("accepted", state.accepted or "none"), ("attempted", state.attempted or "none")),
        "rollouts under way go on with what was accepted; what was refused waits for another commit",
    )
