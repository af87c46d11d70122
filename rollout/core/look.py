"""One look at a canary on its way: what was counted since the last one, and what the judge makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from rollout.core import blame, judge, latency, noise
from rollout.core.blame import Blame
from rollout.core.convergence import follow, lag, ready
from rollout.core.counters import Increment, baseline, increment, tells_late
from rollout.core.ladder import weight_of
from rollout.core.model import (
    EVERYTHING,
    NOTHING,
    Clock,
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


class Heard(NamedTuple):
    """What the judge was fed for each check: a tally, or one for each edge of a comparison of latencies, and
    phi of each. ``edges``: (check by index, edges) of those that were chosen after it.
    """

    fed: tuple[tuple[Tally, ...], ...] = ()
    noise: tuple[tuple[float, ...], ...] = ()
    edges: tuple[tuple[int, tuple[float, ...]], ...] = ()


NOTHING_HEARD = Heard()


@dataclass(frozen=True, slots=True)
class Look:
    """A ramping rollout with this look counted in.

    ``findings``: one for each check. ``increment``: ``None`` when there is nothing to difference.
    ``silence``: why there is no evidence, ``""`` when there is. ``lag``: what the mesh lacks. ``proof``: what
    was counted proves the present rung. ``heard``: what the judge was fed.
    """

    state: Ramping
    asked: Policy | Withdrawn
    seen: Observation
    findings: tuple[judge.Finding, ...]
    increment: Increment | None
    silence: str
    lag: str
    proof: bool
    heard: Heard

    @property
    def weight(self) -> Weight:
        """What the canary may have now."""
        return weight_of(self.state.rung, self.state.policy)

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks; silence outweighs success (EXAMPLES 4)."""
        worst = judge.worst(self.findings)
        return worst if worst is Verdict.FAILING else self.unheard or worst

    @property
    def unheard(self) -> Verdict | None:
        """What a lack of evidence makes of the verdict."""
        if not self.silence:
            return None
        return Verdict.ERROR if isinstance(self.seen.sample, Unseen) else Verdict.NO_DATA

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
            **unverified(self.seen),
        }


def unverified(seen: Observation) -> dict[str, Fact]:
    """Said of a mesh whose proxies nobody asked: what they carry is known by the requests alone."""
    asked = isinstance(seen.mesh, Unseen) or seen.mesh.verified
    return {} if asked else {"unverified": "not verified at the proxies"}


def look_at(state: Ramping, asked: Policy | Withdrawn, seen: Observation) -> Look:
    """Count what happened since the last look and ask the judge."""
    if seen.noise.factors and seen.noise is not state.noise:
        state = replace(state, noise=seen.noise)
    lacking = _lag(state, seen)
    proof = _proves(state, seen, carried=not lacking)
    sample, counted, newest, heard = seen.sample, None, state.baseline, NOTHING_HEARD
    if isinstance(sample, Sample):
        groups = _measures(state)
        arms = (state.past.stable.backend, state.canary.backend)
        measures = (measure for group in groups for measure in group)
        counted = increment(state.baseline, sample, arms, measures, seen.elapsed)
        newest = baseline(state.baseline, sample, seen.elapsed)
        state, heard = _fed(state, _grouped(counted.tallies, groups), counted, seen, proof=proof)
    silence = _silence(state, counted, seen)
    clock = _tick(state, counted, seen, silence=bool(silence), carried=not lacking)
    state = replace(state, clock=clock, baseline=newest, looks=state.looks + 1)
    findings = judge.findings(state.policy.analysis.checks, state.evidence)
    return Look(state, asked, seen, findings, counted, silence, lacking, proof, heard)


def _lag(state: Ramping, seen: Observation) -> str:
    if seen.observe:
        return ""
    if isinstance(seen.mesh, Unseen):
        return seen.mesh.why
    weight = weight_of(state.rung, state.policy)
    return lag(seen.mesh, Split.between(state.past.stable.backend, state.canary.backend, weight))


def _proves(state: Ramping, seen: Observation, *, carried: bool) -> bool:
    """Was what is counted sent by this rung's weight? Another one may have sent what is told late."""
    late = isinstance(seen.sample, Sample) and tells_late(state.baseline, seen.sample)
    return carried and state.clock.carried and not late


def _measures(state: Ramping) -> tuple[tuple[Measure, ...], ...]:
    """For each check what has to be counted: one thing, or one for each edge of a comparison of latencies."""
    return tuple(
        latency.measures(evidence) if isinstance(evidence, LatencyEvidence) else (check.of,)
        for check, evidence in zip(state.policy.analysis.checks, state.evidence, strict=True)
    )


def _grouped(tallies: tuple[Tally, ...], groups: tuple[tuple[Measure, ...], ...]) -> list[tuple[Tally, ...]]:
    """The tallies of each check's measures."""
    coming = iter(tallies)
    return [tuple(islice(coming, len(group))) for group in groups]


def _fed(
    state: Ramping, fed: list[tuple[Tally, ...]], counted: Increment, seen: Observation, *, proof: bool
) -> tuple[Ramping, Heard]:
    assert isinstance(seen.sample, Sample)  # noqa: S101 - it was counted
    weight = weight_of(state.rung, state.policy)
    flows = proof and weight != NOTHING and not seen.observe
    timed = counted.requests if seen.elapsed is not None else Tally()
    bets = not isinstance(state.rung, Waiting)  # they begin with the first weight
    evidence, counts, phis, edges = [], [], [], []
    judged = zip(state.policy.analysis.checks, state.evidence, state.counts, fed, strict=True)
    for number, (check, old, before, looks) in enumerate(judged):
        phi = _phis(state, number, weight)
        new = judge.hear(check, old, looks, proof=proof, phis=phi, control=weight < EVERYTHING, bets=bets)
        if isinstance(new, LatencyEvidence):
            counts.append(new.worst.counts if new.worst else before)
            settled = latency.settle(new, seen.sample, state.past.stable.backend)
            if settled is not new:
                edges.append((number, tuple([each.edge for each in settled.edges or ()])))
            new = settled
        else:
            counts.append(before + looks[0])
        evidence.append(new)
        phis.append(phi)
    after = replace(
        state,
        clock=replace(state.clock, pace=state.clock.pace + timed),
        evidence=tuple(evidence),
        counts=tuple(counts),
        flow=follow(state.flow, counted, weight) if flows else state.flow,
    )
    return after, Heard(tuple(fed), tuple(phis), tuple(edges))


def _phis(state: Ramping, number: int, weight: Weight) -> tuple[float, ...]:
    """How noisy what a check asks is: one figure, or one for each edge of a comparison of latencies."""
    evidence = state.evidence[number]
    if isinstance(evidence, LatencyEvidence):
        return tuple(noise.at_edge(state.noise, number, each.edge) for each in evidence.edges or ())
    return (noise.factor(state.noise, number, weight),)


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
