"""Logs made by hand: one service's journey in few words, and what a referee says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rollout.core.model import (
    FULL,
    Cause,
    Decision,
    Held,
    Intent,
    MeshSeen,
    Order,
    Past,
    Policy,
    Probe,
    ProxySeen,
    Ramping,
    Revision,
    RollingBack,
    Route,
    Rung,
    Sample,
    Series,
    SetSplit,
    Split,
    Stage,
    State,
    Steady,
    Step,
    Unseen,
    Verb,
    Waiting,
    Weight,
    Why,
)
from rollout.core.reason import Level, Reason
from rollout.ports import Alert, Freeze, Question, Record, SourceState
from rollout.simulation import events as e
from rollout.simulation.referee import Referee

NAME = "prod/jazz"
ROUTE = Route("envoy", "envoy", "jazz")
STABLE, CANARY = "jazz-v1", "jazz-v2"
MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
POLICY = Policy(
    NAME, ROUTE, Revision(CANARY), (Step(Weight(1000), 5.0), Step(Weight(5000), 5.0), Step(Weight(FULL), 5.0))
)
PAST = Past(Revision(STABLE), ROUTE)
RAMP = Ramping(replace(PAST, attempt=1), POLICY, Revision(CANARY), MORNING)
SINKS = ("ops",)


def split(weight: int) -> Split:
    return Split.between(STABLE, CANARY, weight)


def ramp(rung: Rung, **more: object) -> Ramping:
    return replace(RAMP, rung=rung, **more)  # type: ignore[arg-type]


def home(cause: Cause = Cause.WORSE) -> RollingBack:
    return RollingBack(replace(PAST, attempt=1), Revision(CANARY), cause, MORNING)


def lowered(weight: int) -> Held:
    return Held(ramp(Stage(0)), Why.LOWERED, Weight(weight))


class Story:
    """Adds events to a referee as time goes by. ``served``: what each backend completed and failed."""

    def __init__(
        self, *, observe: bool = False, started: bool = True, policy: Policy | None = POLICY
    ) -> None:
        self.referee = Referee(SINKS, rate=100.0)
        self.at = 0.0
        self.served: dict[str, tuple[int, int]] = {STABLE: (0, 0), CANARY: (0, 0)}
        self.carries = split(0)
        self.ready: Mapping[str, int] = {STABLE: 1, CANARY: 1}
        self.decision = Decision(Steady(PAST), Reason.NOTHING_NEW, {})
        self.accepted = "c1"
        self.owed: list[str] = []
        if started:
            self.say(e.Started(0.0, 1, observe))
            self.commit("c1", NAME)
            self.accept(policy)
            self.read()
            self.record(Steady(PAST), Reason.ADOPTED, alerts=("adopted",))

    @property
    def laws(self) -> list[str]:
        return [one.law for one in self.referee.violations]

    def say(self, *happened: e.Event) -> Story:
        for event in happened:
            self.referee.hear(event)
        return self

    def wait(self, seconds: float) -> Story:
        self.at += seconds
        return self

    # --- what the world does ---------------------------------------------------------------------

    def commit(self, commit: str, *names: str, rewritten: bool = False) -> Story:
        return self.say(e.Committed(self.at, "main", commit, "a commit", names, rewritten))

    def serve(self, canary: int, failed: int = 0, stable: int = 100) -> Story:
        for name, more, bad in ((CANARY, canary, failed), (STABLE, stable, 0)):
            completed, failures = self.served[name]
            self.served[name] = (completed + more, failures + bad)
        return self

    def edit(self, weight: int) -> Story:
        self.carries = split(weight)
        return self.say(e.Edited(self.at, ROUTE, (self.carries,)))

    def endpoints(self, backend: str, count: int) -> Story:
        self.ready = {**self.ready, backend: count}
        return self.say(e.Endpoints(self.at, backend, count))

    def behave(self, failing: float) -> Story:
        return self.say(e.Behaves(self.at, CANARY, failing))

    def fault(self, kind: str, subject: str = "", *, on: bool = True) -> Story:
        return self.say(e.Fault(self.at, kind, subject, on))

    # --- what the daemon does --------------------------------------------------------------------

    def accept(self, *policies: Policy | None, commit: str = "", problem: str = "") -> Story:
        state = SourceState(commit or self.accepted, problem=problem)
        kept = tuple((one.name, one) for one in policies if one is not None)
        self.accepted = commit or self.accepted
        return self.say(e.Accepted(self.at, "main", state, kept, (), landed=True, told=True))

    def read(self, weight: int | None = None, *, proxy: int | None = None, unseen: str = "") -> Story:
        if unseen:
            return self.say(e.MeshRead(self.at, ROUTE, Unseen(unseen)))
        shows = self.carries if weight is None else split(weight)
        carried = shows if proxy is None else split(proxy)
        seen = MeshSeen((shows,), "1", self.ready, (ProxySeen("proxy-1", (carried,)),))
        return self.say(e.MeshRead(self.at, ROUTE, seen))

    def sample(self, *, fresh: bool = True, silent: int = 0) -> Story:
        series = tuple(
            Series("proxy-1", name, completed, completed, 0, (("5xx", failed),))
            for name, (completed, failed) in self.served.items()
        )
        asked = (Question((STABLE, CANARY), ("5xx",)),)
        mute = tuple((f"proxy-{number}", "timed out") for number in range(2, 2 + silent))
        return self.say(e.Sampled(self.at, asked, (Sample(series, mute),), fresh))

    def record(
        self,
        state: State,
        reason: Reason,
        *,
        writes: Split | None = None,
        landed: bool = True,
        obeyed: tuple[tuple[int, str], ...] = (),
        outcome: str = "",
        alerts: tuple[str, ...] | None = None,
    ) -> Story:
        actions = (SetSplit(writes, "1", Split.all_on(STABLE)),) if writes else ()
        self.decision = Decision(state, reason, {}, None, actions, obeyed)
        keys = alerts if alerts is not None else (reason.name.lower(),) if reason.level else ()
        told = tuple(("ops", alert(f"{key}/{self.at}")) for key in keys)
        self.owed += [one.key for _, one in told]
        now = MORNING + timedelta(seconds=self.at)
        record = Record(NAME, now, self.decision, noteworthy=True, alerts=told, outcome=outcome)
        return self.say(e.Recorded(self.at, record, landed, landed))

    def write(self, to: Split, *, landed: bool = True, home: Split | None = None) -> Story:
        before, served = self.carries, tuple((name, n, x) for name, (n, x) in self.served.items())
        if landed:
            self.carries = to
        staged = home or Split.all_on(STABLE)
        return self.say(
            e.Wrote(self.at, ROUTE, (before,), to, staged, "1", 1, landed=landed, told=landed, served=served)
        )

    def look(self) -> Story:
        ready = self.ready[STABLE]
        return self.say(e.Looked(self.at, NAME, self.decision, ready, held=False, breaker_open=False))

    def order(self, number: int, verb: Verb, argument: str = "") -> Story:
        order = Order(number, verb, "ada", "because", MORNING, argument)
        return self.say(e.Ordered(self.at, NAME, order, landed=True, told=True))

    def freeze(self, *, lifted: bool = False) -> Story:
        freeze = Freeze(NAME, "ada", "because", MORNING)
        return self.say(e.Froze(self.at, freeze, lifted, landed=True, told=True))

    # --- in few words ----------------------------------------------------------------------------

    def step(self, rung: Rung, weight: int, reason: Reason, **more: object) -> Story:
        """Read, record and write a raise, and see it in force."""
        self.read().record(ramp(rung, **more), reason, writes=split(weight)).write(split(weight))
        return (
            self.wait(0.02)
            .read()
            .record(
                ramp(rung, intent=Intent("1", MORNING, confirmed=True), **more),
                Reason.PROBING,
                outcome="written",
            )
        )

    def begin(self, **more: object) -> Story:
        """The canary is at its first step."""
        self.wait(1.0).record(ramp(Waiting(), **more), Reason.MEASURING)
        return self.wait(1.0).step(Stage(0), 1000, Reason.STARTED, **more)

    def probe(self, weight: int = 250) -> Story:
        """The canary is probed."""
        self.wait(1.0).record(ramp(Waiting()), Reason.MEASURING)
        return self.wait(1.0).step(Probe(Weight(weight)), weight, Reason.STARTED)

    def bake(
        self, seconds: float, *, canary: int = 10, failed: int = 0, fresh: bool = True, silent: int = 0
    ) -> Story:
        """Look each second."""
        self.sample(silent=silent)
        for _ in range(int(seconds)):
            self.wait(1.0).serve(canary, failed).read().sample(fresh=fresh, silent=silent).look()
        return self

    def restart(self, *, since: float | None = None) -> Story:
        """The daemon dies and another begins, on a journal that knows what was until ``since``."""
        return self.say(e.Ended(self.at, killed=True), e.Started(self.at, 2, observe=False, since=since))

    def go_home(self, cause: Cause = Cause.WORSE, reason: Reason = Reason.WORSE) -> Story:
        """Record it; the write is another word."""
        if cause in (Cause.WORSE, Cause.OVER_LIMIT):
            self.behave(1.0).serve(10, failed=10)
        elif cause is Cause.CHANGED:
            self.accept(replace(POLICY, steps=POLICY.steps[1:]))
        return self.read().record(home(cause), reason, writes=split(0))


def alert(key: str) -> Alert:
    return Alert(key, NAME, "REASON", Level.NOTIFY, MORNING, "a headline")
