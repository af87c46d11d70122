"""The referee's whole memory, written from the log alone. Nothing here asks the machine what is right."""

from __future__ import annotations

from collections import Counter
from math import inf

from rollout.core.model import (
    Held,
    MeshSeen,
    Order,
    Policy,
    Ramping,
    RollingBack,
    State,
    Steady,
    Unadopted,
    Verb,
)
from rollout.core.reason import Reason
from rollout.simulation.events import (
    Accepted,
    Answered,
    Behaves,
    Bug,
    Calm,
    Committed,
    Edited,
    Ended,
    Endpoints,
    Event,
    Fault,
    Froze,
    Looked,
    MeshRead,
    Ordered,
    Recorded,
    Sampled,
    Settled,
    Started,
    Wrote,
)
from rollout.simulation.referee.bake import looked, sampled
from rollout.simulation.referee.book import GUILTY, Book, place_of, weight_of
from rollout.simulation.referee.restored import forget
from rollout.simulation.referee.weather import Weather


class Court(Weather):
    """The whole memory. ``write`` is told each event after the laws were heard about it."""

    def __init__(self) -> None:
        super().__init__()
        self.books: dict[str, Book] = {}
        self.alive = False
        self.started_at = 0.0
        self.unheard: Accepted | None = None
        self.unheard_freezes: dict[str, Froze] = {}
        self.epoch = 0
        self.observe = False
        self.calm_at = inf
        self.ready: dict[str, int] = {}
        self.failing: dict[str, float] = {}
        self.ever_failed: set[str] = set()
        self.frozen: dict[str, float] = {}
        self.rewritten_at: float | None = None
        self.commits: dict[str, tuple[int, int, tuple[str, ...]]] = {}
        self.accepted: str | None = None
        self.remembered: set[Policy] = set()
        self.adopts = self.adopted = 0
        self.ever_dead: set[str] = set()
        self.clashing: dict[str, float] = {}
        self.orders: dict[int, tuple[float, Order]] = {}
        self.rate = 0.0
        self.silent: list[float] = []

    def book(self, name: str) -> Book:
        """One rollout's."""
        if name not in self.books:
            self.books[name] = Book(name)
        return self.books[name]

    def at_route(self, key: str) -> Book | None:
        """Whose route it is, if several had it: who is about to write it, is on its way, or has a policy."""
        books = self.on_route(key)
        books.sort(key=lambda book: (not book.unused, not book.is_on_its_way, book.policy is None))
        return books[0] if books else None

    def on_route(self, key: str) -> list[Book]:
        """All that were ever seen on this route."""
        return [book for book in self.books.values() if book.key == key]

    def is_contested(self, book: Book) -> bool:
        """Does another policy want the route that it has, or the one that it is asked for?"""
        asked = book.policy.route.key if book.policy is not None else ""
        return not self.clashing.keys().isdisjoint({book.key, asked})

    # --- writing ---------------------------------------------------------------------------------

    def write(self, event: Event) -> None:
        """Remember it."""
        self.at = event.at
        if isinstance(event, Recorded | Accepted | Ordered | Froze | Settled) and not event.told:
            self.disk_at = event.at
        match event:
            case Recorded(landed=False):
                self._sentenced(event)
            case Recorded():
                self._recorded(event)
            case Wrote(landed=True):
                self._wrote(event)
            case MeshRead(seen=MeshSeen()):
                self._read(event)
            case Sampled():
                sampled(self, event)
            case Looked():
                self._looked(event)
            case Accepted(told=True):
                self.unheard = None
                self._accepted(event)
            case Accepted(landed=True):
                self.unheard = event  # the next daemon will read it; this one does not know
            case Started():
                self._started(event)
            case Ended():
                self.alive = False
            case _:
                self._hand(event)

    def _hand(self, event: Event) -> None:
        match event:
            case Edited():
                self._edited(event)
            case Endpoints():
                self.ready[event.backend] = event.ready
                self.ever_dead |= set() if event.ready else {event.backend}
            case Behaves():
                self.failing[event.backend] = event.failing
                self.ever_failed |= {event.backend} if event.failing else set()
            case Fault():
                self.turn(event)
            case Bug():
                self.book(event.name).broken = True
                looked(self.book(event.name), whole=False)
            case Calm():
                self.calm_at = event.at
            case _:
                self._said(event)

    def _said(self, event: Event) -> None:
        """By people."""
        match event:
            case Froze(told=True):
                self.unheard_freezes.pop(event.freeze.name, None)
                self._froze(event)
            case Froze(landed=True):
                self.unheard_freezes[event.freeze.name] = event
            case Ordered(landed=True):
                number = event.order.id or max(self.orders, default=0) + 1  # a torn disk tells nobody
                self.orders[number] = (event.at, event.order)
                if event.order.verb is Verb.ABORT and event.told:
                    book = self.book(event.name)
                    book.aborted_at, book.refuge = event.at, book.home
                elif event.order.verb is Verb.ADOPT:
                    self.book(event.name).adopts = event.order.argument
            case Answered(name="source main"):
                self.adopts += 1
            case Committed():
                generation = max((one[1] for one in self.commits.values()), default=0)
                self.commits[event.commit] = (len(self.commits), generation + event.rewritten, event.names)
            case _:
                pass

    def _froze(self, event: Froze) -> None:
        self.frozen.pop(event.freeze.name, None)
        if not event.lifted:
            self.frozen[event.freeze.name] = self.at

    def frozen_at(self, name: str) -> float | None:
        """Since when a freeze holds it."""
        return min((at for key, at in self.frozen.items() if key in {"", name}), default=None)

    def _started(self, event: Started) -> None:
        self.alive, self.started_at, self.observe = True, event.at, event.observe
        self.epoch = event.epoch
        if self.unheard is not None and event.since is None:
            self._accepted(self.unheard)
        self.unheard = None
        for freeze in self.unheard_freezes.values():
            self._froze(freeze)
        self.unheard_freezes.clear()
        for book in self.books.values():
            book.looked_at = book.sampled_at = book.sample = book.blind_since = None
            book.unused.clear()
            if event.since is not None:
                forget(book, event, event.since)
        if event.since is not None:
            self.accepted, self.rewritten_at = None, event.at if event.rewritten else None
            self.frozen = {freeze.name: event.at for freeze in event.freezes}
            self.orders = {number: one for number, one in self.orders.items() if one[0] <= event.since}
            self._policies(dict(event.policies))

    def _recorded(self, event: Recorded) -> None:
        decision, book = event.record.decision, self.book(event.record.name)
        before = book.state
        self._sentenced(event)
        if book.bare_at == inf and book.read is not None and book.read.epoch is None:
            book.bare_at = event.at
        book.hasty = self.hasty(event)
        self._obeyed(book, event)
        if isinstance(decision.state, RollingBack) and not isinstance(before, RollingBack):
            if decision.state.cause in GUILTY and decision.state.canary.backend != book.stable:
                book.rejected[decision.state.canary] = event.at
            book.lowered, book.haste, book.aborted_at = None, "", None
        if isinstance(decision.state, Ramping) and not book.has_begun(decision.state):
            self._begun(book, decision.state)
        book.moves(decision.state)
        if isinstance(decision.state, Steady):
            book.aborted_at, book.haste, book.lowered = None, "", None
        book.state, book.reason, book.told = decision.state, decision.reason, event.told
        book.kept = False
        book.unused += [action.split for action in decision.actions]
        if isinstance(decision.state, Unadopted):  # what was only observed is a dream, its rejections too
            book.rejected.clear()
        if decision.reason is Reason.RELEASED:
            book.looked = None
            book.unused.clear()  # what was lost on its way is nobody's any more
        if not book.stable or decision.reason is Reason.ADOPTED:
            book.stable = book.home
        route = getattr(getattr(self._last(book), "past", None), "route", None)
        if route is not None:
            book.stands_on(route.key)

    def _sentenced(self, event: Recorded) -> None:
        state = event.record.decision.state
        if isinstance(state, RollingBack) and state.cause in GUILTY:
            self.book(event.record.name).decided.add(state.canary)

    def _last(self, book: Book) -> State:
        return book.state.was if isinstance(book.state, Held) else book.state

    def _begun(self, book: Book, ramp: Ramping) -> None:
        book.lowered, book.haste, book.promoted_at, book.aborted_at = None, "", None, None
        book.begun, book.paused = ramp.policy, False
        book.given = bool(book.exposure(book.truth))

    def _obeyed(self, book: Book, event: Recorded) -> None:
        for number, refusal in event.record.decision.obeyed:
            _, order = self.orders.get(number, (0.0, None))
            if order is None or refusal:
                if order is not None and order.verb is Verb.ABORT:
                    book.aborted_at = None
                continue
            match order.verb:
                case Verb.RETRY | Verb.ADOPT:
                    book.rejected.clear()
                    book.raised.clear()
                    book.forgotten = False
                case Verb.PAUSE:
                    book.paused = True
                case Verb.PROMOTE:
                    book.haste, book.promoted_at = "all" if order.argument == "full" else "one", event.at
                case Verb.RESUME:
                    book.lowered, book.paused = None, False
                    book.raised.clear()
                case _:
                    pass
            if order.verb is Verb.ADOPT:
                book.stable = book.adopts = ""

    def hasty(self, event: Recorded) -> bool:
        """Does a person's order, also one that this record obeys, waive the proof of the present rung?"""
        obeyed = (self.orders.get(number) for number, refused in event.record.decision.obeyed if not refused)
        promoted = any(one is not None and one[1].verb is Verb.PROMOTE for one in obeyed)
        return promoted or bool(self.book(event.record.name).haste)

    def _wrote(self, event: Wrote) -> None:
        book = self.at_route(event.route.key)
        if book is None:
            return
        if event.split in book.unused:
            book.unused = book.unused[book.unused.index(event.split) + 1 :]
        book.truth, book.written, book.written_at, book.confirmed = (
            (event.split,),
            event.split,
            event.at,
            False,
        )
        book.given = book.given or bool(book.exposure(book.truth))
        if book.fresh_rung:
            book.served = {backend: completed for backend, completed, _ in event.served}
            book.fresh_rung, book.proof, book.quiet_since = False, 0.0, None
        book.sampled_at = book.sample = book.lowered = None
        book.fenced = True
        book.writes.append(event.at)
        if event.split.sole is not None and event.split.sole == book.home:
            book.stable = book.home

    def _read(self, event: MeshRead) -> None:
        for book in self.on_route(event.route.key):
            self._showed(book, event)

    def _showed(self, book: Book, event: MeshRead) -> None:
        if not isinstance(event.seen, MeshSeen):
            return
        book.read, book.read_at = event.seen, event.at
        if not book.truth:
            book.truth = event.seen.splits
        if event.seen.splits == (book.written,):
            book.confirmed = True
        if len(event.seen.splits) == 1 and event.seen.splits[0].sole == book.home:
            book.stable = book.home  # whoever wrote it
        if book.lowered is not None and event.seen.splits == book.truth:
            book.reads_of_lowered += 1

    def _looked(self, event: Looked) -> None:
        book = self.book(event.name)
        book.looked_at, book.looked = event.at, event
        book.kept = place_of(event.decision.state) == place_of(book.state)
        book.broken = event.decision.reason is Reason.BROKEN
        looked(book, whole=not book.broken)
        blind = event.decision.reason is Reason.BLIND
        book.blind_since = (book.blind_since if book.blind_since is not None else event.at) if blind else None

    def _edited(self, event: Edited) -> None:
        for book in self.on_route(event.route.key):
            book.fenced = event.fenced
            book.bare_at = book.bare_at if event.fenced else inf
            self._changed(book, event)

    def _changed(self, book: Book, event: Edited) -> None:
        before = book.truth or book.vanished
        if not event.splits:
            book.vanished = book.truth
        book.truth = event.splits
        book.given = book.given or bool(book.exposure(book.truth))
        if book.forgotten and (not event.fenced or book.exposure(event.splits) in book.leads):
            book.forgotten = False  # nobody can know any more that something is missing
            book.rejected.clear()
        ramp = book.ramp
        if ramp is None or not event.splits or not book.confirmed:
            return
        least = min(split.weight(ramp.canary.backend) for split in event.splits)
        within = book.exposure(event.splits) <= weight_of(ramp)
        fell = any(least < split.weight(ramp.canary.backend) for split in before) or book.lowered is not None
        book.lowered = least if fell and within and least < weight_of(ramp) else None
        book.reads_of_lowered = 0

    def _accepted(self, event: Accepted) -> None:
        if event.state.accepted is not None:
            generation = self.commits.get(self.accepted or "", (0, 0, ()))[1]
            if self.commits.get(event.state.accepted, (0, 0, ()))[1] > generation:
                self.adopted = self.adopts
            self.accepted = event.state.accepted
            self.rewritten_at = (self.rewritten_at or event.at) if event.state.rewritten else None
        if event.policies is not None:
            self._policies(dict(event.policies))

    def _policies(self, policies: dict[str, Policy]) -> None:
        self.remembered.update(policies.values())
        keys = Counter(policy.route.key for policy in policies.values())
        before = self.clashing
        self.clashing = {key: before.get(key, self.at) for key, count in keys.items() if count > 1}
        for name in {**self.books, **policies}:
            book, policy = self.book(name), policies.get(name)
            if policy != book.policy:
                book.policy_at = self.at
                book.looked_at = book.looked_at if book.policy else self.at
            if book.key in before and book.key not in self.clashing:
                book.looked_at = self.at
            if policy is not None and (not book.key or isinstance(book.state, Unadopted)):
                book.stands_on(policy.route.key)
            if policy is None and book.policy is not None:
                book.gone_at = self.at
            elif policy is not None:
                book.gone_at = None
            book.policy = policy
