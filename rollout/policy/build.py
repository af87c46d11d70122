"""The validated document to the core's policy."""

from __future__ import annotations

from rollout.core import model
from rollout.policy import schema


def build(document: schema.Document, origin: model.Origin) -> model.Policy:
    """The policy that a document asks for."""
    spec, metadata = document.spec, document.metadata
    return model.Policy(
        name=f"{metadata.namespace}/{metadata.name}",
        route=_route(spec.route),
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


def _route(route: schema.Route) -> model.Route:
    envoy = route.envoy
    return model.Route("envoy", envoy.mesh, envoy.route_configuration, only=tuple(envoy.routes))


def _analysis(analysis: schema.Analysis) -> model.Analysis:
    return model.Analysis(
        metrics=analysis.metrics,
        checks=tuple(_check(check.errors) for check in analysis.checks),
        no_data=model.NoDataRule(analysis.no_data.hold, model.OnSilence(analysis.no_data.then)),
        holdback=analysis.holdback,
        look=analysis.look,
        inconclusive=model.Inconclusive(analysis.on_inconclusive),
    )


def _check(errors: schema.Errors) -> model.Check:
    """With ``max`` a limit, without it the comparison with the concurrent stable."""
    codes = tuple(errors.codes)
    if errors.max is None:
        least = errors.min_requests or model.Comparison().min_requests
        return model.Comparison(codes, least)
    return model.Limit(errors.max, codes, errors.min_requests or model.Limit(errors.max).min_requests)
