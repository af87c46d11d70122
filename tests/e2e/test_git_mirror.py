"""The mirror is a cache: whatever happens to it, the next read is right (FAILURES G5)."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.git import GitSource
from rollout.ports import Lost, Unavailable
from rollout.settings import SourceSettings
from tests.e2e.git_server import git_server
from tests.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "remote.git")
    made.commit({f"prod/{n}.yaml": f"n: {n}\n" for n in range(200)})
    return made


def source(repository: Repository) -> GitSource:
    settings = SourceSettings("policies", repository.url, path="prod", timeout=15.0)
    return GitSource(settings, repository.path.parent / "cache", SystemClock())


def home(repository: Repository) -> Path:
    return repository.path.parent / "cache" / "policies"


def mirror(repository: Repository) -> Path:
    return home(repository) / "mirror.git"


def each_object(mirror: Path, content: bytes | None) -> None:
    for path in (mirror / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            half = path.read_bytes()[: path.stat().st_size // 2]
            path.write_bytes(half if content is None else content)


def replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def become_a_file(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.write_text("not a folder")


def become_empty(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.mkdir()


def without_index(mirror: Path) -> None:
    for path in mirror.glob("objects/pack/*.idx"):
        path.unlink()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "objects and packs truncated": lambda m: each_object(m, None),
    "objects and packs empty": lambda m: each_object(m, b""),
    "objects and packs garbage": lambda m: each_object(m, b"garbage"),
    "objects gone": lambda m: shutil.rmtree(m / "objects"),
    "pack without its index": without_index,
    "HEAD missing": lambda m: (m / "HEAD").unlink(),
    "HEAD empty": lambda m: replace(m / "HEAD", b""),
    "refs gone": lambda m: shutil.rmtree(m / "refs"),
    "our ref garbage": lambda m: replace(m / "refs/rollout/head", b"garbage"),
    "our ref empty": lambda m: replace(m / "refs/rollout/head", b""),
    "our ref to nothing": lambda m: replace(m / "refs/rollout/head", b"1" * 40 + b"\n"),
    "config garbage": lambda m: replace(m / "config", b"[core\n\0"),
    "of a format to come": lambda m: replace(m / "config", b"[core]\nrepositoryformatversion = 99\n"),
    "packed-refs garbage": lambda m: replace(m / "packed-refs", b"garbage\n"),
    "gone": shutil.rmtree,
    "an empty folder": become_empty,
    "a file": become_a_file,
}


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
async def test_g5_a_damaged_mirror_is_made_again(
    repository: Repository, damage: Callable[[Path], object], packed: bool
):
    """The caller sees nothing of it: the new commit, related to the accepted one, with all its files."""
    reading = source(repository)
    first = await reading.read(None)
    if packed:
        Repository(mirror(repository)).git("gc", "--quiet")
    damage(mirror(repository))
    head = repository.commit({"prod/7.yaml": "changed"})
    tree = await reading.read(first.commit)
    assert (tree.commit, tree.relation) == (head, "newer")
    assert {file.path: file.text for file in tree.files} == {
        **{file.path: file.text for file in first.files},
        "prod/7.yaml": b"changed",
    }
    assert (await reading.read(head)).relation == "same"


async def test_g5_a_damaged_mirror_and_a_dead_remote_are_unavailable(repository: Repository):
    """And nothing is lost by it: when the remote is back, so are we."""
    reading = source(repository)
    first = await reading.read(None)
    become_empty(mirror(repository))
    away = repository.path.rename(repository.path.with_suffix(".away"))
    for _ in range(2):
        with pytest.raises(Unavailable):
            await reading.read(first.commit)
    away.rename(repository.path)
    assert (await reading.read(first.commit)).relation == "same"


LOCKS = ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "refs/rollout/head.lock", "gc.pid"]


async def test_g5_locks_of_a_killed_git_are_swept_away(repository: Repository):
    """By the process that comes after; the mirror itself is kept."""
    first = await source(repository).read(None)
    kept = mirror(repository).stat().st_ino
    left = [
        mirror(repository) / name for name in [*LOCKS, "objects/info/commit-graphs/commit-graph-chain.lock"]
    ]
    left += [mirror(repository) / "objects/pack/tmp_pack_x", mirror(repository) / "objects/aa/tmp_obj_x"]
    for path in left:
        replace(path, b"4711 somewhere\n")
    head = repository.commit({"prod/7.yaml": "changed"})
    tree = await source(repository).read(first.commit)
    assert (tree.commit, tree.relation) == (head, "newer")
    assert mirror(repository).stat().st_ino == kept
    assert [path for path in left if path.exists()] == []


async def test_g5_a_half_made_mirror_is_never_used(repository: Repository):
    """Neither beside a good one nor where the good one was already moved away."""
    first = await source(repository).read(None)
    half = home(repository) / "new.abc"
    shutil.copytree(mirror(repository), half)
    each_object(half, b"")
    assert (await source(repository).read(first.commit)).relation == "same"
    assert not half.exists()
    mirror(repository).rename(home(repository) / "old.abc")
    shutil.copytree(home(repository) / "old.abc", half)
    each_object(half, b"")
    assert len((await source(repository).read(None)).files) == 200
    assert sorted(path.name for path in home(repository).iterdir()) == ["gitconfig", "mirror.git"]


async def test_g3_the_accepted_commit_outlives_a_force_push_and_a_clean_up(repository: Repository):
    """However long the new history waits for a person, the old one can still be named as rewritten."""
    base = repository.head()
    accepted = repository.commit({"prod/7.yaml": "accepted"})
    reading = source(repository)
    await reading.read(base)
    repository.move(base)
    repository.commit({"prod/7.yaml": "rewritten"})
    assert (await reading.read(accepted)).relation == "rewritten"
    inside = Repository(mirror(repository))
    inside.git("gc", "--quiet", "--prune=now")
    assert inside.git("cat-file", "-t", accepted) == "commit"
    repository.move(accepted)
    assert (await reading.read(accepted)).relation == "same"


async def test_g5_a_lost_mirror_knows_the_accepted_commit_again(repository: Repository):
    """A clone brings it along where it is an ancestor; where it is not, the history was rewritten."""
    base = repository.head()
    head = repository.commit({"prod/7.yaml": "2"})
    for accepted, relation in ((base, "newer"), (head, "same"), ("2" * 40, "rewritten")):
        assert (await source(repository).read(accepted)).relation == relation
        shutil.rmtree(home(repository))


async def test_g3_who_changed_what_is_told_from_the_history_that_counts(repository: Repository):
    """After a rewrite, no file is put down to a commit that is gone."""
    base = repository.head()
    accepted = repository.commit({"prod/7.yaml": "gone"})
    reading = source(repository)
    await reading.read(None)
    repository.move(base)
    head = repository.commit({"prod/8.yaml": "new"})
    origins = {file.path: file.origin.commit for file in (await reading.read(accepted)).files}
    assert (origins["prod/7.yaml"], origins["prod/8.yaml"]) == (base, head)


async def test_a_merge_is_put_down_to_whoever_changed_the_file(repository: Repository):
    """Not to whoever merged it."""
    base = repository.head()
    reading = source(repository)
    await reading.read(None)
    ours = repository.commit({"prod/1.yaml": "ours"})
    theirs = repository.commit({"prod/2.yaml": "theirs"}, parents=[base])
    merge = repository.commit({"prod/2.yaml": "theirs"}, "merge", parents=[ours, theirs])
    for known in (base, None):
        origins = {file.path: file.origin.commit for file in (await reading.read(known)).files}
        assert (origins["prod/1.yaml"], origins["prod/2.yaml"]) == (ours, theirs)
    assert (await reading.read(base)).commit == merge


async def test_g4_one_missing_branch_among_many_is_lost(repository: Repository):
    head = repository.head()
    repository.drop_branch()
    lines = "".join(f"{head} refs/heads/b{n:05}\n" for n in range(5_000))
    (repository.path / "packed-refs").write_text(lines)
    with pytest.raises(Lost, match="has no branch main"):
        await source(repository).read(None)


async def test_g4_an_emptied_repository_says_so(repository: Repository):
    repository.drop_branch()
    with pytest.raises(Lost, match="no branch at all: was it emptied"):
        await source(repository).read(None)


def packs(repository: Repository) -> int:
    return len(list((mirror(repository) / "objects" / "pack").glob("*.pack")))


async def test_packs_do_not_pile_up(repository: Repository):
    """Each change brings one; on a quiet poll git tidies up, and the mirror stays whole."""
    reading = source(repository)
    accepted = (await reading.read(None)).commit
    Repository(mirror(repository)).git("config", "gc.autoPackLimit", "2")
    for n in range(3):
        repository.commit({"prod/7.yaml": f"change {n}"})
        accepted = (await reading.read(accepted)).commit
    before = packs(repository)
    assert (await reading.read(accepted)).relation == "same"
    assert packs(repository) == 1 < before
    assert (await reading.read(None)).commit == accepted


async def test_g5_what_a_late_git_left_is_swept_away_by_the_next_read(repository: Repository):
    """Also without a restart: a killed fetch leaves locks, and halves of packs that would fill the disk."""
    with git_server(repository.path.parent) as serving:
        settings = SourceSettings("policies", f"{serving.url}/remote.git", path="prod", timeout=1.0)
        reading = GitSource(settings, repository.path.parent / "cache", SystemClock())
        first = await reading.read(None)
        kept = mirror(repository).stat().st_ino
        serving.answer(lambda _: sleep(2))
        with pytest.raises(Unavailable, match="no answer within"):
            await reading.read(first.commit)
        left = [mirror(repository) / name for name in ("refs/rollout/head.lock", "objects/pack/tmp_pack_x")]
        for path in left:
            replace(path, b"")
        head = repository.commit({"prod/7.yaml": "changed"})
        serving.answer(None)
        assert (await reading.read(first.commit)).commit == head
    assert [path for path in left if path.exists()] == []
    assert mirror(repository).stat().st_ino == kept


READER = """
import asyncio, sys
from pathlib import Path
from rollout.adapters.clock import SystemClock
from rollout.adapters.git import GitSource
from rollout.settings import SourceSettings
from tests.e2e.git_server import git_server

source = GitSource(SourceSettings("policies", sys.argv[1], path="prod"), Path(sys.argv[2]), SystemClock())
print("ready", flush=True)
while True:
    asyncio.run(source.read(None))
"""


def killed_while_reading(repository: Repository, seconds: float) -> None:
    """Start a process that reads again and again, and kill -9 it after so long."""
    arguments = [sys.executable, "-c", READER, repository.url, str(repository.path.parent / "cache")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as reader:
        assert reader.stdout
        reader.stdout.readline()
        sleep(seconds)
        reader.kill()


async def test_g5_kill_9_at_any_moment_leaves_nothing_that_matters(repository: Repository):
    """The reader is killed in the middle of cloning or fetching; whoever comes next reads the truth."""
    seed = random.randrange(1 << 32)
    print("seed", seed)  # noqa: T201 - shown when it fails
    chance = random.Random(seed)
    for _ in range(6):
        if chance.random() < 0.5:
            shutil.rmtree(home(repository), ignore_errors=True)
        killed_while_reading(repository, chance.uniform(0, 0.25))
        head = repository.commit({"prod/7.yaml": f"{chance.random()}"})
        tree = await source(repository).read(None)
        assert (tree.commit, len(tree.files)) == (head, 200)


async def test_a_cache_that_cannot_be_written_says_so(repository: Repository, tmp_path: Path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="cache"):
        await source(repository).read(None)


async def test_reads_of_one_source_do_not_meet(repository: Repository):
    """Asked many times at once, it answers one after the other, each time right."""
    reading = source(repository)
    trees = await asyncio.gather(*(reading.read(None) for _ in range(5)))
    assert {(tree.commit, len(tree.files)) for tree in trees} == {(repository.head(), 200)}


async def test_two_sources_share_a_cache(repository: Repository):
    """Each has a folder of its own."""
    cache = repository.path.parent / "cache"
    both = [
        GitSource(SourceSettings(name, repository.url, path="prod", timeout=15.0), cache, SystemClock())
        for name in ("one", "two")
    ]
    trees = await asyncio.gather(*(one.read(None) for one in both))
    assert [tree.files[0].origin.source for tree in trees] == ["one", "two"]
