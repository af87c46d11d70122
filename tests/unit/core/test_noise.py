"""Phi: one for a service whose requests fail one by one, more where equal arms differ by more than chance."""

import math
import random

import pytest

from rollout.core import noise
from rollout.core.model import Noise, Weight
from rollout.core.noise import UNKNOWN, Minute, factor, measure, quiet

HOSTS = tuple(f"10.0.0.{number}" for number in range(10))


def hour(
    share: float = 0.01,
    *,
    requests: int = 1000,
    hosts: tuple[str, ...] = HOSTS,
    clump: int = 1,
    moods: float = 0.0,
    incident: bool = False,
    minutes: int = 60,
    seed: int = 1,
) -> list[Minute]:
    """``requests`` of each host in a minute. ``clump``: failures come so many at once; ``moods``: the spread
    (coefficient of variation) of each host's share from minute to minute; ``incident``: five minutes in which
    everybody fails twenty times as often.
    """
    chance, found = random.Random(seed), []
    for minute in range(minutes):
        worse = 20.0 if incident and 20 <= minute < 25 else 1.0
        counts = {}
        for host in hosts:
            mood = chance.gammavariate(1 / moods**2, moods**2) if moods else 1.0
            mean = min(requests, requests * share * worse * mood)
            failed = clump * round(max(0.0, chance.gauss(mean / clump, math.sqrt(mean / clump))))
            counts[host] = (requests, min(requests, failed))
        total = (sum(n for n, _ in counts.values()), sum(x for _, x in counts.values()))
        found.append(Minute((total,), counts))
    return found


def phi(history: list[Minute], weight: int = 1000, *, by_host: bool = True) -> float:
    return factor(measure(history, [by_host]), 0, Weight(weight))


@pytest.mark.parametrize("by_host", [True, False])
def test_requests_that_fail_one_by_one_are_no_noise(by_host):
    """Nine histories in ten at each of three scales: one, and never far from it."""
    found = [phi(hour(seed=seed), by_host=by_host) for seed in range(40)]
    assert sum(one == 1.0 for one in found) >= 26
    assert max(found) < 5.0


@pytest.mark.parametrize("by_host", [True, False])
@pytest.mark.parametrize("clump", [5, 20])
def test_clumps_of_a_size_are_noise_of_that_size(clump, by_host):
    """For clusters tempering by their size is exact."""
    found = [phi(hour(0.05, clump=clump, seed=seed), by_host=by_host) for seed in range(20)]
    assert clump * 0.8 < sum(found) / len(found) < clump * 1.9


def test_hosts_with_moods_are_noise_between_hosts():
    """Each host's share is another each minute: small groups differ by more than chance."""
    assert phi(hour(moods=0.5)) > 2.0
    assert phi(hour(moods=0.5), weight=5000) > 2.0


def test_what_all_hosts_suffer_at_once_is_none():
    """A shared incident cancels between hosts; without hosts it is taken for noise, on the safe side."""
    assert phi(hour(incident=True)) < 2.0
    assert phi(hour(incident=True), by_host=False) > 10.0


def test_the_nearest_share_is_taken_from_either_side():
    """95 % of traffic on the canary is 5 % on stable."""
    known = Noise(60, (((0.05, 2.0), (0.5, 3.0)),))
    assert [factor(known, 0, Weight(weight)) for weight in (100, 1000, 4000, 5000, 6000, 9500)] == [
        2.0, 2.0, 3.0, 3.0, 3.0, 2.0,
    ]  # fmt: skip


def test_too_little_history_is_not_known():
    """Twenty minutes at least; nor is a check that the history was not asked about."""
    short = measure(hour(minutes=noise.ENOUGH_MINUTES - 1), [True])
    assert short == Noise(noise.ENOUGH_MINUTES - 1)
    assert factor(short, 0, Weight(1000)) == UNKNOWN
    assert factor(measure(hour(minutes=noise.ENOUGH_MINUTES), [True]), 1, Weight(1000)) == UNKNOWN
    assert factor(quiet(2), 1, Weight(1000)) == 1.0


def test_few_errors_are_compared_by_halves():
    """One host of ten says too little about so few: every share has the halves' value."""
    few = measure(hour(0.0001, moods=0.5), [True])
    assert len({value for _, value in few.factors[0]}) == 1


@pytest.mark.parametrize("hosts", [(), HOSTS[:1]])
def test_one_host_has_nobody_to_differ_from(hosts):
    """Its stretches of time are compared."""
    history = hour(clump=10, hosts=HOSTS[:1])
    history = [Minute(minute.totals, {host: minute.hosts[host] for host in hosts}) for minute in history]
    assert phi(history) > 5.0


def test_hosts_that_come_and_go_and_silence_are_borne():
    """A host that was there for an hour's half, minutes without a request: numbers all the same."""
    history = hour()
    for minute in history[:30]:
        del minute.hosts[HOSTS[0]]  # type: ignore[attr-defined]
    history[40] = Minute(((0, 0),), {})
    assert phi(history) >= 1.0
    assert phi([Minute(((0, 0),), {})] * 60) == 1.0
