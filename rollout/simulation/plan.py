"""What will happen in a world: drawn from a seed, whole, before anything happens.

A plan is data. It can be cut down to the few deeds that a failure needs (``shrink``), and said in words.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from rollout.simulation.deed import Deed
from rollout.simulation.faults import ENDURING, MOMENTS, Kind
from rollout.simulation.themes import THEMES, both_fall

SERVICES = ("jazz", "metal", "soul", "funk")
VERSIONS = ("v1", "v2", "v3", "v4")


@dataclass(frozen=True, slots=True)
class Terms:
    """What one service's policy says besides its backend. Durations in seconds."""

    steps: tuple[tuple[int, float], ...]
    hold: float = 30.0
    then: str = "rollback"
    limit: bool = False
    windows: bool = False
    observe: bool = False
    latency: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A world to be: its services with their terms, the proxies, and the deeds in order of time. ``calm`` is
    when the last deed is over. ``rate`` is requests per second and service.
    """

    seed: int
    services: tuple[tuple[str, Terms], ...]
    fleet: int
    rate: float
    deeds: tuple[Deed, ...]
    calm: float
    observe: bool = False

    def without(self, *gone: Deed) -> Plan:
        """The same world, but for these deeds."""
        return replace(self, deeds=tuple(deed for deed in self.deeds if deed not in gone))


def draw(seed: int) -> Plan:
    """The plan of a seed: journeys that people want, and a swarm of faults, a random few kinds of them each
    at a random rate (Groce et al., Swarm testing, 2012).
    """
    chance = random.Random(f"plan {seed}")
    names = SERVICES[: chance.choice((1, 1, 1, 2, 2, 3, 4))]
    services = tuple((name, _terms(chance)) for name in names)
    length = chance.choice((25.0, 45.0, 70.0))
    deeds = [deed for name in names for deed in _journeys(chance, name, length)]
    for name in names:
        for theme in THEMES:
            if chance.random() < MEETING:
                deeds += theme(chance, name, chance.uniform(5.0, length - 10.0))
    if chance.random() < BLACKOUTS:
        services, length, deeds = _blackout(chance)
        names = SERVICES
    kinds = [kind for kind in (*ENDURING, *MOMENTS) if chance.random() < SHARE]
    for kind in kinds:
        deeds += [_fault(chance, kind, names, length) for _ in range(chance.choice((1, 1, 2, 3)))]
    return Plan(
        seed,
        _timed(services, random.Random(f"timed {seed}")),
        chance.choice((1, 1, 2, 3)),
        chance.choice((20.0, 100.0, 100.0, 400.0)),
        tuple(sorted(deed for deed in deeds if deed.at < length)),
        length,
        observe=chance.random() < OBSERVING,
    )


SHARE = 0.12
"""Of the kinds of faults, in one world."""
BLACKOUTS = 0.05
"""Of the worlds, in which many rollouts lose their evidence together (I19)."""
MEETING = 0.02
"""Of the services, for each of the stories in which several things meet."""
TIMED = 0.2
"""Of the services, whose policy asks for latency, too."""
OBSERVING = 0.04
"""Of the worlds, in observe mode."""


def _timed(services: tuple[tuple[str, Terms], ...], chance: random.Random) -> tuple[tuple[str, Terms], ...]:
    return tuple((name, replace(terms, latency=chance.random() < TIMED)) for name, terms in services)


def _blackout(chance: random.Random) -> tuple[tuple[tuple[str, Terms], ...], float, list[Deed]]:
    """Every service on its way, and the counters away for longer than any may be blind."""
    terms = tuple((name, replace(_terms(chance), hold=chance.choice((5.0, 10.0)))) for name in SERVICES)
    length, dark, lasts = 70.0, chance.uniform(8.0, 14.0), chance.uniform(20.0, 45.0)
    deeds = [Deed(chance.uniform(1.0, 5.0), "ask", name, "v2") for name in SERVICES]
    deeds.append(Deed(dark, "metrics away", seconds=lasts))
    deeds += [Deed(dark + chance.uniform(0.0, 20.0), "freeze", name) for name in SERVICES[1:3]]
    deeds.append(Deed(dark + chance.uniform(10.0, 25.0), "stable down", SERVICES[0], seconds=8.0))
    deeds += [Deed(chance.uniform(5.0, dark), "pause", name) for name in SERVICES if chance.random() < 0.3]
    for name in SERVICES:
        deeds += both_fall(chance, name, dark + chance.choice((0.3, 1.0)) * lasts + chance.uniform(0.0, 12.0))
    return terms, length, deeds


def _terms(chance: random.Random) -> Terms:
    bake = chance.choice((2.0, 3.0, 5.0))
    weights = chance.choice(((10, 50, 100), (10, 50, 100), (5, 100), (100,), (20, 40, 60, 80, 100)))
    return Terms(
        tuple((weight, bake) for weight in weights),
        hold=chance.choice((10.0, 20.0, 40.0)),
        then=chance.choice(("rollback", "rollback", "hold")),
        limit=chance.random() < 0.2,
        windows=chance.random() < 0.05,
        observe=chance.random() < 0.03,
    )


def _journeys(chance: random.Random, name: str, length: float) -> list[Deed]:
    """What people do with one service: ask, look after it, change their minds."""
    deeds, at = [], chance.uniform(1.0, 6.0)
    for version in VERSIONS[1 : chance.choice((2, 2, 3, 4))]:
        share = chance.choice((0.0, 0.0, 0.0, 0.002, 0.05, 0.3, 1.0))
        late = chance.choice((0.0, 0.0, chance.uniform(0, 20)))
        deeds.append(Deed(at, "ask", name, version))
        if share:
            deeds.append(Deed(at + late, "behave", f"{name}-{version}", str(share)))
        whims = [kind for kind in PEOPLE if chance.random() < 0.07]
        deeds += [Deed(at + chance.uniform(0.0, 25.0), kind, name) for kind in whims]
        at += chance.uniform(4.0, 40.0)
    return [deed for deed in deeds if deed.at < length]


PEOPLE = (
    "pause",
    "resume",
    "promote",
    "promote full",
    "abort",
    "retry",
    "adopt",
    "freeze",
    "thaw",
    "revert",
    "tighten",
    "reword",
    "reshape",
    "suspend",
    "delete",
    "edit up",
    "edit down",
    "fight",
)
"""What people do to one service, beside asking for another version."""


def _fault(chance: random.Random, kind: Kind, names: tuple[str, ...], length: float) -> Deed:
    at = chance.uniform(0.5, length - 1.0)
    subject = chance.choice(names) if kind.of == "service" else ""
    if kind.of == "backend":
        subject = f"{chance.choice(names)}-{chance.choice(VERSIONS[:3])}"
    if kind.of == "proxy":
        subject = chance.choice(("proxy-1", "proxy-2"))
    if kind.of == "sink":
        subject = chance.choice(("ops", "pager"))
    seconds = 0.0
    if kind.endures:
        seconds = chance.choice(
            (chance.uniform(0.5, 3.0), chance.uniform(3.0, 15.0), chance.uniform(15.0, 60.0))
        )
    argument = chance.choice(kind.arguments) if kind.arguments else ""
    return Deed(at, kind.name, subject, argument, min(seconds, length - at))
