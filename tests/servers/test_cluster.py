"""The servers themselves: what the other tests stand on is what it is said to be."""

from __future__ import annotations

import pytest
import requests

from tests.servers.cluster import Cluster
from tests.servers.crds import modern


def test_the_api_server_is_the_one_that_was_pinned(cluster: Cluster):
    assert cluster.call("GET", "/version")["minor"].rstrip("+") == "37"


def test_each_generation_of_app_mesh_is_served_alone(cluster: Cluster, old_cluster: Cluster):
    served = [
        {version["version"] for version in one.call("GET", "/apis/appmesh.k8s.aws")["versions"]}
        for one in (cluster, old_cluster)
    ]
    assert served == [{"v1beta2"}, {"v1beta1", "v1alpha1"}]


@pytest.mark.parametrize("user", ["rollout", "stranger"])
def test_who_was_granted_nothing_may_read_nothing(cluster: Cluster, user: str):
    with pytest.raises(requests.HTTPError, match="403"):
        cluster.call("GET", "/api/v1/namespaces/default/services", user=user)


def test_an_object_of_the_older_generation_keeps_what_its_schema_does_not_know(old_cluster: Cluster):
    """As its own CRD had it: fields were never pruned."""
    mesh = {
        "apiVersion": "appmesh.k8s.aws/v1beta1",
        "kind": "Mesh",
        "metadata": {"name": "dj-app"},
        "spec": {"serviceDiscoveryType": "dns", "cloudMapNamespaceName": "dj-app"},
    }
    old_cluster.create(mesh)
    assert old_cluster.get(mesh)["spec"] == mesh["spec"]


def test_a_modern_crd_is_left_alone():
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "spec": {"versions": []}}
    assert modern(crd) is crd
