"""Orders: what is shown before they are given, who is asked, and what is said without a daemon."""

import socket
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.lock import FILE, DaemonLock
from rollout.cli.asking import Daemon
from rollout.cli.changes import change, freeze
from rollout.cli.exits import Ends
from rollout.core.model import Verb
from rollout.core.reason import Reason
from rollout.ports import Freeze
from rollout.server.address import socket_of
from rollout.settings import Settings
from tests.unit.cli.conftest import Cli, House
from tests.unit.core.test_explain import SCENES, moment
from tests.unit.core.world import NOON

ORDERS = ["pause", "resume", "promote", "retry"]
AGAIN = "; jazz-v2 is not tried again until `rollout retry`"
HASTE = " without waiting for the bake and the counts; still judged"
FULL = "10 % → 100 %, step by step without waiting for bakes and counts; still judged"
STAYS = "stays at 10 % until `rollout resume`; a failing canary still goes home"
FRESH = "jazz-v2 is no longer taken as rejected, and is begun again from 0 %"


def changed(verb: Verb, reason: Reason, argument: str = "", *freezes: Freeze) -> str:
    return change(verb, moment(SCENES[reason]()), argument, freezes).removeprefix("prod/jazz: ")


@pytest.mark.parametrize(
    ("verb", "reason", "argument", "told"),
    [
        (Verb.ABORT, Reason.BAKING, "", "10 % → 0 %, all to jazz-v1, now" + AGAIN),
        (Verb.ABORT, Reason.LOWERED, "", "1 % → 0 %, all to jazz-v1, now" + AGAIN),
        (Verb.ABORT, Reason.MEASURING, "", "all stays on jazz-v1" + AGAIN),
        (Verb.ABORT, Reason.NOTHING_NEW, "", "nothing is under way: jazz-v1 serves everybody"),
        (Verb.ABORT, Reason.MIXTURE, "", "nothing is under way"),
        (Verb.ABORT, Reason.ABORTED, "", "is on its way home already: all to jazz-v1"),
        (Verb.PAUSE, Reason.BAKING, "", STAYS),
        (Verb.RESUME, Reason.PAUSED, "", "goes on from 10 %"),
        (Verb.RESUME, Reason.LOWERED, "", "1 % → 10 %, and on from there"),
        (Verb.PROMOTE, Reason.BAKING, "", "10 % → 50 %" + HASTE),
        (Verb.PROMOTE, Reason.BAKING, "full", FULL),
        (Verb.PROMOTE, Reason.MEASURING, "", "0 % → its first weight" + HASTE),
        (Verb.PROMOTE, Reason.NOTHING_NEW, "", "nothing is under way to promote"),
        (Verb.RETRY, Reason.REJECTED_BEFORE, "", FRESH),
        (Verb.ADOPT, Reason.MIXTURE, "jazz-v1", "jazz-v1 is taken as stable"),
        (Verb.ADOPT, Reason.MIXTURE, "", "the backend that carries everything is taken as stable"),
    ],
)  # fmt: skip
def test_an_order_says_what_it_will_change(verb: Verb, reason: Reason, argument: str, told: str):
    """The exact weights, from what to what, before anything is done."""
    assert changed(verb, reason, argument) == told


def test_resume_says_which_freeze_it_lifts():
    """A freeze of this rollout is lifted by it, one of everything is not."""
    own, whole = Freeze("prod/jazz", "ana", "x", NOON), Freeze("", "bo", "y", NOON)
    assert changed(Verb.RESUME, Reason.FROZEN, "", own) == "the freeze by ana is lifted"
    assert changed(Verb.RESUME, Reason.PAUSED, "", own) == "goes on from 10 %; the freeze by ana is lifted"
    assert changed(Verb.RESUME, Reason.FROZEN, "", whole) == (
        "everything stays frozen by bo: `rollout resume --all`"
    )


def test_a_freeze_says_what_stays_possible():
    assert freeze("", lifted=False) == (
        "everything: no weight rises until `rollout resume --all`; the way home stays open"
    )
    assert freeze("prod/jazz", lifted=True) == "prod/jazz: weight may rise again"


# --- nobody there --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [*ORDERS, "adopt"])
def test_without_the_daemon_an_order_says_how_to_start_it(cli: Cli, house: House, verb: str):
    """Exit code 4, at once: there is no use in asking first."""
    house.remember(SCENES[Reason.BAKING]())
    ended = cli(verb, "jazz", *house.config)
    assert (ended.code, ended.out) == (4, "")
    assert ended.err == (
        "the daemon is not running: start it with `rollout run`, or `systemctl start rollout`\n"
    )
    assert cli("freeze", "--all", *house.config).code == 4
    assert cli("adopt", "--source", "main", *house.config).code == 4


def test_in_a_pipe_nothing_is_done_unasked(cli: Cli, house: House):
    """The change is shown, and that nobody could be asked: exit code 2."""
    house.remember(SCENES[Reason.BAKING]())
    ended = cli("abort", "jazz", *house.config)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "prod/jazz: 10 % → 0 %, all to jazz-v1, now; jazz-v2 is not tried again until `rollout retry`\n"
        "nobody is here to be asked: say --yes, or run it on a terminal\n"
    )


@pytest.mark.parametrize("reason", ["two\nlines", "\x1b[2J", "x" * 501])
def test_a_reason_is_one_line(cli: Cli, house: House, reason: str):
    """It is shown again in histories, alerts and terminals."""
    house.remember(SCENES[Reason.BAKING]())
    ended = cli("abort", "jazz", "--yes", "--reason", reason, *house.config)
    assert ended.code == 2
    assert ended.err == "--reason is one line of at most 500 characters\n"


def test_abort_all_with_nothing_under_way_is_done_already(cli: Cli, house: House):
    house.remember(SCENES[Reason.NOTHING_NEW]())
    ended = cli("abort", "--all", "--yes", *house.config)
    assert (ended.code, ended.out) == (0, "nothing is under way\n")


@pytest.mark.parametrize("reason", [Reason.FORGOTTEN, Reason.MIXTURE], ids=lambda reason: reason.name)
def test_abort_all_names_those_that_it_cannot_send_home(cli: Cli, house: House, reason: Reason):
    """Traffic may be on a canary, and nobody knows where home is: that is not "nothing", and exit code 1."""
    house.remember(SCENES[reason]())
    ended = cli("abort", "--all", "--yes", *house.config)
    assert (ended.code, ended.out) == (1, "nothing is under way\n")
    assert ended.err == (
        "prod/jazz: it is not known which backend is stable: "
        "`rollout adopt prod/jazz BACKEND` sends everything there\n"
    )


# --- somebody who does not answer ----------------------------------------------------------------


async def test_a_daemon_that_hangs_is_named(tmp_path: Path):
    """It holds the lock and takes the request, and that is all: its pid, its heartbeat, what to do."""
    lock = await DaemonLock.take(tmp_path, SystemClock())
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(socket_of(tmp_path)))
        deaf.listen()
        with pytest.raises(Ends) as ended:
            Daemon(Settings(tmp_path), patience=0.1).order("pause", ["prod/jazz"], "x")
    lock.release()
    assert ended.value.code == 4
    said = str(ended.value)
    assert said.startswith(
        "the daemon does not answer: it took the order and did not answer within 0.1 s. pid "
    )
    assert "holds the lock since" in said
    assert "kill -9 " in said


async def test_who_may_only_speak_to_the_socket_may_give_orders(tmp_path: Path):
    """The daemon's group can neither look at the lock nor read the journal: the socket is asked."""
    (tmp_path / FILE).symlink_to("nowhere")
    daemon = Daemon(Settings(tmp_path))
    assert not daemon.is_down
    with pytest.raises(Ends, match=r"does not answer: its control socket .* cannot look at the lock"):
        daemon.order("pause", ["prod/jazz"], "x")


def test_an_abort_needs_no_journal_to_be_shown(cli: Cli, house: House):
    """What cannot be read is not claimed; the order is given all the same."""
    ended = cli("abort", "prod/jazz", *house.config)
    assert ended.code == 2
    assert "there is no journal at" in ended.err
    assert "prod/jazz: all to stable, now\n" in ended.err
    assert "every canary that is under way: all to stable, now\n" in cli("abort", "--all", *house.config).err


async def test_a_daemon_without_a_socket_is_named(tmp_path: Path):
    lock = await DaemonLock.take(tmp_path, SystemClock())
    with pytest.raises(Ends, match=r"its control socket is not there \(yet\)\. pid \d+ holds the lock"):
        Daemon(Settings(tmp_path)).order("pause", ["prod/jazz"], "x")
    lock.release()


def test_a_daemon_that_has_just_gone_is_not_running(tmp_path: Path):
    with pytest.raises(Ends, match="the daemon is not running"):
        Daemon(Settings(tmp_path)).order("pause", ["prod/jazz"], "x")


async def test_an_answer_that_is_none_is_told(tmp_path: Path):
    """Something else listens at the socket."""
    import threading

    lock = await DaemonLock.take(tmp_path, SystemClock())
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_of(tmp_path)))
        other.listen()

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                asked = b""
                while b"}" not in asked:
                    asked += connection.recv(65_536)
                connection.sendall(b"SSH-2.0-OpenSSH_9\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Ends, match=r"the daemon does not answer: SSH-2\.0"):
            Daemon(Settings(tmp_path)).order("pause", ["prod/jazz"], "x")
        thread.join()
    lock.release()
