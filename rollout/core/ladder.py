"""The ladder of weights: probe rungs, the policy's steps, and in the last step 100 % minus the holdback.

After the last rung comes promotion, which is no rung: everybody on the canary (DESIGN 14.3).
"""

from __future__ import annotations

import math

from rollout.core.model import EVERYTHING, FULL, NOTHING, Policy, Probe, Rung, Stage, Waiting, Weight

PROBE_REQUESTS = 5.0
"""Canary requests that a probe aims at in one look; ANALYSIS 3.7 says ten: see docs/decisions/probe.md."""
PROBE_LEAST = 5
"""Completed canary requests without which a probe's look is silence."""

FIRST_MARGIN, NEXT_MARGIN = 0.20, 0.05
"""Faults (of the canary, beyond twice stable's share) that the first step, and each after it, must rule out
before weight rises (ANALYSIS 3.8)."""


def weight_of(rung: Rung, policy: Policy) -> Weight:
    """What the canary may have on this rung."""
    match rung:
        case Waiting():
            return NOTHING
        case Probe(weight=weight):
            return weight
        case Stage(step=step):
            weight = policy.steps[step].weight
            return Weight(FULL - policy.analysis.holdback) if weight == EVERYTHING else weight


def bake_of(rung: Rung, policy: Policy) -> float:
    """Seconds to bake on this rung; a probe needs a good look instead."""
    return policy.steps[rung.step].bake if isinstance(rung, Stage) else 0.0


def margin_of(stage: Stage, policy: Policy) -> float | None:
    """The share of requests by which a canary must be proved not to fail more, to rise from this step;
    ``None``: the last of several asks for no more than its bake.
    """
    if stage.step == 0:
        return FIRST_MARGIN
    return NEXT_MARGIN if stage.step + 1 < len(policy.steps) else None


def first(policy: Policy, rate: float, look: float, resolution: int, *, fast: bool) -> Rung:
    """The first rung above nothing, for ``rate`` requests per second and ``look`` seconds between looks.

    An unknown (or zero) rate gets the smallest weight that the mesh can express. A fast-tracked return is
    probed however rare its requests are: it never begins above the first step.
    """
    goal = _after_probe(policy, fast=fast)
    top = weight_of(goal, policy)
    if rate <= 0:
        return Probe(Weight(min(resolution, top)), aimed=False)
    aimed = math.ceil(PROBE_REQUESTS / (rate * look) * FULL / resolution) * resolution
    if fast:
        aimed = min(aimed, weight_of(Stage(0), policy))
    return Probe(Weight(aimed)) if aimed < top else goal


def after(rung: Rung, policy: Policy, *, fast: bool) -> Rung | None:
    """The next rung; ``None`` after the last one, where promotion comes."""
    match rung:
        case Waiting():
            return _after_probe(policy, fast=fast)
        case Probe(weight=weight, aimed=aimed):
            goal = _after_probe(policy, fast=fast)
            doubled = Weight(2 * weight)
            return Probe(doubled, aimed=aimed) if doubled < weight_of(goal, policy) else goal
        case Stage(step=step):
            return Stage(step + 1) if step + 1 < len(policy.steps) else None


def _after_probe(policy: Policy, *, fast: bool) -> Stage:
    return Stage(len(policy.steps) - 1 if fast else 0)
