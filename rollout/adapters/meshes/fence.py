"""What we leave at a route besides its weights, so that two writers see each other (FAILURES 2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_FENCE = re.compile(r"rollout/(\d{1,18})/(\d{1,18})(?: added=(\S+))?")


@dataclass(frozen=True, slots=True)
class Fence:
    """Our epoch, how often we wrote the route's object, and which backends' entries are ours (they are taken
    out again when they carry nothing).
    """

    epoch: int
    count: int
    added: tuple[str, ...] = ()

    def __str__(self) -> str:
        added = ",".join(quote(name, safe="") for name in self.added)
        return f"rollout/{self.epoch}/{self.count}" + (f" added={added}" if added else "")

    @classmethod
    def read(cls, text: str) -> Fence | None:
        """The fence that a text is; ``None`` when it is not ours."""
        match = _FENCE.fullmatch(text)
        if match is None:
            return None
        epoch, count, added = match.groups()
        return cls(int(epoch), int(count), tuple(map(unquote, added.split(","))) if added else ())
