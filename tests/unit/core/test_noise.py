"""Phi: one for a service whose requests fail one by one, more where equal arms differ by more than chance."""

import math
import random

import pytest

from rollout.core import noise
from rollout.core.model import Noise, Weight
from rollout.core.noise import UNKNOWN, Minute, Slow, Told, at_edge, factor, measure, quiet

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
    return factor(measure(history, [Told.OF_HOSTS if by_host else Told.OF_ALL]), 0, Weight(weight))


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
    short = measure(hour(minutes=noise.ENOUGH_MINUTES - 1), [Told.OF_HOSTS])
    assert short == Noise(noise.ENOUGH_MINUTES - 1)
    assert factor(short, 0, Weight(1000)) == UNKNOWN
    assert factor(measure(hour(minutes=noise.ENOUGH_MINUTES), [Told.OF_HOSTS]), 1, Weight(1000)) == UNKNOWN
    assert factor(quiet(2), 1, Weight(1000)) == 1.0


def test_few_errors_are_compared_by_halves():
    """One host of ten says too little about so few: every share has the halves' value."""
    few = measure(hour(0.0001, moods=0.5), [Told.OF_HOSTS])
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


# --- latency -------------------------------------------------------------------------------------


def slow_hour(*shares: float, minutes: int = 60, drift: float = 0.0, seed: int = 1) -> Slow:
    """6 000 answers a minute, such shares of them above 100, 200 ... ms; ``drift``: the spread of the shares
    from minute to minute.
    """
    chance, rows = random.Random(seed), []
    for _ in range(minutes):
        mood = max(0.1, chance.gauss(1.0, drift))
        means = [min(0.99, share * mood) * 6000 for share in shares]
        slow = [round(chance.gauss(mean, math.sqrt(mean * (1 - mean / 6000)))) for mean in means]
        rows.append([6000, *slow])
    return Slow(tuple(100.0 * number for number in range(1, len(shares) + 1)), rows)


def phis(slow: Slow) -> list[float]:
    found = measure([Minute((), {})] * len(slow.minutes), [slow])
    return [at_edge(found, 0, edge) for edge in slow.edges or (100.0,)]


def test_the_latency_of_a_quiet_service_is_no_noise():
    """At an edge that half of the answers exceed, too: their number varies less than one by one."""
    quiet_ones = [phi for seed in range(20) for phi in phis(slow_hour(0.6, 0.1, 0.005, seed=seed))]
    assert quiet_ones.count(1.0) > 0.6 * len(quiet_ones)
    assert max(quiet_ones) < 3.0


def test_latency_that_swings_by_itself_is_noise():
    """Each edge has its own; what is nearest was measured for an edge between them."""
    found = measure([Minute((), {})] * 60, [slow_hour(0.6, 0.01, drift=0.2)])
    common, rare = at_edge(found, 0, 100.0), at_edge(found, 0, 200.0)
    assert common > 20.0
    assert 1.0 < rare < common
    assert at_edge(found, 0, 190.0) == rare


def test_latency_of_which_too_little_is_known_is_taken_for_noisy():
    """While no edge is chosen, for the first minutes after that, and of a check that is new."""
    assert phis(Slow((), ())) == [UNKNOWN]
    late = slow_hour(0.1, minutes=noise.ENOUGH_MINUTES - 1)
    found = measure([Minute((), {})] * 60, [late])
    assert at_edge(found, 0, 100.0) == UNKNOWN
    assert at_edge(found, 1, 100.0) == UNKNOWN
    assert at_edge(quiet(1), 0, 100.0) == 1.0


def test_a_limit_of_latency_is_measured_as_answers_are():
    """More than half of them may be above it; failures of as many would vary more."""
    chance = random.Random(3)
    rows = [(6000, round(chance.gauss(3600, math.sqrt(3600 * 0.4) * 1.35))) for _ in range(60)]
    history = [Minute((row,), {}) for row in rows]
    answers, failures = (
        factor(measure(history, [told]), 0, Weight(1000)) for told in (Told.OF_ANSWERS, Told.OF_ALL)
    )
    assert answers > failures == 1.0


def test_the_noise_of_other_checks_is_that_of_those_they_tighten():
    """By what each was kept for, whatever its place; something new is not known; nor is what never was."""
    known = Noise(60, (((0.5, 2.0),), ((0.5, 3.0),)))
    moved = noise.under(known, (1, None, 0))
    assert [factor(moved, check, Weight(5000)) for check in range(3)] == [3.0, UNKNOWN, 2.0]
    assert noise.under(Noise(7), (0, 1)) == Noise(7)
