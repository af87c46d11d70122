"""For pytest: ``PLANTED=NAME python -m pytest -p tests.planted.plugin NODE`` plants a row's fault before
anything of the product is imported, and says how each test ended.
"""

from __future__ import annotations

import os

import pytest

from tests.planted.mechanism import plant
from tests.planted.rows import BY_NAME

finder = plant(BY_NAME[os.environ["PLANTED"]])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """``planted: OUTCOME PHASE NODE`` for all that did not pass, and whether the fault was there at all."""
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            phase = getattr(report, "when", "collect")
            crash = getattr(report.longrepr, "reprcrash", None)
            said = crash.message.partition("\n")[0] if crash else ""
            terminalreporter.line(f"planted: {outcome} {phase} {report.nodeid} {said}")
    terminalreporter.line(f"planted: {'loaded' if finder.planted else 'not loaded'}")
