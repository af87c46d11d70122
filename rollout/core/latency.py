"""Is the canary slower? The question of errors, asked at several edges of the latency's buckets (ANALYSIS 6).

For each edge "bad" is what took longer, so no quantile is estimated and nothing is interpolated: a change
anywhere in the distribution shows at some edge. The edges are chosen by what stable showed before they count,
so their evidence is what it says it is, and the average of it is evidence too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from rollout.core.model import Bet, EdgeEvidence, Latency, LatencyEvidence, Measure, Sample, Tally

RATIO, MARGIN = 1.15, 5e-4
"""The null: the canary's share of slow requests <= RATIO x stable's + MARGIN, in every block, each edge."""
WORSE = (1.3, 1.6, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""Alternatives: so many times stable's share of slow requests."""
RAREST, COMMONEST = 0.002, 0.7
"""The shares of stable's requests that are slower than an edge which tells slow from quick."""
KNOWN = 300
"""Requests of stable by which its latency is known well enough to choose edges."""

Play = Callable[[Bet, Tally], tuple[Bet, Tally]]
"""A bet and the block it has gathered, to the bet after it and the block that is left."""


def choose(sample: Sample, stable: str) -> tuple[float, ...] | None:
    """The edges that tell slow from quick, by all that stable has answered since its proxies began to count.

    ``None`` while that is too little to say; empty when there is no such edge.
    """
    told = [dict(series.edges) for series in sample.series if series.backend == stable and series.edges]
    total = sum(edges[math.inf] for edges in told)
    if total < KNOWN:
        return None
    every = [edges for edges in told if edges[math.inf]]
    common = sorted(set.intersection(*map(set, every)) - {math.inf})
    slower = ((edge, 1.0 - sum(edges[edge] for edges in every) / total) for edge in common)
    return tuple(edge for edge, share in slower if RAREST <= share <= COMMONEST)


def settle(evidence: LatencyEvidence, sample: Sample, stable: str) -> LatencyEvidence:
    """Choose the edges as soon as stable is known well enough; what is chosen stays."""
    edges = choose(sample, stable) if evidence.edges is None else None
    if edges is None:
        return evidence
    return LatencyEvidence(tuple(EdgeEvidence(edge, Bet(1.0, (0.0,) * len(WORSE))) for edge in edges))


def measures(evidence: LatencyEvidence) -> tuple[Measure, ...]:
    """What has to be counted: one measure for each edge."""
    return tuple(Latency(each.edge) for each in evidence.edges or ())


def add(
    evidence: LatencyEvidence, looks: Sequence[Tally], play: Play, *, proof: bool, bets: bool
) -> LatencyEvidence:
    """Feed one look's counts, one tally for each edge. ``proof``: they were gathered while the mesh carried
    the rung's weight. ``bets``: the canary has had a weight.
    """
    if evidence.edges is None:
        return evidence
    fed = zip(evidence.edges, looks, strict=True)
    return LatencyEvidence(tuple(_add(edge, look, play, proof=proof, bets=bets) for edge, look in fed))


def _add(edge: EdgeEvidence, look: Tally, play: Play, *, proof: bool, bets: bool) -> EdgeEvidence:
    bet, block = play(edge.bet, edge.block + look) if bets else (edge.bet, edge.block)
    step = edge.step + look if proof and bets else edge.step
    return EdgeEvidence(edge.edge, bet, block, step, edge.counts + look)


def anew(evidence: LatencyEvidence) -> LatencyEvidence:
    """At another rung: the bets go on, the counts begin again."""
    if evidence.edges is None:
        return evidence
    return LatencyEvidence(tuple(replace(each, step=Tally(), counts=Tally()) for each in evidence.edges))


def odds(evidence: LatencyEvidence) -> float:
    """The average over the edges: evidence against "the canary is not slower", too. Without edges, none."""
    if not evidence.edges:
        return 1.0
    return sum(each.bet.evidence for each in evidence.edges) / len(evidence.edges)
