"""A real git repository in a test's hands: any tree, mode, name and history, made without a checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AUTHOR = "Ada Lovelace <ada@example.com>"


@dataclass(frozen=True, slots=True)
class Special:
    """A tree entry that is no plain file: any mode; ``content`` is text, or an object id for a submodule."""

    mode: str
    content: bytes


def symlink(target: str) -> Special:
    return Special("120000", target.encode())


def submodule(commit: str = "1" * 40) -> Special:
    return Special("160000", commit.encode())


@dataclass(slots=True)
class Repository:
    """A bare repository. Its git knows no configuration but the repository's own."""

    path: Path
    branch: str = "main"
    made: int = 0

    @classmethod
    def create(cls, path: Path, branch: str = "main") -> Repository:
        path.mkdir(parents=True)
        repository = cls(path, branch)
        repository.git("init", "--quiet", "--bare", f"--initial-branch={branch}")
        return repository

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *arguments: str, text: bytes = b"") -> str:
        """Run git in the repository; its output. An error raises."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(self.path),
        }
        done = subprocess.run(
            ["git", *arguments], input=text, capture_output=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace").strip()

    def head(self) -> str:
        return self.git("rev-parse", f"refs/heads/{self.branch}")

    def commit(
        self,
        files: Mapping[Any, str | bytes | Special | None],
        subject: str = "",
        author: str = AUTHOR,
        parents: list[str] | None = None,
    ) -> str:
        """Change these files (``None`` deletes) on top of the branch or of other parents; the new commit."""
        self.made += 1
        if parents is None:
            parents = [self.head()] if self.git("for-each-ref", f"refs/heads/{self.branch}") else []
        said = subject or f"change {self.made}"
        when = 1_700_000_000 + self.made
        lines = [
            b"commit refs/made\n",
            f"author {author} {when} +0000\ncommitter {author} {when} +0000\n".encode(),
            _datum(said.encode()),
        ]
        lines += [f"{word} {parent}\n".encode() for word, parent in zip(_words(), parents, strict=False)]
        lines += [_change(name, content) for name, content in files.items()]
        self.git("update-ref", "-d", "refs/made")
        self.git("fast-import", "--quiet", "--force", "--date-format=raw", text=b"".join(lines) + b"\ndone\n")
        made = self.git("rev-parse", "refs/made")
        self.git("update-ref", "-d", "refs/made")
        self.move(made)
        return made

    def move(self, commit: str) -> None:
        """Make the branch point at any commit, as a force-push does."""
        self.git("update-ref", f"refs/heads/{self.branch}", commit)

    def commit_tree(self, listing: bytes) -> str:
        """Commit a raw tree (entries: mode, name, NUL, binary id), checked by nobody, on the branch."""
        tree = self.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", text=listing)
        body = f"tree {tree}\nauthor {AUTHOR} 1700000000 +0000\ncommitter {AUTHOR} 1700000000 +0000\n\nraw\n"
        commit = self.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", text=body.encode())
        self.move(commit)
        return commit

    def drop_branch(self) -> None:
        self.git("update-ref", "-d", f"refs/heads/{self.branch}")


def _words():
    yield "from"
    while True:
        yield "merge"


def _datum(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _change(name: str | bytes, content: str | bytes | Special | None) -> bytes:
    raw = name if isinstance(name, bytes) else name.encode()
    quoted = b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'
    match content:
        case None:
            return b"D " + quoted + b"\n"
        case Special(mode="160000", content=commit):
            return b"M 160000 " + commit + b" " + quoted + b"\n"
        case Special(mode=mode, content=text):
            return b"M " + mode.encode() + b" inline " + quoted + b"\n" + _datum(text)
        case bytes(text):
            return b"M 100644 inline " + quoted + b"\n" + _datum(text)
        case str(text):
            return b"M 100644 inline " + quoted + b"\n" + _datum(text.encode())
