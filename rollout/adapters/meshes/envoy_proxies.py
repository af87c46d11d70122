"""What each Envoy says of itself: the weights it routes by, what it rejected, which endpoints are ready."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote as url_quote

from rollout.adapters.envoy_admin import Admin, Admins, Silent, parse, quote, stat_name
from rollout.adapters.meshes.envoy_routes import managed, splits
from rollout.adapters.meshes.unclear import Absent, Unclear
from rollout.core.model import ProxySeen, Route, Split
from rollout.ports import Clock

UNREADY = (
    "failed_active_health_check",
    "failed_outlier_check",
    "pending_active_hc",
    "pending_dynamic_removal",
    "active_hc_timeout",
    "excluded_via_immediate_hc_fail",
)
READY = (None, "HEALTHY", "UNKNOWN", "DEGRADED")


SHARED = 0.2
"""Seconds for which one list of endpoints serves all routes: it names every cluster, so it is the big one."""


class Endpoints:
    """Ready endpoints by backend at one proxy, asked for once by all routes that are read together."""

    def __init__(self, proxy: Admin, clock: Clock) -> None:
        self._proxy = proxy
        self._clock = clock
        self._asked_at = 0.0
        self._answer: asyncio.Task[dict[str, int] | Silent] | None = None

    async def read(self, deadline: float) -> dict[str, int] | Silent:
        """Counts that are at most ``SHARED`` seconds old, or why there are none."""
        now = self._clock.monotonic()
        if self._answer is None or now - self._asked_at > SHARED or self._failed(self._answer):
            self._answer = asyncio.create_task(self._ask(deadline))
            self._asked_at = now
        answer = self._answer
        done, _ = await asyncio.wait({answer}, timeout=deadline)
        return answer.result() if done else Silent(f"did not answer within {deadline:g} s")

    @staticmethod
    def _failed(answer: asyncio.Task[dict[str, int] | Silent]) -> bool:
        if not answer.done():
            return False
        return answer.cancelled() or answer.exception() is not None or isinstance(answer.result(), Silent)

    async def _ask(self, deadline: float) -> dict[str, int] | Silent:
        try:
            [body] = await self._proxy.ask(["/clusters?format=json"], deadline)
            return ready_endpoints(body)
        except Silent as silence:
            return silence


class Proxies:
    """All Envoys of one mesh."""

    def __init__(self, names: Sequence[str], clock: Clock) -> None:
        self._admins = Admins(names, clock)
        self._endpoints = [Endpoints(proxy, clock) for proxy in self._admins.proxies]
        self._clock = clock
        self._rejections: dict[tuple[str, str], int] = {}

    async def read(
        self, route: Route, version_info: str, wanted: tuple[Split, ...], deadline: float
    ) -> tuple[tuple[ProxySeen, ...], dict[str, int]]:
        """Each proxy's word on a route whose file bears ``version_info`` and the splits ``wanted``; and the
        ready endpoints of each backend at the proxy that has fewest.
        """
        asked = zip(self._admins.proxies, self._endpoints, strict=True)
        answers = await asyncio.gather(
            *(self._ask(*each, route, version_info, wanted, deadline) for each in asked)
        )
        counts = [ready for _, ready in answers if ready is not None]
        backends = {name for count in counts for name in count}
        return (
            tuple(seen for seen, _ in answers),
            {name: min(count.get(name, 0) for count in counts) for name in sorted(backends)},
        )

    async def close(self) -> None:
        """Close the connections to the proxies."""
        await self._admins.close()

    async def _ask(
        self,
        proxy: Admin,
        endpoints: Endpoints,
        route: Route,
        version_info: str,
        wanted: tuple[Split, ...],
        deadline: float,
    ) -> tuple[ProxySeen, dict[str, int] | None]:
        seen, ready = await asyncio.gather(
            self._seen(proxy, route, version_info, wanted, deadline), endpoints.read(deadline)
        )
        if isinstance(ready, Silent):
            return ProxySeen(proxy.name, unreachable=seen.unreachable or str(ready)), None
        return seen, None if seen.unreachable else ready

    async def _seen(
        self, proxy: Admin, route: Route, version_info: str, wanted: tuple[Split, ...], deadline: float
    ) -> ProxySeen:
        until = self._clock.monotonic() + deadline
        dump = f"/config_dump?resource=dynamic_route_configs&name_regex={_exactly(quote(route.name))}"
        rejected = ""
        try:
            [body] = await proxy.ask([dump], deadline)
            found, version = routing(body, route)
            # Where the version in force is the file's, the file was accepted. Where it is not, it may be that
            # nothing but the version changed: Envoy then keeps the old one, and counters must tell.
            if version != version_info or found != wanted:
                rejected = await self._rejected(proxy, route, version_info, until - self._clock.monotonic())
        except Silent as silence:
            return ProxySeen(proxy.name, unreachable=str(silence))
        except Unclear as why:
            return ProxySeen(proxy.name, rejected=str(why))
        return ProxySeen(proxy.name, found, rejected=rejected)

    async def _rejected(self, proxy: Admin, route: Route, version_info: str, deadline: float) -> str:
        if deadline <= 0:
            raise Silent("answered too slowly to be asked what it rejected")
        name = stat_name(route.name)
        pattern = _exactly(rf"http\..*\.rds\.{quote(name)}\.(?:version_text|update_rejected)")
        [body] = await proxy.ask([f"/stats?format=json&filter={pattern}"], deadline)
        accepted, rejections = True, 0
        for stat in parse(body, "stats"):
            match stat:
                case {"name": str(key), "value": str(text)} if key.endswith(".version_text"):
                    accepted = accepted and text == version_info
                case {"name": str(key), "value": int(count)} if key.endswith(".update_rejected"):
                    rejections += count
                case _:
                    pass
        place = proxy.name, route.name
        if accepted and version_info:
            self._rejections[place] = rejections
        if rejections in {0, self._rejections.get(place)}:
            return ""  # nothing new was rejected: it has not looked at the file yet
        return (
            f"it keeps an older version of {route.name}: it rejected {rejections} updates in all "
            "(update_rejected); its own log says why"
        )


def _exactly(pattern: str) -> str:
    return url_quote(f"^{pattern}$", safe="")


def routing(body: bytes, route: Route) -> tuple[tuple[Split, ...], str]:
    """The distinct splits that a proxy routes by, and the ``version_info`` it has them from; no splits when
    it does not have the route.

    Raises:
        Silent: the answer is not a configuration dump.
        Unclear: its routes cannot be read as splits.
    """
    found: list[Split] = []
    versions: set[str] = set()
    for dump in parse(body, "configs"):
        configuration: Any = dump.get("route_config") if isinstance(dump, dict) else None
        if not isinstance(configuration, dict):
            raise Silent("answered a configuration dump without routes; is this Envoy's admin port?")
        if configuration.get("name") != route.name:
            continue
        versions.add(str(dump.get("version_info", "")))
        try:
            found += splits(managed(configuration, route))
        except Absent:
            return (), ""
    return tuple(dict.fromkeys(found)), versions.pop() if len(versions) == 1 else ""


def ready_endpoints(body: bytes) -> dict[str, int]:
    """How many endpoints of each cluster take requests.

    Raises:
        Silent: the answer is not a list of clusters.
    """
    counts: dict[str, int] = {}
    for cluster in parse(body, "cluster_statuses"):
        match cluster:
            case {"name": str(name)}:
                hosts = cluster.get("host_statuses", [])
            case _:
                raise Silent("answered clusters without names; is this Envoy's admin port?")
        if not isinstance(hosts, list):
            raise Silent(f"answered {name} without a list of hosts")
        counts[name] = sum(map(_is_ready, hosts))
    return counts


def _is_ready(host: Any) -> bool:
    health = host.get("health_status", {}) if isinstance(host, dict) else None
    if not isinstance(health, dict):
        raise Silent("answered a host without its health")
    return health.get("eds_health_status") in READY and not any(health.get(key) for key in UNREADY)
