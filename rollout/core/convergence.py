"""Does the mesh carry what we want, and if not, whose doing is it (FAILURES 2.3; DESIGN 14.1, 14.12)?

Accepted: the route's object shows the split. Distributed: each reachable proxy does, and rejected nothing.
Effective: the realised share of requests follows the weight; that is ``follow``.
"""

from __future__ import annotations

import math

from rollout.core.counters import Increment
from rollout.core.model import FULL, NOTHING, Flow, Intent, MeshSeen, Split, Tally, Weight, percent

ENOUGH = 100
"""Requests of a window in which the realised share is worth comparing."""
TOLERANCE = 0.05
EXPECTED = 20
"""So many canary requests expected and none seen: the weight is not in force, whatever the tolerance says."""


def lag(mesh: MeshSeen, wanted: Split) -> str:
    """What the mesh still lacks to carry ``wanted``; ``""`` when it is distributed."""
    if mesh.splits != (wanted,):
        return f"the route shows {shown(mesh)}"
    reachable = [proxy for proxy in mesh.proxies if not proxy.unreachable]
    if mesh.proxies and not reachable:
        return "; ".join(f"{proxy.name} cannot be asked: {proxy.unreachable}" for proxy in mesh.proxies)
    for proxy in reachable:
        if proxy.rejected:
            return f"{proxy.name} rejected it: {proxy.rejected}"
        if proxy.splits != (wanted,):
            return f"{proxy.name} still shows {' and '.join(map(str, proxy.splits)) or 'no such route'}"
    return ""


def shown(mesh: MeshSeen) -> str:
    """The mesh's splits in words."""
    return " and ".join(map(str, mesh.splits)) or "no backend"


def exposure(mesh: MeshSeen, stable: str) -> Weight:
    """The most that any managed entry gives to others than stable."""
    return Weight(max((FULL - split.weight(stable) for split in mesh.splits), default=0))


def least(mesh: MeshSeen, canary: str) -> Weight:
    """The least that any managed entry gives to the canary."""
    return min((split.weight(canary) for split in mesh.splits), default=NOTHING)


def is_ours(mesh: MeshSeen, intent: Intent | None, *, unwritten: bool) -> bool:
    """Is a difference our own write that never happened? Its condition, the version, then still stands; or it
    was refused because the object moved, but not in its weights.
    """
    if intent is None or intent.confirmed:
        return False
    return mesh.version == intent.version or (unwritten and mesh.splits == intent.shown)


def ready(mesh: MeshSeen, backend: str) -> int | None:
    """The backend's ready endpoints; ``None`` when nobody can say."""
    known = mesh.ready.get(backend)
    if known is None:
        asked = not mesh.proxies or any(not proxy.unreachable for proxy in mesh.proxies)
        return 0 if asked else None
    return None if known < 0 else known


def follow(flow: Flow, look: Increment, weight: Weight) -> Flow:
    """Compare the realised share with the weight, one window of enough requests after another."""
    window = flow.window + look.requests
    total = window.canary_n + window.stable_n
    share = weight / FULL
    absent = window.canary_n == 0 and total * share >= EXPECTED
    if total < ENOUGH and not absent:
        return Flow(window, flow.misses)
    sigma = math.sqrt(share * (1.0 - share) / total)
    off = absent or abs(window.canary_n / total - share) > max(3 * sigma, TOLERANCE)
    return Flow(Tally(), flow.misses + 1 if off else 0)


def misled(weight: Weight) -> str:
    """What is said when the traffic does not follow the weight."""
    return (
        f"the proxies carry {percent(weight)}, but requests do not follow (sticky sessions, header routes?)"
    )
