"""The files of one commit's tree: which are read, which are refused and why, and who changed each last.

Everything is read from the object database. Nothing is written to a working tree, so a symlink, submodule,
filter or hook of the repository has nothing to act on.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rollout.adapters.git.commands import Collected, Commands, Enough, Overrun, TooMuch
from rollout.adapters.git.remote import readable
from rollout.core.model import Origin
from rollout.ports import File, Unavailable

MOST_FILES = 5_000
MOST_TREE = 50 << 20
MOST_FILE = 64 << 10
_MOST_LISTED = 128 << 20
_MOST_HISTORY = 20_000
_HISTORY_SECONDS = 2.0
_LONGEST_NAME = 4_096
_LFS = b"version https://git-lfs.github.com/spec/"
_REGULAR = {b"100644", b"100755"}
_LINK = b"120000"


class Damaged(Exception):  # noqa: N818 - it says what the mirror is
    """The object database does not answer as it must."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the tree: ``size`` is -1 where git knows none."""

    mode: bytes
    oid: str
    size: int
    name: bytes

    @property
    def path(self) -> str:
        """The name as people may see it."""
        return readable(self.name.decode(errors="backslashreplace"), _LONGEST_NAME)

    @property
    def refused(self) -> str:
        """Why it is not read, as far as can be said without reading it."""
        if self.mode not in _REGULAR:
            kind = "a symbolic link" if self.mode == _LINK else "a submodule, or of an odd mode"
            return f"is {kind}: only regular files are read; put the policy itself here"
        if not _plain(self.name):
            return f"its name is not printable UTF-8 of at most {_LONGEST_NAME} bytes: rename it"
        if self.size > MOST_FILE:
            return f"{self.size} bytes; a policy file has at most {MOST_FILE}: split it"
        return ""


@dataclass(frozen=True, slots=True)
class Head:
    """The commit whose tree is read."""

    commit: str
    author: str
    subject: str
    at: datetime


@dataclass(slots=True)
class Listing:
    """Reads trees of one source. ``known``: who changed what last, as of the commit ``known_at``."""

    source: str
    folder: str
    known_at: str = ""
    known: Mapping[bytes, Origin] = field(default_factory=dict)

    def read(self, git: Commands, head: Head, ancestor: str | None) -> tuple[File, ...] | None:
        """The policy files below the folder; ``None`` when there is nothing at all below it.

        ``ancestor`` is a commit that the head is known to descend from: what was known then still holds.

        Raises:
            Unavailable: too many files or too much text: the whole commit is refused.
            Damaged: an object is missing or is not what it should be.
        """
        listed = self._entries(git, head)
        if not listed:
            return None
        entries = [entry for entry in listed if entry.name.endswith((b".yaml", b".yml"))]
        wanted = [entry for entry in entries if not entry.refused]
        self._check(head, entries, wanted)
        texts = _texts(git, wanted)
        self._learn(git, head, entries, ancestor)
        files = [self._file(entry, texts) for entry in entries]
        return tuple(sorted(files, key=lambda file: file.path))

    def _entries(self, git: Commands, head: Head) -> list[Entry]:
        collected = Collected(_MOST_LISTED)
        below = ["--", f"{self.folder}/"] if self.folder else []
        try:
            git.ls_tree("-r", "-l", "-z", "--full-tree", head.commit, *below, output_stream=collected)
        except TooMuch:
            raise Unavailable(
                f"source {self.source}: the names in commit {head.commit[:10]} fill over "
                f"{_MOST_LISTED >> 20} MiB: name a path with the policies alone"
            ) from None
        return [_entry(line) for line in bytes(collected.heard).split(b"\0") if line]

    def _check(self, head: Head, entries: Sequence[Entry], wanted: Sequence[Entry]) -> None:
        for found, most, unit in (
            (len(entries), MOST_FILES, "policy files"),
            (sum(entry.size for entry in wanted), MOST_TREE, "bytes of policy files"),
        ):
            if found > most:
                raise Unavailable(
                    f"source {self.source}: commit {head.commit[:10]} has {found} {unit}, at most {most} are "
                    "read: name a path with the policies alone, or split it into several sources"
                )

    def _file(self, entry: Entry, texts: Mapping[str, bytes]) -> File:
        origin = self.known[entry.name]
        if entry.refused:
            return File(entry.path, origin=origin, refused=entry.refused)
        text = texts[entry.oid]
        if text.startswith(_LFS):
            why = "is a Git LFS pointer: put the text itself into git"
            return File(entry.path, origin=origin, refused=why)
        return File(entry.path, text, origin)

    def _learn(self, git: Commands, head: Head, entries: Sequence[Entry], ancestor: str | None) -> None:
        """Find the commit that last changed each file; it is the head where history is too long to tell."""
        before = self.known if self.known_at in {head.commit, ancestor} else {}
        changes = _Changes({entry.name for entry in entries})
        span = f"{self.known_at}..{head.commit}" if before else head.commit
        below = [os.fsdecode(self.folder.encode())] if self.folder else []
        with contextlib.suppress(Overrun):
            git.log(
                "-z", "--no-renames", "--name-only", "--format=//%H%x00%an <%ae>%x00%s",
                f"--max-count={_MOST_HISTORY}", span, "--", *below,
                output_stream=changes, kill_after_timeout=_HISTORY_SECONDS,
            )  # fmt: skip
        self.known_at = head.commit
        self.known = {entry.name: self._origin(entry, head, changes, before) for entry in entries}

    def _origin(self, entry: Entry, head: Head, changes: _Changes, before: Mapping[bytes, Origin]) -> Origin:
        if entry.name in before and entry.name not in changes.found:
            return before[entry.name]
        fallback = (head.commit, head.author, head.subject)
        return Origin(self.source, entry.path, *changes.found.get(entry.name, fallback))


class _Changes:
    """Listens to ``git log`` until it has heard of every wanted file once: newest change first."""

    def __init__(self, wanted: set[bytes]) -> None:
        self._wanted = wanted
        self._rest = b""
        self._header: list[bytes] = []
        self.found: dict[bytes, tuple[str, str, str]] = {}

    def write(self, piece: bytes) -> None:
        *tokens, self._rest = (self._rest + piece).split(b"\0")
        for token in tokens:
            self._hear(token)

    def _hear(self, token: bytes) -> None:
        if len(self._header) in {1, 2}:
            self._header.append(token)
        elif token.startswith(b"//"):  # no path does
            self._header = [token[2:]]
        else:
            self._change(token.removeprefix(b"\n"))

    def _change(self, name: bytes) -> None:
        if name not in self._wanted:
            return
        self._wanted.discard(name)
        commit, author, subject = (part.decode(errors="replace") for part in self._header)
        self.found[name] = (commit, readable(author), readable(subject))
        if not self._wanted:
            raise Enough


def _plain(name: bytes) -> bool:
    try:
        return len(name) <= _LONGEST_NAME and name.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _entry(line: bytes) -> Entry:
    meta, _, name = line.partition(b"\t")
    try:
        mode, _kind, oid, size = meta.split()
        return Entry(mode, oid.decode(), -1 if size == b"-" else int(size), name)
    except ValueError:
        raise Damaged(f"git ls-tree said {line!r}") from None


def _texts(git: Commands, entries: Sequence[Entry]) -> Mapping[str, bytes]:
    """What is in the blobs, by object id, in one go."""
    oids = sorted({entry.oid for entry in entries})
    collected = Collected(MOST_TREE + 100 * len(oids) + 1)
    if not oids:
        return {}
    with tempfile.TemporaryFile(dir=git.working_dir) as asked:
        asked.write("".join(f"{oid}\n" for oid in oids).encode())
        asked.seek(0)
        git.cat_file("--batch", istream=asked, output_stream=collected)
    heard = bytes(collected.heard)
    texts, start = {}, 0
    for oid in oids:
        header, _, _ = heard[start : start + 200].partition(b"\n")
        match header.split():
            case [named, b"blob", size] if named.decode() == oid and size.isdigit():
                begin = start + len(header) + 1
                start = begin + int(size) + 1
                texts[oid] = heard[begin : start - 1]
            case _:
                raise Damaged(f"git cat-file said {header!r} of {oid}")
    if start != len(heard):
        raise Damaged("git cat-file said too little or too much")
    return texts
