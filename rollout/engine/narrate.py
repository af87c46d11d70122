"""What people are told of a transition: one alert for each sink, made of the decision's own numbers."""

from __future__ import annotations

from datetime import datetime

from rollout.core.ladder import weight_of
from rollout.core.model import Decision, Held, Origin, Policy, Ramping, State, Unadopted
from rollout.core.reason import Level, Reason
from rollout.engine.rollout import Rollout
from rollout.ports import Alert

RETRY = "it is not tried again until git offers another revision, or `rollout retry {name}`"
RISING = "the weight rises by itself; `rollout pause {name}` holds it, `rollout abort {name}` ends it"
LOOK = "`rollout why {name}` says more"
NEXT = {
    Reason.WORSE: RETRY,
    Reason.OVER_LIMIT: RETRY,
    Reason.NO_DATA_TOO_LONG: RETRY,
    Reason.LOST_ENDPOINTS: RETRY,
    Reason.NEVER_READY: RETRY,
    Reason.ABORTED: RETRY,
    Reason.STARTED: RISING,
    Reason.STEP_PASSED: RISING,
    Reason.PROMOTED: "nothing; it is stable now",
    Reason.ROLLED_BACK: LOOK,
    Reason.CHANGED: "it begins afresh under the new policy once the mesh is seen at 0 %",
}
"""What happens next, by reason; elsewhere a person has to look."""

TRANSITIONS = frozenset(NEXT) | {Reason.ADOPTED, Reason.WITHDRAWN, Reason.REVERTED, Reason.RELEASED}
"""Reasons that come once in a journey; the others may come and go, and are told once an hour at the most."""


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
    when = "" if reason in TRANSITIONS else f"/{now:%Y-%m-%dT%H}"
    key = f"{rollout.name}/{_attempt(rollout, decision)}/{reason.name.lower()}{_rung(decision.state)}{when}"
    return Alert(
        key,
        rollout.name,
        reason.name,
        reason.level,
        now,
        f"{rollout.name}: {reason.say(facts)}",
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


def _attempt(rollout: Rollout, decision: Decision) -> str:
    state = decision.state.was if isinstance(decision.state, Held) else decision.state
    past = rollout.past if isinstance(state, Unadopted) else state.past
    return str(past.attempt) if past is not None else "0"


def _rung(state: State) -> str:
    state = state.was if isinstance(state, Held) else state
    return f"/{weight_of(state.rung, state.policy)}" if isinstance(state, Ramping) else ""
