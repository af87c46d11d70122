"""What is said about a file that is refused, and what came of reading one."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.core.model import Policy


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a file, where (1-based), and what to write instead."""

    path: str
    line: int
    column: int
    code: str
    what: str
    instead: str = ""

    def __str__(self) -> str:
        hint = f" ({self.instead})" if self.instead else ""
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.what}{hint}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of one file: its policies, or every complaint about it (then ``policies`` is empty)."""

    path: str
    policies: tuple[Policy, ...] = ()
    complaints: tuple[Complaint, ...] = ()
