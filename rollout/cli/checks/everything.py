"""All checks, in the order in which one thing rests on another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rollout.cli.checks import Finding, envoy, git, here, prometheus, sinks
from rollout.core.model import Policy
from rollout.settings import KubernetesMesh, MeshSettings, MetricsSettings, PrometheusMetrics, Settings
from rollout.settings.limits import limits


def examine(path: Path, settings: Settings, *, send: bool) -> list[Finding]:
    """Everything around an installation; ``send``: a test message goes to each sink."""
    return [
        *here.settings(path, settings),
        *here.clock(),
        *here.state(settings),
        *here.daemon(settings),
        *here.journal(settings),
        *asyncio.run(_outside(settings, send=send)),
    ]


async def _outside(settings: Settings, *, send: bool) -> list[Finding]:
    """Git first: what the policies ask for is looked for in the mesh."""
    allowed = limits(settings)
    read = await asyncio.gather(*(git.source(source, allowed) for source in settings.sources))
    policies = [policy for each in read for policy in each.policies]
    meshes = await asyncio.gather(
        *(
            _mesh(mesh, [policy for policy in policies if policy.route.mesh == mesh.name])
            for mesh in settings.meshes
        )
    )
    metrics = await asyncio.gather(*map(_metrics, settings.metrics))
    told = await asyncio.gather(*(sinks.sink(sink, send=send) for sink in settings.sinks))
    parts = (*(each.findings for each in read), git.across(policies), *meshes, *metrics, told)
    return [finding for part in parts for finding in part]


async def _mesh(settings: MeshSettings, policies: Sequence[Policy]) -> list[Finding]:
    if isinstance(settings, KubernetesMesh):
        from rollout.cli.checks import kubernetes

        return await kubernetes.mesh(settings, policies)
    return await envoy.mesh(settings, policies)


async def _metrics(source: MetricsSettings) -> list[Finding]:
    if isinstance(source, PrometheusMetrics):
        return await prometheus.metrics(source)
    return await envoy.metrics(source)
