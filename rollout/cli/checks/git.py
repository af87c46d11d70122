"""The sources: can they be fetched, and do they hold policies?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rollout.adapters.clock import SystemClock
from rollout.adapters.git import GitSource
from rollout.cli.checks import Finding, bad, good
from rollout.core.model import Policy
from rollout.core.words import counted
from rollout.policy.conflicts import conflicts
from rollout.policy.limits import Limits
from rollout.policy.parse import parse
from rollout.ports import Refused, Tree, Unavailable
from rollout.settings import SourceSettings


@dataclass(frozen=True, slots=True)
class Read:
    """What a source said: findings, and the policies that could be read."""

    findings: tuple[Finding, ...]
    policies: tuple[Policy, ...] = ()


async def source(settings: SourceSettings, limits: Limits) -> Read:
    """Fetch a source into a folder of its own (the daemon's mirror is the daemon's) and read its policies."""
    about = f"source {settings.name}"
    with tempfile.TemporaryDirectory(prefix="rollout-doctor-") as folder:
        try:
            tree = await GitSource(settings, Path(folder), SystemClock()).read(None)
        except Unavailable as trouble:
            return Read((bad(about, str(trouble), "check its url, branch, path, and key or token"),))
        except Refused as refused:
            return Read((bad(about, str(refused), "mend it in the settings"),))
    return _read(about, settings, tree, limits)


def _read(about: str, settings: SourceSettings, tree: Tree, limits: Limits) -> Read:
    parsed = [parse(file.path, file.text, file.origin, limits) for file in tree.files if not file.refused]
    policies = tuple(policy for each in parsed for policy in each.policies)
    complaints = [str(said) for each in parsed for said in each.complaints]
    complaints += [f"{file.path}: {file.refused}" for file in tree.files if file.refused]
    complaints += [str(said) for said in conflicts(policies)]
    findings = [
        bad(about, said, "commit it mended; until then the last good one holds") for said in complaints
    ]
    if not policies and not complaints:
        where = f"below {settings.path} " if settings.path else ""
        said = f"there is no policy {where}in {settings.branch}"
        findings.append(bad(about, said, "commit one, or mend `path` or `branch`"))
    elif not complaints:
        findings.append(
            good(
                about, f"{settings.url} at {tree.commit[:12]}: {counted(len(policies), 'policy', 'policies')}"
            )
        )
    return Read(tuple(findings), policies)


def across(policies: Sequence[Policy]) -> list[Finding]:
    """Policies of different sources that want the same thing."""
    return [bad("policies", str(said), said.instead) for said in conflicts(policies)]
