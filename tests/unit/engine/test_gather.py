"""Many rollouts' questions in one read: shared in time, answered apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from rollout.core.model import Sample, Unseen
from rollout.engine.gather import Gatherer
from rollout.ports import Question
from rollout.simulation.metrics import SimulatedMetrics
from tests.fakes.clock import FakeClock


class Counted(SimulatedMetrics):
    """Keeps what it was asked; ``poison`` is a backend that breaks whatever read it is in."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[set[str], float]] = []
        self.poison = ""

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        backends = {backend for question in questions for backend in question.backends}
        self.asked.append((backends, deadline))
        if self.poison in backends:
            raise ValueError("no such number")
        return await super().read(questions, deadline)


def about(*backends: str) -> Question:
    return Question(backends, ("5xx",))


@pytest.fixture
def source() -> Counted:
    counted = Counted()
    counted.known("a", "b", "c")
    return counted


async def test_questions_of_one_moment_share_a_read(source: Counted):
    """Each gets its own answer; a question asked twice is asked once; the next moment is another read."""
    gatherer = Gatherer(source, FakeClock())
    answers = await asyncio.gather(*(gatherer.ask(about(name), 0.5) for name in ("a", "b", "a")))
    assert [
        [series.backend for series in answer.series] for answer in answers if isinstance(answer, Sample)
    ] == [
        ["a"],
        ["b"],
        ["a"],
    ]
    assert source.asked == [({"a", "b"}, 0.5)]
    await gatherer.ask(about("c"), 0.5)
    assert source.asked[1:] == [({"c"}, 0.5)]


async def test_the_impatient_do_not_hurry_the_patient(source: Counted):
    """A rollout that looks four times a second does not shorten the others' deadline."""
    gatherer = Gatherer(source, FakeClock())
    await asyncio.gather(gatherer.ask(about("a"), 0.125), gatherer.ask(about("b"), 0.5))
    assert sorted(source.asked, key=lambda one: one[1]) == [({"a"}, 0.125), ({"b"}, 0.5)]


async def test_i12_a_question_that_breaks_the_source_breaks_nobody_else(source: Counted):
    """The bug is the asker's; the neighbours are answered in the same moment."""
    source.poison = "b"
    gatherer = Gatherer(source, FakeClock())
    asking = [gatherer.ask(about(name), 0.5) for name in ("a", "b", "c")]
    first, second, third = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(first, Sample)
    assert isinstance(second, ValueError)
    assert isinstance(third, Sample)
    with pytest.raises(ValueError, match="no such number"):
        await gatherer.ask(about("b"), 0.5)


async def test_who_gives_up_takes_nothing_from_the_others(source: Counted):
    """A pass that is cancelled leaves the read to those who share it."""
    gatherer = Gatherer(source, FakeClock())
    leaving, staying = (asyncio.ensure_future(gatherer.ask(about(name), 0.5)) for name in ("a", "b"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert isinstance(await staying, Sample)
    assert leaving.cancelled()
