"""One look at a canary on its way: what was counted since the last one, and what the judge makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rollout.core import blame, judge, latency, noise
from rollout.core.blame import Blame
from rollout.core.convergence import follow, lag, ready
from rollout.core.counters import Increment, baseline, increment, tells_late
from rollout.core.ladder import weight_of
from rollout.core.model import (
    EVERYTHING,
    NOTHING,
    Check,
    Clock,
    Evidence,
    Fact,
    LatencyEvidence,
    Measure,
    MeshSeen,
    Observation,
    Policy,
    Probe,
    Ramping,
    Sample,
    Split,
    Tally,
    Unseen,
    Verdict,
    Waiting,
    Weight,
    Withdrawn,
    percent,
)

QUIET, QUIET_LOOKS, QUIET_REQUESTS = 60.0, 5, 20
"""A canary that completes nothing for so many seconds gives no evidence (ANALYSIS 3.8); nor does one for so
many looks, in which it should have completed so many requests at the rate it had on this rung."""
MOST_ODDS = 1e6
"""A million to one is told of anything beyond it."""
BAKED_LOOKS = 3
"""A look bears witness to the seconds of so many looks at most: who did not look was blind (law 5)."""


@dataclass(frozen=True, slots=True)
class Look:
    """A ramping rollout with this look counted in.

    ``findings``: one for each check. ``increment``: ``None`` when there is nothing to difference.
    ``silence``: why there is no evidence, ``""`` when there is. ``lag``: what the mesh lacks.
    """

    state: Ramping
    asked: Policy | Withdrawn
    seen: Observation
    findings: tuple[judge.Finding, ...]
    increment: Increment | None
    silence: str
    lag: str

    @property
    def weight(self) -> Weight:
        """What the canary may have now."""
        return weight_of(self.state.rung, self.state.policy)

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks; silence outweighs success (EXAMPLES 4)."""
        worst = judge.worst(self.findings)
        if worst is not Verdict.FAILING and self.silence:
            return Verdict.ERROR if isinstance(self.seen.sample, Unseen) else Verdict.NO_DATA
        return worst

    def blame(self, index: int) -> Blame:
        """What this check calls bad, in words."""
        return blame.of(self.state.policy.analysis.checks[index], self.state.evidence[index])

    def accused(self, index: int) -> dict[str, Fact]:
        """The facts of a reason that is about this check."""
        said = self.blame(index)
        return {**said.facts, "tally": said.tell(self.state.counts[index])}

    @property
    def facts(self) -> dict[str, Fact]:
        """The numbers that any reason about this look may rest on."""
        main = self.state.policy.analysis.main
        counts = self.state.counts[main]
        return {
            "name": self.state.policy.name,
            "stable": str(self.state.past.stable),
            "canary": str(self.state.canary),
            "weight": percent(self.weight),
            "tally": self.blame(main).tell(counts),
            "canary_requests": counts.canary_n,
            "canary_failed": counts.canary_x,
            "stable_requests": counts.stable_n,
            "stable_failed": counts.stable_x,
            "odds": min(MOST_ODDS, max(finding.odds for finding in self.findings)),
            "baked": self.state.clock.baked,
        }


def look_at(state: Ramping, asked: Policy | Withdrawn, seen: Observation) -> Look:
    """Count what happened since the last look and ask the judge."""
    if seen.noise.factors:
        state = replace(state, noise=seen.noise)
    lacking = _lag(state, seen)
    sample, counted, newest = seen.sample, None, state.baseline
    if isinstance(sample, Sample):
        arms = (state.past.stable.backend, state.canary.backend)
        measures = (measure for group in _measures(state) for measure in group)
        counted = increment(state.baseline, sample, arms, measures, seen.elapsed)
        newest = baseline(state.baseline, sample, seen.elapsed)
        state = _fed(state, counted, seen, carried=not lacking)
    silence = _silence(state, counted, seen)
    clock = _tick(state, counted, seen, silence=bool(silence), carried=not lacking)
    state = replace(state, clock=clock, baseline=newest)
    findings = judge.findings(state.policy.analysis.checks, state.evidence)
    return Look(state, asked, seen, findings, counted, silence, lacking)


def _lag(state: Ramping, seen: Observation) -> str:
    if seen.observe:
        return ""
    if isinstance(seen.mesh, Unseen):
        return seen.mesh.why
    weight = weight_of(state.rung, state.policy)
    return lag(seen.mesh, Split.between(state.past.stable.backend, state.canary.backend, weight))


def _measures(state: Ramping) -> tuple[tuple[Measure, ...], ...]:
    """For each check what has to be counted: one thing, or one for each edge of a comparison of latencies."""
    return tuple(
        latency.measures(evidence) if isinstance(evidence, LatencyEvidence) else (check.of,)
        for check, evidence in zip(state.policy.analysis.checks, state.evidence, strict=True)
    )


def _fed(state: Ramping, counted: Increment, seen: Observation, *, carried: bool) -> Ramping:
    assert isinstance(seen.sample, Sample)  # noqa: S101 - it was counted
    late = tells_late(state.baseline, seen.sample)
    proof = carried and state.clock.carried and not late  # another weight may have sent what is told late
    weight = weight_of(state.rung, state.policy)
    flows = proof and weight != NOTHING and not seen.observe
    timed = counted.requests if seen.elapsed is not None else Tally()
    bets = not isinstance(state.rung, Waiting)  # they begin with the first weight
    tallies = iter(counted.tallies)
    evidence, counts = [], []
    judged = zip(state.policy.analysis.checks, state.evidence, state.counts, strict=True)
    for number, (check, old, before) in enumerate(judged):
        fed = _Fed(tallies, _phis(state, number, weight), weight < EVERYTHING, proof, bets)
        new, total = _judged(check, old, before, fed)
        if isinstance(new, LatencyEvidence):
            new = latency.settle(new, seen.sample, state.past.stable.backend)
        evidence.append(new)
        counts.append(total)
    return replace(
        state,
        clock=replace(state.clock, pace=state.clock.pace + timed),
        evidence=tuple(evidence),
        counts=tuple(counts),
        flow=follow(state.flow, counted, weight) if flows else state.flow,
    )


@dataclass(frozen=True, slots=True)
class _Fed:
    """What a look feeds a check's evidence: its tallies are the next ones; the rest as ``judge.add`` says.
    ``phis``: one for each tally. ``bets``: the canary has had a weight.
    """

    tallies: Iterator[Tally]
    phis: tuple[float, ...]
    control: bool
    proof: bool
    bets: bool


def _phis(state: Ramping, number: int, weight: Weight) -> tuple[float, ...]:
    """How noisy what a check asks is: one figure, or one for each edge of a comparison of latencies."""
    evidence = state.evidence[number]
    if isinstance(evidence, LatencyEvidence):
        return tuple(noise.at_edge(state.noise, number, each.edge) for each in evidence.edges or ())
    return (noise.factor(state.noise, number, weight),)


def _judged(check: Check, evidence: Evidence, counts: Tally, fed: _Fed) -> tuple[Evidence, Tally]:
    """A check's evidence and counts with this look's, of which it takes its own."""
    if not isinstance(evidence, LatencyEvidence):
        look = next(fed.tallies)
        if fed.bets:
            evidence = judge.add(check, evidence, look, proof=fed.proof, phi=fed.phis[0], control=fed.control)
        return evidence, counts + look
    looks = [next(fed.tallies) for _ in evidence.edges or ()]
    evidence = latency.add(evidence, looks, phis=fed.phis, proof=fed.proof, bets=fed.bets)
    return evidence, evidence.worst.counts if evidence.worst else counts


def _silence(state: Ramping, counted: Increment | None, seen: Observation) -> str:
    if isinstance(seen.sample, Unseen):
        return seen.sample.why
    assert counted is not None  # noqa: S101 - a sample was counted
    if not counted.covered:
        return "too few proxies answer: " + "; ".join(f"{name}: {why}" for name, why in seen.sample.silent)
    if seen.sample.missing:
        return "; ".join(f"{what}: {why}" for what, why in seen.sample.missing)
    if weight_of(state.rung, state.policy) == NOTHING:
        return ""
    quiet = 0.0 if _speaks(state, counted) else state.clock.quiet + (seen.elapsed or 0.0)
    pace = state.clock.pace
    expected = pace.canary_n / pace.seconds * quiet if pace.seconds else 0.0
    if quiet > QUIET_LOOKS * seen.look and (quiet > QUIET or expected > QUIET_REQUESTS):
        return f"no canary request was completed for {quiet:.0f} s"
    return ""


def _speaks(state: Ramping, counted: Increment) -> bool:
    """Did those complete a request who had to? A probe whose weight is a guess waits for anybody's."""
    rung = state.rung
    guess = isinstance(rung, Probe) and not rung.aimed
    return bool(counted.total if guess else counted.canary_n)


def _tick(
    state: Ramping, counted: Increment | None, seen: Observation, *, silence: bool, carried: bool
) -> Clock:
    clock, mesh, seconds = state.clock, seen.mesh, seen.elapsed or 0.0
    unready = clock.unready if isinstance(mesh, Unseen) else 0.0
    if isinstance(mesh, MeshSeen) and ready(mesh, state.canary.backend) == 0:
        unready = clock.unready + seconds
    proven = state.counts[state.policy.analysis.main].canary_n > 0
    bakes = carried and clock.carried and proven and not silence and state.flow.follows
    return Clock(
        baked=clock.baked + (min(seconds, BAKED_LOOKS * seen.look) if bakes else 0.0),
        settling=0.0 if carried and state.flow.follows else clock.settling + seconds,
        blind=clock.blind + seconds if silence else 0.0,
        quiet=0.0 if counted is not None and _speaks(state, counted) else clock.quiet + seconds,
        unready=unready,
        carried=carried,
        pace=clock.pace,
    )
