"""What every mesh may find in a route that it cannot use, and the rule by which entries belong together."""

from __future__ import annotations

from collections.abc import Iterable


class Unclear(Exception):  # noqa: N818 - it says what the routes are
    """The routes cannot be read as splits; ``str()`` says which, why, and what to write instead."""


class Absent(Unclear):
    """There is no such route."""


def families(groups: Iterable[Iterable[str]]) -> list[set[str]]:
    """The sets of backends that are tied together by sharing routes."""
    found: list[set[str]] = []
    for group in groups:
        joined = set(group)
        apart = []
        for family in found:
            if family & joined:
                joined |= family
            else:
                apart.append(family)
        found = [*apart, joined]
    return found
