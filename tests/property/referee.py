"""A referee who watches every write to the mesh, not the ending: what heals itself forgives its own sins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rollout.core import ladder, schedule
from rollout.core.model import (
    FULL,
    NOTHING,
    Decision,
    Held,
    MeshSeen,
    Order,
    Policy,
    Probe,
    Ramping,
    Revision,
    RollingBack,
    Rung,
    SetSplit,
    Stage,
    State,
    Steady,
    Verb,
    Verdict,
    Waiting,
)
from rollout.core.past import past_of
from rollout.core.reason import Reason
from tests.unit.core.world import World

CLIMBS = {Reason.STARTED, Reason.RAISED, Reason.STEP_PASSED}


@dataclass
class Referee(World):
    """A world in which breaking a law is an ``AssertionError``."""

    before: State | None = None
    ordered: tuple[Order, ...] = ()
    condemned: set[Revision] = field(default_factory=set)
    climbed: set[tuple[int, Rung]] = field(default_factory=set)

    def look(
        self, seconds: float = 1.0, *, elapsed: float | None = -1.0, orders: Iterable[Order] = ()
    ) -> Decision:
        self.before, self.ordered = self.state, tuple(orders)
        wished = self._somebody_lowered()
        decision = super().look(seconds, elapsed=elapsed, orders=self.ordered)
        self._remember(decision)
        if wished and not self._said(Verb.RESUME):
            assert not isinstance(decision.state, Ramping), "a person's lowering was not taken as a wish"
        self._judge(decision)
        return decision

    def _write(self, action: SetSplit) -> None:
        past = past_of(self.state)
        assert past is not None
        assert not self.observe, "written in observe mode"
        stable = past.stable.backend
        assert action.home.sole == stable
        given, shows = (
            FULL - action.split.weight(stable),
            max(FULL - one.weight(stable) for one in self.splits),
        )
        if given > shows:
            self._raised(action)
        super()._write(action)

    def _raised(self, action: SetSplit) -> None:
        state, before = self.state, self.before
        assert isinstance(state, Ramping), "raised where nothing is under way"
        assert self.mesh_gone is None
        assert self.ready.get(state.past.stable.backend, 0), "raised without a stable to go back to"
        assert self.ready.get(state.canary.backend, 0), "raised without a canary"
        assert not self.holds, "raised while held"
        assert state.paused is None, "raised while paused"
        assert not state.policy.suspend, "raised while suspended"
        assert schedule.is_open(state.policy.windows, self.now), "raised outside the windows"
        assert state.canary not in self.condemned, "raised a rejected revision"
        assert action.split.weight(state.canary.backend) == ladder.weight_of(state.rung, state.policy)
        if isinstance(before, Ramping) and before.rung == state.rung:
            assert before.intent is not None
            assert not before.intent.confirmed, "raised again what had been seen"

    def _judge(self, decision: Decision) -> None:
        """What may follow upon what."""
        before, after = self.before, decision.state
        if decision.verdict is Verdict.FAILING and self._has_home(after):
            assert isinstance(after, RollingBack), "kept feeding a failed canary"
        if isinstance(before, RollingBack):
            assert isinstance(after, RollingBack | Steady | Held), "rose on the way home"
        if decision.reason in CLIMBS:
            assert isinstance(before, Ramping | Held)
            assert isinstance(after, Ramping)
            self._climbs(decision, before.was if isinstance(before, Held) else before, after)
        if decision.reason is Reason.PROMOTED:
            assert isinstance(before, Ramping)
            assert ladder.after(before.rung, before.policy, fast=before.fast) is None, "promoted from below"
            self._proved(decision, before)

    def _climbs(self, decision: Decision, before: State, after: Ramping) -> None:
        assert isinstance(before, Ramping)
        climb = (after.past.attempt, after.rung)
        assert climb not in self.climbed, "raised the same rung twice"
        self.climbed.add(climb)
        low, high = (ladder.weight_of(one.rung, after.policy) for one in (before, after))
        assert low < high
        match before.rung:
            case Waiting():
                goal = ladder.after(Waiting(), after.policy, fast=after.fast)
                assert isinstance(after.rung, Probe) or after.rung == goal
            case Probe(aimed=False):
                assert isinstance(after.rung, Probe) or after.rung == ladder.after(
                    Waiting(), after.policy, fast=after.fast
                )
            case Probe() | Stage():
                assert after.rung == ladder.after(before.rung, after.policy, fast=after.fast), (
                    "skipped a rung"
                )
                self._proved(decision, before)

    def _proved(self, decision: Decision, before: Ramping) -> None:
        assert decision.verdict is not Verdict.FAILING
        assert not decision.actions or isinstance(self.mesh(), MeshSeen)
        if self._said(Verb.PROMOTE) or before.haste.name != "NONE" or isinstance(before.rung, Probe):
            return
        assert decision.verdict is Verdict.PASSING, "rose without a passing verdict"
        bake = ladder.bake_of(before.rung, after_policy(decision, before))
        assert float(decision.facts["baked"]) >= bake - 1e-9 or before.clock.baked + 60 >= bake

    def _somebody_lowered(self) -> bool:
        state, mesh = self.state, self.mesh()
        if (
            not isinstance(state, Ramping)
            or not isinstance(mesh, MeshSeen)
            or state.past.virtual
            or self.observe
        ):
            return False
        weight = ladder.weight_of(state.rung, state.policy)
        seen = state.intent is not None and state.intent.confirmed
        canary, stable = state.canary.backend, state.past.stable.backend
        above = any(FULL - split.weight(stable) > weight for split in mesh.splits)
        below = any(split.weight(canary) < weight for split in mesh.splits)
        known = (mesh.epoch or 0) <= self.epoch
        return seen and below and not above and known

    def _has_home(self, state: State) -> bool:
        past = past_of(state)
        return past is not None and bool(self.ready.get(past.stable.backend, 0))

    def _said(self, verb: Verb) -> bool:
        return any(order.verb is verb for order in self.ordered)

    def _remember(self, decision: Decision) -> None:
        past = past_of(decision.state)
        if past is None or past.virtual:
            return
        if isinstance(decision.state, RollingBack) and decision.state.canary in past.rejected:
            self.condemned.add(decision.state.canary)
        retried = {number for number, refused in decision.obeyed if not refused}
        if any(order.verb is Verb.RETRY and order.id in retried for order in self.ordered):
            assert isinstance(self.asked, Policy)
            self.condemned.discard(self.asked.revision)

    def settled(self) -> bool:
        """Is nothing under way, and nothing but stable in the mesh?"""
        past = past_of(self.state)
        if past is None or not isinstance(self.state, Steady):
            return False
        return all(split.weight(past.stable.backend) == FULL - NOTHING for split in self.splits)


def after_policy(decision: Decision, before: Ramping) -> Policy:
    return decision.state.policy if isinstance(decision.state, Ramping) else before.policy
