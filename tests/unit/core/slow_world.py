"""The small world with answers that take their time."""

import math
from dataclasses import replace

from rollout.core.model import Sample, Series, Unseen
from tests.unit.core.world import World


class Slow(World):
    """A world whose proxies tell how long their answers took: of those that fail, half are slow."""

    def sample(self) -> Sample | Unseen:
        seen = super().sample()
        if isinstance(seen, Unseen):
            return seen
        return replace(seen, series=tuple(map(_timed, seen.series)))


def _timed(one: Series) -> Series:
    failed = dict(one.codes)["5xx"]
    quick = one.completed - one.completed // 10 - failed // 2
    edges = ((100.0, quick), (1_000.0, one.completed - one.completed // 100), (math.inf, one.completed))
    return replace(one, edges=edges)
