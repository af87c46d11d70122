"""M9: what is on the disk of a look is enough to judge it again, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.core.model import Held, Judged, Ramping, State
from rollout.core.replay import Standing, Unheard, judged_again
from rollout.simulation.events import Event, Recorded, Started
from rollout.simulation.referee.book import Violation
from rollout.simulation.referee.court import Court


class Replays:
    """Judges each look that landed from the record alone. ``_before``: what the judge knew after the last
    two, as the newest may be taken again; of a journal that is another one now nothing is known.
    """

    def __init__(self) -> None:
        self._before: dict[str, tuple[Standing, ...]] = {}
        self._lost: set[str] = set()

    def hear(self, event: Event, court: Court) -> Iterator[Violation]:
        """Before it is remembered."""
        if isinstance(event, Started) and event.since is not None:
            self._lost |= self._before.keys()
            self._before.clear()
        if isinstance(event, Recorded) and event.landed and event.record.decision.judged is not None:
            wrong = self._again(event, event.record.decision.judged)
            if wrong:
                yield Violation(event.at, "M9", event.record.name, f"judged again, {wrong}")

    def _again(self, event: Recorded, look: Judged) -> str:
        name, state = event.record.name, event.record.decision.state
        known = tuple(one for one in self._before.get(name, ()) if one.number < look.number)
        before = known[-1] if known and known[-1].number == look.number - 1 else None
        excused = event.record.anew or name in self._lost
        self._lost.discard(name)
        try:
            after, replayed = judged_again(before, look)
        except Unheard as missing:
            self._before[name] = tuple(_standing(look.number, state))
            return "" if excused else str(missing)
        self._before[name] = (*known, after)[-2:]
        ramp = next(iter(_standing(look.number, state)), after)
        return replayed.differs or (
            "" if ramp == after else "the evidence is another than what is remembered"
        )


def _standing(number: int, state: State) -> Iterator[Standing]:
    """What the decision left, as the next look will find it."""
    ramp = state.was if isinstance(state, Held) else state
    if isinstance(ramp, Ramping):
        yield Standing(number, ramp.policy.analysis.checks, ramp.evidence)
