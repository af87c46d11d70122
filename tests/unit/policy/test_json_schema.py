"""The JSON Schema that editors use says what the parser says, as far as a schema can."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from rollout.policy.json_schema import DRAFT, json_schema
from rollout.policy.loader import load
from rollout.policy.parse import parse

GOOD = sorted((Path(__file__).resolve().parents[2] / "golden" / "good_policies").glob("*.yaml"))
SCHEMA = json_schema()


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(inner)


def test_it_is_draft_07_and_plain_json():
    """Editors read draft-07: `definitions`, and nothing beside a `$ref`."""
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == DRAFT
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert "$defs" not in json.dumps(SCHEMA)
    assert all(len(node) == 1 for node in nodes(SCHEMA) if "$ref" in node)


def test_every_field_is_described():
    """Hovering over any field tells what it means."""
    for node in (SCHEMA, *SCHEMA["definitions"].values()):
        assert node["description"]
        assert node["additionalProperties"] is False
        assert all("description" in each or "allOf" in each for each in node["properties"].values())


@pytest.mark.parametrize("name", sorted(SCHEMA["definitions"]))
def test_examples_and_defaults_are_valid(name: str):
    """What an editor offers is what the schema accepts."""
    for field, drawn in SCHEMA["definitions"][name]["properties"].items():
        validator = Draft7Validator({**drawn, "definitions": SCHEMA["definitions"]})
        for offered in [*drawn.get("examples", []), drawn.get("default", None)]:
            assert offered in (None, "") or validator.is_valid(offered), (field, offered)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_every_good_policy_validates(file: Path):
    lines = {policy.origin.line for policy in parse(file.name, file.read_bytes()).policies}
    for document in load(file.read_bytes()).documents:
        if document.mark[0] in lines:
            Draft7Validator(SCHEMA).validate(document.plain)
