"""Every bad policy of the folder, and the exact complaints about it.

A file is named for its fault; `guard_...` are read with the operator's guard rails. After a wanted change:
UPDATE_GOLDEN=1 pytest tests/golden/test_bad_policies.py, and read the difference.
"""

import os
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from rollout.policy.complaint import CODES, Parsed
from rollout.policy.json_schema import json_schema
from rollout.policy.limits import Cluster, Limits
from rollout.policy.loader import load
from rollout.policy.parse import parse

FOLDER = Path(__file__).parent / "bad_policies"
FILES = sorted(FOLDER.glob("*.yaml"))
GUARD = Limits(
    min_bake=60,
    max_first_weight=2000,
    max_error_limit=0.2,
    meshes=("envoy", "kubernetes"),
    clusters=(Cluster("kubernetes", ("prod",)),),
    metrics=("envoy",),
    sinks=("ops",),
    queries={"envoy": {"failed-payments": False, "backlog": True}},
)
BEYOND_A_SCHEMA = {
    *(f"RP{number:03}" for number in range(1, 19)),  # the file, not the document
    *(f"RP{number:03}" for number in range(70, 82)),  # the operator's, and other documents'
    *(
        "RP034",
        "RP041",
        "RP042",
        "RP043",
        "RP046",
        "RP047",
        "RP049",
        "RP050",
        "RP051",
        "RP055",
        "RP057",
        "RP058",
        "RP059",
    ),  # one value and another, ranges
}
FINER_THAN_THE_SCHEMA = {
    *("weight_too_fine", "error_limit_100_per_cent", "error_limit_1_0", "error_limit_zero"),
    "query_max_is_everything",
}


def read(file: Path) -> Parsed:
    guard = GUARD if file.name.startswith("guard_") else None
    return parse(file.name, file.read_bytes(), guard=guard)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_bad_policy_is_refused_with_exactly_these_words(file: Path):
    """Each fault is answered with its place, what is wrong and what to write; no policy comes of it."""
    parsed = read(file)
    said = "".join(f"{complaint}\n" for complaint in parsed.complaints)
    expected = file.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")
    assert said
    assert parsed.policies == ()
    assert {complaint.code for complaint in parsed.complaints} <= CODES.keys()


def test_the_folder_is_large_and_in_pairs():
    """At least 60 faults, each with its complaint beside it, and none without its file."""
    assert len(FILES) >= 60
    assert {file.with_suffix(".txt") for file in FILES} == set(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_editor_sees_what_a_schema_can_see(file: Path):
    """A fault inside one value or in the document's shape is seen by the JSON Schema too."""
    codes = {complaint.code for complaint in read(file).complaints}
    if codes <= BEYOND_A_SCHEMA or file.stem in FINER_THAN_THE_SCHEMA:
        return
    validator = Draft7Validator(json_schema())
    documents = load(file.read_bytes()).documents
    assert any(not validator.is_valid(document.plain) for document in documents)


def test_every_code_that_a_text_can_cause_is_in_the_folder():
    """The corpus covers the table of codes; the three others belong to git and to the child process."""
    seen = {complaint.code for file in FILES for complaint in read(file).complaints}
    assert CODES.keys() - seen == {"RP014", "RP015", "RP016", "RP019"}
