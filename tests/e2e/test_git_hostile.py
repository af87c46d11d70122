"""Hostile repositories: nothing outside is read or run, each answer comes in time (P1, P3; section 3, row 3).

Every way that a repository or a mirror has to make git run a program points at a marker file, which must stay
absent.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.git import GitSource
from rollout.ports import File, Lost, Tree, Unavailable
from rollout.settings import SourceSettings
from tests.repository import Repository, submodule, symlink

PLAIN = {"prod/plain.yaml": "plain"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "remote.git")


@pytest.fixture
def marker(tmp_path: Path):
    path = tmp_path / "marker"
    yield path
    assert not path.exists(), "a program of the repository's choice was run"


def source(repository: Repository, path: str = "prod", timeout: float = 15.0) -> GitSource:
    settings = SourceSettings("policies", repository.url, path=path, timeout=timeout)
    return GitSource(settings, repository.path.parent / "cache", SystemClock())


def mirror(repository: Repository) -> Path:
    return repository.path.parent / "cache" / "policies" / "mirror.git"


def files(tree: Tree) -> dict[str, File]:
    return {file.path: file for file in tree.files}


def alone(tree: Tree) -> File:
    """The one refused file; the plain neighbour was read all the same."""
    found = files(tree)
    assert found.pop("prod/plain.yaml").text == b"plain"
    (refused,) = found.values()
    assert refused.text == b""
    return refused


# What is in the tree


@pytest.mark.parametrize(
    "target", ["../../../outside.yaml", "{outside}", "plain.yaml", "/dev/zero", "x" * 3000]
)
async def test_p3_a_symlink_is_refused_and_not_followed(tmp_path: Path, repository: Repository, target: str):
    """Wherever it points to; a pipe as its target would hang whoever opened it."""
    outside = tmp_path / "outside.yaml"
    os.mkfifo(outside)
    repository.commit({**PLAIN, "prod/link.yaml": symlink(target.format(outside=outside))})
    assert "symbolic link" in alone(await source(repository).read(None)).refused


async def test_p3_a_symlinked_folder_is_not_entered(tmp_path: Path, repository: Repository):
    """Neither one in the tree nor the source's own path."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text("outside")
    repository.commit({**PLAIN, "prod/more": symlink(str(outside)), "way": symlink("prod")})
    assert [*files(await source(repository).read(None))] == ["prod/plain.yaml"]
    with pytest.raises(Lost, match="way/"):
        await source(repository, "way").read(None)


async def test_p3_a_submodule_is_refused_and_not_fetched(repository: Repository, marker: Path):
    modules = f'[submodule "x"]\n\tpath = prod/sub.yaml\n\turl = ext::sh -c "touch {marker}"\n'
    repository.commit({**PLAIN, ".gitmodules": modules, "prod/sub.yaml": submodule()})
    assert "submodule" in alone(await source(repository).read(None)).refused


@pytest.mark.parametrize("line", ["url = -u./payload", "path = -x"])
async def test_section_3_row_3_a_malicious_gitmodules_stops_the_fetch(repository: Repository, line: str):
    """fsck knows it; the whole commit is refused."""
    repository.commit({**PLAIN, ".gitmodules": f'[submodule "x"]\n\tpath = p\n\turl = u\n\t{line}\n'})
    with pytest.raises(Unavailable, match="malformed"):
        await source(repository).read(None)


@pytest.mark.parametrize("name", [b".git", b"..", b"a/b"])
async def test_section_3_row_3_a_tree_that_leaves_itself_stops_the_fetch(repository: Repository, name: bytes):
    blob = repository.git("hash-object", "-w", "--stdin", text=b"x")
    repository.commit_tree(b"100644 " + name + b"\0" + bytes.fromhex(blob))
    with pytest.raises(Unavailable, match="malformed"):
        await source(repository, "").read(None)


async def test_p3_an_odd_mode_is_refused(repository: Repository):
    """A device is none; a group-writable file, as old versions wrote, is to git a plain file."""
    blob = bytes.fromhex(repository.git("hash-object", "-w", "--stdin", text=b"x"))
    repository.commit_tree(b"100664 a.yaml\0" + blob + b"60000 b.yaml\0" + blob)
    found = files(await source(repository, "").read(None))
    assert found["a.yaml"].text == b"x"
    assert "odd mode" in found["b.yaml"].refused


async def test_an_executable_file_is_a_file(repository: Repository):
    blob = bytes.fromhex(repository.git("hash-object", "-w", "--stdin", text=b"x"))
    repository.commit_tree(b"100755 a.yaml\0" + blob)
    assert files(await source(repository, "").read(None))["a.yaml"].text == b"x"


async def test_p3_an_lfs_pointer_is_refused(repository: Repository):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    repository.commit({**PLAIN, "prod/big.yaml": pointer, ".gitattributes": "*.yaml filter=lfs diff=lfs"})
    assert "LFS" in alone(await source(repository).read(None)).refused


@pytest.mark.parametrize(
    "name", [b"caf\xe9.yaml", b"a\nb.yaml", b"a\x1b[2Jb.yaml", b"\xe2\x80\xaelmay.yaml", b"\xff\xfe.yml"]
)
async def test_p1_a_name_that_is_no_printable_utf8_is_refused(repository: Repository, name: bytes):
    """And shown so that a terminal survives it."""
    repository.commit({b"prod/plain.yaml": "plain", b"prod/" + name: "x"})
    refused = alone(await source(repository).read(None))
    assert "UTF-8" in refused.refused
    assert refused.path.isprintable()
    assert refused.origin.commit == repository.head()


NAMES = [
    "--output=marker.yaml",
    "-x.yaml",
    ":(glob)**.yaml",
    ":!x.yaml",
    "*.yaml",
    "[a].yaml",
    "a b.yaml",
    "\\.yaml",
]


async def test_section_3_row_3_names_like_options_or_patterns_are_only_names(repository: Repository):
    """Each is read, and each bears the commit that changed it and no other."""
    made = {
        f"prod/{name}": repository.commit({f"prod/{name}": name}) for name in [*NAMES, "ünï.yaml", "'.yaml"]
    }
    found = files(await source(repository).read(None))
    assert {path: file.origin.commit for path, file in found.items()} == made
    assert not (repository.path.parent / "marker.yaml").exists()


@pytest.mark.parametrize("path", ["--output=x", "-x", ":(glob)x", ":!x", "*", "[x]", "ünï"])
async def test_section_3_row_3_a_path_like_an_option_or_pattern_is_only_a_path(
    repository: Repository, path: str
):
    made = repository.commit({f"{path}/a.yaml": "a"})
    repository.commit({"x/b.yaml": "b"})
    found = files(await source(repository, path).read(None))
    assert {name: file.origin.commit for name, file in found.items()} == {f"{path}/a.yaml": made}


async def test_names_that_differ_in_case_only_are_two_files(repository: Repository):
    repository.commit({"prod/a.yaml": "1", "prod/A.yaml": "2"})
    found = files(await source(repository).read(None))
    assert (found["prod/a.yaml"].text, found["prod/A.yaml"].text) == (b"1", b"2")


async def test_what_people_read_of_a_commit_cannot_steer_a_terminal(repository: Repository):
    repository.commit(PLAIN, "\x1b[2Jclear\u202e" + "x" * 5000, "E\x1bve <eve@example.com>")
    tree = await source(repository).read(None)
    origin = tree.files[0].origin
    for text in (tree.author, tree.subject, origin.author, origin.subject):
        assert text.isprintable()
        assert len(text) <= 200


# What is too much


async def test_p1_a_huge_file_is_refused_unread(repository: Repository):
    """24 MiB of it; the limit is the listed size, so not a byte is loaded."""
    repository.commit({**PLAIN, "prod/huge.yaml": b"\0" * (24 << 20)})
    assert "at most 65536" in alone(await source(repository).read(None)).refused


@pytest.mark.parametrize(("size", "read"), [(65_536, True), (65_537, False)])
async def test_p1_a_policy_may_have_64_kib(repository: Repository, size: int, read: bool):
    repository.commit({"prod/a.yaml": b"#" * size})
    (file,) = (await source(repository).read(None)).files
    assert (len(file.text) == size, not file.refused) == (read, read)


async def test_p1_more_than_5000_files_refuse_the_commit(repository: Repository):
    """With a way out; files that are no policies do not count."""
    first = repository.commit({f"prod/{n}.{kind}": "x" for n in range(5_000) for kind in ("yaml", "txt")})
    reading = source(repository)
    assert len((await reading.read(None)).files) == 5_000
    repository.commit({"prod/one-more.yaml": "x"})
    with pytest.raises(Unavailable, match="5001 policy files, at most 5000"):
        await reading.read(first)


async def test_p1_more_than_50_mib_refuse_the_commit(repository: Repository):
    repository.commit({f"prod/{n}.yaml": b"#" * 60_000 for n in range(900)})
    with pytest.raises(Unavailable, match="bytes of policy files"):
        await source(repository).read(None)


async def test_section_3_row_3_a_deep_tree_is_read(repository: Repository):
    deep = "prod/" + "d/" * 600 + "a.yaml"
    repository.commit({deep: "deep"})
    assert files(await source(repository).read(None))[deep].text == b"deep"


async def test_section_3_row_3_twenty_thousand_refs_do_not_matter(repository: Repository):
    """One is asked for, one is kept."""
    head = repository.commit(PLAIN)
    refs = sorted(f"refs/{kind}/r{n}" for n in range(10_000) for kind in ("tags", "heads/x"))
    (repository.path / "packed-refs").write_text("".join(f"{head} {ref}\n" for ref in refs))
    assert (await source(repository).read(None)).commit == head
    kept = Repository(mirror(repository)).git("for-each-ref", "--format=%(refname)")
    assert kept == "refs/rollout/head"


# Histories that lie


async def test_a_tag_of_the_branchs_name_is_not_the_branch(repository: Repository):
    repository.commit({"prod/a.yaml": "tag"})
    repository.git("tag", "main", "main")
    head = repository.commit({"prod/a.yaml": "branch"})
    assert (await source(repository).read(None)).commit == head


async def test_section_3_row_3_replaced_objects_are_not_believed(repository: Repository):
    """Neither the remote's replacements nor any that found their way into the mirror."""
    good = repository.commit({"prod/a.yaml": "good"})
    evil = repository.commit({"prod/a.yaml": "evil"})
    repository.move(good)
    repository.git("replace", good, evil)
    reading = source(repository)
    assert files(await reading.read(None))["prod/a.yaml"].text == b"good"
    inside = Repository(mirror(repository))
    inside.git("fetch", "--quiet", str(repository.path), evil)
    inside.git("replace", good, evil)
    assert files(await reading.read(None))["prod/a.yaml"].text == b"good"


@pytest.mark.parametrize("where", ["remote", "mirror"])
async def test_g3_grafts_do_not_hide_a_rewritten_history(repository: Repository, where: str):
    """A claim that the new head descends from the accepted commit is not believed."""
    accepted = repository.commit({"prod/a.yaml": "1"})
    reading = source(repository)
    await reading.read(None)
    head = repository.commit({"prod/a.yaml": "2"}, parents=[])
    grafted = repository.path if where == "remote" else mirror(repository)
    (grafted / "info").mkdir(exist_ok=True)
    (grafted / "info" / "grafts").write_text(f"{head} {accepted}\n")
    assert (await reading.read(accepted)).relation == "rewritten"


async def test_section_3_row_3_a_shallow_repository_is_refused(repository: Repository):
    """Its history ends nowhere, so nothing could be said about ancestry; nor does it look like no news."""
    accepted = repository.commit({"prod/a.yaml": "1"})
    reading = source(repository)
    await reading.read(None)
    for n in range(2, 4):
        repository.commit({"prod/a.yaml": str(n)})
    shallow = repository.path.with_suffix(".shallow")
    repository.git("clone", "--quiet", "--bare", "--depth=1", repository.url, str(shallow))
    shutil.rmtree(repository.path)
    shallow.rename(repository.path)
    for tried, known in ((source(repository), None), (reading, accepted)):
        with pytest.raises(Unavailable, match="--unshallow"):
            await tried.read(known)


async def test_g5_a_corrupt_remote_does_not_cost_us_the_mirror(repository: Repository):
    """What cannot be fetched is not taken, and the old mirror goes on serving."""
    accepted = repository.commit(PLAIN)
    reading = source(repository)
    await reading.read(None)
    before = mirror(repository).stat().st_ino
    repository.commit({"prod/plain.yaml": "new"})
    broken = repository.git("rev-parse", "main:prod/plain.yaml")
    for pack in (repository.path / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-30])
    loose = repository.path / "objects" / broken[:2] / broken[2:]
    if loose.exists():
        loose.chmod(0o600)
        loose.write_bytes(b"garbage")
    with pytest.raises(Unavailable):
        await reading.read(accepted)
    assert mirror(repository).stat().st_ino == before


# What would run a program


def script(path: Path, marker: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    path.chmod(0o755)
    return path


def signed(repository: Repository, commit: str) -> str:
    """The same commit with a signature, which gpg.program would be run to check."""
    head, _, message = repository.git("cat-file", "commit", commit).partition("\n\n")
    lines = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    text = f"{head}\n{lines}\n\n{message}\n"
    return repository.git("hash-object", "-t", "commit", "-w", "--stdin", text=text.encode())


HOOKS = [
    "pre-receive",
    "update",
    "post-receive",
    "post-update",
    "reference-transaction",
    "post-checkout",
    "pre-auto-gc",
]


async def test_section_3_row_3_no_hook_filter_or_configured_program_is_run(
    tmp_path: Path, repository: Repository, marker: Path
):
    """Wherever it is configured: in the remote, in the mirror, or in attributes that the tree brings."""
    program = script(tmp_path / "program", marker)
    accepted = repository.commit(
        {**PLAIN, ".gitattributes": "*.yaml filter=evil diff=evil merge=evil export-subst"}
    )
    newer = signed(repository, repository.commit({"prod/plain.yaml": "newer"}))
    repository.move(accepted)
    reading = source(repository)
    await reading.read(None)
    for place in (repository.path, mirror(repository)):
        for hook in HOOKS:
            script(place / "hooks" / hook, marker)
        for key in (
            "filter.evil.smudge",
            "filter.evil.clean",
            "filter.evil.process",
            "diff.evil.textconv",
            "diff.evil.command",
            "diff.external",
            "core.fsmonitor",
            "core.sshCommand",
            "core.gitProxy",
            "core.pager",
            "core.editor",
            "core.askPass",
            "core.alternateRefsCommand",
            "credential.helper",
            "uploadpack.packObjectsHook",
            "gpg.program",
        ):
            Repository(place).git("config", key, str(program))
        Repository(place).git("config", "core.hooksPath", str(place / "hooks"))
        Repository(place).git("config", "log.showSignature", "true")
        Repository(place).git("config", "gc.auto", "1")
    before = mirror(repository).stat().st_ino
    (repository.path / "refs/heads/main").write_text(newer)  # not by git: it would run the remote's own hooks
    tree = await reading.read(accepted)
    assert (tree.relation, tree.files[0].text) == ("newer", b"newer")
    assert (await reading.read(newer)).relation == "same"
    assert mirror(repository).stat().st_ino == before, "another mirror would prove nothing"


async def test_section_3_row_3_a_rewritten_address_leads_nowhere(
    tmp_path: Path, repository: Repository, marker: Path
):
    """A mirror whose configuration sends git to a program is no use, so another is made."""
    accepted = repository.commit(PLAIN)
    reading = source(repository)
    await reading.read(None)
    program = script(tmp_path / "program", marker)
    Repository(mirror(repository)).git("config", f"url.ext::sh -c {program} .insteadOf", repository.url)
    assert (await reading.read(accepted)).relation == "same"


async def test_section_3_row_3_the_users_own_configuration_is_not_read(
    tmp_path: Path, repository: Repository, marker: Path, monkeypatch: pytest.MonkeyPatch
):
    home = tmp_path / "home"
    program = script(home / "program", marker)
    (home / ".gitconfig").write_text(
        f'[url "ext::sh -c {program}"]\n\tinsteadOf = file://\n[core]\n\thooksPath = {home}\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(program))
    monkeypatch.setenv("GIT_DIR", str(home))
    repository.commit(PLAIN)
    assert [*files(await source(repository).read(None))] == ["prod/plain.yaml"]


async def test_a_repository_of_somebody_else_may_be_read(repository: Repository):
    """The operator named it; git's own suspicion is for repositories one stumbles upon."""
    repository.commit(PLAIN)
    if os.geteuid() == 0:  # nobody else can give files away
        for path in [repository.path, *repository.path.rglob("*")]:
            os.chown(path, 12345, 12345)
    assert [*files(await source(repository).read(None))] == ["prod/plain.yaml"]


async def test_nothing_is_ever_checked_out(repository: Repository):
    repository.commit(PLAIN)
    await source(repository).read(None)
    assert list((repository.path.parent / "cache").rglob("*.yaml")) == []
    assert not (mirror(repository) / "index").exists()
