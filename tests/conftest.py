"""What every test may use."""

import os

import pytest

DID_NOT_RUN = "DID NOT RUN"


def need(what: str, present: object) -> None:
    """Go on only with `what`: where it is absent, CI fails and a person is told what was not tested."""
    if present:
        return
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(f"CI must have {what}", pytrace=False)
    pytest.skip(f"{DID_NOT_RUN}: needs {what}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say, even under -q, what a test told (``record_property("told", ...)``) and which did not run."""
    for report in terminalreporter.stats.get("passed", []):
        for told in (said for name, said in report.user_properties if name == "told"):
            terminalreporter.section(report.nodeid)
            terminalreporter.line(str(told))
    reports = terminalreporter.stats.get("skipped", [])
    if reports:
        terminalreporter.section(DID_NOT_RUN, red=True, bold=True)
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.line(f"{report.nodeid}: {reason}", red=True)
