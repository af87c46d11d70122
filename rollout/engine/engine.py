"""All rollouts and what is done to them one at a time: a look, an order, a poll of a source.

No loop here: the daemon turns them in time, ``once`` and an offline ``abort`` call them by hand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rollout.core.model import (
    Decision,
    Fact,
    Hold,
    Order,
    Policy,
    Ramping,
    State,
    Unadopted,
    Verb,
    Withdrawn,
)
from rollout.core.past import attempt_of
from rollout.core.reason import Level, Reason
from rollout.core.schedule import next_look, ripe_in
from rollout.engine.breaker import Breaker
from rollout.engine.catalogue import Catalogue, Taken, is_clash, owners, refuse, take
from rollout.engine.gather import Gatherer
from rollout.engine.history import History
from rollout.engine.narrate import alerts_of, source_alert
from rollout.engine.reconcile import reconcile
from rollout.engine.rollout import Rollout
from rollout.engine.world import World
from rollout.ports import (
    Alert,
    Clock,
    Freeze,
    Journal,
    Lost,
    Mesh,
    Metrics,
    Parser,
    PolicySource,
    Record,
    Remembered,
    SourceState,
    Unavailable,
)
from rollout.settings import Settings, SourceSettings

log = logging.getLogger("rollout")

GONE = "not done: git no longer has a policy for it"
"""The answer to who ordered something of a rollout that was let go meanwhile."""
LOST_NOTIFY, LOST_PAGE = 3, 3600.0
"""A source that is lost is told after so many polls, and is a page after so many seconds (FAILURES G1)."""
Shout = Callable[[tuple[tuple[str, Alert], ...]], None]


@dataclass(frozen=True, slots=True)
class Outside:
    """The adapters behind the ports, by the names that the settings give them."""

    clock: Clock
    journal: Journal
    sources: Mapping[str, PolicySource]
    parser: Parser
    meshes: Mapping[str, Mesh]
    metrics: Mapping[str, Metrics]


class Engine:
    """Everything that a pass needs, and every rollout. Build it with ``wiring``."""

    def __init__(self, settings: Settings, outside: Outside, remembered: Remembered, shout: Shout) -> None:
        clock, journal, sources = outside.clock, outside.journal, outside.sources
        self.settings, self.clock, self.journal, self._ports = settings, clock, journal, sources
        self.rollouts: dict[str, Rollout] = {}
        self.freezes = {freeze.name: freeze for freeze in remembered.freezes}
        self.catalogue = Catalogue()
        self.changed: Callable[[Rollout], None] = lambda _: None
        self.driven = False
        self._over = ""
        self._parser = outside.parser
        self._polling = {name: asyncio.Lock() for name in sources}
        self._lost: dict[str, int] = {}
        self._read: set[str] = set()
        self._unrecorded: set[str] = set()
        self._resting: dict[str, State] = {}
        self._shout = shout
        self._breaker = Breaker(lambda: sum(isinstance(one.state, Ramping) for one in self.rollouts.values()))
        gatherers = {name: Gatherer(source, clock) for name, source in outside.metrics.items()}
        self.world = World(
            clock,
            journal,
            outside.meshes,
            gatherers,
            tuple(sink.name for sink in settings.sinks),
            settings.least_look,
            remembered.epoch,
            settings.observe,
            self._breaker,
            History(outside.metrics, gatherers, clock),
            self.holds,
            shout,
        )
        self._restore(remembered)

    def _restore(self, remembered: Remembered) -> None:
        """Everything as the journal has it, also policies of a source that the settings no longer name."""
        self.catalogue.sources = {name: remembered.sources.get(name, SourceState()) for name in self._ports}
        self.catalogue.policies = {name: {} for name in self._ports}
        for name, policies in remembered.policies.items():
            self.catalogue.policies[name] = dict(policies)
        self.catalogue.in_force = owners(remembered)
        self.catalogue.settle()
        self._orders = dict(remembered.orders)
        for name, state in remembered.states.items():
            asked = self.catalogue.in_force.get(name) or Withdrawn(name)
            if isinstance(asked, Withdrawn) and remembered.decisions[name].reason is Reason.RELEASED:
                self._resting[name] = state
                continue
            orders = list(self._orders.pop(name, ()))
            self.rollouts[name] = Rollout(name, asked, state, remembered.decisions[name], orders)
        self._apply()
        self._breaker.recall(remembered.states.values(), self.clock)

    @property
    def sources(self) -> Mapping[str, SourceState]:
        """How far each source is."""
        return self.catalogue.sources

    # --- looks -----------------------------------------------------------------------------------

    async def look(self, name: str) -> Decision:
        """One pass over one rollout, and when to look again."""
        rollout = self.rollouts[name]
        wrote = rollout.again = False
        try:
            decision = await reconcile(rollout, self.world)
            wrote = bool(decision.actions) and not rollout.failed
        finally:
            asked = rollout.asked
            reason = rollout.decision.reason if rollout.decision else None
            least = self.settings.least_look(rollout.policy.analysis.metrics if rollout.policy else "")
            interval = next_look(rollout.state, asked, least, reason)
            rollout.pace(self.clock.monotonic(), interval, wrote=wrote, ripe_in=ripe_in(rollout.state))
            if rollout.again:
                rollout.due = self.clock.monotonic()
        if isinstance(asked, Withdrawn) and decision.reason is Reason.RELEASED:
            for order in list(rollout.answers):
                rollout.answer(order, GONE)
            self._resting[name], self._orders[name] = rollout.state, tuple(rollout.orders)
            del self.rollouts[name]
        self.changed(rollout)
        return decision

    async def look_back(self) -> None:
        """Read what every stable did since the last time."""
        await self.world.history.read(tuple(self.rollouts.values()))

    def look_soon(self, rollout: Rollout) -> None:
        """Something new was said: look now, or again if a look is under way."""
        rollout.again, rollout.due = True, self.clock.monotonic()
        self.changed(rollout)

    async def leave(self, rollout: Rollout, bug: Exception) -> None:
        """Looking at it fails again and again: say so, in the journal if that works, and once."""
        why = f"{type(bug).__name__}: {bug}"
        facts: dict[str, Fact] = {"times": rollout.failures, "detail": why, "name": rollout.name}
        broken, now = Decision(rollout.state, Reason.BROKEN, facts), self.clock.now()
        alerts = alerts_of(rollout, broken, self.world.sinks, now)
        record = Record(rollout.name, now, broken, alerts != (), alerts, rollout.asked.origin)
        [trouble] = await asyncio.gather(self.journal.record(record), return_exceptions=True)
        if trouble is not None:  # the journal may be what is broken
            self._shout(alerts)
        rollout.decision = broken
        for order in list(rollout.answers):
            rollout.answer(order, f"not done: looking at it fails ({why}); it is done as soon as that works")

    def excuse(self, why: str) -> None:
        """Tell all who wait for an answer, or will, why there is none."""
        self._over = why
        for rollout in self.rollouts.values():
            for order in list(rollout.answers):
                rollout.answer(order, f"not done: {why}")

    # --- git -------------------------------------------------------------------------------------

    async def poll(self, name: str) -> None:
        """Fetch one source and take what it says now. What goes wrong is kept in its state, never raised."""
        async with self._polling[name]:
            await self._fetch(name, self.catalogue.sources[name])

    async def _fetch(self, name: str, state: SourceState, *, adopts: bool = False) -> None:
        now = self.clock.now()
        known = replace(state, accepted=None, rewritten=False, problem="") if adopts else state
        try:
            tree = await self._ports[name].read(known.accepted)
            taken = refuse(known, tree, now, allow_rewrite=self._settings_of(name).allow_rewrite)
            if taken is None:
                parsed = await self._parser.parse(tree.files)
                taken = take(known, tree, parsed, self.catalogue.policies[name], now)
        except Unavailable as trouble:
            await self._keep(name, self._missed(name, state, trouble))
            return
        self._lost[name] = 0
        await self._keep(name, taken)

    def _missed(self, name: str, state: SourceState, trouble: Unavailable) -> Taken:
        """The source did not answer: nothing changes but what is said of it (I10). One known to be gone
        (its branch, its folder) is told at once (G4).
        """
        missed = self._lost[name] = self._lost.get(name, 0) + 1
        poll = self._settings_of(name).poll
        gone = isinstance(trouble, Lost) and state.problem != str(trouble)
        pages = gone or missed == LOST_NOTIFY or (missed - 1) * poll < LOST_PAGE <= missed * poll
        return Taken(replace(state, problem=str(trouble)), pages=pages)

    async def _keep(self, name: str, taken: Taken) -> None:
        """Take what a source says, once that is remembered."""
        fresh = taken.policies if taken.policies != self.catalogue.policies[name] else None
        if fresh is None and name in self._unrecorded:
            # the disk may have others, of an accept that seemed to fail
            fresh = self.catalogue.policies[name]
        if not await self._remember(name, taken.state, fresh, told=taken.pages):
            return
        if not taken.state.problem:
            self._read.add(name)
        if fresh is not None:
            self.catalogue.policies[name] = dict(fresh)
        left = self._drop_orphans()
        if left or taken.policies is not None:
            self._apply()
        await self._tell_clashes(name)
        await self._forget(left)

    async def _tell_clashes(self, name: str) -> None:
        """A policy that wants what another has is a complaint about its source, and one for people."""
        state, clashes = self.catalogue.sources[name], self.catalogue.clashes[name]
        files = tuple(complaint for complaint in state.complaints if not is_clash(complaint))
        if state.complaints != files + clashes:
            told = not set(clashes) <= set(state.complaints)
            await self._remember(name, replace(state, complaints=files + clashes), None, told=told)

    async def _remember(
        self, name: str, state: SourceState, policies: Mapping[str, Policy] | None, *, told: bool
    ) -> bool:
        """Journal how far a source is, if that is new, and whether it could be. What is said of it holds in
        any case; its policies only once they are remembered.
        """
        before = self.catalogue.sources[name]
        alerts = self._alerts(name, state) if told else ()
        if alerts or name in self._unrecorded or replace(state, seen_at=before.seen_at) != before:
            try:
                await self.journal.accept(name, state, policies, alerts)
            except Unavailable as trouble:
                log.error("source.unrecorded", extra={"source": name, "detail": str(trouble)})  # noqa: TRY400
                self._shout(alerts)
                self._unrecorded.add(name)
                self.catalogue.sources[name] = replace(state, accepted=before.accepted)
                return False
            self._unrecorded.discard(name)
            log.info(
                "source.read",
                extra={
                    "source": name,
                    "commit": state.accepted,
                    "attempted": state.attempted,
                    "problem": state.problem,
                    "complaints": state.complaints,
                },
            )
        self.catalogue.sources[name] = state
        return True

    def _drop_orphans(self) -> dict[str, dict[str, Policy]]:
        """A source that the settings no longer name (renamed, perhaps) loses a policy to who offers it, and
        the rest once every other source was read: until then absence proves nothing (I11). Returns what is
        left to those who lost something.
        """
        policies, lost = self.catalogue.policies, {}
        offered = {name for source in self._ports for name in policies[source]}
        for orphan in policies.keys() - self._ports.keys():
            read = self._read >= self._ports.keys()
            left = {name: one for name, one in policies[orphan].items() if not (read or name in offered)}
            if left != policies[orphan]:
                policies[orphan] = lost[orphan] = left
            if not left:
                del policies[orphan]
        return lost

    async def _forget(self, left: Mapping[str, Mapping[str, Policy]]) -> None:
        """Make it last; what is remembered all the same is dropped again after the next start."""
        for orphan, policies in left.items():
            try:
                await self.journal.accept(orphan, SourceState(), policies)
            except Unavailable as trouble:
                log.error("source.unrecorded", extra={"source": orphan, "detail": str(trouble)})  # noqa: TRY400

    def _apply(self) -> None:
        """Bring the rollouts in line with the policies that are in force."""
        self.catalogue.settle()
        in_force = self.catalogue.in_force
        for name, policy in in_force.items():
            rollout = self.rollouts.get(name)
            if rollout is None:
                state, orders = self._resting.pop(name, Unadopted()), self._orders.pop(name, ())
                rollout = self.rollouts[name] = Rollout(name, policy, state, orders=list(orders))
            elif rollout.asked == policy:
                rollout.asked = policy  # another file or source may say it now
                continue
            rollout.asked = policy
            self.look_soon(rollout)
        for name, rollout in self.rollouts.items():
            if name not in in_force and not isinstance(rollout.asked, Withdrawn):
                rollout.asked = Withdrawn(name, rollout.asked.origin)
                self.look_soon(rollout)

    def _alerts(self, name: str, state: SourceState) -> tuple[tuple[str, Alert], ...]:
        lost = state.problem != "" and self._lost.get(name, 0) == LOST_NOTIFY
        pages = state.problem != "" or any(map(is_clash, state.complaints))
        level = Level.PAGE if pages and not lost else Level.NOTIFY
        alert = source_alert(name, state, level, self.clock.now())
        return tuple((sink.name, alert) for sink in self.settings.sinks)

    async def adopt_source(self, name: str, actor: str, why: str) -> str:
        """Take a rewritten history as it is now. Returns why not, or nothing."""
        state = self.catalogue.sources.get(name)
        if state is None:
            return f"no source is named {name}; there are: {', '.join(self.catalogue.sources) or 'none'}"
        if not state.rewritten:
            return f"the history of {name} was not rewritten"
        log.info("source.adopted", extra={"source": name, "actor": actor, "why": why})
        shown = state.attempted
        async with self._polling[name]:  # a poll under way would say again what it began with
            state = self.catalogue.sources[name]
            if state.rewritten and state.attempted != shown:
                return f"the history of {name} was changed again meanwhile: if you still mean it, adopt again"
            if state.rewritten:  # else somebody else took it
                await self._fetch(name, state, adopts=True)
        return self.catalogue.sources[name].problem

    def _settings_of(self, name: str) -> SourceSettings:
        return next(source for source in self.settings.sources if source.name == name)

    # --- people ----------------------------------------------------------------------------------

    async def order(self, name: str, verb: Verb, actor: str, why: str, argument: str = "") -> str:
        """Journal a command, look at once, and return why it was refused, or nothing.

        Raises:
            Unavailable: it could not be journalled. An abort is obeyed all the same.
        """
        rollout = self.rollouts.get(name)
        if rollout is None:
            return f"no rollout is named {name}; there are: {', '.join(sorted(self.rollouts)) or 'none'}"
        given = Order(0, verb, actor, why, self.clock.now(), argument, attempt_of(rollout.state))
        try:
            given = await self.journal.order(name, given)
        except Unavailable:
            if verb is not Verb.ABORT:
                raise
            given = replace(given, id=-1 - len(rollout.orders))
        if (rollout := self.rollouts.get(name)) is None:  # the disk may have taken its time
            self._orders[name] = (*self._orders.get(name, ()), given)
            return GONE
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        rollout.answers[given.id] = answer
        rollout.orders.append(given)
        self.look_soon(rollout)
        if self._over:
            self.excuse(self._over)
        if self.driven:
            return await answer
        while not answer.done():
            await self.look(name)
        return answer.result()

    async def freeze(self, name: str, actor: str, why: str, *, lifted: bool) -> None:
        """Keep weight from rising, for one rollout or (``name`` empty) for all; or lift that."""
        freeze = Freeze(name, actor, why, self.clock.now())
        await self.journal.freeze(freeze, lifted=lifted)
        if lifted:
            self.freezes.pop(name, None)
        else:
            self.freezes[name] = freeze
        for rollout in list(self.rollouts.values()):
            if name in ("", rollout.name):
                self.look_soon(rollout)

    def holds(self, name: str) -> tuple[Hold, ...]:
        """Why this rollout may not rise, for reasons outside it."""
        frozen = [self.freezes[key] for key in ("", name) if key in self.freezes]
        holds = tuple(Hold(Reason.FROZEN, f"by {freeze.actor}: {freeze.why}") for freeze in frozen)
        holding = (source for source in self.settings.sources if source.hold_when_lost)
        lost = {source.name: LOST_NOTIFY * source.poll for source in holding}
        return holds + self.catalogue.holds(name, hold_when_lost=lost, now=self.clock.now())
