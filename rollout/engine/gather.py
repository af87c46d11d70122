"""Many rollouts' questions in one read of a metrics source: whoever asks in the same moment shares it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from rollout.core.counters import counted
from rollout.core.model import Latency, Measure, Query, Sample, Unseen
from rollout.ports import Clock, Metrics, Question

MOMENT = 0.002
"""Seconds that a question waits for others."""


def about(backends: tuple[str, ...], measures: Sequence[Measure]) -> Question:
    """What has to be read of these backends to count all this."""
    queries = {each.name for each in measures if isinstance(each, Query)}
    latency = any(isinstance(each, Latency) for each in measures)
    return Question(backends, counted(measures), latency, tuple(sorted(queries)))


Answer = Sample | Unseen | BaseException


class Gatherer:
    """In front of one ``Metrics``: ``ask`` one question, be answered from a read shared with those who wait
    as long. A question that breaks the source is the trouble of those who asked it, not of the others.
    """

    def __init__(self, source: Metrics, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._open: dict[float, tuple[dict[Question, None], asyncio.Task[Mapping[Question, Answer]]]] = {}

    async def ask(self, question: Question, deadline: float) -> Sample | Unseen:
        """One question's answer; at most about ``deadline`` seconds."""
        if deadline not in self._open:
            empty: dict[Question, None] = {}
            self._open[deadline] = (empty, asyncio.create_task(self._read(empty, deadline)))
        asked, reading = self._open[deadline]
        asked[question] = None
        answer = (await asyncio.shield(reading))[question]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _read(self, asked: dict[Question, None], deadline: float) -> Mapping[Question, Answer]:
        await self._clock.sleep(MOMENT)
        del self._open[deadline]
        [read] = await asyncio.gather(self._source.read(list(asked), deadline), return_exceptions=True)
        if not isinstance(read, BaseException):
            return dict(zip(asked, read, strict=True))
        if len(asked) == 1:
            return dict.fromkeys(asked, read)
        alone = await asyncio.gather(*(self._read_alone(question, deadline) for question in asked))
        return dict(zip(asked, alone, strict=True))

    async def _read_alone(self, question: Question, deadline: float) -> Answer:
        [read] = await asyncio.gather(self._source.read([question], deadline), return_exceptions=True)
        return read if isinstance(read, BaseException) else read[0]
