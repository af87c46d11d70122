"""All rules about traffic: from a state, what git asks and what is seen, to the next state and its reason.

Pure: time, chance and the outside world are arguments. If you want to know why traffic moved, read here;
the judge says only how a canary fares, the ladder only which weight comes next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from rollout.core import judge, ladder, schedule
from rollout.core.action import enact, wanted_split
from rollout.core.climb import rise
from rollout.core.convergence import exposure, lag, least, misled, ready, shown
from rollout.core.drift import FIGHT, drift
from rollout.core.fence import borne_out
from rollout.core.look import Look, look_at
from rollout.core.model import (
    NOTHING,
    Cause,
    Comparison,
    Decision,
    Fact,
    Held,
    MeshSeen,
    Observation,
    OnSilence,
    Past,
    Policy,
    Ramping,
    Revision,
    RollingBack,
    Split,
    State,
    Steady,
    Tally,
    Unadopted,
    Unseen,
    Verdict,
    Why,
    Withdrawn,
    percent,
)
from rollout.core.orders import obey
from rollout.core.past import awakened, dreamt, is_known, past_of
from rollout.core.reason import Reason
from rollout.core.terms import carry_over, evidence_of
from rollout.core.testimony import testimony
from rollout.core.turn import Turn, fallen, home, say

Rule = Callable[[Look], Turn | None]
"""What one look comes to, if this rule has something to say about it."""

SETTLING_DEADLINE = 60.0
"""Seconds after which a mesh that does not carry a weight is a page."""
BREAKER_CAP = 3600.0
"""Seconds of blindness that even an open breaker excuses (FAILURES 2.2)."""


def decide(state: State, asked: Policy | Withdrawn, seen: Observation) -> Decision:
    """One look at one rollout: people's orders, then down before up, then the action, if one is needed."""
    before = past_of(state)
    if before is not None and before.virtual and not seen.observe:
        state = awakened(before)
    known = borne_out(state, asked, seen)
    found_out = isinstance(known, Held) and known.why is Why.FORGOTTEN and known != state
    state, obeyed, abort = obey(known, asked, seen, found_out=found_out)
    turn = Turn(state, Reason.ABORTED, abort) if abort else _turn(state, asked, seen)
    after, actions = enact(turn, seen)
    if seen.observe:
        after = dreamt(after, before)
    facts = {"name": asked.name, **turn.facts}
    judged = testimony(turn, state)
    return Decision(after, turn.reason, facts, turn.verdict, actions, obeyed, judged)


def _turn(state: State, asked: Policy | Withdrawn, seen: Observation) -> Turn:
    match state:
        case Unadopted():
            return _adopt(state, asked, seen)
        case Steady():
            return _rest(state, asked, seen)
        case Ramping():
            return _ramp(look_at(_carried(state, asked), asked, seen))
        case RollingBack():
            return _go_home(state, asked, seen)
        case Held():
            return _stay_held(state, asked, seen)
        case _:
            assert_never(state)


# --- at rest -------------------------------------------------------------------------------------


def _adopt(state: Unadopted, asked: Policy | Withdrawn, seen: Observation) -> Turn:
    mesh = seen.mesh
    if isinstance(asked, Withdrawn):
        return Turn(state, Reason.RELEASED, {"stable": "whatever it had"})
    if isinstance(mesh, Unseen):
        return _unseen(state, mesh)
    if mesh.epoch is not None and not seen.observe:
        return Turn(Held(state, Why.FORGOTTEN), Reason.FORGOTTEN, {"epoch": mesh.epoch})
    sole = mesh.splits[0].sole if len(mesh.splits) == 1 else None
    carrying = {name for split in mesh.splits for name, _ in split.shares}
    backend = sole if sole is not None else asked.stable if asked.stable in carrying else None
    if backend is None:
        return Turn(state, Reason.MIXTURE, {"split": shown(mesh)})
    stable = asked.revision if asked.revision.backend == backend else Revision(backend)
    past = Past(stable, asked.route, attempt=state.attempt)
    return Turn(Steady(past), Reason.ADOPTED, {"stable": str(stable)})


def _rest(state: Steady, asked: Policy | Withdrawn, seen: Observation) -> Turn:
    mesh = seen.mesh
    if isinstance(asked, Policy) and asked.route != state.past.route:
        return Turn(Unadopted(state.past.attempt), Reason.OTHER_ROUTE, {"route": str(asked.route)})
    facts: dict[str, Fact] = {"stable": str(state.past.stable), "weight": percent(NOTHING)}
    if isinstance(mesh, Unseen):
        released = mesh.lost and isinstance(asked, Withdrawn)
        return Turn(state, Reason.RELEASED, facts) if released else _unseen(state, mesh)
    home = Split.all_on(state.past.stable.backend)
    if not seen.observe and (turn := drift(state, home, seen)):
        return replace(turn, facts=facts | turn.facts)
    if isinstance(asked, Withdrawn):
        left = seen.observe or mesh.splits == (home,)
        facts["detail"] = f"the route shows {shown(mesh)}"
        return Turn(state, Reason.RELEASED if left else Reason.GOING_HOME, facts)
    return _begin(state, asked, seen, facts | {"canary": str(asked.revision)})


def _begin(state: Steady, asked: Policy, seen: Observation, facts: dict[str, Fact]) -> Turn:
    past, revision = state.past, asked.revision
    if revision.backend == past.stable.backend:
        other = bool(revision.content) and revision.content != past.stable.content
        return Turn(state, Reason.SAME_BACKEND if other else Reason.NOTHING_NEW, facts)
    if revision in past.rejected:
        return Turn(state, Reason.REJECTED_BEFORE, facts)
    ramp = Ramping(
        replace(past, attempt=past.attempt + 1),
        asked,
        revision,
        seen.now,
        fast=is_known(past, revision, seen.now, asked.revert_window),
        evidence=evidence_of(asked),
        counts=(Tally(),) * len(asked.analysis.checks),
        intent=state.intent,
    )
    look = look_at(ramp, asked, replace(seen, elapsed=None))
    return Turn(look.state, Reason.MEASURING, facts, look=look)


def _carried(state: Ramping, asked: Policy | Withdrawn) -> Ramping:
    """Under the policy asked for now, where the evidence gathered so far bears on it."""
    return state if isinstance(asked, Withdrawn) else carry_over(state, asked) or state


def _unseen(state: State, mesh: Unseen) -> Turn:
    return Turn(state, Reason.TARGET_LOST if mesh.lost else Reason.MESH_UNSEEN, {"detail": mesh.why})


# --- on the way up -------------------------------------------------------------------------------


def _ramp(look: Look) -> Turn:
    """Down before up: whatever sends it home goes first, then the first rule that has something to say."""
    turn = _homeward(look, HOMEWARD) or next(turn for rule in RULES if (turn := rule(look)) is not None)
    rises = not look.lag or (_nowhere_to_fall(look) or _bars(look)) is None
    return replace(turn, verdict=look.verdict, look=look, rises=rises)


def _homeward(look: Look, rules: tuple[Rule, ...]) -> Turn | None:
    """The way home, if a rule knows one and there is a home. What only holds must not go before a foreign
    hand: its state still wants the weight that somebody may just have taken away.
    """
    turns = (rule(look) for rule in rules)
    return next((turn for turn in turns if turn is not None and isinstance(turn.state, RollingBack)), None)


def _failing(look: Look) -> Turn | None:
    for index, finding in enumerate(look.findings):
        if finding.verdict is not Verdict.FAILING:
            continue
        accused = look.accused(index)
        if isinstance(finding.check, Comparison):
            return home(look, Cause.WORSE, Reason.WORSE, **accused)
        counts = look.state.counts[index]
        share = judge.share(counts.canary_x, counts.canary_n)
        limits: dict[str, Fact] = {"canary_share": share, "limit": finding.check.max}
        return home(look, Cause.OVER_LIMIT, Reason.OVER_LIMIT, **accused, **limits)
    return None


def _unasked(look: Look) -> Turn | None:
    """Git asks for something else now."""
    state, asked = look.state, look.asked
    if isinstance(asked, Withdrawn):
        return home(look, Cause.WITHDRAWN, Reason.WITHDRAWN)
    if asked.revision.backend == state.past.stable.backend:
        return home(look, Cause.REVERTED, Reason.REVERTED)
    if state.policy != asked:
        return home(
            look,
            Cause.CHANGED,
            Reason.CHANGED,
            detail=f"{asked.revision}, policy of {asked.origin.commit[:8]}",
        )
    return None


def _endpoints_lost(look: Look) -> Turn | None:
    mesh = look.seen.mesh
    if isinstance(mesh, Unseen) or look.weight == NOTHING or ready(mesh, look.state.canary.backend) != 0:
        return None
    return home(
        look, Cause.LOST_ENDPOINTS, Reason.LOST_ENDPOINTS, detail=f"{look.state.canary.backend} has none"
    )


def _blind_too_long(look: Look) -> Turn | None:
    state, rule = look.state, look.state.policy.analysis.no_data
    if not look.silence or look.weight == NOTHING or state.clock.blind < rule.hold:
        return None
    mesh, stable = look.seen.mesh, state.past.stable.backend
    if isinstance(mesh, MeshSeen) and not (look.seen.observe or exposure(mesh, stable)):
        return None  # it was never given what it is silent about
    facts: dict[str, Fact] = {"detail": look.silence, "blind": state.clock.blind}
    if look.seen.breaker_open and state.clock.blind < BREAKER_CAP:
        return say(look, Reason.BREAKER_OPEN, **facts)
    if rule.then is OnSilence.HOLD:
        return say(look, Reason.BLIND_HELD, **facts)
    return home(look, Cause.NO_DATA, Reason.NO_DATA_TOO_LONG, **facts)


def _mesh_unseen(look: Look) -> Turn | None:
    if isinstance(look.seen.mesh, MeshSeen):
        return None
    turn = _unseen(look.state, look.seen.mesh)
    return replace(turn, facts=look.facts | turn.facts)


def _foreign(look: Look) -> Turn | None:
    wanted = wanted_split(look.state)
    if look.seen.observe or wanted is None or isinstance(look.seen.mesh, Unseen):
        return None
    turn = drift(look.state, wanted, look.seen)
    return None if turn is None else replace(turn, facts=look.facts | turn.facts)


def _settling(look: Look) -> Turn | None:
    clock = look.state.clock
    if not look.lag and look.state.flow.follows:
        return None
    mesh, stable = look.seen.mesh, look.state.past.stable.backend
    lost = isinstance(mesh, MeshSeen) and exposure(mesh, stable) < look.weight
    if lost and (held := _bars(look)):
        return held  # a raise that is not to be made now: the mesh is not to blame
    late = clock.settling > SETTLING_DEADLINE
    detail = look.lag or misled(look.weight)
    reason = Reason.NOT_CONVERGING if late else Reason.SETTLING
    return say(look, reason, detail=detail, settling=clock.settling)


def _nowhere_to_fall(look: Look) -> Turn | None:
    """Stable has no ready endpoint: nothing rises, and nothing could go home."""
    mesh, stable = look.seen.mesh, look.state.past.stable.backend
    if isinstance(mesh, MeshSeen) and ready(mesh, stable) == 0:
        return say(look, Reason.STABLE_NOT_READY, detail=f"{stable} has none")
    return None


def _observer_broken(look: Look) -> Turn | None:
    """A person hears of it whoever holds the rollout."""
    if look.silence and look.seen.breaker_open:
        return say(look, Reason.BREAKER_OPEN, detail=look.silence)
    return None


def _held_back(look: Look) -> Turn | None:
    """People, neighbours and the calendar; the evidence goes on counting."""
    state, asked, seen = look.state, look.state.policy, look.seen
    if state.paused:
        return say(look, Reason.PAUSED, actor=state.paused.actor, why=state.paused.why)
    if asked.suspend:
        return say(look, Reason.SUSPENDED)
    for hold in seen.holds:
        return say(look, hold.reason, detail=hold.detail)
    if not schedule.is_open(asked.windows, seen.now):
        opens = schedule.opens(asked.windows, seen.now)
        return say(look, Reason.WINDOW_CLOSED, opens=f"{opens:%a %H:%M} UTC")
    return None


def _bars(look: Look) -> Turn | None:
    """Why a raise that was lost may not be made now: somebody holds it, or nobody counts what comes of it. A
    canary that is silent because it was given nothing is no reason.
    """
    counted = look.increment is not None and look.increment.covered
    return _held_back(look) or (None if counted else _blind(look))


def _blind(look: Look) -> Turn | None:
    if not look.silence:
        return None
    clock, rule = look.state.clock, look.state.policy.analysis.no_data
    if clock.blind >= rule.hold:  # and it has no traffic, or it would be on its way home
        return say(look, Reason.BLIND_HELD, detail=look.silence, blind=clock.blind)
    return say(look, Reason.BLIND, detail=look.silence, blind=clock.blind, deadline=rule.hold)


HOMEWARD: tuple[Rule, ...] = (_failing, _unasked, _endpoints_lost, _blind_too_long)
HOLDS: tuple[Rule, ...] = (_nowhere_to_fall, _observer_broken, _held_back, _blind)
RULES: tuple[Rule, ...] = (_foreign, *HOMEWARD, _mesh_unseen, _settling, *HOLDS, rise)


# --- on the way home, and held -------------------------------------------------------------------


def _go_home(state: RollingBack, asked: Policy | Withdrawn, seen: Observation) -> Turn:
    stable = state.past.stable
    state = replace(state, total=state.total + (seen.elapsed or 0.0))
    facts: dict[str, Fact] = {
        "stable": str(stable),
        "canary": str(state.canary),
        "weight": percent(state.was),
        "total": state.total,
    }
    if isinstance(seen.mesh, Unseen) and seen.mesh.lost and not seen.observe:
        released = isinstance(asked, Withdrawn)
        turn = _unseen(Steady(state.past) if released else state, seen.mesh)
        return replace(turn, reason=Reason.RELEASED if released else turn.reason, facts=facts | turn.facts)
    lacking = seen.mesh.why if isinstance(seen.mesh, Unseen) else lag(seen.mesh, Split.all_on(stable.backend))
    if seen.observe or not lacking:
        return Turn(Steady(state.past), Reason.ROLLED_BACK, facts | fallen(state.was))
    if isinstance(seen.mesh, MeshSeen) and ready(seen.mesh, stable.backend) == 0:
        return Turn(state, Reason.STABLE_NOT_READY, facts | {"detail": f"{stable.backend} has none"})
    late = state.total > SETTLING_DEADLINE
    reason = Reason.NOT_HOME if late else Reason.GOING_HOME
    return Turn(state, reason, facts | fallen(state.was) | {"detail": lacking})


def _stay_held(state: Held, asked: Policy | Withdrawn, seen: Observation) -> Turn:
    """A person has to speak; until then nothing rises, and a bad canary still goes home."""
    was, weight, facts, look = state.was, state.weight, _held_facts(state, seen), None
    if isinstance(asked, Withdrawn) and not isinstance(was, Ramping):
        return Turn(was, Reason.RELEASED, facts, acts=False)
    if isinstance(was, Ramping):
        look = look_at(_carried(was, asked), asked, seen)
        if turn := _homeward(look, HOMEWARD if weight else (_failing, _unasked)):
            return replace(turn, verdict=look.verdict, look=look)
        was, facts = look.state, look.facts | facts
        if state.why is Why.LOWERED and isinstance(seen.mesh, MeshSeen):
            weight = min(look.weight, least(seen.mesh, was.canary.backend))
    held, facts["weight"] = replace(state, was=was, weight=weight), percent(weight)
    return Turn(held, Reason[state.why.name], facts, look=look)


def _held_facts(state: Held, seen: Observation) -> dict[str, Fact]:
    mesh = seen.mesh
    facts: dict[str, Fact] = {
        "split": mesh.why if isinstance(mesh, Unseen) else shown(mesh),
        "times": FIGHT,
        "epoch": "unknown" if isinstance(mesh, Unseen) else mesh.epoch or 0,
        "stable": "whatever it had" if isinstance(state.was, Unadopted) else str(state.was.past.stable),
    }
    if isinstance(state.was, Ramping):
        facts["authorised"] = percent(ladder.weight_of(state.was.rung, state.was.policy))
    return facts
