"""Plain Envoy: the folder of route files, what the proxies make of it, and their counters."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from rollout.adapters.clock import SystemClock
from rollout.adapters.envoy_admin import Admin, Admins, Silent
from rollout.cli.checks import Finding, bad, good, odd
from rollout.core.model import MeshSeen, Policy
from rollout.ports import Refused, Unavailable
from rollout.settings import EnvoyMesh, EnvoyMetrics
from rollout.wiring import MESHES

PATIENCE = 3.0
"""Seconds that a proxy has to answer."""
_START = "is Envoy running, and is this its admin port?"
_WATCH = "give its path_config_source a watched_directory: Envoy does not see a renamed file without"


async def mesh(settings: EnvoyMesh, policies: Sequence[Policy]) -> list[Finding]:
    """The folder, the proxies, and each policy's route."""
    about = f"mesh {settings.name}"
    findings = list(_folder(about, settings))
    async with aclosing(_Session(settings.admin)) as session:
        for proxy in session.admins.proxies:
            findings += await _proxy(about, proxy, [policy.route.name for policy in policies])
    return findings + [finding async for finding in _routes(about, settings, policies)]


async def metrics(settings: EnvoyMetrics) -> list[Finding]:
    """Do the proxies answer with counters?"""
    about = f"metrics {settings.name}"
    async with aclosing(_Session(settings.admin)) as session:
        asked = (_counters(about, proxy) for proxy in session.admins.proxies)
        return list(await asyncio.gather(*asked))


class _Session:
    """The proxies' admin interfaces, for as long as a check takes."""

    def __init__(self, names: Sequence[str]) -> None:
        self.admins = Admins(names, SystemClock())

    async def aclose(self) -> None:
        await self.admins.close()


def _folder(about: str, settings: EnvoyMesh) -> Iterator[Finding]:
    directory = settings.directory
    if not directory.is_dir():
        yield bad(about, f"there is no folder {directory}", "make it, and put the route files there")
    elif not os.access(directory, os.W_OK | os.X_OK):
        yield bad(
            about, f"{directory} cannot be written by you", f"chown it to the daemon's user: {directory}"
        )
    else:
        yield good(about, f"{directory} can be written")


async def _proxy(about: str, proxy: Admin, routes: Sequence[str]) -> list[Finding]:
    about = f"{about}, {proxy.name}"
    try:
        [told] = await proxy.ask(["/server_info"], PATIENCE)
        server = orjson.loads(told)
        version, state = server["version"].split("/")[1], server["state"]
    except Silent as silence:
        return [bad(about, str(silence), _START)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return [bad(about, "answers, but not as Envoy does", _START)]
    if state != "LIVE":
        return [bad(about, f"Envoy {version} is {state.lower()}", "wait, or look at its log")]
    return [good(about, f"Envoy {version} is live"), *await _watched(about, proxy, routes)]


async def _watched(about: str, proxy: Admin, routes: Sequence[str]) -> list[Finding]:
    """Does each route reach this proxy from a file, and does it see a rename?"""
    try:
        [told] = await proxy.ask(["/config_dump"], PATIENCE)
        sources = dict(_sources(orjson.loads(told)))
    except (Silent, ValueError) as trouble:
        return [odd(about, f"its config_dump cannot be read: {trouble}")]
    findings = []
    for route in routes:
        file = sources.get(route)
        if file is None:
            mend = f"give a listener rds with route_config_name {route}"
            findings.append(bad(about, f"no listener takes the route configuration {route}", mend))
        elif not file.get("path"):
            findings.append(
                bad(about, f"{route} does not come from a file", "use path_config_source for its rds")
            )
        elif not file.get("watched_directory"):
            findings.append(bad(about, f"{route} has no watched_directory", _WATCH))
    return findings


def _sources(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each route configuration's name with where it comes from, wherever it stands in a dump."""
    if isinstance(node, dict):
        rds = node.get("rds")
        if isinstance(rds, dict) and isinstance(rds.get("route_config_name"), str):
            source = rds.get("config_source")
            file = source.get("path_config_source") if isinstance(source, dict) else None
            yield rds["route_config_name"], file if isinstance(file, dict) else {}
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _sources(each)


async def _routes(about: str, settings: EnvoyMesh, policies: Sequence[Policy]) -> AsyncIterator[Finding]:
    """What the daemon would see of each policy's route."""
    adapter: Any = MESHES[type(settings)](settings, SystemClock())
    try:
        for policy in policies:
            try:
                seen = await adapter.read(policy.route, PATIENCE)
            except (Unavailable, Refused) as trouble:
                yield bad(
                    f"{about}, {policy.name}", str(trouble), f"mend the route file in {settings.directory}"
                )
                continue
            for finding in _seen(f"{about}, {policy.name}", policy, seen):
                yield finding
    finally:
        await adapter.close()


def _seen(about: str, policy: Policy, seen: MeshSeen) -> Iterator[Finding]:
    shown = " and ".join(map(str, seen.splits))
    for proxy in seen.proxies:
        if proxy.rejected:
            yield bad(about, f"{proxy.name} rejected the file: {proxy.rejected}", "mend the route file")
        elif not proxy.unreachable and proxy.splits != seen.splits:
            carried = " and ".join(map(str, proxy.splits)) or "no such route"
            yield bad(
                about,
                f"the file says {shown}, {proxy.name} {carried}",
                "mv a copy over the file; see its log",
            )
    backend = policy.revision.backend
    answered = any(not proxy.unreachable for proxy in seen.proxies)
    if answered and seen.ready.get(backend, 0) == 0:
        known = "has no ready endpoint" if backend in seen.ready else "is no cluster of the proxies"
        yield bad(about, f"{backend}, which git asks for, {known}", "start it, or add the cluster")
    else:
        yield good(about, f"the file shows {shown}")


async def _counters(about: str, proxy: Admin) -> Finding:
    about = f"{about}, {proxy.name}"
    try:
        [told] = await proxy.ask(["/stats?format=json&filter=^server.uptime$"], PATIENCE)
        if not orjson.loads(told)["stats"]:
            return bad(about, "answers without counters", _START)
    except Silent as silence:
        return bad(about, str(silence), _START)
    except (ValueError, LookupError, TypeError):
        return bad(about, "answers, but not as Envoy does", _START)
    return good(about, "answers with counters")
