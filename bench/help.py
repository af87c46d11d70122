"""Cold start: what a person waits for at the prompt."""

from __future__ import annotations

import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, quantile

BUDGET = 150.0


def measure(*, quick: bool) -> Iterator[Figure]:
    """The median of many starts of a process, files being in the page cache."""
    rollout = Path(sysconfig.get_path("scripts")) / "rollout"
    spans = []
    for _ in range(5 if quick else 30):
        started = time.perf_counter()
        subprocess.run([str(rollout), "--help"], check=True, stdout=subprocess.DEVNULL)
        spans.append(1000 * (time.perf_counter() - started))
    yield Figure("rollout --help, median", quantile(spans, 0.5), "ms", BUDGET)
    yield Figure("rollout --help, best", min(spans), "ms")
