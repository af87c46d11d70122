"""One etcd, and the API servers on it, for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import cluster as servers
from tests.servers.cluster import Cluster


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An etcd's address."""
    with servers.etcd(tmp_path_factory.mktemp("etcd") / "etcd") as url:
        yield url


@pytest.fixture(scope="session")
def cluster(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with Gateway API, Istio, App Mesh v1beta2, Traefik and SMI."""
    servers.needs_crds("gateway", "istio", "app-mesh-v1beta2", "traefik", "smi")
    with servers.api_server(tmp_path_factory.mktemp("cluster") / "api", store) as made:
        made.install("gateway", "app-mesh-v1beta2", "traefik", "smi")
        made.install("istio", group="networking.istio.io")
        yield made


@pytest.fixture(scope="session")
def old_cluster(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with App Mesh v1beta1: the two generations share the names of their CRDs."""
    servers.needs_crds("app-mesh-v1beta1")
    with servers.api_server(tmp_path_factory.mktemp("old") / "api", store, "/old") as made:
        made.install("app-mesh-v1beta1")
        yield made
