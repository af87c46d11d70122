"""What people write of a custom route's resource, to what the core means."""

from __future__ import annotations

from rollout.core.model import FULL
from rollout.policy.complaint import Fault
from rollout.policy.scalars import named, numeric

RESOURCE_VERSION = r"^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?/v[0-9a-z]{1,30}$"
KEY = r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$"
_STEP = r"[A-Za-z_][A-Za-z0-9_-]*(\[([0-9]{1,3}|\*)\])*"
TARGETS = rf"^{_STEP}(\.{_STEP}){{0,9}}$"
TOTALS = 100, 1000, FULL
MAX_ABSENT = 1_000_000

resource_version = named(RESOURCE_VERSION, "write group/version, such as traefik.io/v1alpha1")
key = named(KEY, "write letters, digits, _ and -, at most 63 characters")
targets = named(TARGETS, "write keys with dots, and [0] or [*] for a list, such as spec.weighted.services")


def absent(value: object) -> int:
    """What a target without a weight gets."""
    number = numeric(value, "1")
    if isinstance(number, float) or not 0 <= number <= MAX_ABSENT:
        raise Fault("RP028", "{raw} is no weight of a target", "write 0 or 1, as the resource understands it")
    return number


def total(value: object) -> int:
    """What weights sum to."""
    number = numeric(value, "100")
    if isinstance(number, float) or number not in {0, *TOTALS}:
        raise Fault("RP036", "{raw} is not one of the choices", "write 100, 1000 or 10000, or remove it")
    return number
