"""What is simulated: the published suite (ANALYSIS 4), and the shape of anybody's own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What disturbs the error shares, or the counters."""

    NONE = 0
    INCIDENT = 1
    ARM_GAMMA = 2
    CLUMPS = 3
    MISSED = 4
    SHARED_AR = 5


@dataclass(frozen=True, slots=True)
class Noise:
    """``values`` by kind.

    INCIDENT: both arms' error share, how long (s), earliest and latest start (s). ARM_GAMMA: coefficient of
    variation, seconds between draws; each arm has its own. CLUMPS: mean size of a geometric clump of errors.
    MISSED: share of scrapes, resets of the canary's counters per second. SHARED_AR: standard deviation of the
    logarithm, its time constant (s); both arms share it.
    """

    kind: Kind = Kind.NONE
    values: tuple[float, ...] = ()


QUIET = Noise()
STEPS = ((0.1, 300.0), (0.5, 300.0), (1.0, 300.0))


@dataclass(frozen=True, slots=True)
class Scenario:
    """One service and one canary: requests per second, error shares, and when the canary turns bad.

    ``canary`` is the canary's error share from ``onset`` on, reached linearly over ``rise`` seconds.
    """

    id: str
    bad: bool
    rate: float
    base: float
    canary: float
    scrape: float
    onset: float = 0.0
    rise: float = 0.0
    steps: tuple[tuple[float, float], ...] = STEPS
    noise: Noise = QUIET


def _healthy(name: str, rate: float, base: float, scrape: float, noise: Noise = QUIET) -> Scenario:
    return Scenario(name, False, rate, base, base, scrape, noise=noise)


def _bad(  # noqa: PLR0913 - the columns of the published table
    name: str,
    rate: float,
    base: float,
    canary: float,
    scrape: float,
    noise: Noise = QUIET,
    *,
    onset: float = 0.0,
    rise: float = 0.0,
) -> Scenario:
    return Scenario(name, True, rate, base, canary, scrape, onset, rise, noise=noise)


def _incident(earliest: float, latest: float) -> Noise:
    return Noise(Kind.INCIDENT, (0.2, 120.0, earliest, latest))


def _gamma(variation: float, seconds: float) -> Noise:
    return Noise(Kind.ARM_GAMMA, (variation, seconds))


LOSSES = Noise(Kind.MISSED, (0.2, 1 / 200))

PUBLISHED = (
    _healthy("N1", 10, 0.001, 5),
    _healthy("N2", 100, 0.005, 5),
    _healthy("N3", 1000, 0.0001, 1),
    _healthy("N4", 1000, 0.01, 1),
    _healthy("N5", 0.2, 0.01, 15),
    _healthy("N6", 2, 0.05, 15),
    _healthy("N7", 100, 0.02, 5),
    _healthy("N8", 100, 0.001, 5, _incident(0, 480)),
    _healthy("N9", 100, 0.005, 5, Noise(Kind.SHARED_AR, (1.0, 60.0))),
    _healthy("N10", 100, 0.005, 5, _gamma(1, 10)),
    _healthy("N11", 1000, 0.01, 1, _gamma(1, 10)),
    _healthy("N12", 100, 0.005, 5, Noise(Kind.CLUMPS, (5.0,))),
    _healthy("N13", 50, 0.005, 15, LOSSES),
    _healthy("N14", 100, 0.001, 5, _incident(620, 760)),
    Scenario("N15", False, 1000, 0.01, 0.011, 1),
    _healthy("N16", 500, 0.001, 1),
    _healthy("N17", 20, 0.005, 60),
    _healthy("N18", 0.2, 0.001, 15),
    _healthy("X1", 100, 0.01, 5, _gamma(0.5, 30)),
    _healthy("X2", 100, 0.01, 5, _gamma(0.5, 60)),
    _healthy("X3", 100, 0.01, 5, _gamma(0.5, 120)),
    _healthy("X4", 100, 0.01, 5, _gamma(0.5, 300)),
    _healthy("X5", 1000, 0.01, 1, _gamma(1, 60)),
    _bad("B1", 100, 0.001, 1.0, 5),
    _bad("B2", 2, 0.001, 1.0, 15),
    _bad("B3", 0.2, 0.001, 1.0, 15),
    _bad("B4", 1000, 0.001, 1.0, 1),
    _bad("B5", 100, 0.001, 0.051, 5),
    _bad("B6", 100, 0.001, 0.011, 5),
    _bad("B7", 1000, 0.0001, 0.001, 1),
    _bad("B8", 50, 0.001, 0.01, 5),
    _bad("B9", 1000, 0.005, 0.01, 1),
    _bad("B10", 100, 0.01, 0.02, 5),
    _bad("B11", 100, 0.001, 0.051, 5, onset=400),
    _bad("B12", 100, 0.001, 0.051, 5, onset=700),
    _bad("B13", 100, 0.001, 0.051, 5, rise=600),
    _bad("B14", 100, 0.001, 0.051, 5, _incident(0, 60)),
    _bad("B15", 100, 0.005, 0.015, 5, _gamma(1, 10)),
    _bad("B16", 50, 0.005, 0.025, 15, LOSSES),
    _bad("B17", 10, 0.005, 0.055, 60),
    _bad("B18", 2, 0.001, 0.501, 5),
)
"""ANALYSIS 4: 23 healthy canaries (N, X) and 18 bad ones (B)."""

HARD_RATES = tuple((rate, scrape) for rate in (100.0, 1000.0, 10_000.0) for scrape in (1.0, 5.0, 15.0))
DEAD = tuple(_bad(f"dead {rate:g}/s, {scrape:g} s", rate, 0.001, 1.0, scrape) for rate, scrape in HARD_RATES)
"""A canary that fails everything, at every rate and scrape interval of M2."""
