"""What happens in a world, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Deed:
    """Something that the world does at a time: ``kind`` names it, ``subject`` is to whom or what,
    ``argument`` how much. A fault that endures ends after ``seconds``.
    """

    at: float
    kind: str
    subject: str = ""
    argument: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        lasts = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:6.1f} s  {' '.join(filter(None, (self.kind, self.subject, self.argument)))}{lasts}"
