"""How many examples: the same few each time, or by chance: EXPLORE=3000 pytest --timeout 0 tests/property."""

import os

from hypothesis import HealthCheck, settings

EXPLORE = int(os.environ.get("EXPLORE") or 0)


def examples(count: int) -> settings:
    return settings(
        max_examples=EXPLORE or count,
        derandomize=not EXPLORE,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
