"""One pass over one rollout: observe, decide, record, enact, narrate.

The intent is durable before the mesh is touched, but for going home: that waits for the disk only a moment,
because the road home must not need it (laws 4 and 6, FAILURES Q1).
"""

from __future__ import annotations

import asyncio
import functools
import logging
from dataclasses import replace

from rollout.core.machine import decide
from rollout.core.model import (
    Decision,
    Held,
    MeshSeen,
    Observation,
    Policy,
    Ramping,
    RollingBack,
    Sample,
    SetSplit,
    Steady,
    Unseen,
)
from rollout.core.reason import Level, Reason
from rollout.core.schedule import look_interval
from rollout.engine.gather import about
from rollout.engine.narrate import alerts_of, common_cause, said
from rollout.engine.rollout import Rollout
from rollout.engine.world import World
from rollout.ports import Lost, Moved, Question, Record, Refused, Unavailable

log = logging.getLogger("rollout")

PATIENCE = 0.02
"""Seconds that a write towards home waits to be recorded first (DESIGN 14.14)."""
KEPT = 5
"""Decisions on the way home that are kept for the history until the disk is back."""
WRITTEN = "written"
CONDEMNED = (Reason.WORSE, Reason.OVER_LIMIT)
JUMP = 30.0
"""Seconds by which the wall clock may part from the monotonic one in a look (FAILURES C1)."""
SHORTEST, LONGEST = 0.1, 5.0
"""Bounds of a look's deadline for what is outside, seconds."""


async def reconcile(rollout: Rollout, world: World) -> Decision:
    """One pass. What goes wrong outside is seen by the next pass; a bug rises to the daemon."""
    began = world.clock.monotonic()
    seen = await observe(rollout, world)
    decision = decide(rollout.state, rollout.asked, seen)
    if decision.reason is Reason.NO_DATA_TOO_LONG:  # before anything is waited for: many may be at this point
        world.breaker.count(began)
    if rollout.failed and "detail" in decision.facts:
        detail = f"{decision.facts['detail']}; the last write failed: {rollout.failed}"
        decision = replace(decision, facts={**decision.facts, "detail": detail})
    homeward = _is_homeward(rollout, decision, seen)
    if not await record(rollout, decision, world, homeward=homeward):
        return _unrecorded(rollout, decision, world)
    before, rollout.decision = rollout.decision, decision
    rollout.state, rollout.looked_at, rollout.wall_at = decision.state, began, seen.now.timestamp()
    if homeward or world.holds(rollout.name) == seen.holds:
        await enact(rollout, decision, world)
    elif decision.actions:  # somebody was told that nothing rises while this was being recorded
        rollout.unwritten, rollout.outcome = True, "held back"
    narrate(rollout, decision, before)
    return decision


async def observe(rollout: Rollout, world: World) -> Observation:
    """Everything this look may know; mesh and metrics are read at the same time."""
    now, monotonic = world.clock.now(), world.clock.monotonic()
    policy = rollout.policy
    look = look_interval(policy, world.least_look(policy.analysis.metrics)) if policy else 1.0
    deadline = min(max(look / 2, SHORTEST), LONGEST)
    elapsed = None if rollout.looked_at is None else monotonic - rollout.looked_at
    if elapsed is not None and abs(now.timestamp() - rollout.wall_at - elapsed) > JUMP:
        log.warning("rollout.clock_jumped", extra={"rollout": rollout.name})
        elapsed = None
    mesh, sample = await asyncio.gather(_mesh(rollout, world, deadline), _sample(rollout, world, deadline))
    return Observation(
        now,
        elapsed,
        mesh,
        sample,
        world.epoch,
        look=look,
        orders=tuple(rollout.orders),
        holds=world.holds(rollout.name),
        breaker_open=world.breaker.is_open(monotonic),
        unwritten=rollout.unwritten,
        observe=world.observe or (isinstance(rollout.asked, Policy) and rollout.asked.observe),
        noise=world.history.noise(rollout),
    )


async def _mesh(rollout: Rollout, world: World, deadline: float) -> MeshSeen | Unseen:
    route = rollout.route
    if route is None:
        return Unseen("no policy names its route any more")
    mesh = world.meshes.get(route.mesh)
    if mesh is None:
        return Unseen(f"no mesh is named {route.mesh} in the settings")
    try:
        return await mesh.read(route, deadline)
    except Lost as lost:
        return Unseen(str(lost), lost=True)
    except (Unavailable, Refused) as trouble:
        return Unseen(str(trouble))


async def _sample(rollout: Rollout, world: World, deadline: float) -> Sample | Unseen:
    question = _question(rollout)
    if question is None:
        return Unseen("not asked for")
    policy = rollout.policy
    source = world.metrics.get(policy.analysis.metrics) if policy else None
    if source is None:
        return Unseen(
            f"no metrics source is named {policy.analysis.metrics if policy else ''} in the settings"
        )
    return await source.ask(question, deadline)


def _question(rollout: Rollout) -> Question | None:
    """What has to be counted: both arms of a journey that is under way, or about to begin."""
    state = rollout.state.was if isinstance(rollout.state, Held) else rollout.state
    asked = rollout.asked if isinstance(rollout.asked, Policy) else None
    match state:
        case Ramping():
            arms, policies = (state.past.stable.backend, state.canary.backend), [state.policy]
        case Steady() if asked and asked.revision.backend != state.past.stable.backend:
            if asked.revision in state.past.rejected and not rollout.orders:
                return None
            arms, policies = (state.past.stable.backend, asked.revision.backend), []
        case _:
            return None
    policies += [asked] if asked else []
    return about(arms, [check.of for policy in policies for check in policy.analysis.checks])


def _is_homeward(rollout: Rollout, decision: Decision, seen: Observation) -> bool:
    """Would the write give more to what is stable now, and less to everybody else?"""
    if not decision.actions or isinstance(seen.mesh, Unseen) or rollout.past is None:
        return False
    stable, wanted = rollout.past.stable.backend, decision.actions[0].split
    return all(wanted.weight(stable) > split.weight(stable) for split in seen.mesh.splits)


async def record(rollout: Rollout, decision: Decision, world: World, *, homeward: bool) -> bool:
    """Make the decision durable. A pass that changes nothing writes nothing, one that repeats a write which
    failed makes no history of it.

    Returns whether the pass may go on: ``False`` when it could not be recorded and is not on its way home.
    """
    before = rollout.decision
    again = before is not None and before.reason is decision.reason and bool(rollout.failed)
    noteworthy = not again and (
        before is None or before.reason is not decision.reason or bool(decision.actions)
    )
    noteworthy = noteworthy or bool(decision.obeyed)
    if not (noteworthy or rollout.dirty or decision.state != rollout.state):
        return True
    now = world.clock.now()
    alerts = alerts_of(rollout, decision, world.sinks, now)
    if decision.reason in CONDEMNED and world.breaker.condemns(world.clock.monotonic()):
        alerts += common_cause(rollout, world.sinks, now)
    origin, outcome = rollout.asked.origin, rollout.outcome
    entry = Record(rollout.name, now, decision, noteworthy, alerts, origin, outcome, rollout.dirty)
    goes_home = homeward or isinstance(decision.state, RollingBack)
    trouble = await _write_down(rollout, entry, world, PATIENCE if goes_home else world.patience)
    if trouble:
        log.error("rollout.unrecorded", extra={"rollout": rollout.name, "detail": trouble})
        rollout.outcome = trouble
    if trouble and goes_home:
        world.shout(alerts)
        rollout.kept = (*rollout.kept, *([entry] if noteworthy else []))[-KEPT:]
    if not trouble or goes_home:
        _answer(rollout, decision)
    return not trouble or goes_home


async def _write_down(rollout: Rollout, entry: Record, world: World, patience: float) -> str:
    """Record it, after what could not be recorded before. Returns why that did not happen; what is only late
    on its way home is not trouble yet. Never more than one record of a rollout waits for the disk.
    """
    rollout.dirty = True
    if rollout.writing is not None:
        await asyncio.wait({rollout.writing}, timeout=patience)
        if not rollout.writing.done():
            return "the disk does not answer"
    kept, rollout.kept = rollout.kept, ()
    writing = rollout.writing = asyncio.ensure_future(_in_turn(world, (*kept, entry)))
    await asyncio.wait({writing}, timeout=patience)
    if not writing.done():
        home = entry if patience == PATIENCE else None
        writing.add_done_callback(functools.partial(_in_the_end, rollout, kept, home, world))
        return "" if home else "the disk does not answer"
    rollout.writing = None
    if trouble := _trouble(writing):
        rollout.kept = kept
        return trouble
    rollout.dirty = False
    return ""


def _in_the_end(
    rollout: Rollout,
    kept: tuple[Record, ...],
    home: Record | None,
    world: World,
    writing: asyncio.Future[None],
) -> None:
    """What the disk did not take after all is kept, if it was on its way home; anything else was given up
    long ago, and nobody is told of it.
    """
    if writing.cancelled() or not _trouble(writing):
        return
    if home is not None:
        world.shout(home.alerts)
        kept = (*kept, *([home] if home.noteworthy else []))
    rollout.kept = (*kept, *rollout.kept)[-KEPT:]


async def _in_turn(world: World, entries: tuple[Record, ...]) -> None:
    for entry in entries:
        await world.journal.record(entry)


def _trouble(writing: asyncio.Future[None]) -> str:
    """Why a record was not made; a bug rises."""
    error = writing.exception()
    if error is None:
        return ""
    if isinstance(error, Unavailable):
        return str(error)
    raise error


def _answer(rollout: Rollout, decision: Decision) -> None:
    """Tell those who gave orders what became of them."""
    outcomes = dict(decision.obeyed)
    rollout.orders = [order for order in rollout.orders if order.id not in outcomes]
    for number, refusal in outcomes.items():
        rollout.answer(number, refusal)


def _unrecorded(rollout: Rollout, decision: Decision, world: World) -> Decision:
    """Nothing rises on what is not remembered: the state stays, its evidence is counted again next time."""
    was = rollout.decision
    facts = {**decision.facts, "detail": rollout.outcome}
    held = Decision(rollout.state, Reason.UNRECORDED, facts, decision.verdict)
    if was is None or was.reason is not Reason.UNRECORDED:
        world.shout(alerts_of(rollout, held, world.sinks, world.clock.now()))
    rollout.decision, rollout.looked_at = held, None
    for number, refusal in decision.obeyed:
        rollout.answer(number, refusal or f"not done: {rollout.outcome}; it is done as soon as that works")
    return held


async def enact(rollout: Rollout, decision: Decision, world: World) -> None:
    """Make the route carry what was decided. No retry: the next pass sees what the mesh shows."""
    rollout.unwritten, rollout.outcome = False, ""
    for action in decision.actions:
        outcome = await _write(rollout, action, world)
        rollout.outcome = outcome if outcome != rollout.failed else ""
        rollout.failed = "" if outcome == WRITTEN else outcome


async def _write(rollout: Rollout, action: SetSplit, world: World) -> str:
    route = rollout.route
    assert route is not None  # noqa: S101 - an action needs a mesh that was seen
    mesh = world.meshes[route.mesh]
    try:
        await mesh.write(route, action.split, version=action.version, home=action.home, epoch=world.epoch)
    except Moved as moved:
        rollout.unwritten = True
        return f"moved: {moved}"
    except (Unavailable, Refused) as trouble:
        log.error("rollout.not_written", extra={"rollout": rollout.name, "detail": str(trouble)})  # noqa: TRY400
        return f"not written: {trouble}"
    return WRITTEN


def narrate(rollout: Rollout, decision: Decision, before: Decision | None) -> None:
    """One line for each transition; the metrics and the alerts are made of the same decision."""
    if before is not None and before.reason is decision.reason and (rollout.failed or not decision.actions):
        return
    level = logging.WARNING if decision.reason.level is Level.PAGE else logging.INFO
    log.log(
        level,
        "rollout.decided",
        extra={
            "rollout": rollout.name,
            "reason": decision.reason.name,
            "said": said(decision),
            "splits": [str(action.split) for action in decision.actions],
        },
    )
