"""What the policy's types are made of: a strict mapping, and the names that stand in many places."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainValidator, WithJsonSchema

from rollout.policy import scalars


class Piece(BaseModel):
    """A mapping of the document: unknown fields are errors, and defaults are read like what is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


Label = Annotated[
    str, PlainValidator(scalars.label), WithJsonSchema({"type": "string", "pattern": scalars.LABEL})
]
Subdomain = Annotated[
    str, PlainValidator(scalars.subdomain), WithJsonSchema({"type": "string", "pattern": scalars.SUBDOMAIN})
]
BackendName = Annotated[
    str, PlainValidator(scalars.backend), WithJsonSchema({"type": "string", "pattern": scalars.BACKEND})
]
OperatorsName = Annotated[
    str,
    PlainValidator(scalars.operators_name),
    WithJsonSchema({"type": "string", "pattern": scalars.OPERATORS_NAME}),
]
