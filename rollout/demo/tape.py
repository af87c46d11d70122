"""What callers saw: dj's log, read while it grows, counted for each service and backend.

It shares nothing with the daemon's way of measuring, so that the demo's figures check the daemon's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

FAILED = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: when it was asked for and when it came (monotonic seconds), who gave it (empty: nobody
    signed it, so it was Envoy's own or none), its status (0: none came).
    """

    asked: float
    came: float
    service: str
    backend: str
    status: int

    @property
    def failed(self) -> bool:
        """Did the caller get nothing of use?"""
        return self.status == 0 or self.status >= FAILED

    def line(self) -> str:
        """As a line of the log."""
        return f"{self.asked:.4f} {self.came:.4f} {self.service} {self.backend or '-'} {self.status}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """The line's answer.

        Raises:
            ValueError: it is none.
        """
        asked, came, service, backend, status = line.split()
        return cls(float(asked), float(came), service, "" if backend == "-" else backend, int(status))


@dataclass(slots=True)
class Count:
    """The answers of one backend."""

    requests: int = 0
    failed: int = 0
    first_failed: float | None = None
    last: float | None = None

    @property
    def share(self) -> float:
        """Failed per request, 0 to 1."""
        return self.failed / self.requests if self.requests else 0.0

    def add(self, answer: Answer) -> None:
        """Count it. Answers may come in any order of time."""
        self.requests += 1
        self.last = max(self.last or answer.came, answer.came)
        if answer.failed:
            self.failed += 1
            self.first_failed = min(self.first_failed or answer.came, answer.came)


@dataclass(slots=True)
class Tape:
    """dj's log so far."""

    path: Path
    counts: dict[str, dict[str, Count]] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    _offset: int = 0

    def restart(self, service: str, at: float) -> None:
        """Count a service from now: what was asked for earlier is of another rollout."""
        self.read()
        self.counts[service], self.since[service] = {}, at

    def read(self) -> None:
        """Count what was written since the last time; a line that is still being written waits."""
        if not self.path.exists():
            return
        with self.path.open("rb") as log:
            log.seek(self._offset)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.decode().splitlines():
            answer = Answer.parse(line)
            if answer.asked >= self.since.get(answer.service, 0.0):
                of_service = self.counts.setdefault(answer.service, {})
                of_service.setdefault(answer.backend, Count()).add(answer)

    def of(self, service: str, backend: str) -> Count:
        """One backend's count."""
        return self.counts.get(service, {}).get(backend, Count())

    def total(self, service: str) -> Count:
        """All that callers of a service saw, whoever answered."""
        counts = self.counts.get(service, {}).values()
        return Count(sum(count.requests for count in counts), sum(count.failed for count in counts))
