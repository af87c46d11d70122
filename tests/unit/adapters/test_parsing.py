"""The child process that reads policies: what it survives, and what it cannot do."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.adapters.parsing import ChildParser
from rollout.policy.complaint import Parsed
from rollout.ports import File, Unavailable

HOSTILE = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from rollout.adapters.parsing import serve
from rollout.policy.complaint import Complaint, Parsed

def tell(path, what):
    return Parsed(path, complaints=(Complaint(path, 1, 1, "RP001", what),))

def read(path, text, origin, guard):
    match text:
        case b"hang":
            time.sleep(3600)
        case b"spin":
            while True:
                pass
        case b"crash":
            os.abort()
        case b"leave":
            os._exit(3)
        case b"hog":
            keep = bytearray(1 << 30)
        case b"raise":
            raise RuntimeError
        case b"print":
            print("a line that is no answer", flush=True)
        case b"write":
            os.write(os.memfd_create("file"), b"x")
        case b"pid":
            return tell(path, str(os.getpid()))
        case b"inside":
            descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd"))
            return tell(path, repr((dict(os.environ), descriptors[:3], len(descriptors), os.getcwd())))
    return tell(path, "read")

serve(read)
"""


@pytest.fixture
async def parser() -> AsyncIterator[ChildParser]:
    parser = ChildParser(program=HOSTILE)
    yield parser
    await parser.close()


def said(results: list[Parsed]) -> list[tuple[str, str]]:
    return [(each.complaints[0].code, each.complaints[0].what) for each in results]


async def ask(parser: ChildParser, *texts: bytes) -> list[tuple[str, str]]:
    return said(list(await parser.parse([File("a.yaml", text) for text in texts])))


@pytest.mark.parametrize(
    ("text", "code", "what"),
    [
        (b"hang", "RP015", "took more than 2 s"),
        (b"spin", "RP015", "took more than 2 s"),
        (b"crash", "RP016", "signal 6"),
        (b"leave", "RP016", "exit code 3"),
        (b"raise", "RP016", "exit code 1"),
        (b"hog", "RP016", "needs more than 256 MiB"),
        (b"write", "RP016", "exit code 1"),
    ],
)
async def test_p2_a_file_that_breaks_the_child_is_named_and_its_neighbours_are_read(
    parser: ChildParser, text: bytes, code: str, what: str
):
    """P2: the child is killed at its limits of time and memory; only the file that broke it is refused."""
    before, broken, after = await ask(parser, b"fine", text, b"fine")
    assert (before, after) == (("RP001", "read"),) * 2
    assert broken[0] == code
    assert what in broken[1]


async def test_the_child_is_started_once_and_only_when_needed(parser: ChildParser):
    """Starting costs a few hundred milliseconds; reading does not."""
    assert parser._child is None
    pids = await ask(parser, b"pid", b"pid") + await ask(parser, b"pid")
    assert len(set(pids)) == 1
    assert await ask(parser, b"crash", b"pid") != pids[:1]


async def test_what_the_parser_prints_is_no_answer(parser: ChildParser):
    assert await ask(parser, b"print", b"fine") == [("RP001", "read")] * 2


async def test_the_child_has_nothing_of_ours(parser: ChildParser):
    """No variable of the daemon, no open file beside its pipes, no folder."""
    os.environ["ROLLOUT_TEST_SECRET"] = "s3cret"
    try:
        ((_, inside),) = await ask(parser, b"inside")
    finally:
        del os.environ["ROLLOUT_TEST_SECRET"]
    environment, first, count, folder = eval(inside)  # noqa: S307 - our own child's repr
    assert environment.keys() <= {"LC_ALL", "LC_CTYPE"}
    assert (first, folder) == ([0, 1, 2], "/")
    assert count <= 6  # its pipes, /dev/null twice, and the folder that is listed


async def test_a_cancelled_parse_leaves_no_late_answer(parser: ChildParser):
    """An answer that comes after we gave up is not taken for the next file's."""
    asking = asyncio.create_task(ask(parser, b"hang"))
    await asyncio.sleep(0.6)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await ask(parser, b"fine") == [("RP001", "read")]


async def test_two_at_a_time_take_turns(parser: ChildParser):
    one, two = await asyncio.gather(ask(parser, b"fine", b"pid"), ask(parser, b"pid", b"fine"))
    assert one[1] == two[0]


async def test_the_child_ends_with_its_input():
    """A daemon that is killed leaves no child: the pipe closes."""
    parser = ChildParser(program=HOSTILE)
    ((_, pid),) = await ask(parser, b"pid")
    child = parser._child
    assert child
    assert child.stdin
    child.stdin.close()
    async with asyncio.timeout(5):
        assert await child.wait() == 0
    await parser.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


async def test_a_child_that_does_not_start_is_unavailable():
    """The pass then does nothing, and the next one asks again."""
    parser = ChildParser(program="raise SystemExit(9)")
    with pytest.raises(Unavailable, match="exit code 9"):
        await parser.parse([File("a.yaml", b"x")])
    await parser.close()


def corpus() -> list[File]:
    folder = Path(__file__).resolve().parents[2] / "golden" / "bad_policies"
    return [File(file.name, file.read_bytes()) for file in sorted(folder.glob("*.yaml"))]


async def test_hostile_texts_are_quick_in_the_true_child():
    """The whole corpus of bad policies goes through one child without breaking it."""
    parser, files = ChildParser(), corpus()
    await parser.parse(files[:1])
    child, began = parser._child, time.monotonic()
    results = await parser.parse(files)
    assert parser._child is child
    assert time.monotonic() - began < 10
    assert {complaint.code for each in results for complaint in each.complaints}.isdisjoint(
        {"RP015", "RP016"}
    )
    await parser.close()
