"""Many rollouts' questions in one read of a metrics source: whoever asks in the same moment shares it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rollout.core.model import Sample, Unseen
from rollout.ports import Clock, Metrics, Question

MOMENT = 0.002
"""Seconds that a question waits for others."""


class Gatherer:
    """In front of one ``Metrics``: ``ask`` one question, be answered from a read shared with the others."""

    def __init__(self, source: Metrics, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._asked: dict[Question, float] = {}
        self._reading: asyncio.Task[Mapping[Question, Sample | Unseen]] | None = None

    async def ask(self, question: Question, deadline: float) -> Sample | Unseen:
        """One question's answer; at most about ``deadline`` seconds."""
        self._asked[question] = min(deadline, self._asked.get(question, deadline))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return (await asyncio.shield(self._reading))[question]

    async def _read(self) -> Mapping[Question, Sample | Unseen]:
        await self._clock.sleep(MOMENT)
        asked, self._asked, self._reading = self._asked, {}, None
        read = await self._source.read(list(asked), min(asked.values()))
        return dict(zip(asked, read, strict=True))
