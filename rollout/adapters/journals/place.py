"""The state directory: ours alone, on a local disk, and nothing in it that somebody could have slipped in.

What is refused here would otherwise cost the journal its promise: SQLite's locks do not hold on network file
systems, and whoever may write beside the journal may replace it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rollout.ports import Refused, Unavailable

MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "gfs2", "ocfs2", "gpfs",
    "beegfs", "glusterfs", "davfs", "sshfs", "ftpfs",
})  # fmt: skip
_NETWORK_FUSE = frozenset({
    "sshfs", "glusterfs", "ceph", "s3fs", "davfs2", "smbnetfs", "gcsfuse", "rclone", "juicefs", "curlftpfs",
    "goofys",
})  # fmt: skip


def prepare(directory: Path, mounts: Path = MOUNTS) -> None:
    """Make the state directory, mode 0700, or see that the one there can be trusted.

    Raises:
        Refused: it is a symbolic link, not a directory, writable by others, or on a network file system.
        Unavailable: it cannot be made or looked at.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except FileExistsError:
        raise Refused(f"the state directory {directory} is a file: name a directory in `state`") from None
    except OSError as error:
        raise Unavailable(_cannot("make or enter", directory, error)) from error
    if stat.S_ISLNK(found.st_mode):
        target = directory.resolve()
        raise Refused(
            f"the state directory {directory} is a symbolic link: write {target} in `state` instead"
        )
    check_owner(directory, found)
    kind = network_filesystem(directory.resolve(), _read(mounts))
    if kind:
        raise Refused(
            f"the state directory {directory} is on a network file system ({kind}), where locks and fsync do "
            "not hold what they promise: put it on a local disk"
        )


def check_file(path: Path) -> bool:
    """Whether the file is there; if it is, that it can be trusted, and that only its owner can read it.

    Raises:
        Refused: it is a symbolic link, not a regular file, or writable by others.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unavailable(_cannot("look at", path, error)) from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
        raise Refused(f"{path} is {kind}: move it away, the daemon makes its own")
    check_owner(path, found)
    if stat.S_IMODE(found.st_mode) & 0o077:
        try:
            path.chmod(0o600)
        except OSError as error:
            raise Unavailable(_cannot("chmod 0600", path, error)) from error
    return True


def create(path: Path) -> None:
    """An empty file that only its owner can read, unless it is there.

    Raises:
        Unavailable: it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Unavailable(_cannot("write", path, error)) from error


def check_owner(path: Path, found: os.stat_result) -> None:
    """Refuse what others may write or own: they could put another journal in its place.

    Raises:
        Refused: its owner is neither we nor root, or its mode lets others write.
    """
    if found.st_uid not in {os.geteuid(), 0}:
        raise Refused(f"{path} belongs to user {found.st_uid}, the daemon runs as {os.geteuid()}: chown it")
    if stat.S_IMODE(found.st_mode) & 0o022:
        mode = stat.S_IMODE(found.st_mode)
        raise Refused(f"{path} is writable by others (mode {mode:04o}): chmod go-w {path}")


def network_filesystem(path: Path, mounts: str) -> str:
    """The type of the network file system that holds ``path``, or ``""``; ``mounts`` is as /proc/mounts."""
    best, kind = Path("/"), ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 - device, mount point, type
            continue
        point = Path(fields[1].encode().decode("unicode_escape"))
        # A later line over the same point hides the earlier one.
        if path.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]
    name = kind.lower()
    family, _, driver = name.partition(".")
    return kind if name in _NETWORK or (family == "fuse" and driver in _NETWORK_FUSE) else ""


def _read(mounts: Path) -> str:
    try:
        return mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""  # not Linux: nothing can be told, the documentation warns


def _cannot(do: str, path: Path, error: OSError) -> str:
    return f"cannot {do} {path}: {error.strerror or error}"
