"""The mesh's contract, held by the objects of every kind on a real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.mesh import MeshContract, SeveralEntriesContract
from tests.servers.cluster import Cluster
from tests.servers.kubernetes_worlds import (
    AppMesh,
    Delegate,
    GrpcRoute,
    Istio,
    Kind,
    KubernetesWorld,
    OldAppMesh,
    Smi,
    Traefik,
    living,
)


class OneListOnACluster(MeshContract):
    kind: Kind = Kind()

    @pytest.fixture
    async def world(self, cluster: Cluster, tmp_path: Path) -> AsyncIterator[KubernetesWorld]:
        async with living(KubernetesWorld(cluster, self.kind, tmp_path)) as world:
            yield world


class OnACluster(OneListOnACluster, SeveralEntriesContract):
    pass


class TestHttpRoute(OnACluster):
    pass


class TestGrpcRoute(OnACluster):
    kind = GrpcRoute()


class TestIstio(OnACluster):
    kind = Istio()


class TestIstioDelegate(OnACluster):
    kind = Delegate()


class TestAppMesh(OnACluster):
    kind = AppMesh()
    resolution = 100


class TestOldAppMesh(SeveralEntriesContract):
    resolution = 100

    @pytest.fixture
    async def world(self, old_cluster: Cluster, tmp_path: Path) -> AsyncIterator[KubernetesWorld]:
        async with living(KubernetesWorld(old_cluster, OldAppMesh(), tmp_path)) as world:
            yield world


class TestTraefik(OneListOnACluster):
    kind = Traefik()


class TestSmi(OneListOnACluster):
    kind = Smi()
