"""The policy document as types: the one source of the parser, the JSON Schema and the reference page.

Shapes are here, single values in ``values``; what one value says about another is in ``rules``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from rollout.core.model import SPARSE, SPIKES, Comparison, Limit
from rollout.policy import scalars
from rollout.policy.pieces import Piece
from rollout.policy.routes import Route
from rollout.policy.values import (
    AdoptedName,
    ApiVersion,
    BackendName,
    Bake,
    Days,
    ErrorLimit,
    Flag,
    FreeText,
    Hold,
    Holdback,
    KindName,
    Label,
    LatencyLimit,
    Look,
    MetricsName,
    OnInconclusive,
    OperatorsName,
    ProtocolName,
    Quantile,
    QueryLimit,
    Requests,
    ResponseCode,
    RevertWindow,
    StepWeight,
    Subdomain,
    Then,
    TimeOfDay,
    Zone,
)

MAX_LIST = 50
"""Entries of any list of a policy."""

_SOME: JsonDict = {"minItems": 1, "maxItems": MAX_LIST}


def _text(value: object) -> Any:
    """A default as a policy would write it; it is read like one."""
    return value


class Metadata(Piece):
    """Whose rollout it is; together namespace and name must be unique among all sources."""

    name: Subdomain = Field(description="Name of the rollout (DNS-1123).", examples=["jazz"])
    namespace: Label = Field("default", description="Namespace of the rollout (DNS-1123).", examples=["prod"])
    labels: dict[str, Any] = Field({}, description="Allowed and not read.")
    annotations: dict[str, Any] = Field({}, description="Allowed and not read.")


class Step(Piece):
    """A weight and the least time to bake at it."""

    weight: StepWeight = Field(
        description="The canary's share of traffic in per cent, at most two decimals. Each step's is "
        "higher than the one before; the last is 100.",
        examples=[10, 50, 100],
    )
    bake: Bake = Field(
        description="Least time at this weight, counted from when the mesh is seen carrying it and only "
        "while evidence arrives.",
        examples=["5m"],
    )


class Window(Piece):
    """When weight may rise. Rollback is never held."""

    days: Days = Field(
        description="Days of the week on which it begins.", examples=["Mon-Fri", ["Mon", "Wed"]]
    )
    since: TimeOfDay = Field(alias="from", description="Begin, in the zone's time.", examples=["09:00"])
    until: TimeOfDay = Field(
        alias="to", description="End; at or before the begin, it is on the next day.", examples=["16:00"]
    )
    zone: Zone = Field(description="Time zone of the IANA database.", examples=["Europe/Berlin"])


class Errors(Piece):
    """Failed requests: without `max` compared with the concurrent stable, with `max` held to a limit."""

    max: ErrorLimit = Field(
        None,
        validate_default=False,
        description="The share of the canary's requests that may fail, as `5%` or `0.05`. Left out: no "
        "worse than stable is at the same time.",
        examples=["5%"],
    )
    min_requests: Requests = Field(
        None,
        validate_default=False,
        alias="minRequests",
        description=f"Requests to be seen before the check can pass: {Limit(1).min_requests} with `max`, "
        f"{Comparison().min_requests} without, if left out.",
        examples=[100],
    )
    codes: list[ResponseCode] = Field(
        ["5xx"],
        json_schema_extra=_SOME,
        description="The response codes that count as failed, by class or one by one.",
        examples=[["5xx"], ["5xx", 429]],
    )
    protocol: ProtocolName = Field(
        "http",
        description="By what a failure is known: `http` by the response code, `grpc` by the call's status "
        "(its response code is 200), `tcp` by connections that are not made or are reset.",
        examples=["grpc"],
    )


class Latency(Piece):
    """Slow requests: compared with the concurrent stable, or with `quantile` and `max` held to a limit."""

    quantile: Quantile = Field(
        None,
        validate_default=False,
        description="Which quantile of the canary's requests is held to `max`: 0.5 to 0.9999.",
        examples=[0.99],
    )
    max: LatencyLimit = Field(
        None,
        validate_default=False,
        description="The longest that this quantile may take. It is judged at the least edge of the "
        "source's buckets that is not below it: how many took longer than an edge is all that is counted.",
        examples=["500ms"],
    )
    min_requests: Requests = Field(
        None,
        validate_default=False,
        alias="minRequests",
        description=f"Requests to be seen before the check can pass: {Limit(1).min_requests} with `max`, "
        f"{Comparison().min_requests} without, if left out.",
        examples=[100],
    )


class Query(Piece):
    """What an operator's query counts as bad: compared with the concurrent stable, or held to a limit."""

    name: OperatorsName = Field(
        description="The operator's name for the query, at the source that `metrics` names.",
        examples=["failed-payments"],
    )
    max: QueryLimit = Field(
        None,
        validate_default=False,
        description="Of a query of two counters, the share that may be bad, with its sign: `5%`; left out: "
        "no worse than stable is at the same time. Of a gauge the highest level, a plain number; needed, as "
        f"levels are not compared. One reading in {round(1 / SPIKES)} may be above it.",
        examples=["5%", 250],
    )
    min_requests: Requests = Field(
        None,
        validate_default=False,
        alias="minRequests",
        description="What the query has to have counted before the check can pass: as for `errors`, and "
        f"{SPARSE} readings of a gauge, if left out.",
        examples=[100],
    )


class Check(Piece):
    """A question about the canary: exactly one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    errors: Errors = Field(
        _text(None),
        validate_default=False,
        description="Failed requests: `{}` compares with the concurrent stable.",
        examples=[{}, {"max": "5%"}],
    )
    latency: Latency = Field(
        _text(None),
        validate_default=False,
        description="Slow requests: `{}` compares with the concurrent stable.",
        examples=[{}, {"quantile": 0.99, "max": "500ms"}],
    )
    query: Query = Field(
        _text(None),
        validate_default=False,
        description="What a query of the operator's catalogue counts as bad.",
        examples=[{"name": "failed-payments"}],
    )


class NoData(Piece):
    """What to do when evidence is missing."""

    hold: Hold = Field(_text("10m"), description="How long to hold without evidence.", examples=["10m"])
    then: Then = Field("rollback", description="What then: `rollback` or `hold`.", examples=["rollback"])


class Analysis(Piece):
    """How the canary is judged; the defaults apply without it."""

    metrics: MetricsName = Field(
        "envoy", description="A source of metrics the operator named; never an address.", examples=["envoy"]
    )
    checks: list[Check] = Field(
        _text([{"errors": {}}]),
        json_schema_extra=_SOME,
        description="All must hold.",
        examples=[[{"errors": {}}, {"latency": {}}, {"errors": {"max": "5%", "minRequests": 100}}]],
    )
    no_data: NoData = Field(
        _text({}),
        alias="noData",
        description="What to do when evidence is missing.",
        examples=[{"hold": "10m"}],
    )
    on_inconclusive: OnInconclusive = Field(
        "hold",
        alias="onInconclusive",
        description="What to do when a step's requests prove too little in three times its bake: `hold` and "
        "call a person, `promote` if nothing speaks against the canary, or `rollback`.",
        examples=["hold"],
    )
    holdback: Holdback = Field(
        _text("5%"),
        description="What stays on stable as a control while the last step bakes: 0 % to 50 %.",
        examples=["5%"],
    )
    look: Look = Field(
        None,
        validate_default=False,
        description="Wished time between looks while ramping; not under the operator's guard rail (1s if "
        "not set).",
        examples=["1s"],
    )


class Spec(Piece):
    """What is rolled out, where, how fast, and how it is judged."""

    route: Route = Field(
        description="Whose weights move: exactly one kind.",
        examples=[{"envoy": {"routeConfiguration": "jazz"}}],
    )
    backend: BackendName = Field(
        description="The backend that should serve everybody, by the mesh's own name for it: a cluster, "
        "virtual node, subset or Service. The commit that changes this line starts a rollout.",
        examples=["jazz-v2"],
    )
    steps: list[Step] = Field(
        json_schema_extra=_SOME,
        description="How weight rises.",
        examples=[[{"weight": 10, "bake": "5m"}, {"weight": 100, "bake": "10m"}]],
    )
    revision: FreeText = Field(
        "",
        validate_default=False,
        description="Marks new content behind the same backend, such as an image digest: a rejected "
        "backend with a new revision is tried again.",
        examples=["sha256:0d1e…"],
    )
    stable: AdoptedName = Field(
        None,
        validate_default=False,
        description="Used once, for adoption: which backend is stable while the mesh shows a mixture.",
        examples=["jazz-v1"],
    )
    windows: list[Window] = Field(
        [],
        description="When weight may rise; always, if left out. Rollback is never held.",
        examples=[[{"days": "Mon-Fri", "from": "09:00", "to": "16:00", "zone": "Europe/Berlin"}]],
    )
    analysis: Analysis = Field(_text({}), description="How the canary is judged.", examples=[{"look": "1s"}])
    alerts: list[OperatorsName] = Field([], description="Sinks the operator named.", examples=[["ops"]])
    suspend: Flag = Field(
        False, description="Weight does not rise; checks and rollback stay live.", examples=[True]
    )
    observe: Flag = Field(
        False, description='Judge, record and alert as "would have", write nothing.', examples=[True]
    )
    revert_window: RevertWindow = Field(
        _text("1d"),
        alias="revertWindow",
        description="How long after it stopped serving a promoted revision may come back on the fast track.",
        examples=["1d"],
    )


class Document(Piece):
    """A policy: what git says about one rollout."""

    api_version: ApiVersion = Field(
        alias="apiVersion", description="Version of this format.", examples=[scalars.API_VERSION]
    )
    kind: KindName = Field(description="Kind of the document.", examples=[scalars.KIND])
    metadata: Metadata = Field(
        description="Whose rollout it is.", examples=[{"namespace": "prod", "name": "jazz"}]
    )
    spec: Spec = Field(
        description="The rollout.",
        examples=[{"route": {"envoy": {"routeConfiguration": "jazz"}}, "backend": "jazz-v2", "steps": "[…]"}],
    )


def fields(
    piece: type[BaseModel] = Document, under: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every field as (path without list indices, field), in order of the document."""
    for name, field in piece.model_fields.items():
        path = (*under, field.alias or name)
        yield path, field
        inner = inside(field)
        if inner:
            yield from fields(inner, path)


def inside(field: FieldInfo) -> type[BaseModel] | None:
    """The mapping that a field holds, or a list of which it holds."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


FIELDS: Mapping[tuple[str, ...], FieldInfo] = dict(fields())


def example(name: str, field: FieldInfo) -> str:
    """A field with a value, as one would write it on one line."""
    return f"{name}: {flow(field.examples[0])}" if field.examples else name


def flow(value: object) -> str:
    """A value in YAML's flow style."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case _:
            return str(value)
