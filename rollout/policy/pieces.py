"""What the policy's types are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Piece(BaseModel):
    """A mapping of the document: unknown fields are errors, and defaults are read like what is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)
