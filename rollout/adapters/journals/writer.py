"""One thread, one connection, many callers: whoever asks while a commit is under way shares the next one.

An fsync costs the same for one row as for a hundred: a hundred rollouts that look at once cost two or three.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rollout.adapters.journals import schema
from rollout.ports import Unavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
GROUP = 512

_SENTENCES = {
    "SQLITE_FULL": "the disk is full: make room, it goes on by itself",
    "SQLITE_READONLY": "it is read-only: remount the disk or mend the permissions, it goes on by itself",
    "SQLITE_IOERR": "the disk does not take it (I/O error): look at the system log for the disk's health",
    "SQLITE_BUSY": "another process holds it: end what else has it open",
    "SQLITE_CANTOPEN": "it cannot be opened: it is gone, or the permissions changed",
    "SQLITE_CORRUPT": "it is damaged: restart the daemon, which sets it aside and begins anew in safety",
    "SQLITE_NOTADB": "it is damaged: restart the daemon, which sets it aside and begins anew in safety",
}


def explain(path: Path, error: sqlite3.Error | OSError) -> Unavailable:
    """What a failure of the file means, in a sentence."""
    name = getattr(error, "sqlite_errorname", "") or ""
    family = "_".join(name.split("_")[:2])
    sentence = _SENTENCES.get(family, str(error))
    detail = f" ({name})" if name else ""
    return Unavailable(f"the journal {path} cannot be used: {sentence}{detail}")


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work[Any]
    answer: Future[Any]
    writes: bool


class Writer:
    """Runs pieces of work on the one connection, writes in groups.

    After a failure the connection is made anew with the next piece of work, so a disk that comes back is
    used again without anybody's help. A piece of work that is a bug raises to its own caller alone.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection | None) -> None:
        self._path = path
        self._connection = connection
        self._jobs: deque[_Job] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._open = True
        self._file = path.stat()

    async def write(self, work: Work[T]) -> T:
        """Run it in a transaction; durable when this returns.

        Raises:
            Unavailable: it is not remembered.
        """
        return await self._ask(work, writes=True)

    async def read(self, work: Work[T]) -> T:
        """Run it after the writes asked before; needs no room on the disk.

        Raises:
            Unavailable: it cannot be read.
        """
        return await self._ask(work, writes=False)

    async def close(self) -> None:
        """Finish what was asked, then let go of the file."""
        if self._open:
            self._open = False
            self._thread.submit(self._drop)
        await asyncio.to_thread(self._thread.shutdown)

    async def _ask(self, work: Work[T], *, writes: bool) -> T:
        if not self._open:
            raise Unavailable(f"the journal {self._path} is closed")
        answer: Future[T] = Future()
        self._jobs.append(_Job(work, answer, writes))
        self._thread.submit(self._next)
        return await asyncio.wrap_future(answer)

    def _next(self) -> None:
        batch: list[_Job] = []
        while self._jobs and len(batch) < GROUP:
            job = self._jobs.popleft()
            # A caller that gave up before its turn is left out; from here on nobody can.
            if job.answer.set_running_or_notify_cancel():
                batch.append(job)
        with ExitStack() as afterwards:
            for job in reversed(batch):  # the last one pushed is called first: they keep their order
                afterwards.callback(self._single_out, job)
            self._settle(batch)

    def _settle(self, batch: list[_Job]) -> None:
        self._commit([job for job in batch if job.writes])
        for job in batch:
            if not job.writes:
                self._look(job)

    def _single_out(self, job: _Job) -> None:
        """A bug left it without an answer: try it by itself, before any newer work has its turn."""
        if job.answer.done():
            return
        self._drop()
        try:
            self._settle([job])
        finally:
            if not job.answer.done():
                self._drop()
                job.answer.set_exception(sys.exc_info()[1])

    def _commit(self, batch: list[_Job]) -> None:
        if not batch:
            return
        try:
            connection = self._connected()
            self._check_place()
            connection.execute("BEGIN IMMEDIATE")
            results = [job.work(connection) for job in batch]
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError, Unavailable) as error:
            self._fail(batch, error)
        else:
            for job, result in zip(batch, results, strict=True):
                job.answer.set_result(result)

    def _check_place(self) -> None:
        # SQLite would go on writing to a file that no start will ever find.
        if not self._path.exists() or not os.path.samestat(self._path.stat(), self._file):
            raise Unavailable(
                f"the journal {self._path} was moved or deleted while the daemon ran: restart it"
            )

    def _look(self, job: _Job) -> None:
        try:
            job.answer.set_result(job.work(self._connected()))
        except (sqlite3.Error, OSError, Unavailable) as error:
            self._fail([job], error)

    def _fail(self, batch: list[_Job], error: sqlite3.Error | OSError | Unavailable) -> None:
        self._drop()
        why = error if isinstance(error, Unavailable) else explain(self._path, error)
        for job in batch:
            job.answer.set_exception(why)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = schema.connect(self._path)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
