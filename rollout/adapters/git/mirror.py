"""The mirror of one source: a bare repository with one branch of the remote in it, and nothing checked out.

It is a cache. It is brought up to date by one fetch; what a killed git left behind is swept away; when it
does not answer as it must, another is cloned beside it and moved into its place, so that a half-made one is
never used. The commit accepted last is kept by a reference of its own.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rollout.adapters.git.commands import Commands, Enough, Failed, Overrun, Patience, TooMuch
from rollout.adapters.git.listing import Damaged, Head, Listing
from rollout.adapters.git.remote import Remote, readable
from rollout.ports import Lost, Tree, Unavailable

_HEAD = "refs/rollout/head"
_ACCEPTED = "refs/rollout/accepted"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_OLDEST = (2, 34)
_NO = 1
_LATEST = 9 * 10**9
"""A commit of the year 2255 or later is a broken clock's or a joke."""
_SHALLOW = b"because shallow roots are not allowed to be updated"
_NO_SUCH_REF = 2
_LEFT_BY_THE_KILLED = (
    "new.*", "old.*", "mirror.git/*.lock", "mirror.git/refs/**/*.lock", "mirror.git/objects/info/**/*.lock",
    "mirror.git/gc.pid", "mirror.git/objects/pack/tmp_*", "mirror.git/objects/pack/.tmp-*",
    "mirror.git/objects/*/tmp_obj_*",
)  # fmt: skip
_GITCONFIG = """\
# Written by rollout: the repositories named in its settings may belong to somebody else.
[safe]
\tdirectory = *
"""


class Mirror:
    """The mirror in ``home``, a folder that belongs to one process at a time."""

    def __init__(self, remote: Remote, home: Path) -> None:
        self._remote = remote
        self._home = home
        self._listing = Listing(remote.settings.name, remote.folder)
        self._prepared = False
        self._grown = False

    def read(self, accepted: str | None, patience: Patience) -> Tree:
        """Fetch, and read the head's tree; ``accepted`` is the commit taken last.

        Raises:
            Unavailable: as the port says.
            Overrun, Abandoned: the patience came to its end.
        """
        secret = self._remote.secret()
        visit = _Visit(
            self._remote, self._home, self._listing, self._remote.environment(self._home, secret), patience
        )
        if not self._prepared:
            visit.prepare()
        self._prepared = False  # a kill from here on leaves something to sweep
        try:
            tree = visit.read(accepted)
            self._prepared = self._tidy(visit, tree)
        except (Failed, Damaged, TooMuch) as problem:
            raise Unavailable(self._remote.explain(str(problem), secret)) from None
        return tree

    def _tidy(self, visit: _Visit, tree: Tree) -> bool:
        """Let git pack what has piled up, when nobody is in a hurry; whether that left all in order."""
        due = tree.relation == "same" and self._grown
        self._grown = tree.relation != "same"
        return visit.packed() if due else True


@dataclass(frozen=True, slots=True)
class _Visit:
    """One read of a mirror."""

    remote: Remote
    home: Path
    listing: Listing
    environment: Mapping[str, str]
    patience: Patience

    @property
    def _place(self) -> Path:
        return self.home / "mirror.git"

    def _git(self, repository: Path) -> Commands:
        return Commands(self.home, {**self.environment, "GIT_DIR": str(repository)}, self.patience)

    def prepare(self) -> None:
        """Make the folder, and sweep away what a killed process left in it."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.home / "gitconfig").write_text(_GITCONFIG)
        for pattern in _LEFT_BY_THE_KILLED:
            for left in self.home.glob(pattern):
                _remove(left)
        self._check_version()

    def _check_version(self) -> None:
        said = self._git(self._place).version().decode()
        found = re.search(r"(\d+)\.(\d+)", said)
        if not found or (int(found[1]), int(found[2])) < _OLDEST:
            raise Unavailable(
                f"source {self.remote.settings.name}: {said.strip()} is too old to be told what not to do: "
                f"install git {_OLDEST[0]}.{_OLDEST[1]} or newer"
            )

    def read(self, accepted: str | None) -> Tree:
        """Bring the mirror up to date and read it; when it is damaged, make another."""
        fresh = not self._place.exists() or not self._fetched()
        if fresh:
            self._clone()
        try:
            return self._tree(accepted)
        except (Failed, Damaged):
            if fresh:
                raise
            self._clone()
            return self._tree(accepted)

    def _fetched(self) -> bool:
        """Whether the mirror is up to date now; if not, it is not the remote's fault."""
        try:
            self._fetch(self._place)
        except Failed:
            self._ask()
            return False
        return True

    def _fetch(self, repository: Path) -> None:
        said = self._git(repository).fetch(
            "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance",
            "--no-write-fetch-head", "--no-show-forced-updates",
            "--", self.remote.url, f"+{self._branch}:{_HEAD}", with_extended_output=True,
        )  # fmt: skip
        if _SHALLOW in said:  # git ends with 0 and leaves our reference where it was
            raise Failed(0, said.decode(errors="replace"))

    @property
    def _branch(self) -> str:
        return f"refs/heads/{self.remote.settings.branch}"

    def _ask(self) -> None:
        """Ask the remote for its branch.

        Raises:
            Failed: it does not answer.
            Lost: it does, and has no such branch.
        """
        git = self._git(self.home / "nowhere")
        try:
            git.ls_remote("--quiet", "--exit-code", "--", self.remote.url, self._branch)
        except Failed as problem:
            if problem.status != _NO_SUCH_REF:
                raise
        else:
            return
        others = _AnyWord()
        git.ls_remote("--quiet", "--", self.remote.url, "refs/heads/*", output_stream=others)
        what = f"has no branch {self.remote.settings.branch}"
        if not others.heard:
            what = "has no branch at all: was it emptied, or is this no git server?"
        raise Lost(f"{self.remote.shown} {what}; nothing is taken as deleted. Restore it, or name another")

    def _clone(self) -> None:
        """Make another mirror beside the old one, and put it in its place."""
        new, old = (Path(tempfile.mkdtemp(prefix=f"{age}.", dir=self.home)) for age in ("new", "old"))
        self._git(new).init("--quiet", "--bare", "--template=")
        try:
            self._fetch(new)
        except Failed:
            self._ask()
            raise
        if self._place.exists():
            self._place.rename(old / self._place.name)
        new.rename(self._place)
        _remove(old)

    def _tree(self, accepted: str | None) -> Tree:
        git = self._git(self._place)
        head = self._head(git)
        relation = self._relation(git, head.commit, accepted)
        if relation in {"same", "older"}:
            return Tree(head.commit, head.author, head.subject, head.at, relation)
        files = self.listing.read(git, head, accepted if relation == "newer" else None)
        if files is None:
            where = f"nothing below {self.remote.folder}/" if self.remote.folder else "no file at all"
            raise Lost(
                f"{self.remote.shown} has {where} at commit {head.commit[:10]}; nothing is taken as deleted. "
                "Restore it, or name another path"
            )
        return Tree(head.commit, head.author, head.subject, head.at, relation, files)

    def _head(self, git: Commands) -> Head:
        said = git.log("-1", "--format=%H%x00%ct%x00%an <%ae>%x00%s", _HEAD, "--").decode(errors="replace")
        match said.rstrip("\n").split("\0"):
            case [commit, seconds, author, subject] if seconds.isdigit():
                at = datetime.fromtimestamp(min(int(seconds), _LATEST), UTC)
                return Head(commit, readable(author), readable(subject), at)
            case _:
                raise Damaged(f"git log said {said!r}")

    def _relation(self, git: Commands, head: str, accepted: str | None) -> str:
        if accepted is None:
            return "first"
        if accepted == head:
            return "same"
        if not _COMMIT.fullmatch(accepted) or not self._keep(git, accepted):
            return "rewritten"
        if _is_ancestor(git, accepted, head):
            return "newer"
        return "older" if _is_ancestor(git, head, accepted) else "rewritten"

    def _keep(self, git: Commands, accepted: str) -> bool:
        """Keep the accepted commit from being thrown away; whether it is known here at all."""
        try:
            git.cat_file("-e", accepted)
        except Failed as problem:
            if problem.status == _NO:
                return False
            raise
        git.update_ref(_ACCEPTED, accepted)
        return True

    def packed(self) -> bool:
        """Let git pack what has piled up, if it is much; whether it came to its end. We can do without."""
        try:
            self._git(self._place).gc("--auto", "--quiet")
        except (Failed, Overrun):
            return False
        return True


def _remove(path: Path) -> None:
    """Remove a file or a folder, as far as it can be: a git that outlived us may still write there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class _AnyWord:
    """A listener that only wants to know whether anything is said."""

    heard = False

    def write(self, _: bytes) -> None:
        self.heard = True
        raise Enough


def _is_ancestor(git: Commands, older: str, newer: str) -> bool:
    try:
        git.merge_base("--is-ancestor", older, newer)
    except Failed as problem:
        if problem.status == _NO:
            return False
        raise
    return True
