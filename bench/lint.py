"""A thousand policies, as a pre-commit hook or a pipeline checks them."""

from __future__ import annotations

import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, quantile

BUDGET = 2.0
POLICIES = 1_000
_POLICY = """\
# What jazz-{number} gets, and how quickly.
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: prod, name: jazz-{number}}}
spec:
  route:
    envoy: {{routeConfiguration: jazz-{number}}}
  backend: jazz-{number}-v2
  steps:
    - {{weight: 10, bake: 5m}}
    - {{weight: 50, bake: 10m}}
    - {{weight: 100, bake: 10m}}
  windows:
    - {{days: Mon-Fri, from: "09:00", to: "16:00", zone: Europe/Berlin}}
  analysis:
    checks:
      - errors: {{}}
      - errors: {{max: 5%, minRequests: 100}}
    noData: {{hold: 10m, then: rollback}}
"""


def measure(*, quick: bool) -> Iterator[Figure]:
    """The command as a person runs it, on good policies."""
    rollout = Path(sysconfig.get_path("scripts")) / "rollout"
    with tempfile.TemporaryDirectory(prefix="rollout-bench-") as folder:
        for number in range(POLICIES):
            (Path(folder) / f"jazz-{number}.yaml").write_text(_POLICY.format(number=number), encoding="ascii")
        spans = []
        for _ in range(1 if quick else 5):
            started = time.perf_counter()
            subprocess.run([str(rollout), "lint", folder], check=True, stdout=subprocess.DEVNULL)
            spans.append(time.perf_counter() - started)
    yield Figure(f"{POLICIES} policies, median", quantile(spans, 0.5), "s", BUDGET)
