"""Policies are read in a child process that may be killed: one file cannot hang or starve the daemon.

The parser's work is bounded already; the child is for the faults that nobody thought of. It is started at the
first file, has nothing of ours but two pipes, cannot outgrow its limits, and ends when its input does. A file
that breaks it is complained about, and its neighbours go to a new child.

Both halves speak in frames: four bytes of length, then JSON.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from rollout.core.model import Origin
from rollout.policy.codec import decode, encode
from rollout.policy.complaint import Complaint, Parsed
from rollout.policy.limits import Limits
from rollout.ports import File, Unavailable

WALL = 2.0
"""Seconds that one file may take."""
MEMORY = 256 * 1024 * 1024
"""Bytes of address space that the child may add to what it starts with."""
START = 30.0
"""Seconds that a child may take to be ready; a loaded machine is slow to import."""
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from rollout.adapters.parsing import serve; serve()"

Reader = Callable[[str, bytes, Origin, Limits | None], Parsed]

_HEAD = struct.Struct(">I")
_MAX_FRAME = 64 * 1024 * 1024
_OUT_OF_MEMORY = 77
_FILES = 64
_GRACE = 1.0
_WHO = "the process that reads policies"
_CODE_ROOT = str(Path(__file__).resolve().parents[2])


class ChildParser:
    """``ports.Parser`` over one child process."""

    def __init__(self, guard: Limits | None = None, *, wall: float = WALL, program: str = PROGRAM) -> None:
        self._guard = guard
        self._wall = wall
        self._program = program
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def parse(self, files: Sequence[File]) -> Sequence[Parsed]:
        """One result for each file, in order; a file that breaks the child gets a complaint.

        Raises:
            Unavailable: no child can be started.
        """
        async with self._turn:
            return [await self._parse(file) for file in files]

    async def close(self) -> None:
        """End the child; the next ``parse`` starts another."""
        async with self._turn:
            await self._end(_GRACE)

    async def _parse(self, file: File) -> Parsed:
        if file.refused:
            return _refused(file.path, "RP014", f"not read: {file.refused}", "commit the text itself")
        child = self._child or await self._start()
        question = {"path": file.path, "text": file.text.decode("latin-1"), "origin": encode(file.origin)}
        answered = False
        try:
            async with asyncio.timeout(self._wall):
                parsed = decode(Parsed, await _ask(child, question))
            answered = True
            return parsed
        except TimeoutError:
            what = f"reading it took more than {self._wall:g} s, and was stopped"
            return _refused(file.path, "RP015", what, "simplify it")
        except (EOFError, OSError, ValueError):
            return _refused(file.path, "RP016", _last_words(await self._end(_GRACE)), "simplify it")
        finally:
            # Also when we are cancelled: an answer that comes late would be taken for the next file's.
            if not answered:
                await self._end()

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-c", self._program, _CODE_ROOT),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
            async with asyncio.timeout(START):
                await _ask(self._child, {"guard": encode(self._guard), "wall": self._wall})
        except TimeoutError as error:
            await self._end()
            raise Unavailable(f"{_WHO} was not ready within {START:g} s") from error
        except (EOFError, OSError) as error:
            why = _how(await self._end(_GRACE)) if self._child else str(error)
            raise Unavailable(f"{_WHO} does not start: {why}") from error
        return self._child

    async def _end(self, grace: float = 0.0) -> int | None:
        """End the child, if there is one; it gets ``grace`` seconds to do so by itself. How it ended."""
        child, self._child = self._child, None
        if child is None:
            return None
        if child.stdin:
            child.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                return await child.wait()
        with suppress(ProcessLookupError):
            child.kill()
        return await child.wait()


def _refused(path: str, code: str, what: str, instead: str) -> Parsed:
    return Parsed(path, complaints=(Complaint(path, 1, 1, code, what, instead),))


def _last_words(ended: int | None) -> str:
    if ended == _OUT_OF_MEMORY:
        return f"reading it needs more than {MEMORY >> 20} MiB"
    return f"{_WHO} ended at it: {_how(ended)}"


def _how(ended: int | None) -> str:
    return f"signal {-ended}" if ended and ended < 0 else f"exit code {ended}"


async def _ask(child: asyncio.subprocess.Process, question: dict[str, Any]) -> Any:
    """One frame there, one back.

    Raises:
        EOFError, OSError: the child is gone.
    """
    if child.stdin is None or child.stdout is None:
        raise EOFError
    child.stdin.write(_frame(question))
    await child.stdin.drain()
    (length,) = _HEAD.unpack(await child.stdout.readexactly(_HEAD.size))
    if length > _MAX_FRAME:
        raise EOFError
    return json.loads(await child.stdout.readexactly(length))


def _frame(value: Any) -> bytes:
    body = json.dumps(value).encode("ascii")
    return _HEAD.pack(len(body)) + body


# --- the child -----------------------------------------------------------------------------------


def serve(read: Reader | None = None) -> None:
    """Answer frames on standard input until it ends. Runs in the child."""
    if read is None:
        from rollout.policy.parse import parse  # the types are costly and only the child needs them

        read = parse
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    terms = _receive(asked)
    if terms is None:
        return
    guard = decode(Limits, terms["guard"]) if terms["guard"] else None
    _confine()
    _send(answers, {})
    while (question := _receive(asked)) is not None:
        _grant(math.ceil(terms["wall"]) + 1)
        origin = decode(Origin, question["origin"])
        try:
            answer = encode(read(question["path"], question["text"].encode("latin-1"), origin, guard))
        except MemoryError:
            os._exit(_OUT_OF_MEMORY)
        _send(answers, answer)


def _receive(asked: BinaryIO) -> Any:
    """The next frame, ``None`` when the other side is gone."""
    head = asked.read(_HEAD.size)
    return json.loads(asked.read(_HEAD.unpack(head)[0])) if len(head) == _HEAD.size else None


def _send(answers: BinaryIO, value: Any) -> None:
    answers.write(_frame(value))
    answers.flush()


def _confine() -> None:
    """Nothing this process does can grow: memory, files, what it writes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    for limit, value in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _grant(seconds: int) -> None:
    """Processor time for one file: what ends us if the one who would kill us is gone."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(spent.ru_utime + spent.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
