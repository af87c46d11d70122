"""What the daemon costs while little happens: a thousand policies at rest, a hundred canaries judged."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from bench.figures import Figure

CPU = 20.0


def measure(*, quick: bool) -> Iterator[Figure]:
    """The real engine, loops and journal in a process of their own; mesh, counters and git in memory."""
    seconds = 10 if quick else 60
    made = subprocess.run(
        [sys.executable, "-m", "bench.world", str(seconds)], check=True, stdout=subprocess.PIPE
    )
    found = json.loads(made.stdout)
    yield Figure("CPU of one core", found["cpu"], "%", CPU)
    yield Figure("RSS", found["rss"], "MiB")
    yield Figure("lateness of looks, p99", 1000 * found["late"], "ms")
    yield Figure("looks", found["looks"], "1/s")
    yield Figure("looks recorded", found["recorded"], "1/s")
    yield Figure("mesh writes for policies at rest", found["mesh_writes"], "", 0)
    yield Figure("journal writes for policies at rest", found["journal_writes"], "", 0)
