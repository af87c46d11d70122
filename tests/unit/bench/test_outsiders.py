"""The processes and watches that measure the daemon from outside."""

import asyncio
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.site import Answer, Lane, Site
from bench.watch import MOVED_TO, OPENED, Event, Watch
from bench.world import MemoryMesh, run
from rollout.core.model import Route, Split
from rollout.ports import Moved

ANSWER = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 13\r\n\r\ncanary is ill"


def test_the_caller_shares_no_code_with_the_daemon():
    """What a client saw is not computed by what is measured."""
    imports = "import bench.load, sys; sys.exit(any(name.startswith('rollout') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", imports], check=False).returncode == 0


@contextmanager
def server(answers: int) -> Iterator[int]:
    """Answers so many requests on each connection, then closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the caller is killed in the middle of something
            for _ in range(answers):
                if not connection.recv(4096):
                    return
                connection.sendall(ANSWER[:40])  # in two pieces, as it may come
                connection.sendall(ANSWER[40:])

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize("answers", [10_000, 5])
def test_the_caller_keeps_its_rate_and_writes_down_every_answer(tmp_path: Path, answers: int):
    """Also over connections that are closed again and again."""
    log = tmp_path / "log"
    with server(answers) as port:
        caller = subprocess.Popen([sys.executable, "-m", "bench.load", str(port), "200", str(log)])
        time.sleep(1.5)
        caller.kill()
        caller.wait()
    lines = [line.split(" ") for line in log.read_text().splitlines()[:-1]]
    sent = [float(line[0]) for line in lines]
    assert len(sent) / (sent[-1] - sent[0]) == pytest.approx(200, rel=0.2)
    assert all(float(line[1]) >= float(line[0]) for line in lines)
    whole = [line[2:] for line in lines if line[2] != "0"]
    assert len(whole) > 50
    assert all(line == ["500", "canary"] for line in whole)


def test_the_watch_tells_of_renames_and_opened_files(tmp_path: Path):
    """A file that is put in place and a lock that is taken are seen, in order."""
    told: queue.Queue[Event] = queue.Queue()
    watch = Watch(tmp_path, told.put)
    began = time.time()
    (tmp_path / ".lock").touch()
    (tmp_path / ".lock").rename(tmp_path / "jazz.yaml")
    first, second = told.get(timeout=5), told.get(timeout=5)
    watch.close()
    assert [(first.name, first.kind), (second.name, second.kind)] == [
        (".lock", OPENED),
        ("jazz.yaml", MOVED_TO),
    ]
    assert began <= first.at <= second.at <= time.time()


def test_a_lane_reads_whole_lines_only(tmp_path: Path):
    """A line that is half written is read when it is whole, and no line twice."""
    site = Site([100])
    site.folder = tmp_path
    (tmp_path / "calls").mkdir()
    log = tmp_path / "calls" / "lane-0"
    lane = Lane("lane-0", 100, 1)
    log.write_text("1.0 2.0 200 stable\n1.5 2.5 50")
    assert site.answers(lane) == [Answer(1.0, 2.0, 200, "stable")]
    with log.open("a") as more:
        more.write("0 canary\n")
    assert site.answers(lane) == [Answer(1.5, 2.5, 500, "canary")]
    assert site.answers(lane) == []


async def test_the_mesh_in_memory_writes_on_one_version_only():
    """As a true one: what was read before a write is old after it."""
    mesh, route = MemoryMesh(), Route("envoy", "envoy", "jazz")
    home, half = Split.all_on("jazz-stable"), Split.between("jazz-stable", "jazz-canary", 5_000)
    seen = await mesh.read(route, 1.0)
    assert (seen.splits, seen.epoch) == ((home,), None)
    await mesh.write(route, half, version=seen.version, home=home, epoch=3)
    after = await mesh.read(route, 1.0)
    assert (after.splits, after.epoch) == ((half,), 3)
    with pytest.raises(Moved):
        await mesh.write(route, home, version=seen.version, home=home, epoch=3)


async def test_the_world_in_memory_ramps_and_rests(tmp_path: Path):
    """The true daemon in it looks at the canaries and records it, and writes nothing for those at rest."""
    found = await asyncio.wait_for(run(tmp_path, 1.5, steady=5, ramping=2, settle=0.1), 30)
    assert found["recorded"] >= 1
    assert found["looks"] >= found["recorded"]
    assert (found["mesh_writes"], found["journal_writes"]) == (0, 0)
