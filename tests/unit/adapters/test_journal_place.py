"""Where the journal may lie, and who may read it."""

import os
import socket
import stat
from pathlib import Path

import pytest

from rollout.adapters.journals import place
from rollout.adapters.journals.reader import FILE
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.ports import Refused, Unavailable
from tests.contract.journal import record
from tests.fakes.clock import FakeClock

MOUNTS = """\
/dev/vda / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
server:/export /srv/nfs nfs4 rw 0 0
/dev/vdb /srv/nfs/local ext4 rw 0 0
ann@host: /home/ann/far fuse.sshfs rw 0 0
//host/share /mnt/my\\040share cifs rw 0 0
portal /run/user/1/doc fuse.portal rw 0 0
overlay /srv/over nfs rw 0 0
overlay /srv/over overlay rw 0 0
broken-line
"""


@pytest.fixture
async def opening():
    """Opens journals, and closes them when the test is over."""
    opened = []

    def at(directory: Path, *more: Path):
        journal, found = SqliteJournal.open(directory, FakeClock(), *more)
        opened.append(journal)
        return journal, found

    yield at
    for journal in opened:
        await journal.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/rollout", ""),
        ("/srv/nfs", "nfs4"),
        ("/srv/nfs/a/b", "nfs4"),
        ("/srv/nfs-not", ""),
        ("/srv/nfs/local/state", ""),
        ("/home/ann/far/state", "fuse.sshfs"),
        ("/mnt/my share/state", "cifs"),
        ("/run/user/1/doc/x", ""),
        ("/srv/over/x", ""),
    ],
)
def test_q3_network_file_systems_are_recognised(path: str, kind: str):
    """Q3: the mount that holds the path decides, the deepest one, and of two over one point the later."""
    assert place.network_filesystem(Path(path), MOUNTS) == kind


def test_q3_a_network_file_system_is_refused(opening, tmp_path: Path):
    """Q3: where locks and fsync do not hold, no journal is made, and the answer says what to do."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    with pytest.raises(Refused, match=r"is on a network file system \(nfs4\).* put it on a local disk"):
        opening(tmp_path / "state", mounts)
    assert not (tmp_path / "state" / FILE).exists()


def test_without_a_table_of_mounts_nothing_is_refused(opening, tmp_path: Path):
    """Where the system does not tell its mounts, the journal is made."""
    opening(tmp_path / "state", tmp_path / "none")


async def test_row_15_only_its_owner_may_read_it(opening, tmp_path: Path):
    """FAILURES 3, row 15: the directory is made 0700 and every file in it 0600, whatever the umask."""
    before = os.umask(0)
    try:
        journal, _ = opening(tmp_path / "a" / "state")
        await journal.record(record())
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "a" / "state").iterdir()}
    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "a" / "state").stat().st_mode) == 0o700
    await journal.close()


async def test_row_15_a_file_that_others_could_read_is_closed(opening, tmp_path: Path):
    """FAILURES 3, row 15: a copy brought back with a wide mode is readable by its owner alone afterwards."""
    journal, _ = opening(tmp_path)
    await journal.close()
    (tmp_path / FILE).chmod(0o644)
    opening(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def linked_directory(folder: Path) -> str:
    (folder / "real").mkdir(mode=0o700)
    (folder / "state").symlink_to(folder / "real")
    return rf"is a symbolic link: write {folder}/real in `state` instead"


def writable_directory(folder: Path) -> str:
    (folder / "state").mkdir()
    (folder / "state").chmod(0o777)
    return r"is writable by others \(mode 0777\): chmod go-w"


def file_for_directory(folder: Path) -> str:
    (folder / "state").touch()
    return r"is a file: name a directory in `state`"


def linked_file(folder: Path) -> str:
    (folder / "state").mkdir(mode=0o700)
    (folder / "elsewhere").touch()
    (folder / "state" / FILE).symlink_to(folder / "elsewhere")
    return r"is a symbolic link: move it away, the daemon makes its own"


def dangling_file(folder: Path) -> str:
    (folder / "state").mkdir(mode=0o700)
    (folder / "state" / f"{FILE}-wal").symlink_to(folder / "nowhere")
    return r"-wal is a symbolic link: move it away"


def writable_file(folder: Path) -> str:
    (folder / "state").mkdir(mode=0o700)
    (folder / "state" / FILE).touch()
    (folder / "state" / FILE).chmod(0o666)
    return r"is writable by others \(mode 0666\): chmod go-w"


def no_file(folder: Path) -> str:
    (folder / "state" / FILE).mkdir(parents=True, mode=0o700)
    (folder / "state").chmod(0o700)
    return r"is not a regular file: move it away"


@pytest.mark.parametrize(
    "make",
    [
        linked_directory,
        writable_directory,
        file_for_directory,
        linked_file,
        dangling_file,
        writable_file,
        no_file,
    ],
)
def test_row_15_what_others_could_have_put_there_is_refused(opening, tmp_path: Path, make):
    """FAILURES 3, row 15: links, strange files and what others may write are refused, with what to do."""
    said = make(tmp_path)
    with pytest.raises(Refused, match=said):
        opening(tmp_path / "state")


def test_row_15_what_belongs_to_others_is_refused():
    """FAILURES 3, row 15: a directory of another user, who could change it at will, is refused."""
    found = os.stat_result((stat.S_IFDIR | 0o700, 1, 1, 1, os.geteuid() + 1, 0, 0, 0, 0, 0))
    with pytest.raises(
        Refused, match=rf"belongs to user {os.geteuid() + 1}, the daemon runs as {os.geteuid()}"
    ):
        place.check_owner(Path("/state"), found)


@pytest.mark.parametrize("directory", ["/proc/none/state", "/dev/null/state"])
def test_a_directory_that_cannot_be_made(opening, directory: str):
    """A place where nothing can be made is a sentence, not a traceback."""
    with pytest.raises((Unavailable, Refused), match=directory):
        opening(Path(directory))


def test_a_socket_beside_it_is_no_harm(opening, tmp_path: Path):
    """The control socket lies in the same directory."""
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(tmp_path / "control.sock"))
        opening(tmp_path)
