"""Does the judge tell good canaries from bad ones on a real Envoy, and what does that cost their callers?

One set of settings for all. Beside each bad canary stands what Flagger's documented rule (each minute a
success rate under 99 % is a failed check, five failed checks are a rollback) would have cost at its share.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.figures import Figure, spread
from bench.site import Answer, Lane, Site, Stuck, policy
from rollout.simulation.runs import Share

RATE = 100.0
"""Requests a second of each service."""
ANALYSIS = "{checks: [{errors: {}}, {latency: {}}]}"
STEPS = "[{weight: 10, bake: 60s}, {weight: 50, bake: 60s}, {weight: 100, bake: 60s}]"
SLOW = 0.15
"""Seconds from which an answer counts as failed: ten times and more of what stable takes."""
PATIENCE = 600.0
"""Seconds that one rollout may take."""
FLAGGER_INTERVAL, FLAGGER_LEAST, FLAGGER_CHECKS = 60, 0.99, 5
"""Seconds between checks, the least success rate, and the failed checks that are a rollback."""
FLAGGER_LONGEST = 3600
"""Seconds after which its rule counts as never rolling back."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What stable and canary fail of their requests, and how many seconds slower the canary is; ``runs`` on
    each of so many ``lanes``.
    """

    name: str
    stable: float
    canary: float
    runs: int
    lanes: int
    slower: float = 0.0

    @property
    def is_bad(self) -> bool:
        """Has it to go home?"""
        return self.canary > self.stable or self.slower > 0


KINDS = (
    Kind("healthy, both fail 1 %", 0.01, 0.01, 3, 8),
    Kind("fails 100 %", 0.001, 1.0, 20, 1),
    Kind("fails 20 %", 0.001, 0.2, 20, 1),
    Kind("fails 5 %", 0.001, 0.05, 10, 2),
    Kind("fails 2 %", 0.001, 0.02, 4, 5),
    Kind("200 ms slower", 0.001, 0.001, 20, 1, slower=0.2),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Was it rolled back, how long after its first request had it the last, how many of its requests failed
    or were slow; and what Flagger's rule makes of its share: how long it takes, and how many fail meanwhile.
    """

    rolled_back: bool
    seconds: float
    failed: int
    flagger: tuple[float, float] | None


def measure(*, quick: bool) -> Iterator[Figure]:
    """Every kind at the same time, each on lanes of its own."""
    kinds = [kind for kind in KINDS for _ in range(1 if quick else kind.lanes)]
    with Site([RATE] * len(kinds)) as site:
        lanes = dict(zip(site.lanes, kinds, strict=True))
        for lane, kind in lanes.items():
            site.answer(lane.stable, 500, kind.stable)
        site.commit({lane: policy(lane, lane.stable, STEPS, analysis=ANALYSIS) for lane in lanes})
        site.start()
        site.wait_steady(site.lanes)
        with ThreadPoolExecutor(len(lanes)) as threads:
            found = threads.map(lambda lane: _some(site, lane, lanes[lane], quick=quick), lanes)
            outcomes = dict(zip(lanes, found, strict=True))
    for kind in KINDS:
        yield from _tell(
            kind, [one for lane, some in outcomes.items() if lanes[lane] is kind for one in some]
        )


def _some(site: Site, lane: Lane, kind: Kind, *, quick: bool) -> list[Outcome]:
    time.sleep(random.random() * 2)  # so that the lanes do not go in step
    site.answer(lane.canary, 500, kind.canary, kind.slower)
    return [_one(site, lane, number) for number in range(1, 2 if quick else kind.runs + 1)]


def _one(site: Site, lane: Lane, number: int) -> Outcome:
    """One rollout, of the backend that is not stable now."""
    stable = site.state(lane)["past"]["stable"]["backend"]
    asked = lane.canary if stable == lane.stable else lane.stable
    site.answers(lane)
    site.commit({lane: policy(lane, asked, STEPS, revision=number, analysis=ANALYSIS)})
    until = time.time() + PATIENCE
    while (state := site.state(lane))["type"] != "Steady" or state["past"]["attempt"] < number:
        if time.time() > until:
            raise Stuck(f"{lane.name} did not end within {PATIENCE:g} s: {state['type']}")
        time.sleep(0.1)
    time.sleep(0.2)
    word = asked.rpartition("-")[2]
    answers = [answer for answer in site.answers(lane) if answer.word == word]
    rolled_back = state["past"]["stable"]["backend"] == stable
    failed = [answer for answer in answers if answer.status != 200 or answer.received - answer.sent > SLOW]
    seconds = answers[-1].received - answers[0].sent
    return Outcome(rolled_back, seconds, len(failed), _flagger(answers) if rolled_back else None)


def _flagger(answers: Sequence[Answer]) -> tuple[float, float] | None:
    """Flagger's rule on a canary that goes on as it was recorded: its counters end with our rollback."""
    share = sum(answer.status != 200 for answer in answers) / len(answers)
    each = RATE / 10  # its first weight, 10 %: with failed checks it never leaves it
    chance = random.Random(len(answers))
    checks, failed, elapsed = 0, 0.0, 0
    while checks < FLAGGER_CHECKS and elapsed < FLAGGER_LONGEST:
        requests = round(FLAGGER_INTERVAL * each)
        bad = sum(chance.random() < share for _ in range(requests))
        failed += bad
        elapsed += FLAGGER_INTERVAL
        checks += 1 - bad / requests < FLAGGER_LEAST
    return (float(elapsed), failed) if checks == FLAGGER_CHECKS else None


def _tell(kind: Kind, outcomes: Sequence[Outcome]) -> Iterator[Figure]:
    number = len(outcomes)
    gone = sum(outcome.rolled_back for outcome in outcomes)
    bounds = Share.of(gone, number)
    yield Figure(f"{kind.name}: runs", number, "")
    wrong = number - gone if kind.is_bad else gone
    yield Figure(f"{kind.name}: rolled back", 100 * gone / number, "%")
    yield Figure(f"{kind.name}: judged wrongly", wrong, "", 0.0)
    yield Figure(f"{kind.name}: rolled back, at least (95 % sure)", 100 * bounds.low, "%")
    yield Figure(f"{kind.name}: rolled back, at most (95 % sure)", 100 * bounds.high, "%")
    if not kind.is_bad:
        return
    home = [outcome for outcome in outcomes if outcome.rolled_back]
    yield from spread(f"{kind.name}: first request to the last", [one.seconds for one in home], "s")
    yield from spread(f"{kind.name}: failed requests", [float(one.failed) for one in home], "requests")
    peers = [one.flagger for one in home if one.flagger is not None]
    yield Figure(f"{kind.name}: Flagger's rule rolls back", 100 * len(peers) / len(home), "%")
    if peers:
        yield from spread(f"{kind.name}: Flagger's rule, time", [time for time, _ in peers], "s")
        yield from spread(f"{kind.name}: Flagger's rule, failed", [failed for _, failed in peers], "requests")
