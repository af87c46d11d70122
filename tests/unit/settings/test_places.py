"""Where keys and values stand in a TOML text."""

import tomllib
from pathlib import Path

import pytest

from rollout.settings.places import Place, places
from rollout.settings.reference import EXAMPLE

EVERYTHING = (Path(__file__).parent / "everything.toml").read_text(encoding="utf-8")
BAD = sorted((Path(__file__).parents[2] / "golden/bad_settings").glob("*.toml"))


def paths(plain, at=()):
    """Every path of a document, as tomllib sees it."""
    items = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from paths(value, (*at, key))


@pytest.mark.parametrize(
    "text", [EVERYTHING, EXAMPLE, "", "\n\n# only a comment", 'a = "last line without end"']
)
def test_every_key_is_found(text: str):
    """The scan finds exactly the paths that tomllib reads, through all quoting, nesting and comments."""
    assert set(places(text)) == set(paths(tomllib.loads(text)))


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_every_key_of_bad_settings_is_found(file: Path):
    """So too in files that are valid TOML and wrong settings."""
    try:
        text = file.read_text(encoding="utf-8")
        plain = tomllib.loads(text)
    except ValueError:
        return
    assert set(places(text)) == set(paths(plain))


def test_places_are_where_an_editor_jumps():
    """Lines and columns count from 1; a key stands at its first letter, a value at its own."""
    found = places('a = 1\n\n[t.u]\n  key  =  ["x",\n"y", { z = 2 }]\n')
    assert found["a",] == (Place(1, 1), Place(1, 5))
    assert found["t", "u"] == (Place(3, 2), Place(3, 2))
    assert found["t", "u", "key"] == (Place(4, 3), Place(4, 11))
    assert found["t", "u", "key", 0] == (Place(4, 12), Place(4, 12))
    assert found["t", "u", "key", 1] == (Place(5, 1), Place(5, 1))
    assert found["t", "u", "key", 2, "z"] == (Place(5, 8), Place(5, 12))
