"""Is the canary slower? The question of errors, asked at several edges of the latency's buckets (ANALYSIS 6).

For each edge "bad" is what took longer, so no quantile is estimated and nothing is interpolated: a change
anywhere in the distribution shows at some edge. The edges are chosen by what stable showed before they count,
so their evidence is what it says it is, and the average of it is evidence too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rollout.core import bets as betting
from rollout.core.model import EdgeEvidence, Latency, LatencyEvidence, Measure, Sample, Tally

RAREST, COMMONEST = 0.002, 0.7
"""The shares of stable's requests that are slower than an edge which tells slow from quick."""
KNOWN = 300
"""Requests of stable by which its latency is known well enough to choose edges."""


def choose(sample: Sample, stable: str) -> tuple[float, ...] | None:
    """The edges that tell slow from quick, by all that stable has answered since its proxies began to count.

    ``None`` while that is too little to say. Where all are quick, it is the first edge that hardly any
    exceeds; empty when there is no such edge either.
    """
    told = [dict(series.edges) for series in sample.series if series.backend == stable and series.edges]
    total = sum(edges[math.inf] for edges in told)
    if total < KNOWN:
        return None
    every = [edges for edges in told if edges[math.inf]]
    common = sorted(set.intersection(*map(set, every)) - {math.inf})
    slower = {edge: 1.0 - sum(edges[edge] for edges in every) / total for edge in common}
    telling = tuple(edge for edge, share in slower.items() if RAREST <= share <= COMMONEST)
    return telling or tuple(edge for edge, share in slower.items() if share < RAREST)[:1]


def settle(evidence: LatencyEvidence, sample: Sample, stable: str) -> LatencyEvidence:
    """Choose the edges as soon as stable is known well enough; what is chosen stays."""
    edges = choose(sample, stable) if evidence.edges is None else None
    return evidence if edges is None else begin(edges)


def begin(edges: Sequence[float]) -> LatencyEvidence:
    """No evidence yet, at these edges."""
    bet = betting.bet(len(betting.SLOWNESS.worse))
    return LatencyEvidence(tuple(EdgeEvidence(edge, bet) for edge in edges))


def measures(evidence: LatencyEvidence) -> tuple[Measure, ...]:
    """What has to be counted: one measure for each edge."""
    return tuple(Latency(each.edge) for each in evidence.edges or ())


def add(
    evidence: LatencyEvidence, looks: Sequence[Tally], *, phis: Sequence[float], proof: bool, bets: bool
) -> LatencyEvidence:
    """Feed one look's counts, one tally for each edge. ``phis``: of each, see ``noise``. ``proof``: they were
    gathered while the mesh carried the rung's weight. ``bets``: the canary has had a weight.
    """
    if not evidence.edges:
        return evidence
    age = evidence.age + looks[0].seconds if bets else 0.0
    edges = []
    for each, look, phi in zip(evidence.edges, looks, phis, strict=True):
        bet, block, step = each.bet, each.block, each.step
        if bets:
            bet, block = betting.mixture(betting.SLOWNESS, bet, block + look, phi, age)
            step = step + look if proof else step
        edges.append(EdgeEvidence(each.edge, bet, block, step, each.counts + look))
    return LatencyEvidence(tuple(edges), age)


def anew(evidence: LatencyEvidence) -> LatencyEvidence:
    """At another rung: the bets go on, the counts begin again."""
    if evidence.edges is None:
        return evidence
    edges = tuple(replace(each, step=Tally(), counts=Tally()) for each in evidence.edges)
    return replace(evidence, edges=edges)


def odds(evidence: LatencyEvidence) -> float:
    """The average over the edges: evidence against "the canary is not slower", too. Without edges, none."""
    if not evidence.edges:
        return 1.0
    return sum(each.bet.evidence for each in evidence.edges) / len(evidence.edges)
