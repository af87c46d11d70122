"""A process that works a journal until it is killed, or until its disk is full. Told what to do by arguments.

`commits`: for each line on stdin (a state directory) a child is forked that commits as fast as it can and
writes down what it was told is durable; its pid goes to stdout. Forking spares each the start of Python.
`fills`: one journal whose files may not grow any more, then may again; what happened goes to stdout as JSON.
"""

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

from rollout.adapters.clock import SystemClock
from rollout.adapters.journals.rows import text
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.core.model import Decision, Past, Revision, Route, SetSplit, Split, Steady
from rollout.core.reason import Level, Reason
from rollout.ports import Alert, Record, Unavailable

CLOCK = SystemClock()
ROLLOUTS = 4
LIMIT = 500_000
"""Bytes that a file may have: more than an empty journal, less than a few hundred records."""
ROUTE = Route("envoy", "edge", "jazz")


def record(name: str, count: int) -> Record:
    """The count is in the state, in the facts and in the alert: whatever comes back must agree."""
    past = Past(stable=Revision("v1", str(count)), route=ROUTE)
    split = Split.between("v1", "v2", count % 10_000)
    action = SetSplit(split, str(count), Split.all_on("v1"))
    decision = Decision(Steady(past), Reason.RAISED, {"count": count}, actions=(action,))
    alert = Alert(f"{name}/{count}", name, Reason.RAISED.name, Level.EVENT, CLOCK.now(), "raised")
    return Record(name, CLOCK.now(), decision, noteworthy=True, alerts=(("ops", alert),), outcome="written")


async def commit_for_ever(directory: Path) -> None:
    told = os.open(directory / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    journal, found = SqliteJournal.open(directory / "state", CLOCK)
    os.write(told, f"epoch {found.epoch}\n".encode())

    async def work(name: str) -> None:
        count = int(found.decisions[name].facts["count"]) if name in found.decisions else 0
        while True:
            count += 1
            await journal.record(record(name, count))
            os.write(told, f"{name} {count}\n".encode())

    await asyncio.gather(*(work(f"prod/r{number}") for number in range(ROLLOUTS)))


def commits() -> None:
    text(record("", 1).decision)  # makes the codec's plans once, before the forks
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            asyncio.run(commit_for_ever(Path(line.strip())))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os.waitpid(pid, 0)


async def fill(directory: Path) -> None:
    journal, _ = SqliteJournal.open(directory, CLOCK)
    await journal.record(record("prod/r0", 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))
    count, said = 1, ""
    while not said:
        count += 1
        try:
            await journal.record(record("prod/r0", count))
        except Unavailable as error:
            said = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await journal.record(record("prod/r1", 1))
    await journal.close()
    sys.stdout.write(json.dumps({"refused": count, "said": said}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["commits"]:
            commits()
        case ["fills", directory]:
            asyncio.run(fill(Path(directory)))
