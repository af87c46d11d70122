"""One journey of a canary, from its commit to its end, by the true rules on invented traffic.

The core decides and the engine's own pace says when. Looks that cannot change anything are taken together, as
one longer look; a stretch that comes out otherwise is made shorter, down to single looks, before it counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from random import Random

from rollout.core import schedule
from rollout.core.counters import counted
from rollout.core.look import BAKED_LOOKS
from rollout.core.machine import decide
from rollout.core.model import (
    FULL,
    Comparison,
    Decision,
    Fact,
    Hold,
    Latency,
    MeshSeen,
    Observation,
    Past,
    Policy,
    ProxySeen,
    Query,
    Ramping,
    Revision,
    RollingBack,
    Sample,
    Series,
    Split,
    Stage,
    Steady,
    Unseen,
    Waiting,
    Weight,
)
from rollout.core.noise import quiet
from rollout.core.reason import Reason
from rollout.engine.rollout import PASSING, UNSETTLED, Rollout
from rollout.simulation.latency import edges
from rollout.simulation.requests import Mix, Served, serve, split
from rollout.simulation.scene import Fault, Kind, Scene, When

NEVER = math.inf
LONGEST = 86_400.0
"""Seconds after which a journey that has not ended counts as held."""
MOST_LOOKS = 256
"""So many looks are taken together at most."""
WIDER = 8
"""After a look that came to the same as the one before, so many times more are tried together."""
FEW_LOOKS, SOME_LOOKS = 8, 32
"""So many at most where suspicion holds the weight, and so many where it has begun while a step bakes."""
RARE = 20.0
"""A canary with fewer requests a minute could fall silent meanwhile: only few looks are taken together."""
CALM, TENSE = 3.0, 30.0
"""Odds up to which looks are taken together as they come, and from which each is taken by itself."""
INCIDENT = 0.3
"""The share of requests of both arms that an incident fails."""
LEAST_LOOK = 1.0
PROXY = "envoy"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""The calendar is asked from here for the first open window."""
QUIET = frozenset({
    Reason.MEASURING, Reason.SETTLING, Reason.PROBING, Reason.BAKING, Reason.GOING_HOME, Reason.NOTHING_NEW,
})  # fmt: skip
"""What goes without saying in a timeline."""


class Outcome(Enum):
    """How a journey ended; ``HELD``: not at all."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline: seconds since the start, the canary's weight after it, and why."""

    at: float
    weight: Weight
    reason: Reason
    facts: tuple[tuple[str, Fact], ...]

    @property
    def said(self) -> str:
        """The core's own sentence."""
        return self.reason.say(dict(self.facts))


@dataclass(frozen=True, slots=True)
class Journey:
    """What became of one canary. ``caused``: failed requests that stable would have answered."""

    outcome: Outcome
    seconds: float
    caused: float
    lines: tuple[Line, ...]
    looks: int


def starts(policy: Policy) -> datetime:
    """When a simulated journey begins: as its first window opens."""
    return schedule.opens(policy.windows, MONDAY)


def stable_of(policy: Policy) -> Revision:
    """Who serves everybody at the start."""
    backend = policy.revision.backend
    named = policy.stable if policy.stable != backend else None
    return Revision(named or ("predecessor" if backend != "predecessor" else "before"))


def travel(policy: Policy, scene: Scene, chance: Random, *, faithful: bool = False) -> Journey:
    """One journey. ``faithful``: look by look, however little may happen."""
    return _Trip(without_queries(replace(policy, observe=False)), scene, chance, faithful=faithful).run()


def without_queries(policy: Policy) -> Policy:
    """The policy as far as invented traffic can answer it: nobody knows what an operator's query counts."""
    kept = tuple(check for check in policy.analysis.checks if not isinstance(check.of, Query))
    return replace(policy, analysis=replace(policy.analysis, checks=kept or (Comparison(),)))


class _Trip:
    """A journey under way. ``served`` is all that was answered; ``ahead`` is drawn already, the next last."""

    def __init__(self, policy: Policy, scene: Scene, chance: Random, *, faithful: bool) -> None:
        stable = stable_of(policy)
        self.policy, self.scene, self.chance, self.faithful = policy, scene, chance, faithful
        self.arms = stable.backend, policy.revision.backend
        checks = policy.analysis.checks
        self.codes = counted(check.of for check in checks)
        self.timed = any(isinstance(check.of, Latency) for check in checks)
        self.rollout = Rollout(policy.name, policy, Steady(Past(stable, policy.route)))
        self.start = starts(policy)
        self.now = 0.0
        self.looked: float | None = None
        self.home = self.split = Split.all_on(stable.backend)
        self.writes = 0
        self.served, self.ahead = Served(), list[Served]()
        self.stride, self.looks = 1, 0
        self.lines: list[Line] = []
        self.since = NEVER
        self.spans = [(NEVER, NEVER)] * len(scene.faults)
        self._reach(None)

    def run(self) -> Journey:
        """To its end, or to the end of patience."""
        while self.now < LONGEST:
            decision = self._look()
            if decision.reason in (Reason.PROMOTED, Reason.ROLLED_BACK):
                ended = Outcome.PROMOTED if decision.reason is Reason.PROMOTED else Outcome.ROLLED_BACK
                return self._over(ended)
        return self._over(Outcome.HELD)

    def _over(self, outcome: Outcome) -> Journey:
        return Journey(outcome, self.now, self.served.caused, tuple(self.lines), self.looks)

    # --- looks -----------------------------------------------------------------------------------

    def _look(self) -> Decision:
        """The next look, or as many together as come to the same."""
        rollout, interval = self.rollout, self._interval()
        due = max(rollout.due, self.now)
        due = max([due, *(end for fault, (begin, end) in self._restarts() if begin <= due < end)])
        many = self._stride(due, interval)
        until, ripe = self._until(due, many, interval)
        answered = self._answered(until)
        while True:
            decision = self._decide(until, sum(answered, Served()), many)
            if many == 1 or self._same(decision, many, ripe=until >= ripe):
                break
            many = self.stride = max(1, many // WIDER)
            until, ripe = self._until(due, many, interval)
            self.ahead += reversed(answered)
            answered = self._answered(until)
        before, rest = rollout.decision, bool(self.ahead)
        same = before is not None and before.reason is decision.reason
        self.stride = min(self.stride if rest else self.stride * WIDER, MOST_LOOKS) if same else 1
        return self._take(until, sum(answered, Served()), decision)

    def _restarts(self) -> list[tuple[Fault, tuple[float, float]]]:
        pairs = zip(self.scene.faults, self.spans, strict=True)
        return [(fault, span) for fault, span in pairs if fault.kind is Kind.RESTART]

    def _interval(self) -> float:
        rollout = self.rollout
        reason = rollout.decision.reason if rollout.decision else None
        return schedule.next_look(rollout.state, rollout.asked, LEAST_LOOK, reason)

    def _stride(self, due: float, interval: float) -> int:
        """How many looks from ``due`` on may be tried as one: none across an instant that changes things."""
        decision, state = self.rollout.decision, self.rollout.state
        if self.faithful or decision is None or not isinstance(state, Ramping) or decision.actions:
            return 1
        if decision.reason in UNSETTLED or decision.reason in PASSING or self.looked is None:
            return 1
        many, odds = self.stride, float(decision.facts.get("odds", 0.0))
        if odds > CALM:
            some = SOME_LOOKS if decision.reason is Reason.BAKING else FEW_LOOKS
            many = min(many, some if odds < TENSE else 1)
        weight = self.split.weight(self.arms[1])
        if weight and self.scene.rate * weight / FULL * 60.0 < RARE:
            many = min(many, FEW_LOOKS)
        for instant in self._instants():
            if instant > self.now:
                many = min(many, math.floor((instant - due) / interval) + 1)
        return max(many, 1)

    def _until(self, due: float, many: int, interval: float) -> tuple[float, float]:
        """When the last of so many looks is, and when the step will have baked, which no look passes."""
        until, ripe = due + (many - 1) * interval, NEVER
        decision, ripe_in = self.rollout.decision, schedule.ripe_in(self.rollout.state)
        if ripe_in is not None and decision is not None and decision.reason is Reason.BAKING:
            ripe = max(due, self.now + ripe_in)
        return min(until, ripe), ripe

    def _same(self, decision: Decision, many: int, *, ripe: bool) -> bool:
        """May these looks stand as one? Only where nothing came of them, or it came at their end."""
        before, state, after = self.rollout.decision, self.rollout.state, decision.state
        assert before is not None  # noqa: S101 - the first look is taken by itself
        odds = float(decision.facts.get("odds", 0.0))
        if odds >= TENSE or (odds > CALM and many > SOME_LOOKS) or isinstance(after, RollingBack):
            return False
        unchanged = isinstance(after, Ramping) and isinstance(state, Ramping) and after.rung == state.rung
        return ripe or (unchanged and decision.reason is before.reason)

    def _decide(self, until: float, answered: Served, many: int) -> Decision:
        """What the core makes of it. Looks taken together bake as long as they would one by one."""
        state, asked = self.rollout.state, self.policy
        elapsed = None if self.looked is None else until - self.looked
        look = schedule.look_interval(asked, LEAST_LOOK)
        if many > 1 and elapsed is not None:
            look = max(look, elapsed / BAKED_LOOKS)
        kinds = self._kinds(until)
        seen = Observation(
            self.start + timedelta(seconds=until),
            elapsed,
            Unseen("it does not answer") if Kind.MESH in kinds else self._mesh(kinds),
            Unseen("the proxies do not answer")
            if Kind.BLIND in kinds
            else self._sample(self.served + answered),
            1,
            look=look,
            holds=(Hold(Reason.FROZEN, "by the simulation"),) if Kind.FREEZE in kinds else (),
            noise=quiet(len(asked.analysis.checks)),
        )
        return decide(state, asked, seen)

    def _take(self, until: float, answered: Served, decision: Decision) -> Decision:
        """Time goes on, and what was decided happens."""
        rollout, before = self.rollout, self.rollout.decision
        self.served, self.now, self.looked, self.looks = self.served + answered, until, until, self.looks + 1
        rung = rollout.state.rung if isinstance(rollout.state, Ramping) else Waiting()
        rollout.state, rollout.decision = decision.state, decision
        for action in decision.actions:
            self.split, self.writes = action.split, self.writes + 1
            self.ahead.clear()
        if isinstance(decision.state, Ramping) and decision.state.rung != rung:
            self._climbed(decision.state)
        new = before is None or before.reason is not decision.reason or bool(decision.actions)
        if new and decision.reason not in QUIET:
            weight = self.split.weight(self.arms[1])
            self.lines.append(Line(until, weight, decision.reason, tuple(decision.facts.items())))
        ripe_in = schedule.ripe_in(decision.state)
        rollout.pace(until, self._interval(), wrote=bool(decision.actions), ripe_in=ripe_in)
        if any(begin <= until < end for _, (begin, end) in self._restarts()):
            self.looked = None
        return decision

    # --- the world -------------------------------------------------------------------------------

    def _climbed(self, state: Ramping) -> None:
        if isinstance(state.rung, Stage):
            self._reach(state.rung.step + 1)

    def _reach(self, step: int | None) -> None:
        """From now on it is known when that happens which waited for this step. What does not happen with
        the step itself falls anywhere between two looks.
        """
        if self.scene.since.step == step:
            self.since = self._instant(self.scene.since)
        for number, fault in enumerate(self.scene.faults):
            when = fault.begins(self.policy)
            if when.step == step:
                begin = self._instant(when)
                self.spans[number] = (begin, begin + fault.seconds)

    def _instant(self, when: When) -> float:
        return self.now + when.seconds + (self.chance.random() if when.seconds else 0.0)

    def _instants(self) -> list[float]:
        instants = (self.since, *(instant for span in self.spans for instant in span))
        return [instant for instant in instants if instant != NEVER]

    def _kinds(self, at: float) -> frozenset[Kind]:
        pairs = zip(self.scene.faults, self.spans, strict=True)
        return frozenset(fault.kind for fault, (begin, end) in pairs if begin <= at < end)

    def _answered(self, until: float) -> list[Served]:
        """What is answered until then: what was drawn already first, then as chance has it."""
        pieces, at = list[Served](), self.now
        while until - at > 1e-9:
            if self.ahead:
                piece = self.ahead.pop()
                if piece.seconds > until - at + 1e-9:
                    piece, rest = split(piece, until - at, self.chance)
                    self.ahead.append(rest)
            else:
                end = min([until, *(instant for instant in self._instants() if instant > at + 1e-9)])
                piece = serve(self._mix(at), end - at, self.chance)
            pieces.append(piece)
            at += piece.seconds
        return pieces

    def _mix(self, at: float) -> Mix:
        scene, weight, kinds = self.scene, self.split.weight(self.arms[1]) / FULL, self._kinds(at + 1e-9)
        own = scene.canary if at + 1e-9 >= self.since else scene.stable
        canary = 1.0 if Kind.ENDPOINTS in kinds else own
        stable, usual = scene.stable, scene.stable
        if Kind.INCIDENT in kinds:
            canary, usual = min(1.0, canary + INCIDENT), min(1.0, usual + INCIDENT)
            stable = usual
        if Kind.STABLE in kinds:
            stable = 1.0
        blame = max(0.0, 1.0 - usual / canary) if canary else 0.0
        slow = scene.canary_median if at + 1e-9 >= self.since else scene.stable_median
        medians = (slow, scene.stable_median) if self.timed else None
        return Mix(scene.rate * weight, canary, scene.rate * (1.0 - weight), stable, blame, medians)

    def _mesh(self, kinds: frozenset[Kind]) -> MeshSeen:
        stable, canary = self.arms
        ready = {stable: 0 if Kind.STABLE in kinds else 3, canary: 0 if Kind.ENDPOINTS in kinds else 3}
        epoch = 1 if self.writes else None
        splits = (self.split,)
        proxies = (ProxySeen(PROXY, splits),)
        return MeshSeen(splits, str(self.writes), ready, proxies, epoch, writes=self.writes)

    def _sample(self, served: Served) -> Sample:
        stable = _series(self.arms[0], served.stable_good, served.stable_bad, served.seconds, self.codes)
        canary = _series(self.arms[1], served.canary_good, served.canary_bad, served.seconds, self.codes)
        if self.timed:
            stable = replace(stable, edges=edges(served.stable_upto))
            canary = replace(canary, edges=edges(served.canary_upto))
        return Sample((stable, canary))


FAILURES = "5xx", "503", "grpc", "tcp"
"""By which codes a failed request is known, or under which names."""


def _series(backend: str, good: int, bad: int, seconds: float, codes: tuple[str, ...]) -> Series:
    total = good + bad
    counts = tuple((code, bad if code in FAILURES else 0) for code in codes)
    return Series(PROXY, backend, total, total, 0, counts, LONGEST + seconds)
