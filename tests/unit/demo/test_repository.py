"""The demo's git repository, whatever this machine's git is told to do."""

import subprocess
from pathlib import Path

import pytest

from rollout.demo.processes import DemoFailed
from rollout.demo.repository import Repository


async def test_commits_need_no_configuration_and_take_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name, a hook that refuses, commits that must be signed: it commits all the same."""
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    hook = home / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    hook.chmod(0o755)
    config = f"[core]\nhooksPath = {home}/hooks\n[commit]\ngpgsign = true\n[init]\ndefaultBranch = trunk\n"
    (home / ".gitconfig").write_text(config, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    folder = tmp_path / "policies"
    folder.mkdir()
    repository = await Repository.create(folder)
    await repository.commit("first", jazz="a: 1\n", metal="b: 1\n")
    commit = await repository.commit("second", jazz="a: 2\n")
    assert log(folder) == [f"{commit} DJ second", "", "jazz.yaml"]


def log(folder: Path) -> list[str]:
    """The newest commit of main: its line, and the files it changed."""
    command = ["git", "log", "-1", "--format=%h %an %s", "--name-only", "main"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()


async def test_what_git_says_is_said(tmp_path: Path) -> None:
    """Committing the same again is refused by git; its words arrive."""
    repository = await Repository.create(tmp_path)
    await repository.commit("first", jazz="a: 1\n")
    with pytest.raises(DemoFailed, match="nothing to commit"):
        await repository.commit("again", jazz="a: 1\n")
