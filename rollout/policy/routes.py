"""Whose weights move: the kinds of route that a policy may name, as types of the document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from rollout.policy import declared, scalars
from rollout.policy.complaint import Fault
from rollout.policy.pieces import Piece
from rollout.policy.values import BackendName, OperatorsName, Subdomain

Namespace = Annotated[
    str | None, PlainValidator(scalars.label), WithJsonSchema({"type": "string", "pattern": scalars.LABEL})
]
RouteName = Annotated[
    str | None,
    PlainValidator(scalars.subdomain),
    WithJsonSchema({"type": "string", "pattern": scalars.SUBDOMAIN}),
]
ApiVersion = Annotated[
    str,
    PlainValidator(declared.resource_version),
    WithJsonSchema({"type": "string", "pattern": declared.RESOURCE_VERSION}),
]
Key = Annotated[
    str, PlainValidator(declared.key), WithJsonSchema({"type": "string", "pattern": declared.KEY})
]
Targets = Annotated[
    str, PlainValidator(declared.targets), WithJsonSchema({"type": "string", "pattern": declared.TARGETS})
]
Total = Annotated[
    int, PlainValidator(declared.total), WithJsonSchema({"type": "integer", "enum": [0, *declared.TOTALS]})
]
Absent = Annotated[
    int,
    PlainValidator(declared.absent),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": declared.MAX_ABSENT}),
]
_GATEWAY_NAMES = "httpRoute", "grpcRoute", "tlsRoute", "tcpRoute"
GATEWAY_KINDS = "http_route", "grpc_route", "tls_route", "tcp_route"
_NOT_WRITTEN: Any = None
_ONE: ConfigDict = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})


class EnvoyRoute(Piece):
    """A plain Envoy's route configuration (RDS)."""

    route_configuration: OperatorsName = Field(
        alias="routeConfiguration",
        description="Name of the route configuration; its file is `<name>.yaml` in the mesh's folder.",
        examples=["jazz"],
    )
    mesh: OperatorsName = Field("envoy", description="The operator's name for the mesh.", examples=["envoy"])
    routes: list[BackendName] = Field(
        [],
        description="Names of the routes inside it that are ours; all that split between backends if left"
        " out.",
        examples=[["all"]],
    )


class _Clustered(Piece):
    """A mesh object of a cluster."""

    namespace: Namespace = Field(
        None,
        validate_default=False,
        description="Where the object is; the rollout's own namespace if left out.",
        examples=["prod"],
    )
    mesh: OperatorsName = Field(
        "kubernetes", description="The operator's name for the mesh.", examples=["kubernetes"]
    )


class AppMeshRoute(_Clustered):
    """App Mesh's routes behind a VirtualService, in either generation; a backend is a virtual node."""

    virtual_service: Subdomain = Field(
        alias="virtualService",
        description="Name of the VirtualService. What has the weights is found from it: its own routes"
        " (v1beta1), or its VirtualRouter (v1beta2).",
        examples=["jazz"],
    )
    routes: list[BackendName] = Field(
        [],
        description="The routes that are ours, by name or as `routes[0]`; all if left out.",
        examples=[["jazz-route"]],
    )


class IstioRoute(_Clustered):
    """Istio's VirtualService; a backend is a subset, or a host where no subset is named."""

    virtual_service: Subdomain = Field(
        alias="virtualService",
        description="Name of the VirtualService. One that delegates its routing to another is followed.",
        examples=["jazz"],
    )
    routes: list[BackendName] = Field(
        [],
        description="The routes that are ours, by name or as `http[0]`, `tls[0]`, `tcp[0]`; all if left out.",
        examples=[["canary"], ["http[0]"]],
    )


class GatewayRoute(_Clustered):
    """A route of the Gateway API, of exactly one kind; a backend is what its backendRefs name."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in _GATEWAY_NAMES]})

    http_route: RouteName = Field(
        None, alias="httpRoute", validate_default=False, description="An HTTPRoute's name.", examples=["jazz"]
    )
    grpc_route: RouteName = Field(
        None, alias="grpcRoute", validate_default=False, description="A GRPCRoute's name.", examples=["jazz"]
    )
    tls_route: RouteName = Field(
        None, alias="tlsRoute", validate_default=False, description="A TLSRoute's name.", examples=["jazz"]
    )
    tcp_route: RouteName = Field(
        None, alias="tcpRoute", validate_default=False, description="A TCPRoute's name.", examples=["jazz"]
    )
    rules: list[BackendName] = Field(
        [],
        description='The rules that are ours, by name or by place (`"0"` is the first); all if left out.',
        examples=[["canary"], ["0"]],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, GATEWAY_KINDS)
        return self


class CustomRoute(_Clustered):
    """Any resource that keeps weights in a list of targets. The operator's settings must allow its kind."""

    api_version: ApiVersion = Field(
        alias="apiVersion", description="Its group and version.", examples=["traefik.io/v1alpha1"]
    )
    kind: Key = Field(description="Its kind.", examples=["TraefikService"])
    name: Subdomain = Field(description="Its name.", examples=["jazz"])
    targets: Targets = Field(
        description="Where the list of targets is: keys with dots, `[0]` for one of a list on the way, `[*]`"
        " for all of it.",
        examples=["spec.weighted.services", "spec.rules[*].backendRefs"],
    )
    backend: Key = Field("name", description="A target's key that names its backend.", examples=["service"])
    weight: Key = Field("weight", description="A target's key that holds its weight.", examples=["percent"])
    absent: Absent = Field(0, description="What a target without a weight gets.", examples=[1])
    total: Total = Field(
        0, description="What weights must sum to: 100, 1000 or 10000. 0: they are relative.", examples=[100]
    )
    ready: Key = Field(
        "",
        validate_default=False,
        description="The condition in its status that says it is in force; none is waited for if left out.",
        examples=["Synced"],
    )


class Route(Piece):
    """Whose weights move: exactly one kind. What is not in ``model_fields_set`` was not written."""

    model_config = _ONE

    envoy: EnvoyRoute = Field(
        _NOT_WRITTEN,
        validate_default=False,
        description="A plain Envoy's route configuration.",
        examples=[{"routeConfiguration": "jazz"}],
    )
    app_mesh: AppMeshRoute = Field(
        _NOT_WRITTEN,
        alias="appMesh",
        validate_default=False,
        description="App Mesh's routes behind a VirtualService.",
        examples=[{"virtualService": "jazz"}],
    )
    istio: IstioRoute = Field(
        _NOT_WRITTEN,
        validate_default=False,
        description="Istio's VirtualService.",
        examples=[{"virtualService": "jazz"}],
    )
    gateway: GatewayRoute = Field(
        _NOT_WRITTEN,
        validate_default=False,
        description="A route of the Gateway API.",
        examples=[{"httpRoute": "jazz"}],
    )
    custom: CustomRoute = Field(
        _NOT_WRITTEN,
        validate_default=False,
        description="Any other resource with weights.",
        examples=[
            {
                "apiVersion": "traefik.io/v1alpha1",
                "kind": "TraefikService",
                "name": "jazz",
                "targets": "spec.weighted.services",
            }
        ],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, tuple(type(self).model_fields))
        return self


def _exactly_one(piece: BaseModel, names: Sequence[str]) -> None:
    known = {name: type(piece).model_fields[name].alias or name for name in names}
    written = [alias for name, alias in known.items() if name in piece.model_fields_set]
    if len(written) != 1:
        said = f"names {' and '.join(written)}" if written else "names no kind"
        raise Fault("RP037", said, f"write exactly one of {', '.join(known.values())}")
