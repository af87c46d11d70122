"""Says at the end which law saw each planted fault, and in how many worlds."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = {
        str(value)
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
        if name in {"told", "red"}
    }
    if told:
        terminalreporter.section("planted faults, and who saw them")
        for line in sorted(told):
            terminalreporter.write_line(line)
