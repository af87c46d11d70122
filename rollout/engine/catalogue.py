"""Which policies are in force: what each source's newest trustworthy tree says, and what it may not say.

A broken file keeps its last good policy; absence is not deletion unless a whole, newer tree says so and few
are affected (FAILURES G2-G4, P1-P5, I10-I12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from rollout.core.model import Hold, Policy
from rollout.core.reason import Reason
from rollout.policy.complaint import Parsed
from rollout.ports import SourceState, Tree

FEW = 3
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
    fresh = {policy.name: policy for file in parsed for policy in file.policies}
    emptied = {
        file.path: f"{file.path}: held {name} and holds no policy now: delete the file to withdraw it"
        for file in parsed
        for name, policy in old.items()
        if policy.origin.path == file.path and not (file.policies or file.complaints or name in fresh)
    }
    complaints = (*(str(complaint) for file in parsed for complaint in file.complaints), *emptied.values())
    broken = {file.path for file in parsed if file.complaints} | emptied.keys()
    kept = {name: one for name, one in old.items() if one.origin.path in broken and name not in fresh}
    policies = {name: _unchanged(old.get(name), policy) for name, policy in (kept | fresh).items()}
    gone = old.keys() - policies.keys()
    seen = replace(state, attempted=tree.commit, seen_at=now, complaints=complaints, rewritten=False)
    if len(gone) > max(FEW, SHARE * len(old)):
        problem = (
            f"{tree.commit[:12]} would remove {len(gone)} of {len(old)} policies at once: refused; "
            "remove them in smaller commits"
        )
        return Taken(replace(seen, problem=problem), pages=state.problem != problem)
    return Taken(
        replace(seen, accepted=tree.commit, problem=""),
        policies,
        pages=bool(complaints) and complaints != state.complaints,
    )


def _unchanged(old: Policy | None, new: Policy) -> Policy:
    """A policy that says the same keeps the commit that said it first."""
    return old if old == new else new


@dataclass(slots=True)
class Catalogue:
    """All sources' policies, and the one in force for each name."""

    sources: dict[str, SourceState] = field(default_factory=dict)
    policies: dict[str, dict[str, Policy]] = field(default_factory=dict)
    in_force: dict[str, Policy] = field(default_factory=dict)
    contested: dict[str, str] = field(default_factory=dict)

    def settle(self) -> None:
        """Work out what is in force. Where two claim a name or a route, who had it keeps its old policy."""
        claims: dict[str, list[Policy]] = {}
        for source in self.policies.values():
            for policy in source.values():
                claims.setdefault(f"name {policy.name}", []).append(policy)
                claims.setdefault(f"route {policy.route.key}", []).append(policy)
        clashes = {key: policies for key, policies in claims.items() if len(policies) > 1}
        before, self.in_force, self.contested = self.in_force, {}, {}
        for source in self.policies.values():
            for policy in source.values():
                clash = next(
                    (key for key, among in clashes.items() if policy in among and _claims(policy, key)), ""
                )
                if not clash:
                    self.in_force[policy.name] = policy
                    continue
                self.contested[policy.name] = f"{len(clashes[clash])} policies claim {clash}"
                if policy.name in before and not _taken(before[policy.name], self.in_force):
                    self.in_force[policy.name] = before[policy.name]

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


def _claims(policy: Policy, key: str) -> bool:
    return key in (f"name {policy.name}", f"route {policy.route.key}")


def _taken(policy: Policy, in_force: Mapping[str, Policy]) -> bool:
    return any(
        other.name == policy.name or other.route.key == policy.route.key for other in in_force.values()
    )
