"""The validated document to the core's policy."""

from __future__ import annotations

from dataclasses import replace

from rollout.core import model
from rollout.policy import routes, schema


def build(document: schema.Document, origin: model.Origin) -> model.Policy:
    """The policy that a document asks for."""
    spec, metadata = document.spec, document.metadata
    return model.Policy(
        name=f"{metadata.namespace}/{metadata.name}",
        route=_route(spec.route, metadata.namespace),
        revision=model.Revision(spec.backend, spec.revision),
        steps=tuple(model.Step(step.weight, step.bake) for step in spec.steps),
        analysis=_analysis(spec.analysis),
        stable=spec.stable,
        windows=tuple(model.Window(each.days, each.since, each.until, each.zone) for each in spec.windows),
        alerts=tuple(spec.alerts),
        suspend=spec.suspend,
        observe=spec.observe,
        revert_window=spec.revert_window,
        origin=origin,
    )


def _route(route: routes.Route, namespace: str) -> model.Route:
    """Of a cluster's objects, those of the rollout's own namespace if no other is named."""
    [kind] = route.model_fields_set
    match kind:
        case "envoy":
            envoy = route.envoy
            return model.Route("envoy", envoy.mesh, envoy.route_configuration, only=tuple(envoy.routes))
        case "app_mesh":
            named, there = route.app_mesh, route.app_mesh.namespace or namespace
            return model.Route("appMesh", named.mesh, named.virtual_service, there, tuple(named.routes))
        case "istio":
            istio, there = route.istio, route.istio.namespace or namespace
            return model.Route("istio", istio.mesh, istio.virtual_service, there, tuple(istio.routes))
        case "gateway":
            return _gateway(route.gateway, namespace)
        case _:
            return _custom(route.custom, namespace)


def _gateway(gateway: routes.GatewayRoute, namespace: str) -> model.Route:
    [field] = gateway.model_fields_set & set(routes.GATEWAY_KINDS)
    kind = routes.GatewayRoute.model_fields[field].alias
    name, there = getattr(gateway, field), gateway.namespace or namespace
    return model.Route(str(kind), gateway.mesh, name, there, tuple(gateway.rules))


def _custom(custom: routes.CustomRoute, namespace: str) -> model.Route:
    form = model.CustomForm(
        custom.api_version,
        custom.kind,
        custom.targets,
        backend=custom.backend,
        weight=custom.weight,
        absent=custom.absent,
        total=custom.total,
        ready=custom.ready,
    )
    return model.Route("custom", custom.mesh, custom.name, custom.namespace or namespace, form=form)


def _analysis(analysis: schema.Analysis) -> model.Analysis:
    return model.Analysis(
        metrics=analysis.metrics,
        checks=tuple(map(_check, analysis.checks)),
        no_data=model.NoDataRule(analysis.no_data.hold, model.OnSilence(analysis.no_data.then)),
        holdback=analysis.holdback,
        look=analysis.look,
        inconclusive=model.Inconclusive(analysis.on_inconclusive),
    )


def _check(check: schema.Check) -> model.Check:
    """With ``max`` a limit, without it the comparison with the concurrent stable."""
    if "latency" in check.model_fields_set:
        return _latency(check.latency)
    if "query" in check.model_fields_set:
        return _query(check.query)
    errors = check.errors
    of = model.Errors(tuple(errors.codes), model.Protocol(errors.protocol))
    return _held_to(errors.max, of, errors.min_requests)


def _latency(latency: schema.Latency) -> model.Check:
    if latency.max is None or latency.quantile is None:
        return _held_to(None, model.Latency(), latency.min_requests)
    return _held_to(round(1.0 - latency.quantile, 9), model.Latency(latency.max), latency.min_requests)


def _query(query: schema.Query) -> model.Check:
    """A share is the most of what a ratio counts, a number the highest level of a gauge."""
    most, of = query.max, model.Query(query.name)
    if most is None or most.is_share:
        return _held_to(most.value if most else None, of, query.min_requests)
    return _held_to(model.SPIKES, replace(of, over=most.value), query.min_requests or model.SPARSE)


def _held_to(most: float | None, of: model.Measure, least: int | None) -> model.Check:
    if most is None:
        return model.Comparison(of, least or model.Comparison().min_requests)
    return model.Limit(most, of, least or model.Limit(most).min_requests)
