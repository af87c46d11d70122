"""The daemon on counters of a real Prometheus that scrapes a real Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.envoys import Site
from tests.installation import POLICY, Installation, Traffic
from tests.servers.test_prometheus import prometheus

METRICS = """
[metrics.p8s]
kind = "prometheus"
url = "{url}"
interval = "200ms"
"""
ANALYSIS = "  analysis: {metrics: p8s, checks: [{errors: {}}]}\n"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("status", "ends"), [(503, "ROLLED_BACK"), (200, "PROMOTED")])
def test_a_canary_is_judged_by_what_prometheus_scrapes(tmp_path: Path, status: int, ends: str):
    """Bad: home, and rejected. Good: promoted. The daemon never asks Envoy for a counter."""
    with (
        Site(tmp_path / "site", {"jazz-v1": 200, "jazz-v2": status}) as site,
        prometheus(tmp_path / "prometheus", site.proxies[0].admin) as url,
        Traffic(site.address()),
        Installation(tmp_path, site) as house,
    ):
        house.write(house.settings.read_text() + METRICS.format(url=url))
        for backend in ("jazz-v1", "jazz-v2"):
            text = POLICY.format(backend=backend, bake="2s") + ANALYSIS
            house.repository.commit({"policies/jazz.yaml": text}, backend)
            if backend == "jazz-v1":
                house.start()
                house.until("steady")
        if ends == "PROMOTED":
            house.until("ramping")
            house.until("steady", seconds=60, reason="NOTHING_NEW")
            assert "jazz-v2" in house.json("get", "jazz")["rollout"]["stable"]
        else:
            house.until("steady", seconds=60, reason="REJECTED_BEFORE")
            assert "jazz-v2 is worse" in house.run("history", "jazz").stdout
        assert house.run("doctor").returncode == 0
