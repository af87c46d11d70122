"""How the deeds of a plan are done to a world: one method for each kind, found by its name.

``do_kind`` does what takes a moment; ``set_kind`` turns a fault on and off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from rollout.core.model import Verb
from rollout.engine.engine import Engine
from rollout.ports import Unavailable
from rollout.simulation.deed import Deed
from rollout.simulation.elements import Elements
from rollout.simulation.events import Answered, Committed, Fault
from rollout.simulation.faults import ENDURING

if TYPE_CHECKING:
    from rollout.simulation.world import World

LASTING = frozenset(kind.name for kind in ENDURING)
FIGHTS, EVERY = 5, 2.0
"""How often another hand sets a weight again, and how many seconds apart."""
REWRITTEN = "the history is rewritten"
STAGGER = 0.1
"""Seconds between two tries of a person at a daemon that is down."""
ACTOR, WHY = "ada", "because"


def method(prefix: str, kind: str) -> str:
    """The name of the method for a kind of deed."""
    return f"{prefix}_{kind.replace(' ', '_')}"


class Hands(Elements):
    """Does the deeds of the world's plan."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._on: list[Deed] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def timetable(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """When what is done."""
        for deed in self._world.plan.deeds:
            for at, does in self._moments(deed):
                yield at, _Does(does, deed)

    def _moments(self, deed: Deed) -> Iterator[tuple[float, Callable[[Deed], None]]]:
        if deed.kind in LASTING:
            yield deed.at, self._begin
            yield deed.at + deed.seconds, self._end
            return
        yield deed.at, getattr(self, method("do", deed.kind))
        if deed.kind == "fight":
            for time in range(1, FIGHTS):
                yield deed.at + time * EVERY, self.do_fight
        if deed.kind == "journal restored":
            yield deed.at / 2, self._back_up

    def first(self) -> None:
        """Every service is on its first version."""
        services = dict(self._world.plan.services)
        self._committed(self._world.repository.begin(services), "the first commit")

    def calm(self) -> None:
        """Whatever is still on ends, and a daemon that is down comes back."""
        for deed in list(self._on):
            self._end(deed)
        self._world.memory.torn = False
        self._world.start()

    def _begin(self, deed: Deed) -> None:
        self._on.append(deed)
        self._turn(deed, on=True)

    def _end(self, deed: Deed) -> None:
        if deed in self._on:
            self._on.remove(deed)
            self._turn(deed, on=False)

    def _turn(self, deed: Deed, *, on: bool) -> None:
        """A fault begins or ends; it stays on while another of its kind does."""
        still = on or any((one.kind, one.subject) == (deed.kind, deed.subject) for one in self._on)
        if not deed.kind.startswith("git"):
            self._world.traffic.flow()
        if still == on:
            self._world.log.add(Fault(self._world.now, deed.kind, deed.subject, on))
        getattr(self, method("set", deed.kind))(deed, still)

    def _back_up(self, _deed: Deed) -> None:
        self._world.back_up()

    # --- people ----------------------------------------------------------------------------------

    def _soon(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _order(self, name: str, verb: Verb, argument: str = "") -> None:
        async def ask(engine: Engine) -> None:
            try:
                said = await engine.order(f"prod/{name}", verb, ACTOR, WHY, argument)
            except Unavailable as trouble:
                said = str(trouble)
            self._world.log.add(Answered(self._world.now, f"prod/{name}", verb, said))

        self._soon(self._until_answered(ask))

    async def _until_answered(self, ask: Callable[[Engine], Coroutine[Any, Any, None]]) -> None:
        """A person waits for a daemon that is down, and says it again to the next when one dies unheard."""
        world = self._world
        while True:
            while (engine := world.engine) is None:
                await world.clock.sleep(STAGGER)
            asking = asyncio.ensure_future(ask(engine))
            while world.engine is engine and not asking.done():
                await asyncio.wait({asking}, timeout=STAGGER)
            if asking.done():
                return
            asking.cancel()

    def do_stop(self, deed: Deed) -> None:
        self._soon(self._world.stop(float(deed.argument)))

    def do_pause(self, deed: Deed) -> None:
        self._order(deed.subject, Verb.PAUSE)

    def do_resume(self, deed: Deed) -> None:
        self._order(deed.subject, Verb.RESUME)

    def do_promote(self, deed: Deed) -> None:
        self._order(deed.subject, Verb.PROMOTE)

    def do_promote_full(self, deed: Deed) -> None:
        self._order(deed.subject, Verb.PROMOTE, "full")

    def do_abort(self, deed: Deed) -> None:
        self._order(deed.subject, Verb.ABORT)

    def do_retry(self, deed: Deed) -> None:
        self._order(deed.subject, Verb.RETRY)

    def do_adopt(self, deed: Deed) -> None:
        self._order(deed.subject, Verb.ADOPT, f"{deed.subject}-v1")

    def do_freeze(self, deed: Deed) -> None:
        self._freeze(deed.subject, lifted=False)

    def do_thaw(self, deed: Deed) -> None:
        self._freeze(deed.subject, lifted=True)

    def _freeze(self, name: str, *, lifted: bool) -> None:
        async def freeze(engine: Engine) -> None:
            with contextlib.suppress(Unavailable):
                await engine.freeze(f"prod/{name}", ACTOR, WHY, lifted=lifted)

        self._soon(self._until_answered(freeze))

    # --- git -------------------------------------------------------------------------------------

    def _committed(self, commit: str, what: str) -> None:
        names = tuple(f"prod/{name}" for name in self._world.repository.names())
        rewritten = what == REWRITTEN
        self._world.log.add(Committed(self._world.now, "main", commit, what, names, rewritten))

    def do_ask(self, deed: Deed) -> None:
        commit = self._world.repository.ask(deed.subject, f"{deed.subject}-{deed.argument}")
        self._committed(commit, f"{deed.subject} asks for {deed.argument}")

    def do_revert(self, deed: Deed) -> None:
        backend = self._split(deed.subject).shares[0][0]
        commit = self._world.repository.ask(deed.subject, backend)
        self._committed(commit, f"{deed.subject} back to {backend}")

    def do_tighten(self, deed: Deed) -> None:
        self._committed(self._world.repository.tighten(deed.subject), f"{deed.subject}: a limit")

    def do_reword(self, deed: Deed) -> None:
        self._committed(self._world.repository.reword(deed.subject), f"{deed.subject}: longer steps")

    def do_reshape(self, deed: Deed) -> None:
        self._committed(self._world.repository.reshape(deed.subject), f"{deed.subject}: other steps")

    def do_suspend(self, deed: Deed) -> None:
        self._committed(self._world.repository.suspend(deed.subject), f"{deed.subject} suspended")

    def do_delete(self, deed: Deed) -> None:
        self._committed(self._world.repository.delete(deed.subject), f"{deed.subject} deleted")

    def do_bad_policy(self, deed: Deed) -> None:
        self._committed(self._world.repository.spoil(deed.subject), f"a typo in {deed.subject}")

    def do_bad_file(self, deed: Deed) -> None:
        self._committed(self._world.repository.dirty(deed.argument), f"a bad file: {deed.argument}")

    def do_rewrite(self, _deed: Deed) -> None:
        self._committed(self._world.repository.rewrite(), REWRITTEN)

    def do_rewrite_adopted(self, _deed: Deed) -> None:
        async def adopt(engine: Engine) -> None:
            self._world.log.add(Answered(self._world.now, "source main", Verb.ADOPT, ""))
            await engine.adopt_source("main", ACTOR, WHY)

        self._soon(self._until_answered(adopt))

    def set_clash(self, deed: Deed, on: bool) -> None:
        repository = self._world.repository
        commit = repository.clash(deed.subject) if on else repository.unclash()
        self._committed(commit, f"a second policy for {deed.subject}" if on else "the second policy is gone")

    def set_git_away(self, _deed: Deed, on: bool) -> None:
        self._world.repository.away = on

    def set_git_stale(self, _deed: Deed, on: bool) -> None:
        self._world.repository.stale = on

    def set_git_gone(self, _deed: Deed, on: bool) -> None:
        self._world.repository.gone = on


class _Does:
    """One deed, done when it is called."""

    def __init__(self, does: Callable[[Deed], None], deed: Deed) -> None:
        self._does = does
        self._deed = deed

    def __call__(self) -> None:
        self._does(self._deed)
