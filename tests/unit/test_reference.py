"""Secrets by reference: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.settings import Reference, Unread


def file_with(folder: Path, content: bytes, mode: int = 0o600) -> Reference:
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return Reference(file=path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_a_file_is_read_without_its_line_end(tmp_path: Path, mode: int):
    assert file_with(tmp_path, b" s3cret\n", mode).read().reveal() == "s3cret"


def test_a_variable_is_read_each_time(monkeypatch: pytest.MonkeyPatch):
    for value in ("one", "two"):
        monkeypatch.setenv("THE_SECRET", value)
        assert Reference(env="THE_SECRET").read().reveal() == value


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"s3cret", 0o644, "may be read by everybody: chmod 600"),
        (b" \n", 0o600, "is empty or not set"),
        (b"s3cret" + b"x" * 65_536, 0o600, "is over 64 KiB"),
        (b"s3cret\xff", 0o600, "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_secret_is_refused(tmp_path: Path, content: bytes, mode: int, why: str):
    """By name, with the reason, and without a word of what it holds."""
    reference = file_with(tmp_path, content, mode)
    with pytest.raises(Unread, match=why) as caught:
        reference.read()
    assert str(reference.file) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("THE_SECRET", raising=False)
    with pytest.raises(Unread, match="THE_SECRET is empty or not set"):
        Reference(env="THE_SECRET").read()
    with pytest.raises(Unread, match="nowhere cannot be read: No such file"):
        Reference(file=tmp_path / "nowhere").read()
    with pytest.raises(Unread, match="cannot be read"):
        Reference(file=tmp_path).read()
