"""A whole set of files at once: each file's complaints, then those that no file shows by itself."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.core.model import Policy
from rollout.policy.complaint import Complaint
from rollout.policy.conflicts import conflicts
from rollout.policy.limits import Limits
from rollout.policy.parse import parse
from rollout.policy.scalars import API_VERSION, KIND


def lint(files: Mapping[str, bytes], guard: Limits | None = None) -> list[Complaint]:
    """Every complaint about the files (path to text), in order of path and line; none means all is well."""
    return check(files, guard)[1]


def check(
    files: Mapping[str, bytes], guard: Limits | None = None
) -> tuple[tuple[Policy, ...], list[Complaint]]:
    """The policies in the files, and every complaint about them as ``lint`` says it."""
    parsed = [parse(path, text, guard=guard) for path, text in files.items()]
    policies = tuple(policy for each in parsed for policy in each.policies)
    said = [complaint for each in parsed for complaint in each.complaints]
    said += conflicts(policies)
    return policies, sorted(said, key=lambda each: (each.path, each.line, each.column, each.code))


def nothing_in(path: str) -> Complaint:
    """About a file that was said to hold policies, and holds none: a typo in its head would hide one."""
    instead = f"a policy begins with `apiVersion: {API_VERSION}` and `kind: {KIND}`"
    return Complaint(path, 1, 1, "RP019", "holds no policy", instead)
