"""What each Envoy says of itself: the weights it routes by, what it rejected, which endpoints are ready."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote as url_quote

from rollout.adapters.envoy_admin import Admin, Admins, Silent, parse, quote, stat_name
from rollout.adapters.meshes.envoy_routes import Absent, Unclear, managed, splits
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
READY = {None, "HEALTHY", "UNKNOWN", "DEGRADED"}


class Proxies:
    """All Envoys of one mesh."""

    def __init__(self, names: Sequence[str], clock: Clock) -> None:
        self._admins = Admins(names, clock)
        self._clock = clock
        self._rejections: dict[tuple[str, str], int] = {}

    async def read(
        self, route: Route, version_info: str, wanted: tuple[Split, ...], deadline: float
    ) -> tuple[tuple[ProxySeen, ...], dict[str, int]]:
        """Each proxy's word on a route whose file bears ``version_info`` and the splits ``wanted``; and the
        ready endpoints of each backend at the proxy that has fewest.
        """
        answers = await asyncio.gather(
            *(self._ask(proxy, route, version_info, wanted, deadline) for proxy in self._admins.proxies)
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
        self, proxy: Admin, route: Route, version_info: str, wanted: tuple[Split, ...], deadline: float
    ) -> tuple[ProxySeen, dict[str, int] | None]:
        until = self._clock.monotonic() + deadline
        dump = f"/config_dump?resource=dynamic_route_configs&name_regex={_exactly(quote(route.name))}"
        try:
            routes, clusters = await proxy.ask([dump, "/clusters?format=json"], deadline)
            ready = ready_endpoints(clusters)
            try:
                found, version = routing(routes, route)
            except Unclear as why:
                return ProxySeen(proxy.name, rejected=str(why)), ready
            rejected = ""
            # Where the version that is in force is the file's, the file was accepted. Where it is not, it may
            # be that nothing but the version changed: Envoy then keeps the old one, and counters must tell.
            if version != version_info or found != wanted:
                left = max(0.0, until - self._clock.monotonic())
                rejected = await self._rejected(proxy, route, version_info, left)
        except Silent as silence:
            return ProxySeen(proxy.name, unreachable=str(silence)), None
        return ProxySeen(proxy.name, found, rejected=rejected), ready

    async def _rejected(self, proxy: Admin, route: Route, version_info: str, deadline: float) -> str:
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
