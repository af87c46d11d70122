"""The judge's benchmark: its chance, its worlds, its statistics, and that it judges as the product does."""

from dataclasses import replace
from functools import partial
from random import Random

import numpy as np
import pytest

from bench.judge import chance, compiled, peers, runs
from bench.judge.history import factor, inflation
from bench.judge.journey import journeys
from bench.judge.report import figures, row_of
from bench.judge.runs import Runs, cells, ladder_of, ours, tuned
from bench.judge.scenarios import PUBLISHED, Kind, Scenario
from bench.judge.scenarios import Noise as Disturbance
from bench.judge.statistics import at_most, geometric_mean, upper_bound
from bench.judge.world import advance, environment, serve, world_of
from rollout.core import judge, ladder, noise
from rollout.core.model import FULL, Comparison, ComparisonEvidence, Noise, Tally, Weight
from rollout.core.noise import Minute

pytestmark = pytest.mark.timeout(600)
"""The first call of a function compiles it, which on a busy machine takes minutes."""

SCENARIOS = {scenario.id: scenario for scenario in PUBLISHED}
DEAD = Scenario("dead", True, 50.0, 0.001, 1.0, 1.0, steps=((0.1, 20.0), (1.0, 20.0)))


def test_the_published_suite_is_whole():
    """23 healthy canaries, 18 bad ones."""
    assert [scenario.bad for scenario in PUBLISHED] == [False] * 23 + [True] * 18
    assert len(SCENARIOS) == 41


@pytest.mark.parametrize("mean", [0.02, 3.0, 9.9, 10.1, 80.0, 5_000.0])
def test_arrivals_are_poisson(mean: float):
    """Mean and variance agree, within five standard errors."""
    stream, count = chance.stream(1, 2), 20_000
    drawn = np.array([chance.poisson(stream, mean) for _ in range(count)])
    assert drawn.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / count))
    assert drawn.var() == pytest.approx(mean, abs=5 * np.sqrt((mean + 2 * mean * mean) / count))


@pytest.mark.parametrize("shape", [0.25, 1.0, 4.0])
def test_factors_are_gamma_of_mean_one(shape: float):
    """Their coefficient of variation is the one that was asked for."""
    stream = chance.stream(3, 4)
    drawn = np.array([chance.gamma(stream, shape) for _ in range(20_000)])
    assert drawn.mean() == pytest.approx(1.0, rel=0.08)
    assert drawn.std() == pytest.approx(shape**-0.5, rel=0.1)


def test_clumps_are_geometric():
    """From one on, of the mean that was asked for."""
    stream = chance.stream(5, 6)
    drawn = np.array([chance.clump(stream, 5.0) for _ in range(20_000)])
    assert drawn.min() == 1
    assert drawn.mean() == pytest.approx(5.0, rel=0.05)
    assert (drawn == 1).mean() == pytest.approx(0.2, abs=0.02)


def test_an_upper_bound_is_that_of_clopper_and_pearson():
    """Twelve of 4 000: 0.57 %. None of ``n``: what would show itself with 99 %."""
    assert upper_bound(12, 4_000) == pytest.approx(0.0057, abs=5e-5)
    assert upper_bound(0, 400) == pytest.approx(1 - 0.01 ** (1 / 400))
    assert upper_bound(7, 7) == 1.0
    assert at_most(1, 2, 0.5) == pytest.approx(0.75)


def test_a_geometric_mean_is_of_ratios():
    """Twice and half are even; nothing, or a ratio of nothing, has none."""
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="above 0"):
        geometric_mean([])
    with pytest.raises(ValueError, match="above 0"):
        geometric_mean([1.0, 0.0])


def looks(random: Random) -> list[tuple[int, int, int, int, float]]:
    """Sixty looks at one canary of a kind drawn at random, with gaps and shared incidents; in some of them
    stable has no traffic in the second half.
    """
    rate, weight = 10 ** random.uniform(-0.5, 3), random.choice([0.01, 0.1, 0.5, 0.95])
    base = 10 ** random.uniform(-3, -1)
    canary = min(1.0, base * random.choice([1, 1, 3, 30, 1_000]))
    alone = random.random() < 0.4
    found = []
    for number in range(60):
        seconds = random.choice([1.0, 5.0, 15.0, 70.0])
        n_c, n_s = (round(rate * seconds * part * random.random() * 2) for part in (weight, 1 - weight))
        n_s = 0 if alone and number >= 30 else n_s
        sick = 0.5 if random.random() < 0.1 else 0.0
        x_c, x_s = (
            sum(random.random() < max(share, sick) for _ in range(min(n, 300)))
            for n, share in ((n_c, canary), (n_s, base))
        )
        found.append((min(n_c, 300), x_c, min(n_s, 300), x_s, seconds))
    return found


def parts(evidence: ComparisonEvidence) -> list[float]:
    """The capital of each bet."""
    return [bet.evidence for bet in (evidence.mixture, evidence.betting, evidence.guard, evidence.gross)]


@pytest.mark.parametrize("phi", [1.0, 4.0])
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_the_compiled_judge_is_the_shipped_one(seed: int, warm: bool, phi: float):
    """Equal capital in each bet, equal odds and equal verdicts, look by look, until both condemn; equal proof
    to rise. ``warm``: the canary had weight for a minute before, so that all alternatives are bet on.
    """
    random = Random(seed)
    check, rules = Comparison(), compiled.shipped()
    mine, shipped = compiled.start(rules), judge.start(check)
    step = np.zeros(4, np.int64)
    for n_c, x_c, n_s, x_s, seconds in [(0, 0, 0, 0, 60.0)] * warm + looks(random):
        look, control = np.array([n_c, x_c, n_s, x_s]), n_s > 0 or random.random() < 0.2
        compiled.add(rules, mine, look, seconds, phi, control)
        step += look
        tally = Tally(n_c, x_c, n_s, x_s, seconds)
        shipped = judge.add(check, shipped, tally, proof=True, phi=phi, control=control)
        assert isinstance(shipped, ComparisonEvidence)
        bets = (mine.mixture, mine.betting, mine.guard, mine.gross)
        capital = [unbet + bet.sum() for unbet, bet in zip(mine.unbet, bets, strict=True)]
        assert capital == pytest.approx(parts(shipped), rel=1e-9)
        found = judge.find(check, shipped)
        assert compiled.odds(rules, mine) == pytest.approx(found.odds, rel=1e-9)
        assert (compiled.odds(rules, mine) >= judge.ODDS) == (found.verdict.name == "FAILING")
        for delta in (ladder.FIRST_MARGIN, ladder.NEXT_MARGIN):
            assert compiled.proves(rules, step, delta) == judge.proves(shipped.step, delta)
        if found.odds >= judge.ODDS:
            break


@pytest.mark.parametrize("seed", range(20))
def test_the_compiled_noise_is_the_shipped_one(seed: int):
    """Two hosts, an hour of them: the same phi."""
    random, counts = Random(seed), np.zeros((60, 4), np.int64)
    share, noisy = random.choice([0.001, 0.05]), random.random() < 0.5
    for row in counts:
        for group in (0, 2):
            factor = random.choice([0.2, 1.8]) if noisy else 1.0
            row[group] = random.randint(100, 300)
            row[group + 1] = sum(random.random() < share * factor for _ in range(row[group]))
    history = [Minute((), {"a": (n1, x1), "b": (n2, x2)}) for n1, x1, n2, x2 in counts.tolist()]
    shipped = noise.measure(history, [noise.Told.OF_HOSTS])
    assert inflation(counts) == pytest.approx(noise.factor(shipped, 0, Weight(5_000)), rel=1e-9)


@pytest.mark.parametrize("weight", [1, 100, 350, 1_000, 4_000, 9_500])
def test_the_compiled_phi_is_of_the_shipped_share(weight: int):
    """The share that was measured nearest to the canary's weight, above a half to its complement."""
    phis = [float(number) for number in range(1, len(noise.SHARES) + 1)]
    measured = Noise(60, (tuple(zip(noise.SHARES, phis, strict=True)),))
    expected = noise.factor(measured, 0, Weight(weight * FULL // 10_000))
    assert factor(np.array(phis), weight / 10_000) == expected


def serve_for(scenario: Scenario, seconds: int) -> tuple[np.ndarray, float]:
    """All counts of so many seconds at 50 %, and what the canary caused."""
    world, stream = world_of(scenario), chance.stream(7, 8)
    env, counts, caused = environment(world, stream), np.zeros(4, np.int64), 0.0
    for second in range(seconds):
        advance(world, env, float(second), stream)
        caused += serve(world, env, 0.5, stream, counts)
    return counts, caused


@pytest.mark.parametrize("name", ["N2", "N9", "N10", "N12"])
def test_noise_leaves_the_mean_error_share_alone(name: str):
    """On average a noisy service is as bad as a quiet one."""
    scenario = SCENARIOS[name]
    counts, _ = serve_for(scenario, 20_000)
    assert counts[[0, 2]] / 20_000 == pytest.approx(scenario.rate / 2, rel=0.01)
    tolerance = 0.3 if name == "N9" else 0.1
    assert counts[[1, 3]] / counts[[0, 2]] == pytest.approx(scenario.base, rel=tolerance)


def test_an_incident_is_shared_and_the_canary_answers_for_its_excess_only():
    """During it the canary fails by the incident and by itself; the first part is nobody's fault."""
    shared = Disturbance(Kind.INCIDENT, (0.2, 1_000.0, 0.0, 0.0))
    counts, caused = serve_for(Scenario("both", True, 200, 0.001, 0.051, 5, noise=shared), 1_000)
    assert counts[3] / counts[2] == pytest.approx(0.2, rel=0.05)
    assert counts[1] / counts[0] == pytest.approx(0.25, rel=0.05)
    assert caused == pytest.approx(counts[1] * 0.2, rel=1e-9)


def test_an_onset_and_a_slow_rise_are_kept():
    """Healthy before; halfway up in the middle of the rise."""
    world, stream = (
        world_of(Scenario("late", True, 10, 0.01, 0.21, 5, onset=100, rise=50)),
        chance.stream(1, 1),
    )
    env = environment(world, stream)
    shares = []
    for second in (99.0, 100.0, 125.0, 150.0, 400.0):
        advance(world, env, second, stream)
        shares.append(env[1])
    assert shares == pytest.approx([0.01, 0.01, 0.11, 0.21, 0.21])


def test_groups_that_differ_more_than_by_chance_inflate():
    """The same in both groups is no noise between them; what a stretch of five minutes evens out is."""
    counts = np.zeros((60, 4), np.int64)
    counts[:, [0, 2]], counts[:, [1, 3]] = 6_000, 60
    assert inflation(counts) == 1.0
    counts[::2, 1] += 60
    counts[1::2, 3] += 60
    assert inflation(counts) > 10.0


@pytest.mark.parametrize("cores", [1, 3])
def test_no_result_depends_on_who_ran_it(cores: int):
    """The same runs in other parts, on other threads, are the same."""
    world, rungs, rules = world_of(DEAD), ladder_of(DEAD), compiled.shipped()
    whole = journeys(world, rungs, rules, 9, 0, 120)
    assert (whole == runs.spread(partial(journeys, world, rungs, rules, 9), 120, cores)).all()
    assert len({tuple(run) for run in whole.tolist()}) > 20, "but no two runs are the same"


def test_a_dead_canary_is_found_by_everybody_when_its_rule_can():
    """Flagger after five checks, Argo after four, Mann-Whitney at its second look, the others at a scrape."""
    found = {cell.judge: cell for cell in cells(SCENARIOS["B1"], Runs(10, 10))}
    ends = {name: set(cell.ended) for name, cell in found.items()}
    assert ends["flagger 99/5"] == {300.0}
    assert ends["flagger 99/10"] == {600.0}
    assert ends["argo 95/3"] == {240.0}
    assert ends["argo 99/0"] == {60.0}
    assert ends["kayenta-like"] == {120.0}
    assert ends["z-peek"] == ends["oracle"] == {5.0}
    assert found["flagger 99/5"].failures.mean() == pytest.approx(3_000, rel=0.03)
    assert all((cell.outcomes == peers.ROLLED_BACK).all() for cell in found.values())
    assert found["rollout"].failures.mean() < 20


def test_a_tuned_peer_spares_the_healthy():
    """The cheapest setting that leaves a healthy canary alone; an incident forbids the nervous ones."""
    quiet, safe = tuned(SCENARIOS["B5"], 300)
    assert quiet.failures.mean() < safe.failures.mean()
    assert safe.setting == "argo 98 %, 5, 30 s"


def test_without_history_noise_is_guessed():
    """A dead canary goes home all the same, for a bet of its own is never divided by phi."""
    known, fresh = ours(DEAD, 40), ours(DEAD, 40, fresh=True)
    assert (known.judge, fresh.judge) == ("rollout", "rollout, no history")
    assert (fresh.outcomes == peers.ROLLED_BACK).all()
    assert known.failures.mean() < fresh.failures.mean() < 30


def test_a_healthy_canary_is_promoted_when_its_bakes_are_over():
    """The probe first, the bakes after it, each to the look that ends it."""
    cell = ours(SCENARIOS["N2"], 20)
    assert (cell.outcomes == peers.PROMOTED).all()
    assert set(cell.ended) >= {915.0}


def cell(name: str, scenario: Scenario, ended: list[float], failures: list[float]) -> runs.Cell:
    """Runs that all went home."""
    outcomes = np.full(len(ended), float(peers.ROLLED_BACK))
    return runs.Cell(scenario, name, outcomes, np.array(ended), np.array(failures))


def test_what_is_said_of_a_cell():
    """Before the onset a rollback is false, after it found; the delay counts from the onset."""
    late = Scenario("late", True, 10, 0.01, 0.2, 5, onset=100)
    row = row_of(cell("rollout", late, [50.0, 110.0, 130.0, 170.0], [0.0, 2.0, 4.0, 6.0]))
    assert (row.rolled_back, row.early, row.promoted, row.held) == (0.75, 0.25, 0.0, 0.0)
    assert (row.median_delay, row.failures, row.failures_p95, row.false) == (30.0, 3.0, 6.0, 1)


def test_the_ratios_are_of_one_run():
    """Theirs by ours, over the bad scenarios; our goals bound the inverse."""
    scenarios = [replace(DEAD, id=name) for name in ("one", "two")]
    mine = [cell("rollout", scenario, [9.0], [2.0]) for scenario in scenarios]
    theirs = [cell("argo 95/3", scenarios[0], [9.0], [8.0]), cell("argo 95/3", scenarios[1], [9.0], [2.0])]
    rows = [row_of(each) for each in (*mine, *theirs)]
    said = {figure.metric: figure for figure in figures(rows, budgets=True, quick=True)}
    assert said["failures, argo 95/3's by ours"].value == pytest.approx(2.0)
    assert said["failures, ours by argo 95/3's"].value == pytest.approx(0.5)
    assert said["failures, ours by argo 95/3's"].ok is False
    assert said["failures, ours by argo 95/3's, worst (two)"].value == pytest.approx(1.0)
    assert said["bad canaries promoted, worst (one)"].value == 0.0
