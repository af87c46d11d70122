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

from rollout.core import noise
from rollout.core.counters import baseline, increment
from rollout.core.latency import choose
from rollout.core.model import (
    UNHEARD,
    Check,
    Errors,
    Latency,
    Measure,
    Noise,
    Ramping,
    Sample,
    Tally,
    Unseen,
)
from rollout.core.noise import MINUTES, Counts, Minute, Slow, Told
from rollout.engine.gather import about
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
    """Of every rollout's stable. Call ``read`` once a minute."""

    def __init__(self, metrics: Mapping[str, Metrics], clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._known: dict[str, _Past] = {}

    def noise(self, rollout: Rollout) -> Noise:
        """How noisy its stable is, for each check, as far as that is known; not asked for at rest."""
        known, wanted = self._known.get(rollout.name), _past_of(rollout)
        climbs = isinstance(rollout.state, Ramping)
        return known.noise() if climbs and known and wanted and known.is_of(wanted) else UNHEARD

    async def read(self, rollouts: Sequence[Rollout]) -> None:
        """Read and remember the counters of all stables; what is silent has a longer minute next time."""
        self._known = {one.name: past for one in rollouts if (past := self._kept(one)) is not None}
        by_source: dict[str, list[_Past]] = {}
        for past in self._known.values():
            by_source.setdefault(past.source, []).append(past)
        await asyncio.gather(
            *(
                self._read(self._metrics[source], pasts)
                for source, pasts in by_source.items()
                if source in self._metrics
            )
        )

    def _kept(self, rollout: Rollout) -> _Past | None:
        known, wanted = self._known.get(rollout.name), _past_of(rollout)
        return known if known is not None and wanted is not None and known.is_of(wanted) else wanted

    async def _read(self, source: Metrics, pasts: Sequence[_Past]) -> None:
        questions = [past.question for past in pasts]
        stables = tuple({past.stable: None for past in pasts})
        [samples, hosts] = await asyncio.gather(
            source.read(questions, DEADLINE), source.hosts(stables, DEADLINE), return_exceptions=True
        )
        for trouble in (samples, hosts):
            if isinstance(trouble, Exception):
                log.error("history.unread", extra={"detail": f"{type(trouble).__name__}: {trouble}"})
        if isinstance(samples, BaseException):
            return
        told = {} if isinstance(hosts, BaseException) else hosts
        now = self._clock.monotonic()
        for past, sample in zip(pasts, samples, strict=True):
            past.add(sample, told.get(past.stable, {}), now)


def _past_of(rollout: Rollout) -> _Past | None:
    policy = rollout.policy
    if policy is None or rollout.past is None:
        return None
    return _Past(policy.analysis.metrics, rollout.past.stable.backend, policy.analysis.checks)


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

    source: str
    stable: str
    checks: tuple[Check, ...]
    _slow: dict[int, _Slowness] = field(default_factory=dict)
    _rows: deque[array[int]] = field(default_factory=lambda: deque(maxlen=MINUTES))
    _index: dict[str, int] = field(default_factory=dict)
    _before: Sample | None = None
    _hosts: Hosts = field(default_factory=dict)
    _read_at: float = 0.0
    _noise: Noise = UNHEARD
    _age: int = RENEWED

    def is_of(self, other: _Past) -> bool:
        """Is it the history of the same, asked the same?"""
        return (self.source, self.stable, self.checks) == (other.source, other.stable, other.checks)

    @property
    def question(self) -> Question:
        """What to read."""
        return about((self.stable,), self.checks)

    def noise(self) -> Noise:
        """Measured anew now and then only."""
        if self._age >= RENEWED or not self._noise.factors:
            told = [self._told(number, check.of) for number, check in enumerate(self.checks)]
            self._noise, self._age = noise.measure([self._minute(row) for row in self._rows], told), 0
        return self._noise

    def _told(self, number: int, of: Measure) -> Told | Slow:
        if of == Latency():
            return self._slow[number].told if number in self._slow else Slow((), ())
        return Told.OF_HOSTS if of == HOSTS else Told.OF_ANSWERS if isinstance(of, Latency) else Told.OF_ALL

    def add(self, sample: Sample | Unseen, hosts: Hosts, now: float) -> None:
        """One reading."""
        if isinstance(sample, Unseen):
            return
        measures: list[Measure] = [check.of for check in self.checks if check.of != Latency()]
        measures += [Latency(edge) for slow in self._slow.values() for edge in slow.edges]
        counted = increment(
            self._before,
            sample,
            (self.stable, ""),
            measures,
            now - self._read_at if self._before else None,
        )
        if self._before is not None and counted.covered and not sample.silent:
            tallies = iter(counted.tallies)
            row = array("Q")
            for check in self.checks:
                one = Tally() if check.of == Latency() else next(tallies)
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
        for number, check in enumerate(self.checks):
            if check.of == Latency() and number not in self._slow and (edges := choose(sample, self.stable)):
                self._slow[number] = _Slowness(edges)
        self._before, self._hosts, self._read_at = baseline(self._before, sample), dict(hosts), now

    def _place(self, host: str) -> int:
        number = self._index.setdefault(host, len(self._index) % MOST_HOSTS)
        return 2 * (len(self.checks) + number)

    def _minute(self, row: array[int]) -> Minute:
        pairs: list[Counts] = [(row[i], row[i + 1]) for i in range(0, len(row), 2)]
        checks = len(self.checks)
        return Minute(tuple(pairs[:checks]), {str(i): pair for i, pair in enumerate(pairs[checks:])})
