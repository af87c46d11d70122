"""A policy source without git: commits in a dictionary. It passes the same contract as the real one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rollout.core.model import Origin
from rollout.ports import File, Lost, Tree, Unavailable

AUTHOR = "Ada Lovelace <ada@example.com>"


@dataclass(frozen=True)
class Commit:
    """One commit; its files are the whole tree."""

    parent: str | None
    subject: str
    files: Mapping[str, tuple[str, str]]
    """Path to (text, the commit that last changed it)."""


class SimulatedPolicySource:
    """The branch ``main`` of a repository in memory, read below ``folder``."""

    def __init__(self, name: str = "policies", folder: str = "prod") -> None:
        self.name = name
        self.folder = folder
        self.commits: dict[str, Commit] = {}
        self.head: str | None = None
        self.unreachable = ""
        self.reads = 0

    def commit(self, files: Mapping[str, str | None], subject: str = "") -> str:
        """Change files (``None`` deletes) on top of the branch; the new commit's id."""
        subject = subject or f"change {len(self.commits) + 1}"
        made = hashlib.sha1(f"{self.head} {subject} {sorted(files.items())}".encode()).hexdigest()  # noqa: S324
        before = self.commits[self.head].files if self.head else {}
        after = {**before, **{path: (text, made) for path, text in files.items() if text is not None}}
        self.commits[made] = Commit(
            self.head,
            subject,
            {path: kept for path, kept in after.items() if files.get(path, "") is not None},
        )
        self.head = made
        return made

    def move(self, commit: str) -> None:
        self.head = commit

    def drop_branch(self) -> None:
        self.head = None

    def cut(self, why: str = "connection refused") -> None:
        self.unreachable = why

    def mend(self) -> None:
        self.unreachable = ""

    async def read(self, accepted: str | None) -> Tree:
        self.reads += 1
        if self.unreachable:
            raise Unavailable(f"source {self.name}: {self.unreachable}")
        if self.head is None:
            raise Lost(f"source {self.name} has no branch main")
        commit = self.commits[self.head]
        relation = self._relation(self.head, accepted)
        files = () if relation in {"same", "older"} else self._files(commit)
        return Tree(self.head, AUTHOR, commit.subject, datetime(2026, 1, 1, tzinfo=UTC), relation, files)

    def _relation(self, head: str, accepted: str | None) -> str:
        if accepted is None:
            return "first"
        if accepted == head:
            return "same"
        if accepted in self._line(head):
            return "newer"
        return "older" if head in self._line(accepted) else "rewritten"

    def _line(self, commit: str | None) -> list[str]:
        """A commit and its ancestors."""
        line = []
        while commit in self.commits:
            line.append(commit)
            commit = self.commits[commit].parent
        return line

    def _files(self, commit: Commit) -> tuple[File, ...]:
        below = {path: kept for path, kept in commit.files.items() if path.startswith(f"{self.folder}/")}
        if not below:
            raise Lost(f"source {self.name} has nothing below {self.folder}/")
        return tuple(
            File(path, text.encode(), Origin(self.name, path, made, AUTHOR, self.commits[made].subject))
            for path, (text, made) in sorted(below.items())
            if path.endswith((".yaml", ".yml"))
        )
