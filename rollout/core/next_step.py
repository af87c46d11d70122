"""What must happen before anything changes, and when that is: one answer for each reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rollout.core import ladder
from rollout.core.climb import READY_DEADLINE
from rollout.core.forecast import Forecast, forecast, rises_from, say
from rollout.core.machine import BREAKER_CAP, SETTLING_DEADLINE
from rollout.core.model import NOTHING, Decision, OnSilence, RollingBack, Stage, Steady, percent
from rollout.core.moment import Moment, ramp_of, stable_of, weight_of
from rollout.core.reason import Reason
from rollout.core.words import instant, span


def next_step(moment: Moment) -> str:
    """What must happen before anything changes, and when that is."""
    decision = moment.decision
    if decision is None:
        return "the first look"
    told = _BY_REASON[decision.reason]
    if isinstance(told, str):
        return told.format(name=moment.name, **_names(moment))
    return told(moment, decision)


def next_rise(moment: Moment) -> Forecast | None:
    """The rise that nothing but the rollout's own rung stands in the way of; ``None`` when something does."""
    decision = moment.decision
    ramp = ramp_of(decision.state) if decision else None
    if decision is None or ramp is None or _BY_REASON[decision.reason] not in _RISING:
        return None
    return forecast(ramp, moment.at, moment.now)


def _names(moment: Moment) -> Mapping[str, str]:
    state = moment.decision.state if moment.decision else None
    ramp = ramp_of(state)
    canary = ramp.canary if ramp else moment.policy.revision if moment.policy else "the canary"
    return {"stable": str(stable_of(state) or "stable"), "canary": str(canary)}


def _at_rest(moment: Moment, decision: Decision) -> str:
    past = decision.state.past if isinstance(decision.state, Steady) else None
    asked = moment.policy.revision if moment.policy else None
    if past is None or asked is None or asked.backend == past.stable.backend:
        return "nothing, until a commit asks for another backend"
    if asked in past.rejected:
        return _ONCE_REJECTED.format(name=moment.name)
    return f"{asked}, which git asks for, is begun at the next look"


def _rise(moment: Moment, decision: Decision) -> str:
    ramp = ramp_of(decision.state)
    return say(forecast(ramp, moment.at, moment.now)) if ramp else _at_rest(moment, decision)


def _first_rise(moment: Moment, decision: Decision) -> str:
    opens = rises_from(moment.policy, moment.now) if moment.policy else None
    late = f"; the windows open at {instant(opens, moment.now)}" if opens else ""
    return f"{_rise(moment, decision)}{late}"


def _not_ready(moment: Moment, decision: Decision) -> str:
    ramp = ramp_of(decision.state)
    left = READY_DEADLINE - (ramp.clock.unready if ramp else 0.0)
    return f"{_rise(moment, decision)}; without endpoints it is given up in {span(left)}"


def _settle(moment: Moment, decision: Decision) -> str:
    ramp = ramp_of(decision.state)
    if ramp is None:
        return _at_rest(moment, decision)
    bakes = isinstance(ramp.rung, Stage)
    clock = (
        f"the bake of {span(ladder.bake_of(ramp.rung, ramp.policy))} begins" if bakes else "the probe begins"
    )
    waited = f"a person is called after {span(SETTLING_DEADLINE)} (now {span(ramp.clock.settling)})"
    return f"{clock} when the mesh is seen carrying {percent(weight_of(ramp))}; {waited}"


def _blind(moment: Moment, decision: Decision) -> str:
    ramp = ramp_of(decision.state)
    if ramp is None:
        return _at_rest(moment, decision)
    rule, blind = ramp.policy.analysis.no_data, ramp.clock.blind
    left = span(rule.hold - blind)
    if weight_of(ramp) == NOTHING or rule.then is OnSilence.HOLD:
        return f"it goes on when evidence comes again; in {left} a person is called"
    return f"it goes on when evidence comes again; in {left} without any it goes home"


def _breaker(_: Moment, decision: Decision) -> str:
    ramp = ramp_of(decision.state)
    left = span(BREAKER_CAP - (ramp.clock.blind if ramp else 0.0))
    return f"mend the observer (`rollout doctor` names it); in {left} the policy's own rule for silence holds"


def _opens(moment: Moment, decision: Decision) -> str:
    opens = rises_from(moment.policy, moment.now) if moment.policy else None
    ramp = ramp_of(decision.state)
    if opens is None or ramp is None:
        return _rise(moment, decision)
    expected = replace(forecast(ramp, moment.at, moment.now), seconds=None)
    return f"at {instant(opens, moment.now)} weight may rise again: {say(expected)}"


def _going_home(moment: Moment, decision: Decision) -> str:
    state = decision.state
    if not isinstance(state, RollingBack):
        return _at_rest(moment, decision)
    left = SETTLING_DEADLINE - state.total
    called = f"a person is called in {span(left)}" if left > 0 else "a person has been called"
    return f"done when the mesh is seen with everything on {state.past.stable}; {called}"


_ONCE_REJECTED = "nothing, until git offers another revision or somebody says `rollout retry {name}`"
_RESUME = (
    "nothing rises until `rollout resume {name}`; evidence goes on counting, and a failing canary goes home "
    "all the same"
)

_BY_REASON: Mapping[Reason, str | Callable[[Moment, Decision], str]] = {
    Reason.NOTHING_NEW: _at_rest,
    Reason.ADOPTED: _at_rest,
    Reason.OTHER_ROUTE: "the next look sees which backend carries that route",
    Reason.MIXTURE: "say which is stable: `spec.stable` in the policy, or `rollout adopt {name} BACKEND`",
    Reason.REJECTED_BEFORE: _ONCE_REJECTED,
    Reason.SAME_BACKEND: "a commit that gives the new content a backend of its own",
    Reason.STARTED: _settle,
    Reason.RAISED: _settle,
    Reason.STEP_PASSED: _settle,
    Reason.PROMOTED: _at_rest,
    Reason.MEASURING: _first_rise,
    Reason.NOT_READY: _not_ready,
    Reason.STABLE_NOT_READY: "nothing moves until {stable} has a ready endpoint: look at its workload",
    Reason.SETTLING: _settle,
    Reason.NOT_CONVERGING: "mend what the sentence names: nothing rises until the mesh carries the weight",
    Reason.PROBING: _rise,
    Reason.BAKING: _rise,
    Reason.TOO_FEW: _rise,
    Reason.UNCOMPARED: _rise,
    Reason.UNPROVEN: _rise,
    Reason.INCONCLUSIVE: _rise,
    Reason.PASSED_UNPROVEN: _settle,
    Reason.OVER_LIMIT_NOW: _rise,
    Reason.SUSPECT: _rise,
    Reason.BOTH_OVER_LIMIT: _rise,
    Reason.BLIND: _blind,
    Reason.BLIND_HELD: "it goes on when evidence comes again: `rollout doctor` says what is missing",
    Reason.BREAKER_OPEN: _breaker,
    Reason.STABLE_UNHEALTHY: "it goes home as soon as {stable} has a ready endpoint: look at its workload",
    Reason.MESH_UNSEEN: "the next look; `rollout doctor` says what is wrong with the mesh",
    Reason.TARGET_LOST: "put the route back, or take the policy out of git",
    Reason.UNRECORDED: "make room on the disk of the state directory, or mend it",
    Reason.BROKEN: "it is looked at again, less often; the daemon's log has the details",
    Reason.PAUSED: _RESUME,
    Reason.SUSPENDED: "a commit that takes `suspend: true` away; a failing canary goes home all the same",
    Reason.FROZEN: "nothing rises until the freeze is lifted: `rollout resume {name}`, or `--all`",
    Reason.WINDOW_CLOSED: _opens,
    Reason.REWRITTEN: "look at the new history, then `rollout adopt --source SOURCE`",
    Reason.SHARED_TARGET: "a commit that lets one policy alone move the route",
    Reason.GIT_LOST: "it goes on when git answers again: `rollout doctor` says what is wrong",
    Reason.LOWERED: "a person's word: `rollout resume {name}` goes on, `rollout abort {name}` ends it",
    Reason.DRIFT: "a second look, in about a second, decides whose doing it is",
    Reason.CORRECTED: _rise,
    Reason.CONTESTED: "find out who else writes the weights, then `rollout resume {name}`",
    Reason.FORGOTTEN: "bring the journal back, or say which is stable: `rollout adopt {name} BACKEND`",
    Reason.WORSE: _going_home,
    Reason.OVER_LIMIT: _going_home,
    Reason.NO_DATA_TOO_LONG: _going_home,
    Reason.INCONCLUSIVE_TOO_LONG: _going_home,
    Reason.NEVER_READY: _going_home,
    Reason.LOST_ENDPOINTS: _going_home,
    Reason.ABORTED: _going_home,
    Reason.WITHDRAWN: _going_home,
    Reason.REVERTED: _going_home,
    Reason.CHANGED: _going_home,
    Reason.GOING_HOME: _going_home,
    Reason.NOT_HOME: _going_home,
    Reason.ROLLED_BACK: _at_rest,
    Reason.RELEASED: "nothing: it is not ours any more, until git has a policy for it again",
}

_RISING = (_rise, _first_rise, _settle)
