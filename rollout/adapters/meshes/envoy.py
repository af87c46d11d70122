"""Plain Envoy as a mesh: RDS files in a folder that the proxies watch, and the proxies' admin interfaces.

A file changes by ``rename`` only, so Envoy and a crash see the old one or the new one, whole. Beside
``jazz.yaml`` lie, hidden, ``.jazz.yaml.next`` (a text on its way in), ``.jazz.yaml.home`` (the text that
gives stable everything, made before any other split is written) and ``.jazz.yaml.lock``. Names are fixed:
what a killed process left behind is overwritten, never piled up. Envoy takes notice of renames alone, so
making these files does not make it read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rollout.adapters.meshes.envoy_file import RouteFile, digest
from rollout.adapters.meshes.envoy_proxies import Proxies
from rollout.adapters.meshes.envoy_text import Malformed
from rollout.adapters.meshes.unclear import Absent, Unclear
from rollout.core.model import MeshSeen, Route, Split
from rollout.ports import Clock, Lost, Moved, Refused, Unavailable
from rollout.settings import EnvoyMesh

FILE_CAP = 16 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")
LOCK_WAIT = 1.0
"""Seconds to wait for another writer."""
REMEMBERED = 10_000
"""Routes whose files are remembered: the first is forgotten first, and read anew when asked for."""

_K = TypeVar("_K")
_T = TypeVar("_T")


class _Busy(Exception):  # noqa: N818 - it says what the lock is
    pass


@dataclass(frozen=True, slots=True)
class _Staged:
    """A text that waits beside the route's file: all on stable, made by ``epoch`` for one version of it.
    ``identity`` shows that nobody has touched it since.
    """

    version: str
    home: Split
    epoch: int
    identity: tuple[int, ...]


class EnvoyFiles:
    """The port ``Mesh`` on RDS files.

    ``read`` raises ``Refused`` too, where the routes in a file cannot be told apart or read as splits: its
    sentence says what to write instead.
    """

    def __init__(self, settings: EnvoyMesh, clock: Clock) -> None:
        self._folder = settings.directory
        self._clock = clock
        self._proxies = Proxies(settings.admin, clock)
        # Threads of our own: what others do in the loop's pool must not delay a way home.
        self._threads = ThreadPoolExecutor(4, f"mesh-{settings.name}")
        self._known: OrderedDict[Route, RouteFile] = OrderedDict()
        self._staged: OrderedDict[Path, _Staged] = OrderedDict()

    async def read(self, route: Route, deadline: float) -> MeshSeen:
        until = self._clock.monotonic() + deadline
        try:
            async with asyncio.timeout(deadline):
                file = await self._in_thread(lambda: self._load(route))
        except TimeoutError:
            raise Unavailable(f"{self._folder} could not be read within {deadline:g} s") from None
        left = max(0.0, until - self._clock.monotonic())
        proxies, ready = await self._proxies.read(route, file.version_info, file.splits, left)
        return MeshSeen(
            splits=file.splits,
            version=file.digest,
            ready=ready,
            proxies=proxies,
            epoch=file.fence.epoch if file.fence else None,
            writes=file.fence.count if file.fence else 0,
        )

    async def write(self, route: Route, split: Split, *, version: str, home: Split, epoch: int) -> None:
        until = self._clock.monotonic() + LOCK_WAIT
        while True:
            try:
                await self._in_thread(lambda: self._put(route, split, version, home, epoch))
            except _Busy:
                if self._clock.monotonic() > until:
                    raise Unavailable(
                        f"{route.name}: somebody else has locked its file in {self._folder}"
                    ) from None
                await self._clock.sleep(0.01)
            else:
                return

    async def close(self) -> None:
        """Close the connections to the proxies; files being written are finished."""
        await self._proxies.close()
        self._threads.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    # --- in a thread -----------------------------------------------------------------------------

    def _path(self, route: Route) -> Path:
        if "/" in route.name or "\0" in route.name or route.name.startswith("."):
            raise Unavailable(f"{route.name!r} cannot be the name of a file in {self._folder}")
        paths = [self._folder / f"{route.name}{suffix}" for suffix in SUFFIXES]
        found = [path for path in paths if path.exists()]
        if len(found) > 1:
            raise Unavailable(f"{self._folder} has {' and '.join(path.name for path in found)}: keep one")
        if not found and not self._folder.is_dir():
            raise Unavailable(f"{self._folder} is not there: is it mounted, is `directory` right?")
        if not found:
            raise Lost(f"{paths[0]} is gone")
        return found[0]

    def _load(self, route: Route) -> RouteFile:
        path = self._path(route)
        return self._parsed(route, path, _bytes(path))

    def _parsed(self, route: Route, path: Path, raw: bytes) -> RouteFile:
        known = self._known.get(route)
        if known is not None and known.digest == digest(raw):
            return known
        try:
            file = RouteFile(raw, route)
        except Absent as why:
            raise Lost(f"{path}: {why}") from why
        except Malformed as why:
            raise Unavailable(f"{path}: {why}") from why
        except Unclear as why:
            raise Refused(f"{path}: {why}") from why
        _keep(self._known, route, file)
        return file

    def _put(self, route: Route, split: Split, version: str, home: Split, epoch: int) -> None:
        path = self._path(route)
        if path.is_symlink():
            raise Refused(
                f"{path} is a symbolic link, as in a mounted ConfigMap: weights are written by renaming a "
                "file in its place; give the daemon a folder of files that it shares with Envoy"
            )
        try:
            with _locked(path):
                self._put_locked(path, route, split, version, home, epoch)
        except OSError as error:
            raise Unavailable(
                f"{path} could not be written: {error.strerror or error}; the daemon needs to create files "
                f"in {path.parent} and to keep their owner"
            ) from error

    def _put_locked(
        self, path: Path, route: Route, split: Split, version: str, home: Split, epoch: int
    ) -> None:
        raw = _bytes(path)
        if digest(raw) != version:
            raise Moved(f"{path} was changed by somebody else")
        staged = self._staged.pop(path, None)
        if split == home and staged and (staged.version, staged.home, staged.epoch) == (version, home, epoch):
            with contextlib.suppress(FileNotFoundError):
                if _identity(_beside(path, "home")) == staged.identity:
                    _beside(path, "home").rename(path)
                    _settle(path.parent)
                    return
        new = _with_split(path, self._parsed(route, path, raw), split, epoch)
        if split == home:
            _write(_beside(path, "home"), new, like=path, must_last=False)
            _beside(path, "home").rename(path)
            _settle(path.parent)
            return
        way_back = _with_split(path, RouteFile(new, route), home, epoch)
        _write(_beside(path, "home"), way_back, like=path, must_last=True)
        _write(_beside(path, "next"), new, like=path, must_last=True)
        _sync(path.parent)
        if digest(_bytes(path)) != version:
            raise Moved(f"{path} was changed by somebody else")
        _beside(path, "next").rename(path)
        _keep(self._staged, path, _Staged(digest(new), home, epoch, _identity(_beside(path, "home"))))
        _sync(path.parent)


def _keep(kept: OrderedDict[_K, _T], key: _K, value: _T) -> None:
    kept[key] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")


def _with_split(path: Path, file: RouteFile, split: Split, epoch: int) -> bytes:
    try:
        return file.with_split(split, epoch)
    except Unclear as why:
        raise Refused(f"{path}: {why}") from why


def _bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unavailable(f"{path} is not a file")
        with path.open("rb") as file:
            raw = file.read(FILE_CAP + 1)
    except FileNotFoundError:
        raise Lost(f"{path} is gone") from None
    except OSError as error:
        raise Unavailable(f"{path} could not be read: {error.strerror}") from error
    if len(raw) > FILE_CAP:
        raise Unavailable(f"{path} has more than {FILE_CAP} bytes")
    return raw


def _identity(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other writers out that ask too (flock; it ends with the process)."""
    lock = os.open(_beside(path, "lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _Busy from None
        yield
    finally:
        os.close(lock)


def _write(path: Path, raw: bytes, *, like: Path, must_last: bool) -> None:
    """Make a whole file with another's mode and owner.

    An old one is written over, not emptied first: its blocks are there even when the disk is full.
    ``must_last``: it is on disk when this returns.
    """
    model = like.stat()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.truncate()
        file.flush()
        status = os.fstat(descriptor)
        if (status.st_uid, status.st_gid) != (model.st_uid, model.st_gid):
            os.fchown(descriptor, model.st_uid, model.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(model.st_mode))
        # On the way home a disk that will not confirm does not matter: Envoy reads what the kernel has.
        with contextlib.nullcontext() if must_last else contextlib.suppress(OSError):
            os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle(folder: Path) -> None:
    """Make a rename last; it is in force whether or not this succeeds."""
    with contextlib.suppress(OSError):
        _sync(folder)
