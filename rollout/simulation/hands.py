"""How the deeds of a plan are done to a world: one method for each kind, found by its name.

``do_kind`` does what takes a moment; ``set_kind`` turns a fault on and off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from rollout.core.model import FULL, Split, Verb
from rollout.ports import Unavailable
from rollout.simulation.events import Answered, Behaves, Committed, Edited, Endpoints, Fault, Jumped
from rollout.simulation.faults import ENDURING
from rollout.simulation.journal import Memory
from rollout.simulation.plan import VERSIONS, Deed
from rollout.simulation.troubles import Mood

if TYPE_CHECKING:
    from rollout.simulation.world import World

LASTING = frozenset(kind.name for kind in ENDURING)
FIGHTS, EVERY = 5, 2.0
"""How often another hand sets a weight again, and how many seconds apart."""
TAKEN = 0.3
"""The share that a foreign hand gives to a canary."""
ACTOR, WHY = "ada", "because"
STAGGER = 0.5
"""Seconds between two tries of a person at a daemon that is down."""


def method(prefix: str, kind: str) -> str:
    """The name of the method for a kind of deed."""
    return f"{prefix}_{kind.replace(' ', '_')}"


class Hands:
    """Does the deeds of the world's plan."""

    def __init__(self, world: World) -> None:
        self._world = world
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

    def calm(self) -> None:
        """Whatever is still on ends, and a daemon that is down comes back."""
        for deed in list(self._on):
            self._end(deed)
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
        async def ask() -> None:
            world, engine = self._world, self._world.engine
            if engine is None:
                return
            try:
                said = await engine.order(f"prod/{name}", verb, ACTOR, WHY, argument)
            except Unavailable as trouble:
                said = str(trouble)
            world.log.add(Answered(world.now, f"prod/{name}", verb, said))

        self._soon(ask())

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
        async def freeze() -> None:
            engine = self._world.engine
            if engine is not None:
                try:
                    await engine.freeze(f"prod/{name}", ACTOR, WHY, lifted=lifted)
                except Unavailable:
                    return

        self._soon(freeze())

    # --- git -------------------------------------------------------------------------------------

    def _committed(self, commit: str, what: str) -> None:
        self._world.log.add(Committed(self._world.now, "main", commit, what))

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
        self._committed(self._world.repository.reword(deed.subject), f"{deed.subject}: other steps")

    def do_suspend(self, deed: Deed) -> None:
        self._committed(self._world.repository.suspend(deed.subject), f"{deed.subject} suspended")

    def do_delete(self, deed: Deed) -> None:
        self._committed(self._world.repository.delete(deed.subject), f"{deed.subject} deleted")

    def do_bad_policy(self, deed: Deed) -> None:
        self._committed(self._world.repository.spoil(deed.subject), f"a typo in {deed.subject}")

    def do_bad_file(self, deed: Deed) -> None:
        self._committed(self._world.repository.dirty(deed.argument), f"a bad file: {deed.argument}")

    def do_rewrite(self, _deed: Deed) -> None:
        self._committed(self._world.repository.rewrite(), "history rewritten")

    def do_rewrite_adopted(self, _deed: Deed) -> None:
        async def adopt() -> None:
            if self._world.engine is not None:
                await self._world.engine.adopt_source("main", ACTOR, WHY)

        self._soon(adopt())

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

    # --- meshes and proxies ----------------------------------------------------------------------

    def _split(self, name: str) -> Split:
        splits = self._world.objects.splits(self._world.routes[name])
        return splits[0] if splits else Split.all_on(f"{name}-v1")

    def _edit(self, name: str, weights: dict[str, int]) -> None:
        route, world = self._world.routes[name], self._world
        world.traffic.flow()
        if world.objects.splits(route):
            world.objects.put(route, weights)
            world.log.add(Edited(world.now, route, world.objects.splits(route)))

    def _canary(self, name: str) -> tuple[str, str, int]:
        """(stable, canary, weight) as the object shows them; a canary without weight is who git asks for."""
        shares = sorted(self._split(name).shares, key=lambda share: -share[1])
        asked = self._world.repository.backend(name)
        stable = next((backend for backend, _ in shares if backend != asked), f"{name}-v1")
        return stable, asked, self._split(name).weight(asked)

    def do_edit_up(self, deed: Deed) -> None:
        stable, canary, weight = self._canary(deed.subject)
        raised = min(FULL - 1, weight + int(TAKEN * FULL))
        self._edit(deed.subject, {stable: FULL - raised, canary: raised})

    def do_fight(self, deed: Deed) -> None:
        self.do_edit_up(deed)

    def do_edit_down(self, deed: Deed) -> None:
        stable, canary, weight = self._canary(deed.subject)
        if weight:
            self._edit(deed.subject, {stable: FULL - weight // 2, canary: weight // 2})

    def set_route_gone(self, deed: Deed, on: bool) -> None:
        world, route = self._world, self._world.routes[deed.subject]
        if on and world.objects.splits(route):
            world.hidden[deed.subject] = world.objects.take_away(route)
            world.log.add(Edited(world.now, route, ()))
        elif not on and deed.subject in world.hidden:
            world.objects.bring_back(route, world.hidden.pop(deed.subject))
            world.log.add(Edited(world.now, route, world.objects.splits(route)))

    def do_remake_route(self, deed: Deed) -> None:
        world, route = self._world, self._world.routes[deed.subject]
        if world.objects.splits(route):
            world.objects.forget_fence(route)
            self._edit(deed.subject, {self._canary(deed.subject)[0]: 1})

    def do_other_writer(self, deed: Deed) -> None:
        world, route = self._world, self._world.routes[deed.subject]
        if world.objects.splits(route):
            world.objects.claim(route, world.memory.epoch + 100)

    def set_mesh_away(self, _deed: Deed, on: bool) -> None:
        self._world.objects.down = "connection refused" if on else ""

    def set_mesh_refuses(self, _deed: Deed, on: bool) -> None:
        self._world.objects.refuses = "it will not have it" if on else ""

    def set_mesh_loses(self, _deed: Deed, on: bool) -> None:
        self._world.objects.loses = 1_000_000 if on else 0

    def set_mesh_swallows(self, _deed: Deed, on: bool) -> None:
        self._world.objects.swallows = 1_000_000 if on else 0

    def set_mesh_hangs(self, _deed: Deed, on: bool) -> None:
        self._world.mesh.hangs = on

    def set_bug(self, deed: Deed, on: bool) -> None:
        key, broken = self._world.routes[deed.subject].key, self._world.mesh.broken
        (broken.add if on else broken.discard)(key)

    def set_proxy_rejects(self, deed: Deed, on: bool) -> None:
        self._proxy(deed, rejects="it will not have it" if on else "")

    def set_proxy_lags(self, deed: Deed, on: bool) -> None:
        self._proxy(deed, lags=on)

    def set_proxy_away(self, deed: Deed, on: bool) -> None:
        self._proxy(deed, unreachable="connection refused" if on else "")

    def _proxy(self, deed: Deed, **faults: Any) -> None:
        proxy = self._world.objects.proxies.get(deed.subject)
        if proxy is not None:
            for name, value in faults.items():
                setattr(proxy, name, value)
            self._world.objects.distribute()

    def do_proxy_restart(self, deed: Deed) -> None:
        if deed.subject in self._world.counters.proxies:
            self._world.traffic.flow()
            self._world.counters.restart(deed.subject)

    # --- backends and counters -------------------------------------------------------------------

    def do_behave(self, deed: Deed) -> None:
        self._world.traffic.flow()
        self._world.traffic.failing[deed.subject] = float(deed.argument)
        self._world.log.add(Behaves(self._world.now, deed.subject, float(deed.argument)))

    def set_no_endpoints(self, deed: Deed, on: bool) -> None:
        self._ready(deed.subject, 0 if on else 1)

    def set_stable_down(self, deed: Deed, on: bool) -> None:
        known = self._world.down_stables
        if deed.subject not in known:
            known[deed.subject] = self._canary(deed.subject)[0]
        self._ready(known[deed.subject] if on else known.pop(deed.subject), 0 if on else 1)

    def _ready(self, backend: str, count: int) -> None:
        self._world.objects.set_ready(backend, count)
        self._world.log.add(Endpoints(self._world.now, backend, count))

    def set_incident(self, deed: Deed, on: bool) -> None:
        share = float(deed.argument) if on else 0.0
        self._world.traffic.incident[deed.subject] = share
        for version in VERSIONS:
            backend = f"{deed.subject}-{version}"
            failing = max(share, self._world.traffic.failing.get(backend, 0.0))
            self._world.log.add(Behaves(self._world.now, backend, failing))

    def set_traffic_strays(self, deed: Deed, on: bool) -> None:
        (self._world.traffic.strays.add if on else self._world.traffic.strays.discard)(deed.subject)

    def set_no_traffic(self, deed: Deed, on: bool) -> None:
        self._world.traffic.rate[deed.subject] = 0.0 if on else self._world.plan.rate

    def set_metrics_away(self, _deed: Deed, on: bool) -> None:
        for proxy in self._world.counters.proxies.values():
            proxy.silent = "connection refused" if on else ""

    def set_metrics_silent(self, deed: Deed, on: bool) -> None:
        proxy = self._world.counters.proxies.get(deed.subject)
        if proxy is not None:
            proxy.silent = "it answers with a page of HTML" if on else ""

    def set_metrics_stale(self, _deed: Deed, on: bool) -> None:
        self._world.traffic.stale = on

    def set_metrics_hang(self, _deed: Deed, on: bool) -> None:
        self._world.metrics.hangs = on

    # --- disk, process, time ---------------------------------------------------------------------

    def set_disk_full(self, _deed: Deed, on: bool) -> None:
        self._world.memory.unwritable = "no space left" if on else ""

    def set_disk_hangs(self, _deed: Deed, on: bool) -> None:
        self._world.memory.slow = 5.0 if on else 0.0

    def do_disk_torn(self, _deed: Deed) -> None:
        self._world.memory.torn = True

    def do_journal_lost(self, _deed: Deed) -> None:
        self._world.kill(1.0)
        self._world.memory = Memory()

    def do_journal_restored(self, _deed: Deed) -> None:
        self._world.kill(1.0)
        if self._world.backups:
            self._world.memory = self._world.backups.pop()

    def do_kill(self, deed: Deed) -> None:
        self._world.kill(float(deed.argument))

    def do_stop(self, deed: Deed) -> None:
        self._soon(self._world.stop(float(deed.argument)))

    def do_jump(self, deed: Deed) -> None:
        self._world.clock.jump(float(deed.argument))
        self._world.log.add(Jumped(self._world.now, float(deed.argument)))

    # --- people's ears ---------------------------------------------------------------------------

    def _mood(self, deed: Deed, mood: Mood) -> None:
        for name, sink in self._world.sinks.items():
            if deed.subject in ("", name):
                sink.mood = mood

    def set_sink_away(self, deed: Deed, on: bool) -> None:
        self._mood(deed, Mood.AWAY if on else Mood.WELL)

    def set_sinks_away(self, deed: Deed, on: bool) -> None:
        self._mood(deed, Mood.AWAY if on else Mood.WELL)

    def set_sink_throttles(self, deed: Deed, on: bool) -> None:
        self._mood(deed, Mood.THROTTLES if on else Mood.WELL)

    def set_sink_hangs(self, deed: Deed, on: bool) -> None:
        self._mood(deed, Mood.HANGS if on else Mood.WELL)

    def set_sink_deaf(self, deed: Deed, on: bool) -> None:
        self._mood(deed, Mood.DEAF if on else Mood.WELL)


class _Does:
    """One deed, done when it is called."""

    def __init__(self, does: Callable[[Deed], None], deed: Deed) -> None:
        self._does = does
        self._deed = deed

    def __call__(self) -> None:
        self._does(self._deed)
