"""Many rollouts' questions in one read of a metrics source: whoever asks in the same moment shares it."""

from __future__ import annotations

import asyncio

from rollout.core.model import Sample, Unseen
from rollout.ports import Clock, Metrics, Question

MOMENT = 0.002
"""Seconds that a question waits for others."""


class Gatherer:
    """In front of one ``Metrics``: ``ask`` one question, be answered from a read shared with the others."""

    def __init__(self, source: Metrics, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._asked: list[tuple[Question, float, asyncio.Future[Sample | Unseen]]] = []
        self._readings: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question, deadline: float) -> Sample | Unseen:
        """One question's answer; at most about ``deadline`` seconds."""
        answer: asyncio.Future[Sample | Unseen] = asyncio.get_running_loop().create_future()
        self._asked.append((question, deadline, answer))
        if len(self._asked) == 1:
            reading = asyncio.create_task(self._read())
            self._readings.add(reading)
            reading.add_done_callback(self._readings.discard)
        return await answer

    async def _read(self) -> None:
        await self._clock.sleep(MOMENT)
        asked, self._asked = self._asked, []
        questions = list(dict.fromkeys(question for question, _, _ in asked))
        try:
            read = await self._source.read(questions, min(deadline for _, deadline, _ in asked))
        except BaseException as bug:
            for _, _, answer in asked:
                if not answer.done():
                    answer.set_exception(bug if isinstance(bug, Exception) else asyncio.CancelledError())
            if not isinstance(bug, Exception):
                raise
            return
        answers = dict(zip(questions, read, strict=True))
        for question, _, answer in asked:
            if not answer.done():
                answer.set_result(answers[question])
