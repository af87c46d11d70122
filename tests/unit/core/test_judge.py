"""The judge: bets that cannot win on average while the canary is healthy, and win quickly when it is not."""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

import pytest

from rollout.core import bets, judge, noise
from rollout.core.counters import Increment
from rollout.core.model import (
    Bet,
    Check,
    Comparison,
    ComparisonEvidence,
    Errors,
    Evidence,
    Limit,
    LimitEvidence,
    Tally,
    Verdict,
)
from rollout.policy.codec import decode, encode

COMPARISON, LIMIT = Comparison(), Limit(0.05)
SHARES = (0.0, 0.001, 0.01, 0.1, 0.3, 0.6, 0.9)


def feed(
    check: Check,
    *looks: Tally,
    evidence: Evidence | None = None,
    proof: bool = True,
    phi: float = 1.0,
    control: bool = True,
) -> Evidence:
    evidence = evidence or judge.start(check)
    for look in looks:
        evidence = judge.add(check, evidence, look, proof=proof, phi=phi, control=control)
    return evidence


def odds(check: Check, *looks: Tally) -> float:
    return judge.find(check, feed(check, *looks)).odds


def mixture(*looks: Tally) -> float:
    evidence = feed(COMPARISON, *looks)
    assert isinstance(evidence, ComparisonEvidence)
    return evidence.mixture.evidence


def gross(*looks: Tally) -> Bet:
    evidence = feed(COMPARISON, *looks)
    assert isinstance(evidence, ComparisonEvidence)
    return evidence.gross


def chance(requests: int, failed: int, share: float) -> float:
    return math.comb(requests, failed) * share**failed * (1 - share) ** (requests - failed)


def outcomes(canary_n: int, stable_n: int, canary: float, stable: float) -> Iterator[tuple[float, int, int]]:
    """Every (probability, failed canary, failed stable requests)."""
    for x_c, x_s in product(range(canary_n + 1), range(stable_n + 1)):
        yield chance(canary_n, x_c, canary) * chance(stable_n, x_s, stable), x_c, x_s


# --- validity ------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", bets.ERRORS.worse)
def test_no_alternative_wins_on_average_while_the_canary_is_within_its_margin(times):
    """E[L] <= 1 by enumeration, for one to six requests of each arm, at the margin's very edge and inside."""
    for canary_n, stable_n in product(range(1, 7), range(1, 7)):
        for stable in SHARES:
            edge = min(1.0, bets.ERRORS.ratio * stable + bets.ERRORS.margin)
            for canary in (edge, stable, stable / 2):
                mean = sum(
                    probability
                    * math.exp(bets.worse_log(bets.ERRORS, Tally(canary_n, x_c, stable_n, x_s), times))
                    for probability, x_c, x_s in outcomes(canary_n, stable_n, canary, stable)
                )
                assert mean <= 1 + 1e-9


def test_beyond_the_margin_some_alternative_wins_on_average():
    """The other side of the margin: a canary three times worse is worth betting against."""
    for stable in (0.01, 0.1, 0.3):
        best = max(
            sum(
                probability * math.exp(bets.worse_log(bets.ERRORS, Tally(6, x_c, 6, x_s), times))
                for probability, x_c, x_s in outcomes(6, 6, 3 * stable, stable)
            )
            for times in bets.ERRORS.worse
        )
        assert best > 1


@pytest.mark.parametrize("stable_n", [10, 13])
@pytest.mark.parametrize("canary_n", [1, 4])
def test_a_whole_look_does_not_win_on_average(canary_n, stable_n):
    """Mixture and gross bet together, as they are fed: the mean of the odds stays at or below 1."""
    for stable in SHARES:
        for canary in (min(1.0, bets.ERRORS.ratio * stable + bets.ERRORS.margin), stable):
            mean = sum(
                probability * odds(COMPARISON, Tally(canary_n, x_c, stable_n, x_s, 1.0))
                for probability, x_c, x_s in outcomes(canary_n, stable_n, canary, stable)
            )
            assert mean <= 1 + 1e-9


@pytest.mark.parametrize("most", [0.01, 0.05, 0.5, 0.99])
def test_a_limit_does_not_win_on_average_while_it_is_kept(most):
    """Whatever stable does, for a canary at the limit or below: the mean of the bet stays at or below 1."""
    check = Limit(most)
    for canary_n, stable_x in product((1, 3, 6), (0, 5, 10)):
        for canary in (most, most / 2, 0.0):
            mean = 0.0
            for x_c in range(canary_n + 1):
                evidence = feed(check, Tally(canary_n, x_c, 10, stable_x, 1.0))
                assert isinstance(evidence, LimitEvidence)
                mean += chance(canary_n, x_c, canary) * evidence.bet.evidence
            assert mean <= 1 + 1e-9


@pytest.mark.parametrize("stake", bets.BETTING_STAKES)
def test_the_linear_bet_does_not_win_on_average_however_the_failures_hang_together(stake):
    """All of an arm's requests fail together or none: only the means matter."""
    number = bets.BETTING_STAKES.index(stake)
    for canary_n, stable_n, stable in product((1, 6), (10, 13), SHARES):
        canary = min(1.0, bets.ERRORS.ratio * stable + bets.ERRORS.margin)
        mean = 0.0
        for chance_c, x_c in ((canary, canary_n), (1 - canary, 0)):
            for chance_s, x_s in ((stable, stable_n), (1 - stable, 0)):
                logs = bets._betting_logs(bets.ERRORS, Tally(canary_n, x_c, stable_n, x_s))
                mean += chance_c * chance_s * math.exp(logs[number])
        assert mean <= 1 + 1e-9


@pytest.mark.parametrize("times", judge.GATE_TIMES)
def test_a_much_worse_canary_does_not_prove_itself_on_average(times):
    """E[N] <= 1 by enumeration where the canary fails twice stable's share and the margin more, or worse."""
    for canary_n, stable_n, stable in product(range(1, 7), range(1, 7), (0.0, 0.01, 0.1, 0.3)):
        for canary in {min(1.0, 2 * stable + 0.2), min(1.0, 3 * stable + 0.4)}:
            if canary < 2 * stable + 0.2:
                continue  # nobody can be that bad
            mean = sum(
                probability * math.exp(judge._proof(Tally(canary_n, x_c, stable_n, x_s), 0.2, times))
                for probability, x_c, x_s in outcomes(canary_n, stable_n, canary, stable)
            )
            assert mean <= 1 + 1e-9


# --- proof ---------------------------------------------------------------------------------------


def test_a_run_without_an_error_proves_by_the_rule_of_three():
    """About four over the margin: 21 requests for 20 %, 82 for 5 %; one error more needs more of them."""
    for delta, enough in ((0.2, 21), (0.05, 82)):
        assert judge.proves(Tally(enough, 0, 10 * enough, 0), delta)
        assert not judge.proves(Tally(enough * 3 // 4, 0, 10 * enough, 0), delta)
        assert not judge.proves(Tally(enough, 1, 10 * enough, 0), delta)
        assert judge.lacks(Tally(5, 0, 50, 0), delta) == enough - 5
        assert judge.lacks(Tally(enough, 0, 10 * enough, 0), delta) == 0
    assert judge.lacks(Tally(), None) == 0


def test_without_a_control_nothing_is_proved():
    """There is nothing to be no worse than; and nothing was seen of who completed nothing."""
    assert not judge.proves(Tally(1000, 0, 0, 0), 0.2)
    assert not judge.proves(Tally(0, 0, 1000, 0), 0.2)


def test_stable_s_failures_excuse_a_canary():
    """Both fail a fifth: the canary is no worse, and that can be proved."""
    assert judge.proves(Tally(300, 60, 2700, 540), 0.05)
    assert not judge.proves(Tally(300, 150, 2700, 540), 0.05)


# --- cold, noisy, and alone ----------------------------------------------------------------------


def test_a_cold_canary_is_bet_on_for_gross_faults_only():
    """In its first half minute a small excess is warming up; the same excess later speaks against it."""
    slightly = Tally(100, 6, 900, 9, 10.0)
    cold = feed(COMPARISON, slightly, slightly)
    warm = feed(COMPARISON, Tally(0, 0, 1, 0, 60.0), *[slightly] * 7)
    assert isinstance(cold, ComparisonEvidence)
    assert isinstance(warm, ComparisonEvidence)
    assert cold.mixture.stakes[:5] == pytest.approx(
        tuple(1 / 8 * (0.5 + 0.5 * (1 - math.exp(-10 / 600))) for _ in range(5))
    )
    assert warm.mixture.evidence > 10
    dead = Tally(10, 10, 90, 0, 1.0)
    assert judge.find(COMPARISON, feed(COMPARISON, dead, dead)).odds > judge.ODDS


def test_noise_tempers_the_mixture_alone():
    """Phi divides its logs; the linear and the gross bet stand as they are."""
    look = Tally(100, 30, 900, 9, 60.0)
    plain, noisy = feed(COMPARISON, look, look), feed(COMPARISON, look, look, phi=4.0)
    assert isinstance(plain, ComparisonEvidence)
    assert isinstance(noisy, ComparisonEvidence)
    assert noisy.mixture.evidence < plain.mixture.evidence
    assert (noisy.betting, noisy.gross) == (plain.betting, plain.gross)
    once = feed(COMPARISON, look, evidence=replace(bets.comparison(bets.ERRORS), age=60.0), phi=4.0)
    assert isinstance(once, ComparisonEvidence)
    assert [math.log(stake * 16) for stake in once.mixture.stakes[3:]] == pytest.approx(
        [bets.worse_log(bets.ERRORS, look, times) / 4 for times in bets.ERRORS.worse[3:]]
    )


def test_without_a_control_stable_s_past_is_the_guard():
    """Everything on the canary: it is held against twice what stable ever failed, and not before."""
    past = [Tally(50, 0, 950, 1, 1.0)] * 60
    for control, condemned in ((False, True), (True, False)):
        evidence = feed(COMPARISON, *past)
        for _ in range(30):
            evidence = feed(COMPARISON, Tally(1000, 50, 0, 0, 1.0), evidence=evidence, control=control)
        assert (judge.find(COMPARISON, evidence).verdict is Verdict.FAILING) is condemned
    healthy = feed(COMPARISON, *past)
    for _ in range(300):
        healthy = feed(COMPARISON, Tally(1000, 2, 0, 0, 1.0), evidence=healthy, control=False)
    assert judge.find(COMPARISON, healthy).odds < judge.CALM


def test_the_guard_forgives_what_stable_did_in_its_worst_minute():
    """A bad minute of stable's is remembered, if it had requests enough to mean something."""
    evidence = feed(COMPARISON, *[Tally(5, 0, 95, 19, 1.0)] * 60, *[Tally(5, 0, 95, 0, 1.0)] * 600)
    assert isinstance(evidence, ComparisonEvidence)
    assert evidence.control.worst == pytest.approx(0.2)
    for _ in range(60):
        evidence = feed(COMPARISON, Tally(100, 20, 0, 0, 1.0), evidence=evidence, control=False)
    assert judge.find(COMPARISON, evidence).odds < judge.CALM
    nobody = feed(COMPARISON, *[Tally(100, 90, 0, 0, 1.0)] * 60, control=False)
    assert judge.find(COMPARISON, nobody).odds <= 1.0


def test_several_comparisons_stake_one_capital():
    """Their odds are the mean; the one that contributes most is to blame, and a limit stands for itself."""
    checks = (COMPARISON, LIMIT, Comparison(Errors(("429",))))
    bad, good = feed(COMPARISON, *[Tally(50, 25, 450, 0, 1.0)] * 3), judge.start(COMPARISON)
    found = judge.findings(checks, (good, judge.start(LIMIT), bad))
    together = (judge.find(COMPARISON, good).odds + judge.find(COMPARISON, bad).odds) / 2
    assert [finding.odds for finding in found] == pytest.approx([together, 1.0, together])
    assert [finding.verdict for finding in found] == [Verdict.NO_DATA, Verdict.NO_DATA, Verdict.FAILING]


# --- the oracle ----------------------------------------------------------------------------------


def oracle(looks: list[Tally]) -> float:
    """The mixture's evidence, worked out anew from the formulas: one running product for each restart."""
    alternatives = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
    blocks, open_, age = [], [0, 0, 0, 0, 0.0], 0.0
    for look in looks:
        fields = (look.canary_n, look.canary_x, look.stable_n, look.stable_x, look.seconds)
        open_ = [a + b for a, b in zip(open_, fields, strict=True)]
        age += look.seconds
        if open_[2] >= 10 and open_[0] > 0:
            blocks.append((*open_, age - open_[4] < 30.0))
            open_ = [0, 0, 0, 0, 0.0]
    left, placed = 1.0, []
    for number, block in enumerate(blocks):
        part = left / 2 if number == 0 else left * (1 - math.exp(-block[4] / 600))
        left -= part
        placed.append(part)
    total = left
    for psi in alternatives:
        for begin, part in enumerate(placed):
            product_ = 1.0
            for n_c, x_c, n_s, x_s, _, cold in blocks[begin:]:
                if cold and psi < 30:
                    continue
                theta_1, theta_0 = psi * n_c / (psi * n_c + n_s), 1.1 * n_c / (1.1 * n_c + n_s)
                product_ *= (theta_1 / theta_0) ** x_c * ((1 - theta_1) / (1 - theta_0)) ** x_s
                product_ *= math.exp(-1e-4 * n_c * (theta_1 / theta_0 - 1))
            total += part / len(alternatives) * product_
    return total


@pytest.mark.parametrize("seed", range(8))
def test_the_mixture_is_what_its_formulas_say(seed):
    """Against a second reading of the specification, over random looks of every size."""
    chance_ = random.Random(seed)
    looks = []
    for _ in range(40):
        canary_n, stable_n = chance_.choice((0, 1, 5, 30)), chance_.choice((0, 2, 9, 10, 80))
        bad = chance_.choice((0.0, 0.02, 0.2))
        looks.append(
            Tally(
                canary_n,
                sum(chance_.random() < 2 * bad for _ in range(canary_n)),
                stable_n,
                sum(chance_.random() < bad for _ in range(stable_n)),
                chance_.choice((0.25, 1.0, 15.0)),
            )
        )
    for end in (1, 5, 20, 40):
        assert mixture(*looks[:end]) == pytest.approx(oracle(looks[:end]), rel=1e-9)


def test_the_numbers_of_the_judge():
    """What the proof and the simulation were made for."""
    assert (judge.ODDS, judge.CALM, bets.ERRORS.ratio, bets.ERRORS.margin) == (100.0, 2.0, 1.1, 1e-4)
    assert bets.ERRORS.worse == (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
    assert min(bets.ERRORS.worse) > bets.ERRORS.ratio
    weights = (bets.MIXTURE_WEIGHT, bets.BETTING_WEIGHT, bets.GUARD_WEIGHT, bets.GROSS_WEIGHT)
    assert weights == (80, 5, 5, 10)
    assert sum(weights) == 100
    assert (bets.WARM_UP, bets.WARM_TIMES, bets.BETTING_STAKES) == (30.0, 30.0, (0.1, 0.3, 0.6, 0.85))
    assert (bets.GUARD_TIMES, bets.GUARD_RATIO, bets.GUARD_MARGIN) == ((2.0, 4.0, 10.0, 50.0), 2.0, 0.005)
    assert (judge.GATE_ODDS, judge.GATE_TIMES) == (20.0, (0.1, 0.5))
    assert (bets.GROSS_SHARE, bets.GROSS_TIMES, bets.GROSS_ALTERNATIVES) == (0.25, 5.0, (0.5, 0.75, 0.98))
    assert (bets.FIRST, bets.RELEASE) == (0.5, 600.0)


def test_the_odds_are_the_weighted_capitals():
    """Four fifths mixture, a tenth gross, a twentieth each of the others: one at the start."""
    evidence = ComparisonEvidence(
        Bet(0.5, (1.0, 2.0)), Bet(1.0, (6.0,)), betting=Bet(2.0, (2.0,)), guard=Bet(0.0, (9.0,))
    )
    wanted = 0.8 * 3.5 + 0.1 * 7.0 + 0.05 * 4.0 + 0.05 * 9.0
    assert judge.find(COMPARISON, evidence).odds == pytest.approx(wanted)
    for check in (COMPARISON, LIMIT):
        assert judge.find(check, judge.start(check)).odds == 1.0


# --- monotone ------------------------------------------------------------------------------------

BLOCKS = [(1, 10), (5, 10), (10, 90), (50, 50), (95, 12), (30, 1000)]


@pytest.mark.parametrize(("canary_n", "stable_n"), BLOCKS)
@pytest.mark.parametrize("check", [COMPARISON, LIMIT], ids=["comparison", "limit"])
def test_one_more_failed_canary_request_never_lowers_the_odds(check, canary_n, stable_n):
    """More failures never look like health."""
    for x_s in {0, 1, stable_n // 10, stable_n // 2, stable_n}:
        said = [odds(check, Tally(canary_n, x_c, stable_n, x_s, 1.0)) for x_c in range(canary_n + 1)]
        assert said == sorted(said)


@pytest.mark.parametrize(("canary_n", "stable_n"), BLOCKS)
def test_one_more_failed_stable_request_never_raises_the_odds(canary_n, stable_n):
    """Stable's failures never speak against the canary: the mixture falls, the gross bet wins nothing."""
    for x_c in {0, 1, canary_n // 2, canary_n}:
        looks = [Tally(canary_n, x_c, stable_n, x_s, 1.0) for x_s in range(min(stable_n, 120) + 1)]
        said = [mixture(look) for look in looks]
        assert said == sorted(said, reverse=True)
        capitals = [gross(look).evidence for look in looks]
        assert all(after <= max(1.0, before) for before, after in pairwise(capitals))


# --- blocks --------------------------------------------------------------------------------------


def test_splitting_a_scrape_changes_nothing_until_a_block_closes():
    """A rule of totals only: looks gather until stable has ten requests and the canary one."""
    whole = feed(COMPARISON, Tally(4, 1, 10, 1, 4.0))
    parts = feed(
        COMPARISON,
        Tally(1, 0, 3, 0, 1.0),
        Tally(0, 0, 4, 1, 1.0),
        Tally(2, 1, 2, 0, 1.0),
        Tally(1, 0, 1, 0, 1.0),
    )
    assert isinstance(whole, ComparisonEvidence)
    assert isinstance(parts, ComparisonEvidence)
    assert parts.mixture == whole.mixture
    assert parts.block == whole.block == Tally()
    assert parts.step == whole.step == Tally(4, 1, 10, 1, 4.0)


def test_splitting_blocks_changes_only_the_release_of_capital():
    """Two looks or one: the same likelihoods; what differs is when the capital was staked."""
    whole = [bets.worse_log(bets.ERRORS, Tally(20, 2, 60, 1), times) for times in bets.ERRORS.worse]
    halves = [
        bets.worse_log(bets.ERRORS, Tally(10, 1, 30, 0), times)
        + bets.worse_log(bets.ERRORS, Tally(10, 1, 30, 1), times)
        for times in bets.ERRORS.worse
    ]
    assert whole == pytest.approx(halves)


@pytest.mark.parametrize(
    "look", [Tally(5, 5, 9, 0, 1.0), Tally(0, 0, 1000, 3, 1.0), Tally(500, 500, 0, 0, 1.0), Tally()]
)
def test_an_open_block_says_nothing(look):
    """Too little of stable, or nothing of the canary: wait."""
    assert mixture(look) == 1.0


def test_a_missed_scrape_is_a_longer_block():
    """Nothing is dropped: the counts of the gap are in the next one."""
    evidence = feed(COMPARISON, Tally(3, 1, 5, 0, 60.0))
    assert isinstance(evidence, ComparisonEvidence)
    assert evidence.block == Tally(3, 1, 5, 0, 60.0)
    evidence = feed(COMPARISON, Tally(3, 0, 5, 0, 1.0), evidence=evidence)
    assert isinstance(evidence, ComparisonEvidence)
    assert evidence.mixture == feed(COMPARISON, Tally(6, 1, 10, 0, 61.0)).mixture  # type: ignore[union-attr]


def test_capital_is_released_over_time():
    """Half at the first block, then with a time constant of ten minutes, whatever the look's length."""
    healthy = Tally(1, 0, 10, 0, 1.0)
    first = feed(COMPARISON, healthy)
    assert isinstance(first, ComparisonEvidence)
    assert first.mixture.unbet == 0.5
    assert not first.mixture.fresh
    second = feed(COMPARISON, Tally(1, 0, 10, 0, 600.0), evidence=first)
    assert isinstance(second, ComparisonEvidence)
    assert second.mixture.unbet == pytest.approx(0.5 * math.exp(-1))


def test_no_bet_overflows():
    """A canary that fails a million times is condemned, not infinite."""
    awful = Tally(1_000_000, 1_000_000, 1_000_000, 0, 1.0)
    for check in (COMPARISON, LIMIT):
        evidence = feed(check, *[awful] * 50)
        assert 100 <= judge.find(check, evidence).odds < math.inf
        assert (
            judge.find(check, feed(check, Tally(10**9, 0, 10**9, 10**9, 1.0), evidence=evidence)).odds
            < math.inf
        )


# --- gross failure -------------------------------------------------------------------------------


def test_the_gross_bet_needs_three_of_stable_now_and_ten_lately():
    """A death in the middle of a long block must not be diluted; stable's present must be known."""
    calm, dead, sooner = Tally(1, 0, 10, 0, 1.0), Tally(20, 20, 3, 0, 1.0), Tally(20, 20, 2, 0, 1.0)
    assert gross(Tally(20, 20, 9, 0, 1.0)).fresh
    assert not gross(calm).fresh
    after = feed(COMPARISON, calm, dead)
    assert isinstance(after, ComparisonEvidence)
    assert (after.gross_block, after.recent) == (Tally(), (calm, dead))
    waiting = feed(COMPARISON, calm, sooner)
    assert isinstance(waiting, ComparisonEvidence)
    assert (waiting.gross_block, waiting.recent) == (sooner, (calm,))


def test_stables_latest_blocks_are_no_older_than_a_minute():
    """What stable was long ago does not speak for now: it must gather ten requests anew."""
    old, dead = Tally(1, 0, 6, 0, 1.0), Tally(20, 20, 6, 0, 61.0)
    evidence = feed(COMPARISON, Tally(1, 0, 10, 0, 1.0), dead)
    assert isinstance(evidence, ComparisonEvidence)
    assert evidence.gross_block == dead
    evidence = feed(COMPARISON, Tally(1, 0, 10, 0, 1.0), old, Tally(20, 20, 6, 0, 60.0))
    assert isinstance(evidence, ComparisonEvidence)
    assert evidence.recent == (old, Tally(20, 20, 6, 0, 60.0))


def test_a_stable_that_was_sick_before_the_canary_s_first_request_does_not_excuse_it():
    """S3: its endpoints were lost and came back; the canary's first requests fail beside a well stable."""
    sick, first = Tally(0, 0, 400, 360, 4.0), Tally(14, 14, 84, 0, 1.0)
    assert odds(COMPARISON, sick, first) >= judge.ODDS
    assert odds(COMPARISON, sick + first) < judge.ODDS


@pytest.mark.parametrize(
    ("look", "won"),
    [
        (Tally(20, 20, 100, 0, 1.0), True),
        (Tally(20, 12, 100, 0, 1.0), True),
        (Tally(20, 4, 100, 0, 1.0), False),
        (Tally(20, 20, 100, 10, 1.0), True),
        (Tally(20, 20, 100, 20, 1.0), False),  # a shared incident: five times stable's share is no news
        (Tally(20, 20, 100, 100, 1.0), False),
    ],
)
def test_the_gross_bet_is_on_more_than_a_quarter_failing_while_stable_does_not(look, won):
    """Its null is the greater of 25 % and five times stable's smoothed share."""
    assert (gross(look).evidence > 1) is won


def test_the_gross_bet_is_what_its_formula_says():
    """Half the binomial log likelihood ratio against each alternative above the null."""
    look = Tally(20, 12, 100, 9, 1.0)
    null = 5 * (9 + 1) / (100 + 2)
    stakes = [
        1 / 6 * math.exp((12 * math.log(p / null) + 8 * math.log((1 - p) / (1 - null))) / 2)
        if p > null
        else 1 / 6
        for p in (0.5, 0.75, 0.98)
    ]
    assert gross(look) == Bet(0.5, pytest.approx(tuple(stakes)), fresh=False)  # type: ignore[arg-type]


# --- limits --------------------------------------------------------------------------------------


def test_a_limit_condemns_a_canary_that_breaks_it_while_stable_keeps_it():
    """Over the limit and worse than stable."""
    assert odds(LIMIT, Tally(50, 25, 450, 0, 1.0)) > 100
    assert odds(LIMIT, Tally(50, 1, 450, 0, 1.0)) < 2


@pytest.mark.parametrize("share", [0.95, 0.5, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_a_limit_condemns_nobody_in_a_shared_incident(share, seed):
    """S4, however little of stable there is to see: a minute of both failing 20 %."""
    chance_ = random.Random(seed)
    evidence: Evidence | None = None
    for second in range(90):
        bad = 0.2 if second >= 30 else 0.002
        look = draw(chance_, 100, share, bad, bad)
        evidence = feed(LIMIT, look, evidence=evidence)
        assert judge.find(LIMIT, evidence).verdict is not Verdict.FAILING


def test_without_any_control_a_limit_stands_alone():
    """A minute without one stable request: there is nothing to compare with any more."""
    dead = Tally(10, 10, 0, 0, 10.0)
    assert odds(LIMIT, *[dead] * 6) < 2
    assert odds(LIMIT, *[dead] * 7) > 100
    assert odds(LIMIT, *[dead] * 7, Tally(10, 10, 1, 0, 1.0)) < 2


def test_a_look_in_which_stable_breaks_the_limit_is_left_out():
    """It says nothing about the canary; exactly at the limit stable keeps it."""
    for stable_x, played in ((6, False), (5, True)):
        evidence = feed(LIMIT, Tally(10, 5, 100, stable_x, 1.0))
        assert isinstance(evidence, LimitEvidence)
        assert evidence.bet.fresh is not played
        assert evidence.step == Tally(10, 5, 100, stable_x, 1.0)
    evidence = feed(LIMIT, Tally(0, 0, 100, 0, 1.0))
    assert isinstance(evidence, LimitEvidence)
    assert evidence.bet.fresh


def test_a_limit_bets_on_multiples_of_it_and_on_gross_shares():
    """Each alternative lies above the limit, and there is always one."""
    assert judge._shares_above(0.05) == pytest.approx((0.075, 0.1, 0.15, 0.25, 0.5, 0.75, 0.98))
    assert judge._shares_above(0.2) == pytest.approx((0.3, 0.4, 0.5, 0.6, 0.75, 0.98))
    assert judge._shares_above(0.99) == (0.995,)
    look = Tally(10, 4, 100, 0, 1.0)
    evidence = feed(Limit(0.2), look)
    assert isinstance(evidence, LimitEvidence)
    wanted = [
        1 / 12 * math.exp(4 * math.log(p / 0.2) + 6 * math.log((1 - p) / 0.8))
        for p in (0.3, 0.4, 0.5, 0.6, 0.75, 0.98)
    ]
    assert evidence.bet.stakes == pytest.approx(tuple(wanted))


# --- verdicts ------------------------------------------------------------------------------------


def found(check: Check, step: Tally, capital: float = 1.0) -> judge.Finding:
    bet = Bet(capital, ())
    worse = ComparisonEvidence(bet, bet, betting=bet, guard=bet)
    evidence: Evidence = LimitEvidence(Bet(capital, ()), worse) if isinstance(check, Limit) else worse
    return judge.find(check, feed_step(evidence, step))


def feed_step(evidence: Evidence, step: Tally) -> Evidence:
    kind = type(evidence)
    fields = {name: getattr(evidence, name) for name in evidence.__slots__}
    return kind(**fields | {"step": step})


@pytest.mark.parametrize(
    ("check", "step", "capital", "verdict", "lacking"),
    [
        (COMPARISON, Tally(20, 0, 10, 0), 1.0, Verdict.PASSING, ""),
        (COMPARISON, Tally(19, 0, 10, 0), 1.0, Verdict.NO_DATA, "few"),
        (COMPARISON, Tally(20, 0, 9, 0), 1.0, Verdict.NO_DATA, "few"),
        (COMPARISON, Tally(20, 0, 10, 0), 2.0, Verdict.PASSING, ""),
        (COMPARISON, Tally(20, 0, 10, 0), 2.1, Verdict.PASSING, "suspect"),
        (COMPARISON, Tally(20, 0, 10, 0), 99.9, Verdict.PASSING, "suspect"),
        (COMPARISON, Tally(0, 0, 0, 0), 100.0, Verdict.FAILING, ""),
        (LIMIT, Tally(100, 5, 0, 0), 1.0, Verdict.PASSING, ""),
        (LIMIT, Tally(99, 0, 100, 0), 1.0, Verdict.NO_DATA, "few"),
        (LIMIT, Tally(100, 6, 100, 5), 1.0, Verdict.PASSING, "over"),
        (LIMIT, Tally(100, 6, 100, 6), 1.0, Verdict.PASSING, "both"),
        (LIMIT, Tally(100, 6, 0, 0), 1.0, Verdict.PASSING, "over"),
        (LIMIT, Tally(100, 5, 100, 99), 3.0, Verdict.PASSING, "suspect"),
        (LIMIT, Tally(), 100.0, Verdict.FAILING, ""),
    ],
)
def test_what_a_check_answers(check, step, capital, verdict, lacking):
    """Condemned at 100 : 1 whatever the sample; else silent, or passing with what still stands in the way."""
    finding = found(check, step, capital)
    assert (finding.verdict, finding.lacking) == (verdict, lacking)
    assert (finding.check, finding.step) == (check, step)
    assert finding.odds == pytest.approx(capital)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], Verdict.NO_DATA),
        ([Verdict.PASSING], Verdict.PASSING),
        ([Verdict.PASSING, Verdict.NO_DATA], Verdict.NO_DATA),
        ([Verdict.ERROR, Verdict.PASSING, Verdict.NO_DATA], Verdict.ERROR),
        ([Verdict.ERROR, Verdict.FAILING, Verdict.PASSING, Verdict.NO_DATA], Verdict.FAILING),
    ],
)
def test_one_failure_outweighs_any_silence_and_silence_outweighs_success(verdicts, worst):
    """No check at all proves nothing."""
    findings = [judge.Finding(COMPARISON, verdict, 1.0, Tally()) for verdict in verdicts]
    assert judge.worst(findings) is worst


@pytest.mark.parametrize(
    ("late", "counts", "capital", "calm"),
    [
        ((0, 0), (10, 100), 1.0, True),
        ((0, 0), (10, 100), 2.0, True),
        ((0, 0), (10, 100), 2.5, False),
        ((1, 0), (10, 100), 1.0, False),
        ((2, 10), (10, 100), 1.0, True),  # twice stable's share is not beyond it
        ((3, 10), (10, 100), 1.0, False),
        ((1, 0), (0, 0), 1.0, False),
        ((1, 1), (0, 0), 1.0, True),
    ],
)
def test_a_good_look(late, counts, capital, calm):
    """No odds against the canary, and none of its requests pending beyond the latency seen on stable."""
    requests = Tally(counts[0], 0, counts[1], 0)
    look = Increment((), late[0], late[1], covered=True, requests=requests)
    assert judge.is_calm(look, [found(COMPARISON, Tally(), capital)]) is calm


def test_requests_that_prove_nothing_are_judged_all_the_same():
    """Counted before the weight was carried: the bets see them, the sample of the rung does not."""
    look = Tally(10, 10, 100, 0, 1.0)
    for check in (COMPARISON, LIMIT):
        kept = feed(check, Tally(1, 0, 10, 0, 1.0))
        evidence = feed(check, look, evidence=kept, proof=False)
        assert evidence.step == kept.step == Tally(1, 0, 10, 0, 1.0)
        assert judge.find(check, evidence).odds > judge.find(check, kept).odds
        assert judge.anew(evidence).step == Tally()
        assert judge.find(check, judge.anew(evidence)).odds == judge.find(check, evidence).odds


def test_shares():
    """Of nothing, nothing; and what an error-free run could not have missed."""
    assert (judge.share(0, 0), judge.share(1, 4)) == (0.0, 0.25)
    assert (judge.shows(0), judge.shows(1)) == (1.0, 1.0)
    assert judge.shows(36) == pytest.approx(0.0925, abs=1e-4)


# --- serialised ----------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [COMPARISON, LIMIT], ids=["comparison", "limit"])
def test_a_judge_restored_half_way_judges_as_if_never_stopped(check):
    """Through the journal's own codec and JSON, bit for bit."""
    chance_ = random.Random(7)
    looks = [draw(chance_, 20, 0.3, 0.08, 0.03) for _ in range(60)]
    straight = feed(check, *looks)
    for cut in (0, 1, 30, 59):
        half = feed(check, *looks[:cut]) if cut else judge.start(check)
        back = decode(Evidence, json.loads(json.dumps(encode(half))))
        assert feed(check, *looks[cut:], evidence=back) == straight


# --- simulated -----------------------------------------------------------------------------------


def draw(chance_: random.Random, requests: int, weight: float, canary: float, stable: float) -> Tally:
    """A second of traffic."""
    arrived = sum(1 for _ in range(2 * requests) if chance_.random() < 0.5)
    canary_n = sum(1 for _ in range(arrived) if chance_.random() < weight)
    stable_n = arrived - canary_n
    return Tally(
        canary_n,
        sum(1 for _ in range(canary_n) if chance_.random() < canary),
        stable_n,
        sum(1 for _ in range(stable_n) if chance_.random() < stable),
        1.0,
    )


@pytest.mark.parametrize("weight", [0.1, 0.95])
def test_equal_versions_are_hardly_ever_condemned(weight):
    """30 rollouts of two minutes, both failing 5 %: at most one goes home (the bound is 1 % each)."""
    condemned = 0
    for seed in range(30):
        chance_ = random.Random(seed)
        evidence: Evidence | None = None
        for _ in range(120):
            evidence = feed(COMPARISON, draw(chance_, 20, weight, 0.05, 0.05), evidence=evidence)
            if judge.find(COMPARISON, evidence).verdict is Verdict.FAILING:
                condemned += 1
                break
    assert condemned <= 1


@pytest.mark.parametrize(("phi", "most"), [(1.0, 20), (noise.UNKNOWN, 30)])
@pytest.mark.parametrize(("rate", "weight"), [(100, 0.1), (1000, 0.01), (20, 0.1)])
def test_a_dead_canary_is_condemned_within_twenty_requests(rate, weight, phi, most):
    """At the probe's ten requests a look or fewer: known by its twentieth failed request in 19 of 20 runs, by
    its thirtieth where nothing is known of the service's noise.
    """
    failed = []
    for seed in range(20):
        chance_ = random.Random(seed)
        evidence: Evidence = judge.start(COMPARISON)
        while judge.find(COMPARISON, evidence).verdict is not Verdict.FAILING:
            look = draw(chance_, rate, weight, 1.0, 0.001)
            evidence = feed(COMPARISON, look, evidence=evidence, phi=phi)
        failed.append(evidence.step.canary_x)
    assert sorted(failed)[18] <= most
