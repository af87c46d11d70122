"""From kill -9 of the daemon to the first look of the next one at a canary on its way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from bench.figures import Figure, spread
from bench.site import Lane, Site, Stuck, policy

BUDGET = 2.0
PATIENCE = 30.0
STEPS = "[{weight: 10, bake: 1h}, {weight: 50, bake: 1h}, {weight: 100, bake: 1h}]"


def measure(*, quick: bool) -> Iterator[Figure]:
    """The next daemon is started at once, as systemd does; its state must be the one that was."""
    spans = []
    with Site([100]) as site:
        [lane] = site.lanes
        site.commit({lane: policy(lane, lane.stable, STEPS)})
        site.start()
        site.wait_steady([lane])
        site.commit({lane: policy(lane, lane.canary, STEPS, revision=1)})
        _wait_baking(site, lane)
        for _ in range(3 if quick else 15):
            time.sleep(1.5)
            killed = site.kill()
            before = site.state(lane)
            site.start()
            spans.append(_looked(site, lane, killed) - killed)
            after = site.state(lane)
            assert after["rung"] == before["rung"], "a restart moved the rollout"
            assert after["clock"]["baked"] <= before["clock"]["baked"] + 1.0, "a restart gained bake"
    yield Figure("runs", len(spans), "")
    yield from spread("kill -9 to looking again", spans, "s", BUDGET)


def _wait_baking(site: Site, lane: Lane) -> None:
    until = time.time() + PATIENCE
    while site.state(lane).get("rung", {}).get("type") != "Stage":
        if time.time() > until:
            raise Stuck(f"{lane.name} did not come to its first step")
        time.sleep(0.05)


def _looked(site: Site, lane: Lane, after: float) -> float:
    """When the journal was first written of a look after this instant."""
    until = time.time() + PATIENCE
    while time.time() < until:
        [(at,)] = site.ask("SELECT at FROM rollouts WHERE name = ?", f"bench/{lane.name}")
        if (looked := datetime.fromisoformat(at).timestamp()) > after:
            return looked
        time.sleep(0.005)
    raise Stuck(f"the daemon did not look within {PATIENCE:g} s of its restart")
