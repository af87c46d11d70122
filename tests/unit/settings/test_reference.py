"""The reference page of the settings."""

from pathlib import Path

from rollout.settings.reference import page

PAGE = Path(__file__).parents[3] / "docs/reference/settings.md"


def test_the_page_is_fresh():
    """docs/reference/settings.md is what `python -m rollout.settings.reference` writes."""
    assert PAGE.read_text(encoding="utf-8") == page()
