"""What an order will change, said before it is given."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.core import ladder
from rollout.core.forecast import forecast
from rollout.core.model import (
    EVERYTHING,
    NOTHING,
    Held,
    Ramping,
    RollingBack,
    State,
    Steady,
    Verb,
    Why,
    percent,
)
from rollout.core.moment import Moment, ramp_of, stable_of, weight_of
from rollout.ports import Freeze


def change(verb: Verb, moment: Moment, argument: str = "", freezes: Sequence[Freeze] = ()) -> str:
    """One line: the rollout, what it is, what it will be."""
    state = moment.decision.state if moment.decision else None
    match verb:
        case Verb.ABORT:
            told = _abort(state)
        case Verb.PAUSE:
            here = percent(weight_of(state))
            told = f"stays at {here} until `rollout resume`; a failing canary still goes home"
        case Verb.RESUME:
            told = _resume(moment.name, state, freezes)
        case Verb.PROMOTE:
            told = _promote(moment, state, full=argument == "full")
        case Verb.RETRY:
            asked = moment.policy.revision if moment.policy else "what git asks for"
            told = f"{asked} is no longer taken as rejected, and is begun again from 0 %"
        case Verb.ADOPT:
            told = f"{argument or 'the backend that carries everything'} is taken as stable"
    return f"{moment.name}: {told}"


def freeze(name: str, *, lifted: bool) -> str:
    """What a freeze, or its end, will change."""
    whose = name or "everything"
    if lifted:
        return f"{whose}: weight may rise again"
    return f"{whose}: no weight rises until `rollout resume {name or '--all'}`; the way home stays open"


def _abort(state: State | None) -> str:
    ramp, stable = ramp_of(state), stable_of(state)
    if isinstance(state, RollingBack):
        return f"is on its way home already: all to {stable}"
    if ramp is None:
        return f"nothing is under way{f': {stable} serves everybody' if stable else ''}"
    weight, moved = weight_of(state), f"all stays on {stable}"
    if weight != NOTHING:
        moved = f"{percent(weight)} → {percent(NOTHING)}, all to {stable}, now"
    return f"{moved}; {ramp.canary} is not tried again until `rollout retry`"


def _resume(name: str, state: State | None, freezes: Sequence[Freeze]) -> str:
    ramp = ramp_of(state)
    own = [freeze for freeze in freezes if freeze.name == name]
    whole = [freeze for freeze in freezes if not freeze.name]
    more = [f"the freeze by {freeze.actor} is lifted" for freeze in own]
    more += [f"everything stays frozen by {freeze.actor}: `rollout resume --all`" for freeze in whole]
    match state:
        case Held(was=Ramping() as was, why=Why.LOWERED):
            goal = percent(ladder.weight_of(was.rung, was.policy))
            told = f"{percent(weight_of(state))} → {goal}, and on from there"
        case Held(was=Steady(past=past)):
            told = f"all to {past.stable} again, and watched"
        case _ if ramp and ramp.paused:
            told = f"goes on from {percent(weight_of(state))}"
        case _:
            told = "" if own or whole else "goes on"
    return "; ".join(filter(None, (told, *more)))


def _promote(moment: Moment, state: State | None, *, full: bool) -> str:
    if not isinstance(state, Ramping):
        return "nothing is under way to promote"
    here = percent(weight_of(state))
    if full:
        return (
            f"{here} → {percent(EVERYTHING)}, step by step without waiting for bakes and counts; still judged"
        )
    goal = forecast(state, moment.at, moment.now).weight
    to = "its first weight" if goal is None else percent(goal)
    return f"{here} → {to} without waiting for the bake and the counts; still judged"
