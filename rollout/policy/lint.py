"""A whole set of files at once: each file's complaints, then those that no file shows by itself."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.policy.complaint import Complaint
from rollout.policy.conflicts import conflicts
from rollout.policy.limits import Limits
from rollout.policy.parse import parse


def lint(files: Mapping[str, bytes], guard: Limits | None = None) -> list[Complaint]:
    """Every complaint about the files (path to text), in order of path and line; none means all is well."""
    parsed = [parse(path, text, guard=guard) for path, text in files.items()]
    said = [complaint for each in parsed for complaint in each.complaints]
    said += conflicts(policy for each in parsed for policy in each.policies)
    return sorted(said, key=lambda each: (each.path, each.line, each.column, each.code))
