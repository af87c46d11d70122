"""Which policies are in force: what each source's newest trustworthy tree says, and what it may not say.

A broken file keeps its last good policy; absence is not deletion unless a whole, newer tree says so and few
are affected (FAILURES G2-G4, P1-P5, I10-I12).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from rollout.core.model import Held, Hold, Policy, Ramping, RollingBack, State, Unadopted
from rollout.core.reason import Reason
from rollout.policy.complaint import Parsed
from rollout.policy.conflicts import conflicts
from rollout.ports import Remembered, SourceState, Tree

FEW = 3
NAME_TAKEN = "RP080"
SHARE = 0.2
"""Removing more than max(``FEW``, this share) of a source's policies at once is refused (I11)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a tree: the source's state, its policies if they change, whether people must know."""

    state: SourceState
    policies: Mapping[str, Policy] | None = None
    pages: bool = False


def refuse(state: SourceState, tree: Tree, now: datetime, *, allow_rewrite: bool) -> Taken | None:
    """What the tree's place in history says before anything is read; ``None`` when it may be read."""
    seen = replace(state, attempted=tree.commit, seen_at=now)
    match tree.relation:
        case "same":
            return Taken(replace(seen, problem="", rewritten=False))
        case "older":
            return Taken(
                replace(seen, problem=f"the remote answered {tree.commit[:12]}, older than what is accepted")
            )
        case "rewritten" if not allow_rewrite:
            problem = (
                f"history was rewritten: {tree.commit[:12]} does not contain {(state.accepted or '')[:12]}"
            )
            return Taken(replace(seen, problem=problem, rewritten=True), pages=not state.rewritten)
        case _:
            return None


def take(
    state: SourceState, tree: Tree, parsed: Sequence[Parsed], old: Mapping[str, Policy], now: datetime
) -> Taken:
    """Read a tree's files into the source's policies."""
    asked = [policy for file in parsed for policy in file.policies]
    twice = _twice(asked)
    named = {policy.name for policy in asked}
    refused = {name for name, _ in twice}
    fresh = {policy.name: policy for policy in asked if policy.name not in refused}
    emptied = {
        file.path: f"{file.path}: held {name} and holds no policy now: delete the file to withdraw it"
        for file in parsed
        for name, policy in old.items()
        if policy.origin.path == file.path and not (file.policies or file.complaints or name in named)
    }
    complaints = (*(str(complaint) for file in parsed for complaint in file.complaints), *emptied.values())
    clashes = tuple(filter(is_clash, state.complaints))  # until they are worked out anew
    broken = {file.path for file in parsed if file.complaints} | emptied.keys()
    kept = {
        name: one
        for name, one in old.items()
        if name in refused or (one.origin.path in broken and name not in named)
    }
    policies = {name: _unchanged(old.get(name), policy) for name, policy in (kept | fresh).items()}
    gone = old.keys() - policies.keys()
    seen = replace(
        state, attempted=tree.commit, seen_at=now, complaints=complaints + clashes, rewritten=False
    )
    if len(gone) > max(FEW, SHARE * len(old)):
        problem = (
            f"{tree.commit[:12]} would remove {len(gone)} of {len(old)} policies at once: refused; "
            "remove them in smaller commits"
        )
        return Taken(replace(seen, problem=problem), pages=state.problem != problem)
    return Taken(
        replace(seen, accepted=tree.commit, problem="", twice=twice),
        policies,
        pages=bool(complaints) and seen.complaints != state.complaints,
    )


def _twice(policies: Sequence[Policy]) -> tuple[tuple[str, str], ...]:
    """(name, complaint) of each policy of a source whose name another one has: the order of files must not
    decide (P5).
    """
    number = Counter(policy.name for policy in policies)
    sharing = [policy for policy in policies if number[policy.name] > 1]
    places = {(policy.origin.path, policy.origin.line): policy.name for policy in sharing}
    said = [complaint for complaint in conflicts(sharing) if complaint.code == NAME_TAKEN]
    return tuple((places[complaint.path, complaint.line], str(complaint)) for complaint in said)


def _unchanged(old: Policy | None, new: Policy) -> Policy:
    """A policy that says the same keeps the commit that said it first."""
    return old if old == new else new


@dataclass(slots=True)
class Catalogue:
    """All sources' policies, the one in force for each name, and what is said of those who want the same:
    ``contested`` by name, ``clashes`` by source.
    """

    sources: dict[str, SourceState] = field(default_factory=dict)
    policies: dict[str, dict[str, Policy]] = field(default_factory=dict)
    in_force: dict[str, Policy] = field(default_factory=dict)
    contested: dict[str, str] = field(default_factory=dict)
    clashes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def settle(self) -> None:
        """Work out what is in force. Where several claim a name or a route, who had it keeps its old policy
        and nobody gets a new one; so it may be claimed by who keeps it, too.
        """
        asked = [policy for source in self.policies.values() for policy in source.values()]
        twice = {name: self.sources[name].twice if name in self.sources else () for name in self.policies}
        self.clashes = {
            name: (*(said for _, said in twice[name]), *map(str, conflicts(asked, name))) for name in twice
        }
        before = self.in_force
        number = Counter(name for each in twice.values() for name, _ in each)
        self.contested = {name: f"{number[name]} policies claim name {name}" for name in number}
        why = [
            self.contested.get(policy.name) or claim
            for policy, claim in zip(asked, _claimed(asked), strict=True)
        ]
        while any(why):
            for policy, claim in zip(asked, why, strict=True):
                if claim:
                    self.contested.setdefault(policy.name, claim)
            kept = [before.get(one.name) if claim else one for one, claim in zip(asked, why, strict=True)]
            asked = list({policy.name: policy for policy in kept if policy is not None}.values())
            why = _claimed(asked)
        self.in_force = {policy.name: policy for policy in asked}

    def holds(self, name: str, *, hold_when_lost: Mapping[str, float], now: datetime) -> tuple[Hold, ...]:
        """Why git's side forbids a rise: rewritten history, a shared target, a source lost for too long.

        ``hold_when_lost``: seconds after which a lost source holds its rollouts, for sources that ask for it.
        """
        holds = []
        if name in self.contested:
            holds.append(Hold(Reason.SHARED_TARGET, self.contested[name]))
        policy = self.in_force.get(name)
        source = policy.origin.source if policy else ""
        state = self.sources.get(source)
        if state is None:
            return tuple(holds)
        if state.rewritten:
            holds.append(Hold(Reason.REWRITTEN, source))
        if source in hold_when_lost and state.problem and state.seen_at is not None:
            away = (now - state.seen_at).total_seconds()
            if away > hold_when_lost[source]:
                holds.append(Hold(Reason.GIT_LOST, f"{away:.0f} s ({state.problem})"))
        return tuple(holds)


def _claimed(policies: Sequence[Policy]) -> list[str]:
    """For each policy, which of its name and its route others claim as well; empty where nobody does."""
    keys = [(f"name {policy.name}", f"route {policy.route.key}") for policy in policies]
    claims = Counter(key for both in keys for key in both)
    return [
        next((f"{claims[key]} policies claim {key}" for key in both if claims[key] > 1), "") for both in keys
    ]


def owners(remembered: Remembered) -> dict[str, Policy]:
    """Who had which route when the last process ended, under which policy: nobody else takes it (P5). A route
    has one owner: never who was released from it, and who is on the way home only if nobody else is there.
    """
    found: dict[str, Policy] = {}
    routes = set()
    states = {
        name: state.was if isinstance(state, Held) else state for name, state in remembered.states.items()
    }
    for name, was in sorted(states.items(), key=lambda one: _yields(one[1])):
        policy = was.policy if isinstance(was, Ramping) else _last(remembered, name)
        if policy is None or isinstance(was, Unadopted):
            continue
        route = was.past.route
        if remembered.decisions[name].reason is not Reason.RELEASED and route.key not in routes:
            found[name] = replace(policy, route=route)
            routes.add(route.key)
    return found


def _yields(state: State) -> int:
    """Who has the route when several were there: the lowest."""
    return 0 if isinstance(state, Ramping) else 2 if isinstance(state, RollingBack) else 1


def _last(remembered: Remembered, name: str) -> Policy | None:
    """The owner's policy of that name; one that the owner gave up is theirs who offers it alone."""
    offers = {source: each[name] for source, each in remembered.policies.items() if name in each}
    only = next(iter(offers.values())) if len(offers) == 1 else None
    return offers.get(remembered.owners.get(name, ""), only)


_ABOUT_CLASHES = re.compile(r":[0-9]+: RP08[01] ")


def is_clash(complaint: str) -> bool:
    """Is it about two policies that want the same, rather than about a file?"""
    return _ABOUT_CLASHES.search(complaint) is not None
