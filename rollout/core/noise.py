"""How noisy is a service by itself? Phi, from stable's own history (docs/decisions/noise.md).

The judge's mixture assumes that requests fail one by one. Where they fail in clumps, or where each host has
its own good and bad minutes, two *equal* versions differ by more than chance; the mixture's log evidence is
divided by how much more. There are two ways of asking stable:

- between its hosts, in groups that carry the share of traffic that the canary has, where there are several:
  what all of stable suffers at once cancels;
- between neighbouring stretches of time of the whole, where there are not, and for latency: a change that all
  hosts share is taken for noise too, which errs on the side of phi.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TypeVar

from rollout.core.model import FULL, Noise, Weight

UNKNOWN = 4.0
"""Phi where too little history is known."""
MINUTES, ENOUGH_MINUTES = 60, 20
"""How much history is kept, and from how much on it says anything."""
STRETCHES = (1, 2, 5)
"""Minutes: noise may last longer than one."""
SIGNIFICANT = 1.28
"""Normal quantile: what chance alone shows in one of ten histories is not taken for noise."""
NEIGHBOURS = 1.5
"""Differences of neighbours in time share a stretch each: so many of them tell as much as one by itself."""
FEW_ERRORS = 200
"""With fewer in the history, groups as small as the canary's say too little: halves are compared instead."""
SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
"""Shares of traffic at which phi is measured; a share above a half is as its complement."""
HALF = SHARES[-1]

T = TypeVar("T")
Counts = tuple[int, int]
"""Completed and bad requests."""
Chances = Callable[[float], float]
"""Of a share, the variance that chance alone gives it, times the requests."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What stable did in about a minute: of all of it for each check, and of each host for errors of class
    5xx, where the mesh tells hosts apart.
    """

    totals: tuple[Counts, ...]
    hosts: Mapping[str, Counts]


class Told(Enum):
    """What a history tells of a check: failures of each host; only all counts; all counts of slow answers."""

    OF_HOSTS = "of each host"
    OF_ALL = "of all"
    OF_ANSWERS = "of all answers"


@dataclass(frozen=True, slots=True)
class Slow:
    """What it tells of a comparison of latencies: of each minute the answers, and those above each edge."""

    edges: tuple[float, ...]
    minutes: Sequence[Sequence[int]]


def quiet(checks: int) -> Noise:
    """Of a service whose requests fail one by one, for so many checks."""
    return Noise(MINUTES, (((HALF, 1.0),),) * checks)


def under(noise: Noise, kept: Sequence[int | None]) -> Noise:
    """Of other checks: each asks what the one did that is ``kept`` for it; ``None``: something new."""
    if not noise.factors:
        return noise
    known = dict(enumerate(noise.factors))
    strange = ((HALF, UNKNOWN),)
    return Noise(
        noise.minutes, tuple(strange if index is None else known.get(index, strange) for index in kept)
    )


def factor(noise: Noise, check: int, weight: Weight) -> float:
    """Phi of a check at the canary's weight: of the nearest share that was measured."""
    if not check < len(noise.factors):
        return UNKNOWN
    share = min(weight, FULL - weight) / FULL
    return min(noise.factors[check], key=lambda pair: abs(pair[0] - share))[1]


def at_edge(noise: Noise, check: int, edge: float) -> float:
    """Phi of a comparison of latencies at an edge (milliseconds): of the nearest that was measured."""
    if not check < len(noise.factors):
        return UNKNOWN
    return min(noise.factors[check], key=lambda pair: abs(pair[0] - edge))[1]


def measure(history: Sequence[Minute], told: Sequence[Told | Slow]) -> Noise:
    """What the history says of each check, by what is told of it."""
    if len(history) < ENOUGH_MINUTES:
        return Noise(len(history))
    hosts = sorted({host for minute in history for host in minute.hosts})
    factors: list[tuple[tuple[float, float], ...]] = []
    for check, known in enumerate(told):
        if isinstance(known, Slow):
            factors.append(_of_edges(known))
        elif known is Told.OF_HOSTS and len(hosts) > 1:
            factors.append(_between_hosts([minute.hosts for minute in history], hosts))
        else:
            chances = _one_of_two if known is Told.OF_ANSWERS else _one_by_one
            phi = _between_times([minute.totals[check] for minute in history], chances)
            factors.append(((HALF, phi),))
    return Noise(len(history), tuple(factors))


def _of_edges(slow: Slow) -> tuple[tuple[float, float], ...]:
    """Pairs of an edge and phi there, between stretches of time: no proxy times its hosts apart."""
    if len(slow.minutes) < ENOUGH_MINUTES or not slow.edges:
        return ((0.0, UNKNOWN),)
    return tuple(
        (edge, _between_times([(row[0], row[number]) for row in slow.minutes], _one_of_two))
        for number, edge in enumerate(slow.edges, 1)
    )


def _between_hosts(
    minutes: Sequence[Mapping[str, Counts]], hosts: Sequence[str]
) -> tuple[tuple[float, float], ...]:
    errors = sum(x for minute in minutes for _, x in minute.values())
    by_size: dict[int, float] = {}
    sizes = {share: max(1, min(round(share * len(hosts)), len(hosts) // 2)) for share in SHARES}
    if errors < FEW_ERRORS:
        sizes = dict.fromkeys(SHARES, sizes[HALF])
    for size in set(sizes.values()):
        by_size[size] = _of_groups(
            minutes, [hosts[i : i + size] for i in range(0, len(hosts) - size + 1, size)]
        )
    return tuple((share, by_size[size]) for share, size in sizes.items())


def _of_groups(minutes: Sequence[Mapping[str, Counts]], groups: Sequence[Sequence[str]]) -> float:
    """The greatest phi of the stretches, each the mean over groups of one against all others."""
    found = [1.0]
    for stretch in STRETCHES:
        blocks = [
            [_sum([minute.get(host, (0, 0)) for minute in span for host in group]) for group in groups]
            + [_sum([counts for minute in span for counts in minute.values()])]
            for span in _spans(minutes, stretch)
        ]
        phis = []
        for number in range(len(groups)):
            pairs = [
                (block[number], (block[-1][0] - block[number][0], block[-1][1] - block[number][1]))
                for block in blocks
            ]
            phis.append(_phi(pairs))
        found.append(_significant(sum(phis) / len(phis), len(blocks)))
    return max(found)


def _between_times(minutes: Sequence[Counts], chances: Chances) -> float:
    found = [1.0]
    for stretch in STRETCHES:
        blocks = [_sum(span) for span in _spans(minutes, stretch)]
        alone = (len(blocks) - 1) / NEIGHBOURS
        found.append(_significant(_phi(list(pairwise(blocks)), chances), alone))
    return max(found)


def _spans(minutes: Sequence[T], stretch: int) -> list[Sequence[T]]:
    whole = len(minutes) - len(minutes) % stretch
    return [minutes[i : i + stretch] for i in range(0, whole, stretch)]


def _sum(counts: Sequence[Counts]) -> Counts:
    return sum(n for n, _ in counts), sum(x for _, x in counts)


def _one_by_one(share: float) -> float:
    """The variance of who fails rarely and one by one (Poisson), as the bets on errors have it."""
    return share


def _one_of_two(share: float) -> float:
    """The variance of what an answer is or is not, common as that may be: above an edge (binomial)."""
    return share * (1.0 - share)


def _phi(pairs: Sequence[tuple[Counts, Counts]], chances: Chances = _one_by_one) -> float:
    """Squared differences of the arms' shares, over what chance alone makes of them."""
    squares = chance = 0.0
    for (n1, x1), (n2, x2) in pairs:
        if n1 and n2:
            squares += (x1 / n1 - x2 / n2) ** 2
            chance += chances((x1 + x2) / (n1 + n2)) * (1.0 / n1 + 1.0 / n2)
    return squares / chance if chance else 1.0


def _significant(phi: float, blocks: float) -> float:
    return phi if blocks and phi > 1.0 + SIGNIFICANT * math.sqrt(2.0 / blocks) else 1.0
