"""A cluster's mesh objects: can each policy's route be read, and by whom would it be written?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollout.adapters.clock import SystemClock
from rollout.adapters.meshes.kubernetes import KubernetesRoutes
from rollout.cli.checks import Finding, bad, good, odd
from rollout.core.model import MeshSeen, Policy
from rollout.ports import Lost, Refused, Unavailable
from rollout.settings import KubernetesMesh

PATIENCE = 5.0
"""Seconds that the API server has to answer."""


async def mesh(settings: KubernetesMesh, policies: Sequence[Policy]) -> list[Finding]:
    """The API server, and each policy's route."""
    about = f"mesh {settings.name}"
    adapter = KubernetesRoutes(settings, SystemClock())
    try:
        try:
            version = await adapter.server_version(PATIENCE)
        except (Unavailable, Refused) as trouble:
            return [bad(about, str(trouble), _reach(settings))]
        findings = [good(about, f"the API server is Kubernetes {version}")]
        for policy in policies:
            findings += await _route(f"{about}, {policy.name}", adapter, policy)
        return findings
    finally:
        await adapter.close()


def _reach(settings: KubernetesMesh) -> str:
    if settings.kubeconfig:
        return f"try: kubectl --kubeconfig {settings.kubeconfig} version"
    return "run it in a pod with a service account, or name a kubeconfig in the settings"


async def _route(about: str, adapter: KubernetesRoutes, policy: Policy) -> list[Finding]:
    try:
        seen = await adapter.read(policy.route, PATIENCE)
        missing = await adapter.missing(policy.route, PATIENCE)
    except Lost as trouble:
        return [bad(about, str(trouble), "apply the object, or correct `route` in the policy")]
    except Unavailable as trouble:
        return [bad(about, str(trouble), "see what it says; `rollout doctor` asks again")]
    except Refused as trouble:
        return [bad(about, str(trouble), "correct the object, `route` in the policy, or the settings")]
    return [
        *(bad(about, each, "add it to the daemon's Role") for each in missing),
        *_seen(about, policy, seen),
    ]


def _seen(about: str, policy: Policy, seen: MeshSeen) -> Iterator[Finding]:
    shown = " and ".join(map(str, seen.splits))
    for controller in seen.proxies:
        if controller.rejected:
            yield bad(about, f"{controller.name} says: {controller.rejected}", "mend the object")
        elif controller.splits != seen.splits:
            yield odd(about, f"{controller.name} has not looked at it yet")
    backend = policy.revision.backend
    if seen.ready.get(backend, 0) == 0:
        known = "has no ready endpoint" if backend in seen.ready else "is not known in the cluster"
        yield bad(about, f"{backend}, which git asks for, {known}", "deploy it, or correct its name")
    else:
        yield good(about, f"the object shows {shown}; not verified at the proxies")
