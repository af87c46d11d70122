"""Policies that want the same thing: what no file shows by itself."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.core.model import Origin, Policy
from rollout.policy.complaint import Complaint


def conflicts(policies: Iterable[Policy], source: str | None = None) -> list[Complaint]:
    """Complaints about policies that share a name or a route: one for each of them, naming the other's place;
    with a ``source``, only those about policies of it.

    The order of the policies decides nothing: no one of them is the rightful owner (FAILURES P5).
    """
    by_key: dict[tuple[str, str, str], list[Policy]] = {}
    for policy in policies:
        by_key.setdefault(("RP080", "policy", policy.name), []).append(policy)
        by_key.setdefault(("RP081", "route", policy.route.key), []).append(policy)
    complaints = []
    for (code, what, _), sharing in by_key.items():
        for policy in sharing if len(sharing) > 1 else ():
            if source not in {None, policy.origin.source}:
                continue
            other = next(other for other in sharing if other is not policy)
            complaints.append(_clash(code, what, policy, other))
    return sorted(complaints, key=lambda said: (said.path, said.line, said.code))


def _clash(code: str, what: str, policy: Policy, other: Policy) -> Complaint:
    name, instead = policy.name, "remove one, or rename it"
    if what == "route":
        name, instead = str(policy.route), "let one policy move a route"
    here, there = policy.origin, _place(other.origin, policy.origin)
    said = f"{what} `{name}` is also claimed by `{other.name}` at {there}"
    return Complaint(here.path, here.line, 1, code, said, instead)


def _place(there: Origin, here: Origin) -> str:
    place = f"{there.path}:{there.line}"
    return place if there.source == here.source else f"{place} of source {there.source}"
