"""A parser without a child process."""

import functools
from collections.abc import Sequence
from dataclasses import replace

from rollout.policy.complaint import Complaint, Parsed
from rollout.policy.limits import Limits
from rollout.policy.parse import parse
from rollout.ports import File


class SimulatedParser:
    """``ports.Parser``: the true parser, here and now."""

    def __init__(self, guard: Limits | None = None) -> None:
        self._guard = guard

    async def parse(self, files: Sequence[File]) -> Sequence[Parsed]:
        return [self._parse(file) for file in files]

    async def close(self) -> None:
        pass

    def _parse(self, file: File) -> Parsed:
        if file.refused:
            what = f"not read: {file.refused}"
            return Parsed(
                file.path, complaints=(Complaint(file.path, 1, 1, "RP014", what, "commit the text itself"),)
            )
        parsed = _parse(file.path, file.text, self._guard)
        policies = (
            replace(one, origin=replace(file.origin, path=file.path, line=one.origin.line))
            for one in parsed.policies
        )
        return replace(parsed, policies=tuple(policies))


@functools.lru_cache(maxsize=4096)
def _parse(path: str, text: bytes, guard: Limits | None) -> Parsed:
    """Whoever committed it: many worlds have the same texts."""
    return parse(path, text, guard=guard)
