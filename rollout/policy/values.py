"""The single values of a policy as types: how each is read, and how the JSON Schema tells it."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from rollout.core.model import Weight
from rollout.policy import scalars
from rollout.policy.scalars import DAY, MINUTE

MIN_LOOK, MAX_LOOK = 0.25, 10 * MINUTE
MAX_BAKE = 30 * DAY
MAX_HOLD = 7 * DAY
MAX_REVERT = 366 * DAY

_DURATION = {"type": "string", "pattern": rf"^(?=.){scalars.DURATION[1:]}"}
_SHARES = [{"type": "string", "pattern": scalars.PERCENTAGE}, {"type": "number", "minimum": 0, "maximum": 1}]

Flag = Annotated[bool, PlainValidator(scalars.flag), WithJsonSchema({"type": "boolean"})]
Requests = Annotated[
    int | None,
    PlainValidator(scalars.requests),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": scalars.MAX_REQUESTS}),
]
StepWeight = Annotated[
    Weight,
    PlainValidator(scalars.weight),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100}),
]
_LEVEL = {"type": "number", "minimum": -scalars.MAX_LEVEL, "maximum": scalars.MAX_LEVEL}
_SHARE_OR_LEVEL = [_SHARES[0], _LEVEL]
_QUANTILES = [_SHARES[0], {"type": "number", "minimum": 0.5, "maximum": 0.9999}]
Quantile = Annotated[float | None, PlainValidator(scalars.quantile), WithJsonSchema({"anyOf": _QUANTILES})]
LatencyLimit = Annotated[float | None, PlainValidator(scalars.milliseconds), WithJsonSchema(_DURATION)]
QueryLimit = Annotated[
    scalars.Most | None, PlainValidator(scalars.most), WithJsonSchema({"anyOf": _SHARE_OR_LEVEL})
]
ProtocolName = Annotated[
    str,
    PlainValidator(scalars.choice("http", "grpc", "tcp")),
    WithJsonSchema({"type": "string", "enum": ["http", "grpc", "tcp"]}),
]
ErrorLimit = Annotated[float | None, PlainValidator(scalars.error_limit), WithJsonSchema({"anyOf": _SHARES})]
Holdback = Annotated[Weight, PlainValidator(scalars.holdback), WithJsonSchema({"anyOf": _SHARES})]
Bake = Annotated[float, PlainValidator(scalars.lasting(0.001, MAX_BAKE)), WithJsonSchema(_DURATION)]
Hold = Annotated[float, PlainValidator(scalars.lasting(1, MAX_HOLD)), WithJsonSchema(_DURATION)]
Look = Annotated[float | None, PlainValidator(scalars.lasting(MIN_LOOK, MAX_LOOK)), WithJsonSchema(_DURATION)]
RevertWindow = Annotated[float, PlainValidator(scalars.lasting(0.001, MAX_REVERT)), WithJsonSchema(_DURATION)]
Label = Annotated[
    str, PlainValidator(scalars.label), WithJsonSchema({"type": "string", "pattern": scalars.LABEL})
]
Subdomain = Annotated[
    str, PlainValidator(scalars.subdomain), WithJsonSchema({"type": "string", "pattern": scalars.SUBDOMAIN})
]
BackendName = Annotated[
    str, PlainValidator(scalars.backend), WithJsonSchema({"type": "string", "pattern": scalars.BACKEND})
]
AdoptedName = Annotated[
    str | None,
    PlainValidator(scalars.backend),
    WithJsonSchema({"type": "string", "pattern": scalars.BACKEND}),
]
OperatorsName = Annotated[
    str,
    PlainValidator(scalars.operators_name),
    WithJsonSchema({"type": "string", "pattern": scalars.OPERATORS_NAME}),
]
MetricsName = Annotated[
    str,
    PlainValidator(scalars.metrics_name),
    WithJsonSchema({"type": "string", "pattern": scalars.OPERATORS_NAME}),
]
FreeText = Annotated[
    str,
    PlainValidator(scalars.free_text),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": scalars.MAX_REVISION}),
]
ResponseCode = Annotated[
    str,
    PlainValidator(scalars.code),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": scalars.CODE},
                {"type": "integer", "minimum": 300, "maximum": 599},
            ]
        }
    ),
]
TimeOfDay = Annotated[
    time, PlainValidator(scalars.of_day), WithJsonSchema({"type": "string", "pattern": scalars.TIME})
]
Days = Annotated[
    tuple[int, ...],
    PlainValidator(scalars.days),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": scalars.DAYS_LIST},
                {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": scalars.DAYS_LIST}},
            ]
        }
    ),
]
Zone = Annotated[
    str, PlainValidator(scalars.zone), WithJsonSchema({"type": "string", "pattern": scalars.ZONE})
]
Then = Annotated[
    str,
    PlainValidator(scalars.choice("rollback", "hold")),
    WithJsonSchema({"type": "string", "enum": ["rollback", "hold"]}),
]
OnInconclusive = Annotated[
    str,
    PlainValidator(scalars.choice("hold", "promote", "rollback")),
    WithJsonSchema({"type": "string", "enum": ["hold", "promote", "rollback"]}),
]
ApiVersion = Annotated[
    str,
    PlainValidator(scalars.api_version),
    WithJsonSchema({"type": "string", "enum": [scalars.API_VERSION]}),
]
KindName = Annotated[
    str, PlainValidator(scalars.kind), WithJsonSchema({"type": "string", "enum": [scalars.KIND]})
]
