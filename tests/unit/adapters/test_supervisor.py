"""What the service supervisor hears (sd_notify), on a real datagram socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.adapters.supervisor import Supervisor


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(1)
        yield heard


def said(heard: socket.socket) -> str:
    return heard.recv(100).decode()


def test_it_hears_that_we_are_ready_alive_and_stopping(listening: socket.socket):
    supervisor = Supervisor(listening.getsockname())
    supervisor.ready()
    supervisor.beat()
    supervisor.stopping()
    assert [said(listening) for _ in range(3)] == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_an_address_without_a_file_is_spoken_to(tmp_path: Path):
    """systemd may name an abstract socket, with an @ for the NUL."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{tmp_path}")
        heard.settimeout(1)
        Supervisor(f"@{tmp_path}").ready()
        assert said(heard) == "READY=1"


def test_without_a_supervisor_nothing_is_said():
    Supervisor("").ready()


def test_a_supervisor_that_is_gone_or_does_not_listen_stops_nobody(tmp_path: Path, listening: socket.socket):
    """The heart beats on: a full queue and a missing socket are no reason to stop."""
    Supervisor(str(tmp_path / "gone")).beat()
    supervisor = Supervisor(listening.getsockname())
    for _ in range(2_000):
        supervisor.beat()
    assert said(listening) == "WATCHDOG=1"
