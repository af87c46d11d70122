"""What the settings allow a policy: their guard rails, and the names that they know."""

from __future__ import annotations

from rollout.policy.limits import Cluster, Limits
from rollout.settings import Gauge, KubernetesMesh, PrometheusMetrics, Settings


def limits(settings: Settings) -> Limits:
    """What every policy is held to."""
    guard = settings.guard
    return Limits(
        min_look=guard.min_look,
        min_bake=guard.min_bake,
        max_first_weight=guard.max_first_weight,
        max_error_limit=guard.max_error_limit,
        meshes=tuple(mesh.name for mesh in settings.meshes),
        clusters=tuple(
            Cluster(mesh.name, mesh.namespaces, mesh.custom)
            for mesh in settings.meshes
            if isinstance(mesh, KubernetesMesh)
        ),
        metrics=tuple(source.name for source in settings.metrics),
        sinks=tuple(sink.name for sink in settings.sinks),
        queries={
            source.name: {query.name: isinstance(query, Gauge) for query in source.queries}
            if isinstance(source, PrometheusMetrics)
            else {}
            for source in settings.metrics
        },
    )
