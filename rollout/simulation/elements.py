"""What befalls a world besides people's wishes: meshes, proxies, backends, counters, disk, process, time.

``do_kind`` does what takes a moment; ``set_kind`` turns a fault on and off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout.core.model import FULL, Route, Split
from rollout.simulation.deed import Deed
from rollout.simulation.events import Behaves, Edited, Endpoints, Jumped
from rollout.simulation.journal import Memory
from rollout.simulation.plan import VERSIONS
from rollout.simulation.troubles import Mood

if TYPE_CHECKING:
    from rollout.simulation.world import World

TAKEN = 0.3
"""The share that a foreign hand gives to a canary."""
HALF = 0.5
"""What arrives of a canary's share where traffic leans to stable."""
SLOW = 0.2
"""Seconds that a slow disk or mesh takes: a look has still its time."""


class Elements:
    """One method for each kind of deed, found by its name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waits: dict[str, float] = {}
        self._parts: dict[str, dict[str, float]] = {}

    # --- meshes and proxies ----------------------------------------------------------------------

    def _split(self, name: str) -> Split:
        splits = self._world.objects.splits(self._world.routes[name])
        return splits[0] if splits else Split.all_on(f"{name}-v1")

    def _edit(self, name: str, weights: dict[str, int]) -> None:
        route, world = self._world.routes[name], self._world
        world.traffic.flow()
        if world.objects.splits(route):
            world.objects.put(route, weights)
            self._edited(route)

    def _edited(self, route: Route) -> None:
        world = self._world
        splits = world.objects.splits(route)
        fenced = bool(splits) and world.objects.epoch(route) is not None
        world.log.add(Edited(world.now, route, splits, fenced))

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
            self._edited(route)
        elif not on and deed.subject in world.hidden:
            world.objects.bring_back(route, world.hidden.pop(deed.subject))
            self._edited(route)

    def do_remake_route(self, deed: Deed) -> None:
        world, route = self._world, self._world.routes[deed.subject]
        if world.objects.splits(route):
            world.objects.forget_fence(route)
            self._edit(deed.subject, {self._canary(deed.subject)[0]: 1})

    def do_other_writer(self, deed: Deed) -> None:
        world, route = self._world, self._world.routes[deed.subject]
        if world.objects.splits(route):
            world.objects.claim(route, world.memory.epoch + 100)
            self._edited(route)

    def set_mesh_away(self, _deed: Deed, on: bool) -> None:
        self._world.objects.down = "connection refused" if on else ""

    def set_mesh_refuses(self, _deed: Deed, on: bool) -> None:
        self._world.objects.refuses = "it will not have it" if on else ""

    def set_mesh_loses(self, _deed: Deed, on: bool) -> None:
        self._world.objects.loses = 1_000_000 if on else 0

    def set_mesh_swallows(self, _deed: Deed, on: bool) -> None:
        self._world.objects.swallows = 1_000_000 if on else 0

    def set_mesh_slow(self, _deed: Deed, on: bool) -> None:
        self._world.mesh.slow = SLOW if on else 0.0

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
        backend, panics = known[deed.subject] if on else known.pop(deed.subject), self._world.traffic.panics
        (panics.add if on and deed.argument == "panic" else panics.discard)(backend)
        self._ready(backend, 0 if on else 1)

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
        self._arrives(deed, 0.0 if on else 1.0)

    def set_traffic_leans(self, deed: Deed, on: bool) -> None:
        self._arrives(deed, HALF if on else 1.0)

    def _arrives(self, deed: Deed, part: float) -> None:
        parts = self._parts.setdefault(deed.subject, {})
        parts[deed.kind] = part
        self._world.traffic.arrives[deed.subject] = min(parts.values())

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
        self._disk("hangs", 5.0 if on else 0.0)

    def set_disk_slow(self, _deed: Deed, on: bool) -> None:
        self._disk("is slow", SLOW if on else 0.0)

    def _disk(self, how: str, seconds: float) -> None:
        self._waits[how] = seconds
        self._world.memory.slow = max(self._waits.values())

    def do_disk_torn(self, _deed: Deed) -> None:
        self._world.memory.torn = True

    def do_journal_lost(self, _deed: Deed) -> None:
        self._world.kill(1.0)
        self._world.swap(-1.0, Memory())

    def do_journal_restored(self, _deed: Deed) -> None:
        self._world.kill(1.0)
        if self._world.backups:
            self._world.swap(*self._world.backups.pop())

    def do_kill(self, deed: Deed) -> None:
        self._world.kill(float(deed.argument))

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
