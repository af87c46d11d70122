"""What `rollout doctor` looks at: each check says what it found and how to mend it, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """How a thing is. Only ``BAD`` makes the doctor end with 1."""

    GOOD = "ok"
    ODD = "note"
    BAD = "fails"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing, and how to mend it."""

    about: str
    health: Health
    said: str
    mend: str = ""


def good(about: str, said: str) -> Finding:
    """All is well."""
    return Finding(about, Health.GOOD, said)


def odd(about: str, said: str, mend: str = "") -> Finding:
    """Worth knowing."""
    return Finding(about, Health.ODD, said, mend)


def bad(about: str, said: str, mend: str) -> Finding:
    """It has to be mended."""
    return Finding(about, Health.BAD, said, mend)
