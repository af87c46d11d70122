"""Settings that are refused, each named for its fault, with the exact complaints beside it.

After a wanted change: UPDATE_GOLDEN=1 pytest tests/golden/test_bad_settings.py, and read the difference.
"""

import os
from pathlib import Path

import pytest

from rollout.settings.load import SettingsError, load

BAD = Path(__file__).parent / "bad_settings"
FILES = sorted(BAD.glob("*.toml"))


def said(path: Path) -> str:
    with pytest.raises(SettingsError) as error:
        load(path)
    return str(error.value).replace(f"{path.parent}/", "") + "\n"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_bad_settings_are_refused(path: Path):
    """Every fault is named with its place and what to write instead, all of a file's at once."""
    expected = path.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(said(path), encoding="utf-8")
    assert said(path) == expected.read_text(encoding="utf-8")


def test_no_complaint_repeats_a_secret():
    """What may be a secret is not shown to whoever reads the complaint."""
    assert [path.name for path in FILES if "s3cr3t" in said(path)] == []
    assert any("s3cr3t" in path.read_text(encoding="utf-8", errors="replace") for path in FILES)
