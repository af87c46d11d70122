"""The policy document as a JSON Schema that editors understand (draft-07), rendered from the types."""

from __future__ import annotations

from typing import Any

from rollout.policy.scalars import API_VERSION, KIND
from rollout.policy.schema import Document

DRAFT = "http://json-schema.org/draft-07/schema#"


def json_schema() -> dict[str, Any]:
    """The schema of one policy document. What one value says about another is beyond it; ``parse`` knows."""
    drawn = Document.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    definitions = drawn.pop("$defs")
    head = {"$schema": DRAFT, "title": f"{KIND} ({API_VERSION})"}
    parts = {name: _draft_07(each) for name, each in definitions.items()}
    return {**head, **_draft_07(drawn), "definitions": parts}


def _draft_07(node: Any) -> Any:
    """A schema in the older draft's words: nothing stands beside a ``$ref``; titles say nothing new."""
    if isinstance(node, list):
        return [_draft_07(each) for each in node]
    if not isinstance(node, dict):
        return node
    drawn: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            drawn[key] = {name: _draft_07(each) for name, each in value.items()}
        elif key in {"default", "examples", "enum"}:
            drawn.update({key: value} if value is not None else {})
        elif key != "title":
            drawn[key] = _draft_07(value)
    if "$ref" in drawn and len(drawn) > 1:
        drawn["allOf"] = [{"$ref": drawn.pop("$ref")}]
    return drawn
