"""From a commit to the first request that the new version gets."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import Figure, spread
from bench.journey import START, Observer
from bench.site import POLL, Site

LANES = 4


def measure(*, quick: bool) -> Iterator[Figure]:
    """The canaries are dead, so that each goes home soon and the next commit can be made."""
    with Site([100] * LANES) as site, Observer(site, "") as observer:
        found = observer.all({lane: [START] * (1 if quick else 6) for lane in site.lanes})
    spans = [one.first_canary - one.committed for some in found.values() for one in some]
    yield Figure("runs", len(spans), "")
    yield from spread(f"commit to first canary request, poll {POLL:g} s", spans, "s", POLL + 1)
