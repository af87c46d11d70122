"""The reference pages are what the types and the table of codes say."""

from pathlib import Path

import pytest

from rollout.policy.parse import parse
from rollout.policy.reference import FOLDER, pages


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_committed_page_is_up_to_date(name: str):
    """Mend it with: python -m rollout.policy.reference."""
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name]


def test_the_pages_example_is_a_policy():
    """What a reader copies works."""
    example = pages()["policy.md"].split("```yaml\n")[1].split("```")[0]
    assert parse("example.yaml", example.encode()).complaints == ()


def test_the_folder_is_the_projects():
    assert Path(__file__).resolve().parents[3] / "docs" / "reference" == FOLDER
