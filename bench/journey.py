"""One doomed canary, watched from outside: what its callers saw, what the kernel, Envoy and the journal say.

All instants are seconds of the wall clock of one machine, so that they can be compared.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from bench.site import Answer, Lane, Site, Stuck, policy
from bench.watch import MOVED_TO, Event, Watch

PATIENCE = 60.0
"""Seconds to wait for a weight to move."""
LINGER = 0.1
"""Seconds after a rollback for which the callers' answers count."""


@dataclass(frozen=True, slots=True)
class Death:
    """When a canary dies: before its first request, or some seconds after it got ``weight``; and the steps
    that its policy has, with FIRST for a first step of about twenty canary requests a second.
    """

    name: str
    steps: str
    weight: int = 0

    def steps_at(self, rate: float) -> str:
        """The steps for a service of so many requests a second."""
        return self.steps.replace("FIRST", str(max(1, round(2_000 / rate))))


START = Death(
    "dead from the start", "[{weight: 10, bake: 5s}, {weight: 50, bake: 5s}, {weight: 100, bake: 5s}]"
)
MIDDLE = Death(
    "dies in the 50 % step",
    "[{weight: FIRST, bake: 1s}, {weight: 50, bake: 1h}, {weight: 100, bake: 1s}]",
    5_000,
)
LAST = Death(
    "dies in the last step",
    "[{weight: FIRST, bake: 1s}, {weight: 50, bake: 1s}, {weight: 100, bake: 1h}]",
    9_500,
)


@dataclass(frozen=True, slots=True)
class Journey:
    """Its instants. ``first_canary`` was sent, ``first_failed`` was received; the daemon's look ``seen``
    began (0: not known), was ``decided``, ``recorded`` (or not waited for any longer) and ``written`` to the
    route file; ``effective`` is the later of Envoy's own word and the canary's last answer. Callers counted
    ``failed`` answers, Envoy ``counted``.
    """

    committed: float
    first_canary: float
    first_failed: float
    seen: float
    decided: float
    recorded: float
    written: float
    effective: float
    failed: int
    counted: int


class Observer:
    """Sends canaries to their death on the lanes of a site."""

    def __init__(self, site: Site, look: str) -> None:
        self._site = site
        self._analysis = f"{{look: {look}}}" if look else ""
        self._events: Mapping[str, queue.Queue[Event]] = {lane.name: queue.Queue() for lane in site.lanes}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        site = self._site
        site.commit({lane: policy(lane, lane.stable, START.steps_at(lane.rate)) for lane in site.lanes})
        site.start()
        site.wait_steady(site.lanes)
        watch = Watch(site.folder / "routes", self._told)
        self._open.callback(watch.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _told(self, event: Event) -> None:
        lane = event.name.lstrip(".").partition(".")[0]
        if lane in self._events and (event.kind == MOVED_TO or event.name.endswith(".lock")):
            self._events[lane].put(event)

    def all(self, deaths: Mapping[Lane, list[Death]]) -> Mapping[Lane, list[Journey]]:
        """Each lane's deaths, one after another; the lanes at the same time."""
        with ThreadPoolExecutor(len(deaths)) as threads:
            futures = {lane: threads.submit(self._some, lane, some) for lane, some in deaths.items()}
            return {lane: future.result() for lane, future in futures.items()}

    def _some(self, lane: Lane, deaths: list[Death]) -> list[Journey]:
        time.sleep(random.random() * 2)  # so that the lanes do not go in step
        return [self._one(lane, number, death) for number, death in enumerate(deaths, 1)]

    def _one(self, lane: Lane, number: int, death: Death) -> Journey:
        site, events = self._site, self._events[lane.name]
        site.answers(lane)
        before = self._counted(lane)
        site.answer(lane.canary, 200 if death.weight else 500)
        text = policy(lane, lane.canary, death.steps_at(lane.rate), revision=number, analysis=self._analysis)
        committed = site.commit({lane: text})
        if death.weight:
            self._await(lane, events, death.weight)
            time.sleep(1.5 + random.random())
            site.answer(lane.canary, 500)
        else:
            self._await(lane, events, 1)
        recorded, written = self._await(lane, events, 0)
        seen = self._seen(lane)
        canary = [answer for answer in self._answers(lane, written + LINGER) if answer.word == "canary"]
        failed = [answer for answer in canary if answer.status != 200]
        [(decided,)] = site.ask(
            "SELECT json_extract(entry, '$.at') FROM history WHERE rollout = ? "
            "AND json_extract(entry, '$.reason') IN ('WORSE', 'OVER_LIMIT') ORDER BY id DESC LIMIT 1",
            f"bench/{lane.name}",
        )
        return Journey(
            committed,
            first_canary=min(answer.sent for answer in canary),
            first_failed=min(answer.received for answer in failed),
            seen=seen,
            decided=_instant(decided),
            recorded=recorded,
            written=written,
            effective=max(self._reloaded(lane), *(answer.received for answer in canary)),
            failed=len(failed),
            counted=self._counted(lane) - before,
        )

    def _await(self, lane: Lane, events: queue.Queue[Event], weight: int) -> tuple[float, float]:
        """Until the canary has this weight, or (1) any. Answers when the daemon began to write, and had."""
        until, began = time.time() + PATIENCE, 0.0
        while True:
            try:
                event = events.get(timeout=max(0.0, until - time.time()))
            except queue.Empty:
                raise Stuck(f"{lane.name} at {lane.rate:g}/s did not come to {weight} of 10 000") from None
            if event.kind != MOVED_TO:
                began = event.at
                continue
            carried = self._site.carried(lane)
            if carried == weight or (weight == 1 and carried):
                return began, event.at

    def _seen(self, lane: Lane) -> float:
        """When the look began that sent the canary home; the journal says so until the mesh is seen there."""
        while (state := self._site.state(lane))["type"] == "Ramping":
            time.sleep(0.001)
        return _instant(state["began"]) if state["type"] == "RollingBack" else 0.0

    def _answers(self, lane: Lane, end: float) -> list[Answer]:
        """All answers since the journey began, once the log has reached ``end``."""
        found = self._site.answers(lane)
        while not found or found[-1].sent < end:
            time.sleep(LINGER / 2)
            found += self._site.answers(lane)
        return found

    def _reloaded(self, lane: Lane) -> float:
        pattern = rf"^http\.{lane.name}\.rds\.{lane.name}\.config_reload_time_ms$"
        [millis] = self._site.front.counters(pattern).values()
        return millis / 1000

    def _counted(self, lane: Lane) -> int:
        found = self._site.front.counters(rf"^cluster\.{lane.canary}\.upstream_rq_5xx$")
        return sum(found.values())


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
