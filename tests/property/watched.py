"""A small world that keeps nothing secret: the referee of simulated worlds hears all that happens in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from rollout.adapters.journals.rows import text, untext
from rollout.core.machine import decide
from rollout.core.model import (
    Decision,
    Hold,
    MeshSeen,
    Order,
    Policy,
    RollingBack,
    SetSplit,
    Unseen,
    Verb,
    Withdrawn,
)
from rollout.core.past import attempt_of, past_of
from rollout.core.reason import Reason
from rollout.core.schedule import next_look, ripe_in
from rollout.engine.breaker import Breaker
from rollout.engine.narrate import alerts_of
from rollout.engine.rollout import Rollout
from rollout.ports import Freeze, Question, Record, SourceState
from rollout.simulation import events as e
from rollout.simulation.referee import Referee
from rollout.simulation.world import LONGEST, MOVING, RESTING
from tests.property.lives import Lived
from tests.unit.core.world import ROUTE, V1, V2, V3, Proxy, World

NAME, SERVICE, PROXY = "prod/jazz", "jazz", "edge-1"
BACKENDS = (V1, V2, V3)
SINKS = ("ops",)
ACTOR, WHY = "ada", "because"
LEAST_LOOK = 1.0


class Fate(Enum):
    """What becomes of a write, in the words of the record after it."""

    MADE = "written"
    UNHEARD = "not written: the answer was lost"
    LOST = "not written: it was lost"
    MOVED = "moved: the route has another version"


@dataclass
class Watched(World):
    """Looks come at the engine's own pace. ``at``: seconds of the world; ``fate``: of the next write;
    ``lived``: the looks that nobody has judged yet.
    """

    at: float = 0.0
    fate: Fate = Fate.MADE
    lived: list[Lived] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert isinstance(self.asked, Policy)
        self.offer, self.usual = self.asked, self.rate
        self.referee = Referee(SINKS, self.rate)
        self.breaker = Breaker(lambda: 1)
        self.rollout = Rollout(NAME, self.asked)
        self.commits = self.orders = 0
        self.told: set[str] = set()
        for backend in BACKENDS:
            self.count(PROXY, backend, 0)
        self.say(e.Started(self.at, self.epoch, self.observe))
        self.commit(self.asked)

    def say(self, *happened: e.Event) -> None:
        """The referee hears it."""
        for event in happened:
            self.referee.hear(event)

    @property
    def released(self) -> bool:
        """Nobody looks at what git gave up, until git has a policy for it again."""
        left = self.last is not None and self.last.reason is Reason.RELEASED
        return left and isinstance(self.asked, Withdrawn)

    # --- time ------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Time passes, with the looks that fall due."""
        end = self.at + seconds
        while not self.released and self.rollout.due <= end:
            self.look(max(0.0, self.rollout.due - self.at))
        self._pass(end - self.at)

    def _pass(self, seconds: float) -> None:
        self.at += seconds
        self.now += timedelta(seconds=seconds)
        alive = self.failing  # who has no endpoint fails whatever it gets
        self.failing = alive | {name: 1.0 for name, count in self.ready.items() if not count}
        self._flow(seconds)
        self.failing = alive

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock; the next look sees that it cannot say how long it was."""
        self.now += timedelta(seconds=seconds)
        self.rollout.looked_at = None
        self.say(e.Jumped(self.at, seconds))

    def restart(self, seconds: float) -> None:
        """The daemon dies, and another one begins with what is recorded."""
        self.say(e.Ended(self.at, killed=True))
        self._pass(seconds)
        self.epoch += 1
        self._unwritten = False
        if self.last is not None:
            self.last = untext(Decision, text(self.last))
            self.state = self.last.state
        self.rollout = Rollout(NAME, self.asked, self.state, self.last)
        self.say(e.Started(self.at, self.epoch, self.observe))

    # --- a look ----------------------------------------------------------------------------------

    def look(
        self, seconds: float = 0.0, *, elapsed: float | None = -1.0, orders: Iterable[Order] = ()
    ) -> Decision:
        """Observe, decide, record, enact. ``elapsed`` is what the daemon knows of it, if that differs."""
        self._pass(seconds)
        before, looked_at = self.state, self.rollout.looked_at
        known = None if looked_at is None else self.at - looked_at
        self.breaker_open = self.breaker.is_open(self.at)
        seen = self.seen(known if elapsed == -1.0 else elapsed, orders)
        asked = Question(BACKENDS, ("5xx",))
        self.say(e.MeshRead(self.at, ROUTE, seen.mesh), e.Sampled(self.at, (asked,), (seen.sample,)))
        decision = decide(before, self.asked, seen)
        self.lived.append(Lived(before, self.asked, seen, decision))
        self._record(decision)
        self._enact(decision)
        past = past_of(decision.state)
        ready = (
            seen.mesh.ready.get(past.stable.backend, -1) if past and isinstance(seen.mesh, MeshSeen) else -1
        )
        self.say(e.Looked(self.at, NAME, decision, ready, bool(seen.holds), seen.breaker_open))
        return decision

    def _record(self, decision: Decision) -> None:
        """What changes nothing is not recorded; people hear at once."""
        rollout, before = self.rollout, self.rollout.decision
        new = before is None or before.reason is not decision.reason
        noteworthy = new or bool(decision.actions or decision.obeyed)
        if noteworthy or decision.state != self.state:
            alerts = alerts_of(rollout, decision, SINKS, self.now)
            record = Record(NAME, self.now, decision, noteworthy, alerts, outcome=rollout.outcome)
            self.say(e.Recorded(self.at, record, landed=True, told=True))
            for sink, alert in alerts:
                if alert.key not in self.told:
                    self.told.add(alert.key)
                    self.say(e.Delivered(self.at, sink, alert, arrived=True, told=True))
                    self.say(e.Settled(self.at, sink, alert.key, "delivered", landed=True, told=True))
        if decision.reason is Reason.NO_DATA_TOO_LONG:
            self.breaker.count(self.at)
        self.state, self.last = rollout.state, rollout.decision = decision.state, decision
        rollout.looked_at = self.at

    def _enact(self, decision: Decision) -> None:
        rollout = self.rollout
        self._unwritten, rollout.outcome = False, ""
        for action in decision.actions:
            self._write(action)
        wrote = bool(decision.actions) and not rollout.failed
        interval = next_look(self.state, self.asked, LEAST_LOOK, decision.reason)
        rollout.pace(self.at, interval, wrote=wrote, ripe_in=ripe_in(self.state))

    def _write(self, action: SetSplit) -> None:
        before, fate, self.fate = self.splits, self.fate, Fate.MADE
        self.loses = int(fate is Fate.LOST)
        self.version += int(fate is Fate.MOVED)
        super()._write(action)
        made = fate is Fate.MADE
        self.rollout.outcome, self.rollout.failed = fate.value, "" if made else fate.value
        done = ((backend, self._done[PROXY, backend]) for backend in BACKENDS)
        served = tuple((backend, completed, failed) for backend, (completed, failed) in done)
        self.say(
            e.Wrote(
                self.at,
                ROUTE,
                before,
                action.split,
                action.home,
                action.version,
                self.epoch,
                landed=made or fate is Fate.UNHEARD,
                told=made,
                served=served,
            )
        )

    # --- people ----------------------------------------------------------------------------------

    def commit(self, asked: Policy | Withdrawn) -> None:
        """Git says something else, and it is accepted at once."""
        self.commits += 1
        name, policies = f"c{self.commits}", ((NAME, asked),) if isinstance(asked, Policy) else ()
        names = tuple(name for name, _ in policies)
        self.say(e.Committed(self.at, "main", name, "a commit", names))
        self.say(e.Accepted(self.at, "main", SourceState(name), policies, (), landed=True, told=True))
        if self.released:
            self.rollout = Rollout(NAME, asked, self.state)
        self.asked = self.rollout.asked = asked
        self.rollout.due = self.at
        if isinstance(asked, Policy):
            self.offer = asked

    def give(self, verb: Verb, argument: str = "") -> None:
        """A person orders something, if it is anybody's to order; the look that obeys comes at once."""
        if self.released:
            return
        self.orders += 1
        order = Order(self.orders, verb, ACTOR, WHY, self.now, argument, attempt_of(self.state))
        self.say(e.Ordered(self.at, NAME, order, landed=True, told=True))
        self.look(orders=[order])

    def freeze(self, *, lifted: bool) -> None:
        """A person freezes it, or thaws it."""
        freeze = Freeze(NAME, ACTOR, WHY, self.now)
        self.say(e.Froze(self.at, freeze, lifted, landed=True, told=True))
        self.holds = () if lifted else (Hold(Reason.FROZEN, f"by {ACTOR}: {WHY}"),)
        self.rollout.due = self.at

    # --- what befalls it -------------------------------------------------------------------------

    def edit(self, *weights: dict[str, int]) -> None:
        """Somebody else writes the route."""
        self.foreign(*weights)
        self.say(e.Edited(self.at, ROUTE, self.splits))

    def claim(self) -> None:
        """Another daemon puts its mark on the route."""
        self.mesh_epoch, self.version = self.epoch + 100, self.version + 1

    def staff(self, backend: str, count: int) -> None:
        """So many endpoints are ready."""
        self.ready[backend] = count
        self.say(e.Endpoints(self.at, backend, count))

    def behave(self, backend: str, failing: float) -> None:
        """From now on it fails this share."""
        self.failing[backend] = failing
        self.say(e.Behaves(self.at, backend, failing))

    def fault(self, kind: str, subject: str = "", *, on: bool) -> None:
        """Something breaks, or heals."""
        gone = Unseen("it does not answer") if on else None
        match kind:
            case "mesh away":
                self.mesh_gone = gone
            case "metrics away":
                self.metrics_gone = gone
            case "no traffic":
                self.rate = 0.0 if on else self.usual
            case "proxy rejects":
                self.proxies = {PROXY: Proxy(rejected="no such cluster" if on else "")}
        self.say(e.Fault(self.at, kind, subject, on))

    def heal(self) -> None:
        """From now on nothing goes wrong any more, and nobody does anything."""
        for kind, subject in FAULTS:
            self.fault(kind, subject, on=False)
        for backend in BACKENDS:
            self.staff(backend, 2)
        self.fate = Fate.MADE
        self.say(e.Calm(self.at))

    def rest(self) -> None:
        """Until nothing is written any more, and that is the end."""
        began = changed = self.at
        written = len(self.writes)
        while self.at - changed < RESTING and self.at - began < LONGEST:
            self.wait(5.0)
            if len(self.writes) != written or isinstance(self.state, RollingBack) or self.moving:
                written, changed = len(self.writes), self.at
        self.say(e.Over(self.at, self.at - changed >= RESTING, 0))

    @property
    def moving(self) -> bool:
        """Is it in what time alone ends?"""
        return self.last is not None and self.last.reason in MOVING


FAULTS = (("mesh away", ""), ("metrics away", ""), ("no traffic", SERVICE), ("proxy rejects", PROXY))
