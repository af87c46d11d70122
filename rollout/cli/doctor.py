"""`rollout doctor`: everything around us, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from rollout.cli import outputs, terminal
from rollout.cli.checks import Finding, Health
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import NEGATIVE, OK
from rollout.cli.settings import settings_file
from rollout.cli.terminal import Terminal
from rollout.settings.load import load

_COLOURS = {Health.GOOD: "green", Health.ODD: "yellow", Health.BAD: "red"}
_SIGNS = {Health.GOOD: "✓", Health.ODD: "·", Health.BAD: "✗"}


@declare("""
rollout doctor
rollout doctor --send-test
rollout doctor -o json
""")
@click.option("--send-test", is_flag=True, help="Send a test message to every sink.")
@outputs.output_option
def command(send_test: bool, output: str) -> int:
    """Check settings, state directory, daemon, journal, git, Envoy, sinks and clock, changing nothing.

    Each line that fails says how to mend it; the exit code is then 1.
    """
    from rollout.cli.checks.everything import examine

    path = settings_file()
    findings = examine(path, load(path), send=send_test)
    shown = terminal.out(wishes().color)
    if output != outputs.TABLE:
        outputs.write(shown, output, {"findings": list(map(_plain, findings))})
    else:
        _tell(shown, findings)
    return NEGATIVE if any(finding.health is Health.BAD for finding in findings) else OK


def _plain(finding: Finding) -> dict[str, str]:
    return {
        "about": finding.about,
        "health": finding.health.value,
        "said": finding.said,
        "mend": finding.mend,
    }


def _tell(shown: Terminal, findings: Sequence[Finding]) -> None:
    for finding in findings:
        sign = shown.paint(f"{_SIGNS[finding.health]} {finding.health.value:5}", _COLOURS[finding.health])
        shown.say(f"{sign} {shown.paint(finding.about, bold=True)}: {finding.said}")
        if finding.mend:
            shown.say(f"        {shown.paint('mend it:', dim=True)} {finding.mend}")
