"""What Envoy itself says it carries, asked many times a second: the demo's own witness of every rung."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

EVERY = 0.05
"""Seconds between questions: how fine the times are."""
PATIENCE = aiohttp.ClientTimeout(total=2.0)


@dataclass(frozen=True, slots=True)
class Carried:
    """From this moment (monotonic seconds) Envoy was seen to split a service so: per cent by backend."""

    at: float
    split: Mapping[str, float]

    def of(self, backend: str) -> float:
        """The backend's share in per cent."""
        return self.split.get(backend, 0.0)


@dataclass(slots=True)
class Witness:
    """Each change of each service's split, in order of time."""

    admin: str
    seen: dict[str, list[Carried]] = field(default_factory=dict)

    async def watch(self) -> None:
        """Look, for ever. A proxy that does not answer is asked again."""
        url = f"http://{self.admin}/config_dump?resource=dynamic_route_configs"
        async with aiohttp.ClientSession(timeout=PATIENCE) as session:
            while True:
                try:
                    async with session.get(url) as answer:
                        self.note(time.monotonic(), await answer.read())
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(EVERY)

    def note(self, at: float, dump: bytes) -> None:
        """Keep what a dump shows that was not shown before."""
        for service, split in splits(json.loads(dump)):
            seen = self.seen.setdefault(service, [])
            if not seen or seen[-1].split != split:
                seen.append(Carried(at, split))

    def now(self, service: str) -> Carried:
        """What was seen last."""
        seen = self.seen.get(service)
        return seen[-1] if seen else Carried(0.0, {})

    def since(self, service: str, at: float) -> list[Carried]:
        """The changes from then on."""
        return [carried for carried in self.seen.get(service, []) if carried.at >= at]


def splits(dump: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """(route configuration, per cent by backend) of Envoy's ``config_dump``; a single cluster carries all."""
    for config in dump.get("configs", []):
        found = config.get("route_config", {})
        for host in found.get("virtual_hosts", []):
            for route in host.get("routes", []):
                action = route.get("route", {})
                clusters = action.get("weighted_clusters", {}).get("clusters", [])
                weights = {each["name"]: each.get("weight", 0) for each in clusters}
                weights = weights or {action.get("cluster", ""): 1}
                total = sum(weights.values()) or 1
                yield (
                    found["name"],
                    {name: round(100 * weight / total, 2) for name, weight in weights.items()},
                )
