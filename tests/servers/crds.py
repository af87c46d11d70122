"""CRDs as data: read from the Go modules that ship them, each pinned by the checksum of its whole content.

What was read is kept beside the servers, as JSON in the API server's present form.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.servers.build import go, kept

_APP_MESH = "github.com/aws/aws-app-mesh-controller-for-k8s"
MODULES = {
    # what it is called here: (module, version, checksum as in a go.sum, its files)
    "app-mesh-v1beta1": (
        _APP_MESH,
        "v0.5.0",
        "h1:KgYthF7BZQeOpV1FSfJd1RqjM29J8vcQZPJtxlVSVaQ=",
        ("deploy/all.yaml",),
    ),
    "app-mesh-v1beta2": (
        _APP_MESH,
        "v1.1.1",
        "h1:VZWD/7wBnxT+xUJtDae75HlAk4TuuAKgt6oS0CCG2rQ=",
        ("config/crd/bases/*.yaml",),
    ),
    "gateway": (
        "sigs.k8s.io/gateway-api",
        "v1.6.1",
        "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY=",
        ("config/crd/standard/*routes.yaml", "config/crd/standard/*referencegrants.yaml"),
    ),
    "istio": (
        "istio.io/api",
        "v1.30.3",
        "h1:pPSa0uah/t7CEuwacS4rw5qK/oHGvxC0WO8i4RRGwEU=",
        ("kubernetes/customresourcedefinitions.gen.yaml",),
    ),
    "traefik": (
        "github.com/traefik/traefik/v3",
        "v3.7.9",
        "h1:RxOqG3Wtvl1F5yCDr2ZxAg21YU3QCh/m0tae3Su4BZ8=",
        ("docs/content/reference/dynamic-configuration/traefik.io_traefikservices.yaml",),
    ),
    "smi": (
        "github.com/servicemeshinterface/smi-sdk-go",
        "v0.5.0",
        "h1:9cZdhvGbGDlmnp9qqmcQL+RL6KZ3IzHfDLoA5Axg8n0=",
        ("crds/split.yaml",),
    ),
}
_OPEN = "x-kubernetes-preserve-unknown-fields"


def place(name: str) -> Path:
    """Where a module's CRDs are, if they were read."""
    content = json.dumps(MODULES[name]).encode() + Path(__file__).read_bytes()
    return kept() / hashlib.sha256(content).hexdigest()[:16] / f"{name}.json"


def crds(name: str) -> list[dict[str, Any]]:
    """A module's CRDs."""
    found: list[dict[str, Any]] = json.loads(place(name).read_text())
    return found


def fetch(name: str) -> Path:
    """Read them, unless they are there."""
    done = place(name)
    if not done.exists():
        done.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=done.parent, delete=False) as draft:
            json.dump(list(_read(name)), draft)
        Path(draft.name).rename(done)
    return done


def _read(name: str) -> Iterator[dict[str, Any]]:
    module, version, checksum, patterns = MODULES[name]
    with tempfile.TemporaryDirectory() as nowhere:
        command = [go(), "mod", "download", "-json", f"{module}@{version}"]
        environment = os.environ | {"GOFLAGS": "-mod=mod", "GOWORK": "off"}
        said = subprocess.run(command, cwd=nowhere, env=environment, check=True, capture_output=True)
    answer = json.loads(said.stdout)
    assert answer["Sum"] == checksum, f"{module} {version} is not what it was: {answer['Sum']}"
    files = [file for pattern in patterns for file in sorted(Path(answer["Dir"]).glob(pattern))]
    for file in files:
        for document in yaml.safe_load_all(file.read_text()):
            if document and document["kind"] == "CustomResourceDefinition":
                yield modern(document)


def modern(crd: dict[str, Any]) -> dict[str, Any]:
    """A CRD as ``apiextensions.k8s.io/v1``. The older form kept unknown fields, and so does every object of
    its schema here; alternatives that hold whole schemas (``oneOf``) have no place in the newer one.
    """
    if crd["apiVersion"] == "apiextensions.k8s.io/v1":
        return crd
    spec = crd["spec"]
    shared = {
        "schema": spec.get("validation"),
        "subresources": spec.get("subresources"),
        "additionalPrinterColumns": spec.get("additionalPrinterColumns"),
    }
    versions = spec.get("versions") or [{"name": spec["version"], "served": True, "storage": True}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": crd["kind"],
        "metadata": {"name": crd["metadata"]["name"]},
        "spec": {
            **{key: spec[key] for key in ("group", "names", "scope")},
            "versions": [_version({**shared, **version}) for version in versions],
        },
    }


def _version(old: Mapping[str, Any]) -> dict[str, Any]:
    schema = _structural((old["schema"] or {}).get("openAPIV3Schema", {}), "object")
    if "metadata" in schema.get("properties", {}):
        schema["properties"]["metadata"] = {"type": "object"}
    columns = [
        {"jsonPath" if key == "JSONPath" else key: value for key, value in column.items()}
        for column in old["additionalPrinterColumns"] or []
    ]
    return {
        **{key: old[key] for key in ("name", "served", "storage")},
        "schema": {"openAPIV3Schema": schema},
        "subresources": old["subresources"] or {},
        "additionalPrinterColumns": columns,
    }


def _structural(schema: Mapping[str, Any], kind: str = "") -> dict[str, Any]:
    """Every part with a type; every object open."""
    made = {key: value for key, value in schema.items() if key not in {"oneOf", "anyOf", "allOf", "not"}}
    is_object = "properties" in made or len(made) < len(schema)
    kind = made.get("type") or kind or ("object" if is_object else "")
    if "properties" in made:
        made["properties"] = {key: _structural(inner) for key, inner in made["properties"].items()}
    if "items" in made:
        made["items"] = _structural(made["items"])
    if isinstance(made.get("additionalProperties"), dict):
        made["additionalProperties"] = _structural(made["additionalProperties"])
    elif kind == "object":
        made.pop("additionalProperties", None)
        made[_OPEN] = True
    if kind:
        made["type"] = kind
    return made
