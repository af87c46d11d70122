"""What stable did in the last hour, minute by minute: how noisy a service is by itself (core's ``noise``).

Read once a minute for all rollouts of a source together, at rest too; kept in memory only. After a start
nothing is known for twenty minutes, and the judge is told so.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rollout.core import noise
from rollout.core.counters import baseline, increment
from rollout.core.latency import choose
from rollout.core.model import (
    UNHEARD,
    Errors,
    Latency,
    Measure,
    Noise,
    Ramping,
    Sample,
    Tally,
)
from rollout.core.noise import MINUTES, Counts, Minute, Slow, Told
from rollout.engine.gather import Gatherer, about
from rollout.engine.rollout import Rollout
from rollout.ports import Clock, Hosts, Metrics, Question

log = logging.getLogger("rollout")

EVERY = 60.0
"""Seconds between readings."""
DEADLINE = 10.0
MOST_HOSTS = 16
"""Hosts of a backend that are told apart; further ones are counted with one of these."""
RENEWED = 5
"""Readings after which the noise is measured anew: it is an hour's figure."""
HOSTS = Errors()
"""What the counts of hosts are of."""
MOST_COUNTED = 2**32 - 1
"""Answers of one minute that are told apart from more: each count is kept in four bytes."""


class History:
    """Of every rollout's stable. Call ``read`` once a minute. ``gatherers`` read what looks read too."""

    def __init__(
        self, metrics: Mapping[str, Metrics], gatherers: Mapping[str, Gatherer], clock: Clock
    ) -> None:
        self._metrics = metrics
        self._gatherers = gatherers
        self._clock = clock
        self._known: dict[str, _Past] = {}

    def noise(self, rollout: Rollout) -> Noise:
        """How noisy its stable is, for each check, as far as that is known; not asked for at rest."""
        known = self._known.get(rollout.name) if isinstance(rollout.state, Ramping) else None
        return known.noise() if known is not None and known.of == _of(rollout) else UNHEARD

    async def read(self, rollouts: Sequence[Rollout]) -> None:
        """Read and remember the counters of all stables; what is silent has a longer minute next time."""
        before, self._known = self._known, {}
        by_source: dict[str, list[_Past]] = {}
        for rollout in rollouts:
            of, known = _of(rollout), before.get(rollout.name)
            if of is None:
                continue
            past = self._known[rollout.name] = known if known is not None and known.of == of else _Past(of)
            by_source.setdefault(of.source, []).append(past)
        await asyncio.gather(
            *(self._read(source, pasts) for source, pasts in by_source.items() if source in self._metrics)
        )

    async def _read(self, source: str, pasts: Sequence[_Past]) -> None:
        stables = tuple({past.of.stable: None for past in pasts})
        gatherer = self._gatherers[source]
        asked = asyncio.gather(
            *(gatherer.ask(past.question, DEADLINE) for past in pasts), return_exceptions=True
        )
        [hosts], samples = await asyncio.gather(
            asyncio.gather(self._metrics[source].hosts(stables, DEADLINE), return_exceptions=True), asked
        )
        now = self._clock.monotonic()
        told = {} if isinstance(hosts, BaseException) else hosts
        for past, sample in zip(pasts, samples, strict=True):
            if isinstance(sample, Sample):
                past.add(sample, told.get(past.of.stable, {}), now)
        for trouble in {repr(one) for one in (hosts, *samples) if isinstance(one, Exception)}:
            log.error("history.unread", extra={"source": source, "detail": trouble})


class _Of(NamedTuple):
    """Whose history, and of what; the limits that checks set do not matter to it."""

    source: str
    stable: str
    measures: tuple[Measure, ...]


def _of(rollout: Rollout) -> _Of | None:
    policy = rollout.policy
    if policy is None or rollout.past is None:
        return None
    measures = tuple([check.of for check in policy.analysis.checks])
    return _Of(policy.analysis.metrics, rollout.past.stable.backend, measures)


@dataclass(slots=True)
class _Slowness:
    """How many answers a minute brought, and how many of them above each edge (milliseconds), for an hour."""

    edges: tuple[float, ...]
    _rows: array[int] = field(default_factory=lambda: array("I"))

    @property
    def told(self) -> Slow:
        """The hour."""
        width = len(self.edges) + 1
        return Slow(self.edges, [self._rows[at : at + width] for at in range(0, len(self._rows), width)])

    def add(self, tallies: Sequence[Tally]) -> None:
        """One minute, in the place of the oldest."""
        answers = max(tally.stable_n for tally in tallies)
        self._rows.extend(
            min(MOST_COUNTED, count) for count in (answers, *(tally.stable_x for tally in tallies))
        )
        del self._rows[: max(0, len(self._rows) - MINUTES * (len(self.edges) + 1))]


@dataclass(slots=True)
class _Past:
    """One stable's hour. Each minute is one row: the totals of each check, then the hosts, as pairs of
    completed and bad requests; ten thousand of them must not weigh. How slow its answers are is kept in an
    array for each comparison of latencies, once their edges are known.
    """

    of: _Of
    _slow: dict[int, _Slowness] = field(default_factory=dict)
    _rows: deque[array[int]] = field(default_factory=lambda: deque(maxlen=MINUTES))
    _index: dict[str, int] = field(default_factory=dict)
    _before: Sample | None = None
    _hosts: Hosts = field(default_factory=dict)
    _read_at: float = 0.0
    _noise: Noise = UNHEARD
    _age: int = RENEWED

    @property
    def question(self) -> Question:
        """What to read."""
        return about((self.of.stable,), self.of.measures)

    def noise(self) -> Noise:
        """Measured anew now and then only; while it is not known, at each reading."""
        if self._age >= (RENEWED if self._noise.factors else 1):
            told = [self._told(number, of) for number, of in enumerate(self.of.measures)]
            self._noise, self._age = noise.measure([self._minute(row) for row in self._rows], told), 0
        return self._noise

    def _told(self, number: int, of: Measure) -> Told | Slow:
        if of == Latency():
            return self._slow[number].told if number in self._slow else Slow((), ())
        return Told.OF_HOSTS if of == HOSTS else Told.OF_ANSWERS if isinstance(of, Latency) else Told.OF_ALL

    def add(self, sample: Sample, hosts: Hosts, now: float) -> None:
        """One reading."""
        measures: list[Measure] = [of for of in self.of.measures if of != Latency()]
        measures += [Latency(edge) for slow in self._slow.values() for edge in slow.edges]
        counted = increment(
            self._before,
            sample,
            (self.of.stable, ""),
            measures,
            now - self._read_at if self._before else None,
        )
        if self._before is not None and counted.covered and not sample.silent:
            tallies = iter(counted.tallies)
            row = array("Q")
            for of in self.of.measures:
                one = Tally() if of == Latency() else next(tallies)
                row.extend((one.stable_n, one.stable_x))
            for slow in self._slow.values():
                slow.add([next(tallies) for _ in slow.edges])
            row.extend([0, 0] * min(MOST_HOSTS, len(self._index.keys() | {host for _, host in hosts})))
            for (proxy, host), (n, x) in hosts.items():
                old_n, old_x = self._hosts.get((proxy, host), (n, x))
                place = self._place(host)
                row[place] += max(0, n - old_n)
                row[place + 1] += min(max(0, n - old_n), max(0, x - old_x))
            self._rows.append(row)
            self._age += 1
        for number, of in enumerate(self.of.measures):
            if of == Latency() and number not in self._slow and (edges := choose(sample, self.of.stable)):
                self._slow[number] = _Slowness(edges)
        self._before, self._hosts, self._read_at = baseline(self._before, sample), dict(hosts), now

    def _place(self, host: str) -> int:
        number = self._index.setdefault(host, len(self._index) % MOST_HOSTS)
        return 2 * (len(self.of.measures) + number)

    def _minute(self, row: array[int]) -> Minute:
        pairs: list[Counts] = [(row[i], row[i + 1]) for i in range(0, len(row), 2)]
        checks = len(self.of.measures)
        return Minute(tuple(pairs[:checks]), {str(i): pair for i, pair in enumerate(pairs[checks:])})
