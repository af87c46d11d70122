"""A cluster's mesh objects as a mesh: whichever kind a route is of, it is read and patched here.

Going home is one patch, so nothing is staged. What the proxies carry is not known here; what the controllers
say of an object is told as if each were one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from rollout.adapters.kubernetes_api import ApiServer
from rollout.adapters.meshes.kubernetes_endpoints import Endpoints, around
from rollout.adapters.meshes.kubernetes_objects import Finder, Found
from rollout.adapters.meshes.kubernetes_patch import patch, resolution
from rollout.adapters.meshes.kubernetes_targets import fence, managed, splits, version
from rollout.adapters.meshes.unclear import Absent, Unclear
from rollout.core.model import MeshSeen, ProxySeen, Route, Split
from rollout.ports import Clock, Lost, Moved, Refused, Unavailable
from rollout.settings import KubernetesMesh

WRITE = 5.0
"""Seconds that a write may take."""
TRIES = 3
"""Writes that another's status update may spoil before we look anew."""
REMEMBERED = 10_000
"""Routes whose objects are remembered."""

_K = TypeVar("_K")
_T = TypeVar("_T")


class KubernetesRoutes:
    """The port ``Mesh`` on a cluster's API server.

    ``read`` raises ``Refused`` too, where an object cannot be read as splits: its sentence says what to write
    instead.
    """

    def __init__(self, settings: KubernetesMesh, clock: Clock) -> None:
        self._clock = clock
        self._api = ApiServer(settings, clock)
        self._finder = Finder(self._api, settings)
        self._endpoints = Endpoints(self._api)
        self._known: OrderedDict[Route, Found] = OrderedDict()
        self._carried: OrderedDict[tuple[Route, str, int], tuple[Split, ...]] = OrderedDict()

    async def read(self, route: Route, deadline: float) -> MeshSeen:
        until = self._clock.monotonic() + deadline
        found = await self._look(route, deadline)
        entries = _clear(found, lambda: managed(found.form, found.thing, found.route))
        shown = _clear(found, lambda: splits(entries))
        ready = await self._endpoints.ready(found, entries, until - self._clock.monotonic())
        mark = fence(found.thing)
        return MeshSeen(
            splits=shown,
            version=version(found.thing),
            ready=ready,
            proxies=self._words(found, shown),
            epoch=mark.epoch if mark else None,
            resolution=resolution(found.form.total),
            writes=mark.count if mark else 0,
            verified=False,
        )

    async def write(self, route: Route, split: Split, *, version: str, home: Split, epoch: int) -> None:
        until = self._clock.monotonic() + WRITE
        found = self._known.get(route) or await self._look(route, WRITE)
        for _ in range(TRIES):
            if found.version != version:
                found = await self._look(route, until - self._clock.monotonic())
            if found.version != version:
                raise Moved(f"{found.resource} was changed by somebody else")
            changes = _clear(found, lambda: patch(found.form, found.thing, found.route, split, home, epoch))  # noqa: B023 - called at once
            try:
                await self._api.patch(
                    found.resource, changes, until - self._clock.monotonic(), urgent=split == home
                )
            except Moved:  # perhaps no more than a status: what the write is conditional on may still stand
                found = await self._look(route, until - self._clock.monotonic())
            else:
                self._known.pop(route, None)
                return
        raise Moved(f"{found.resource} is being changed by somebody else all the time")

    async def server_version(self, deadline: float) -> str:
        """The version of the API server.

        Raises:
            Unavailable: it does not answer.
        """
        return await self._api.server_version(deadline)

    async def missing(self, route: Route, deadline: float) -> list[str]:
        """What our account may not do and must, in words.

        Raises:
            Lost, Refused, Unavailable: as ``read``.
        """
        found = await self._look(route, deadline)
        needs = [("patch", found.resource), *(("list", each) for each in around(found))]
        return [
            f"the daemon's account may not {verb} {resource}"
            for verb, resource in needs
            if not await self._api.may(verb, resource, deadline)
        ]

    async def close(self) -> None:
        """Close the connections to the API server."""
        await self._api.close()

    async def _look(self, route: Route, deadline: float) -> Found:
        try:
            async with asyncio.timeout(max(0.0, deadline)):
                found = await self._finder.find(route, deadline)
        except TimeoutError:
            raise Unavailable(f"the API server did not answer within {deadline:g} s") from None
        except Absent as why:
            raise Lost(f"{route}: {why}") from why
        except Unclear as why:
            raise Refused(f"{route}: {why}") from why
        _keep(self._known, route, found)
        return found

    def _words(self, found: Found, shown: tuple[Split, ...]) -> tuple[ProxySeen, ...]:
        """What each controller carries, as far as it says which generation of the object it looked at."""
        metadata = found.thing["metadata"]
        uid, generation = str(metadata.get("uid")), int(metadata.get("generation") or 0)
        _keep(self._carried, (found.asked, uid, generation), shown)
        return tuple(
            ProxySeen(
                word.who,
                shown
                if word.generation in {None, generation}
                else self._carried.get((found.asked, uid, word.generation or 0), ()),
                rejected=word.refuses,
            )
            for word in found.form.words(found.thing)
        )


def _keep(kept: OrderedDict[_K, _T], key: _K, value: _T) -> None:
    kept[key] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)


def _clear(found: Found, read: Callable[[], _T]) -> _T:
    """What a function makes of an object, or the port's word for why it cannot."""
    try:
        return read()
    except Absent as why:
        raise Lost(f"{found.resource}: {why}") from why
    except Unclear as why:
        raise Refused(f"{found.resource}: {why}") from why
