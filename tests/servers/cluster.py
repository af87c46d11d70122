"""A real kube-apiserver on a real etcd, as processes of this machine: no kubelet, no controllers, no pods."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.conftest import need
from tests.servers.build import binary
from tests.servers.crds import crds, place

USERS = {"admin": "system:masters", "rollout": "", "stranger": ""}
"""Who may knock, and their group."""
READY = 60.0
"""Seconds a cold machine may take to start the API server."""


def free() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@dataclass
class Cluster:
    """An API server, and how to talk to it as its administrator. ``tokens`` by user."""

    folder: Path
    url: str
    tokens: Mapping[str, str]
    plurals: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def authority(self) -> Path:
        """The certificate it is known by; it made that itself."""
        return self.folder / "certificates" / "apiserver.crt"

    def call(
        self, method: str, path: str, body: object = None, kind: str = "application/json", user: str = "admin"
    ) -> Any:
        """One request; what it answers.

        Raises:
            requests.HTTPError: it says no.
        """
        answer = requests.request(
            method,
            self.url + path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": kind, "Authorization": f"Bearer {self.tokens[user]}"},
            verify=str(self.authority),
            timeout=30,
        )
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text}", response=answer)
        return answer.json()

    def path(self, thing: Mapping[str, Any]) -> str:
        """Where an object is."""
        version, kind = thing["apiVersion"], thing["kind"]
        namespace = thing["metadata"].get("namespace")
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self.plurals:
            for each in self.call("GET", root)["resources"]:
                if "/" not in each["name"]:
                    self.plurals[version, each["kind"]] = each["name"]
        return root + (f"/namespaces/{namespace}" if namespace else "") + "/" + self.plurals[version, kind]

    def create(self, *things: Mapping[str, Any]) -> list[Any]:
        """Make objects; their status too, if they bring one."""
        made = []
        for thing in things:
            at = self.path(thing)
            one = self.call("POST", at + "?fieldValidation=Strict", thing)
            if "status" in thing:
                self.status(thing, thing["status"])
            made.append(one)
        return made

    def get(self, thing: Mapping[str, Any]) -> Any:
        return self.call("GET", f"{self.path(thing)}/{thing['metadata']['name']}")

    def put(self, thing: Mapping[str, Any]) -> Any:
        """A foreign hand: replace whatever is there."""
        there = self.get(thing)
        metadata = {**thing["metadata"], "resourceVersion": there["metadata"]["resourceVersion"]}
        name = thing["metadata"]["name"]
        return self.call("PUT", f"{self.path(thing)}/{name}", {**thing, "metadata": metadata})

    def merge(self, thing: Mapping[str, Any], change: object, part: str = "") -> Any:
        path = f"{self.path(thing)}/{thing['metadata']['name']}{part}"
        return self.call("PATCH", path, change, "application/merge-patch+json")

    def status(self, thing: Mapping[str, Any], status: object) -> Any:
        """A controller's hand."""
        return self.merge(thing, {"status": status}, "/status")

    def delete(self, thing: Mapping[str, Any]) -> None:
        self.call("DELETE", f"{self.path(thing)}/{thing['metadata']['name']}")

    def namespace(self) -> str:
        """A new one, for one test."""
        name = f"test-{secrets.token_hex(4)}"
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def install(self, *modules: str, group: str = "") -> None:
        """CRDs of some modules (of one API group), ready for use."""
        found = [
            crd for module in modules for crd in crds(module) if not group or group == crd["spec"]["group"]
        ]
        for crd in found:
            self.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        for crd in found:
            self._until_served(crd)

    def _until_served(self, crd: Mapping[str, Any]) -> None:
        names, until = crd["spec"]["names"], time.monotonic() + 30
        for version in crd["spec"]["versions"]:
            path = f"/apis/{crd['spec']['group']}/{version['name']}/{names['plural']}?limit=1"
            while version["served"]:
                with contextlib.suppress(requests.HTTPError):
                    self.call("GET", path)
                    break
                assert time.monotonic() < until, f"{path} is not served"
                time.sleep(0.05)

    def kubeconfig(self, user: str, folder: Path) -> Path:
        """A file by which one user reaches it."""
        server = {"server": self.url, "certificate-authority": str(self.authority)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": server}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": user}}],
            "current-context": "here",
        }
        file = folder / f"{user}.kubeconfig"
        file.write_text(json.dumps(content))
        file.chmod(0o600)
        return file


@contextlib.contextmanager
def etcd(folder: Path) -> Iterator[str]:
    """Its address."""
    need("etcd: `make servers` builds it", binary("etcd").exists())
    folder.mkdir()
    url, peer = f"http://127.0.0.1:{free()}", f"http://127.0.0.1:{free()}"
    command = [
        str(binary("etcd")),
        f"--data-dir={folder / 'data'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            yield url
        finally:
            server.kill()


@contextlib.contextmanager
def api_server(folder: Path, store: str, prefix: str = "/registry") -> Iterator[Cluster]:
    """An API server whose objects are in etcd under a prefix of its own."""
    need("kube-apiserver: `make servers` builds it", binary("kube-apiserver").exists())
    folder.mkdir()
    tokens = {user: secrets.token_hex(16) for user in USERS}
    users = [f'{tokens[user]},{user},{user},"{group}"\n' for user, group in USERS.items()]
    _private(folder / "tokens", "".join(users))
    _private(folder / "account.key", _signing_key())
    cluster = Cluster(folder, f"https://127.0.0.1:{free()}", tokens)
    command = [
        str(binary("kube-apiserver")),
        f"--etcd-servers={store}",
        f"--etcd-prefix={prefix}",
        f"--secure-port={cluster.url.rpartition(':')[2]}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={cluster.authority.parent}",
        f"--token-auth-file={folder / 'tokens'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.test",
        f"--service-account-key-file={folder / 'account.key'}",
        f"--service-account-signing-key-file={folder / 'account.key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            _until_ready(cluster, server)
            yield cluster
        finally:
            server.kill()  # nothing of it is kept, and a graceful end waits for its watchers


def _until_ready(cluster: Cluster, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY
    while True:
        assert server.poll() is None, f"the API server ended: {(cluster.folder / 'log').read_text()[-2000:]}"
        with contextlib.suppress(requests.RequestException, OSError):
            answer = requests.get(f"{cluster.url}/readyz", verify=str(cluster.authority), timeout=2)
            if answer.ok:
                return
        assert time.monotonic() < until, "the API server is not ready"
        time.sleep(0.05)


def _private(file: Path, text: str) -> None:
    file.touch(0o600)
    file.write_text(text)


def _signing_key() -> str:
    """A new key on the curve P-256, as SEC 1 writes it; the point is left to the reader."""
    curve = bytes.fromhex("a00a06082a8648ce3d030107")
    der = bytes.fromhex("3031020101") + b"\x04\x20" + secrets.token_bytes(32) + curve
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n"


def needs_crds(*modules: str) -> None:
    """Go on only where these were read."""
    for module in modules:
        need(f"the CRDs of {module}: `make servers` reads them", place(module).exists())
