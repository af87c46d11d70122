"""What ``rollout.toml`` may hold: every table and key, once; the loader and the reference page read this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rollout.settings import (
    EnvoyMesh,
    EnvoyMetrics,
    GuardRails,
    KubernetesMesh,
    LogSink,
    PrometheusMetrics,
    SlackSink,
    SourceSettings,
    WebhookSink,
    values,
)

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``default`` is what is taken without it, as TOML (empty: nothing); ``None``: it must be
    written, like ``example``.
    """

    name: str
    read: values.Read[Any]
    form: str
    default: str | None
    says: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table's keys, and the values that they make."""

    makes: type
    says: str
    keys: tuple[Key, ...]


_FLAG = "true or false"

TOP = (
    Key(
        "state",
        values.path,
        "path",
        None,
        "The state directory: journal, lock, control socket, git mirrors. On a local disk, written by the "
        "daemon's user alone; it is made with mode 0700.",
        '"/var/lib/rollout"',
    ),
    Key(
        "listen",
        values.listen,
        '"host:port"',
        '"127.0.0.1:9460"',
        'Where `/metrics` and `/healthz` are served, on loopback only. `""`: nowhere.',
    ),
    Key(
        "observe",
        values.flag,
        _FLAG,
        "false",
        'Judge, record and alert as "would have", but write no weight anywhere.',
    ),
)

CONTROL = (
    Key(
        "group",
        values.flag,
        _FLAG,
        "false",
        "Let the daemon's group give orders: the control socket gets mode 0660 instead of 0600.",
    ),
)

GUARD = Table(
    GuardRails,
    "What no policy may exceed, whatever it asks for.",
    (
        Key(
            "min_look",
            values.duration(0.25, 3_600),
            "duration",
            '"1s"',
            "The shortest time between two looks, down to 250 ms.",
        ),
        Key("min_bake", values.duration(0, 30 * _DAY), "duration", '"0s"', "The least bake of each step."),
        Key(
            "max_first_weight", values.weight, "percentage", '"100%"', "The most that a first step may give."
        ),
        Key("max_error_limit", values.share, "percentage", '"50%"', "The loosest limit for `errors.max`."),
    ),
)

_ADMIN = Key(
    "admin",
    values.admin,
    "list of addresses",
    None,
    "Envoy's admin interface, `host:port` of each proxy.",
    '["127.0.0.1:9901"]',
)

SOURCE = Table(
    SourceSettings,
    "A git repository with policies. It is read, never written, and never checked out.",
    (
        Key(
            "url",
            values.repository,
            "URL or path",
            None,
            "`https://…`, `ssh://…`, `user@host:path`, `file://…` or a path. Secrets do not belong in it. "
            "Plain http is for this machine only.",
            '"https://…"',
        ),
        Key("branch", values.branch, "text", '"main"', "The branch that is followed."),
        Key("path", values.inside, "text", '""', "The folder inside the repository that holds the policies."),
        Key("poll", values.duration(1, _DAY), "duration", '"30s"', "How often to ask for a new commit."),
        Key("timeout", values.duration(1, 3_600), "duration", '"1m"', "After this a git command is killed."),
        Key("ssh_key", values.reference, "reference", "", "The private key for ssh: a file."),
        Key(
            "known_hosts",
            values.path,
            "path",
            "",
            "The host keys that are trusted; without it, those of the daemon's user.",
        ),
        Key("token", values.reference, "reference", "", "The token for https."),
        Key(
            "allow_rewrite",
            values.flag,
            _FLAG,
            "false",
            "Take a rewritten history (force-push) without asking. Without it every rollout of the source is "
            "held until a person says yes.",
        ),
        Key(
            "hold_when_lost",
            values.flag,
            _FLAG,
            "false",
            "Let no weight rise while the repository cannot be read. Without it, running rollouts go on with "
            "the commit accepted last.",
        ),
    ),
)

MESHES: Mapping[str, Table] = MappingProxyType(
    {
        "envoy": Table(
            EnvoyMesh,
            "Plain Envoy that reads its routes from files.",
            (
                Key(
                    "directory",
                    values.path,
                    "path",
                    None,
                    "The folder of the route files, one for each route configuration: `<name>.yaml`. Envoy "
                    "watches it; the daemon must be able to write it.",
                    '"/etc/envoy/routes"',
                ),
                _ADMIN,
            ),
        ),
        "kubernetes": Table(
            KubernetesMesh,
            "The mesh objects of a Kubernetes cluster: App Mesh, Istio, Gateway API, and others that are "
            "named here. Its metrics need a source of their own.",
            (
                Key(
                    "namespaces",
                    values.namespaces,
                    "list of names",
                    None,
                    "The namespaces whose routes policies may move; no other is touched.",
                    '["prod"]',
                ),
                Key(
                    "kubeconfig",
                    values.path,
                    "path",
                    "",
                    "How the API server is reached; without it, by the service account of the pod that the "
                    "daemon runs in. It is read again when a token is not taken any more.",
                    '"/etc/rollout/kubeconfig"',
                ),
                Key(
                    "context",
                    values.text,
                    "text",
                    '""',
                    "The context in the kubeconfig; without it, its current one.",
                    '"prod"',
                ),
                Key(
                    "custom",
                    values.kinds,
                    "list of kinds",
                    "[]",
                    "Resources that policies may declare as `custom` routes, as `Kind.group`.",
                    '["TraefikService.traefik.io"]',
                ),
            ),
        ),
    }
)

METRICS: Mapping[str, Table] = MappingProxyType(
    {
        "envoy": Table(
            EnvoyMetrics,
            "Counters from Envoy's admin interface. A mesh without metrics of its own name gets these from "
            "its proxies; a single mesh's are called `envoy` too, which policies ask for by default.",
            (_ADMIN,),
        ),
        "prometheus": Table(
            PrometheusMetrics,
            "Counters of Envoy that Prometheus scrapes. The daemon looks no more often than it does.",
            (
                Key(
                    "url",
                    values.server,
                    "URL",
                    None,
                    "The server: https, or http on this machine or in a network that you trust.",
                    '"http://prometheus:9090"',
                ),
                Key(
                    "interval",
                    values.duration(0.2, 300),
                    "duration",
                    '"15s"',
                    "How often it scrapes the proxies: older counters than two of these are silence.",
                ),
                Key(
                    "match",
                    values.matchers,
                    "text",
                    '""',
                    "Matchers of PromQL that narrow the series down to one job.",
                    "'job=\"envoy\"'",
                ),
                Key(
                    "label",
                    values.label,
                    "text",
                    '"envoy_cluster_name"',
                    "The label that bears a cluster's name; Istio's proxies say `cluster_name`.",
                ),
                Key("token", values.reference, "reference", "", "The bearer token."),
                Key(
                    "queries",
                    values.queries,
                    "table of queries",
                    "{}",
                    "What policies ask for by name (`query: {name: …}`). Each is `{ bad = …, total = … }`, "
                    "selectors of raw counters, or `{ gauge = … }`, one of what goes up and down; `label` is "
                    "the one that bears the backend's name, if it is another than above.",
                    "{ payments = { bad = 'payments_total{state=\"failed\"}', total = 'payments_total' } }",
                ),
            ),
        ),
    }
)

SINKS: Mapping[str, Table] = MappingProxyType(
    {
        "log": Table(LogSink, "Alerts as lines of the daemon's log.", ()),
        "webhook": Table(
            WebhookSink,
            "Alerts as JSON, by POST. Any 2xx is delivered; redirects are not followed.",
            (
                Key(
                    "url",
                    values.endpoint,
                    "URL or reference",
                    None,
                    "Where to: https, or http on this machine. By reference if the URL is a secret.",
                    '"https://…"',
                ),
                Key(
                    "secret",
                    values.reference,
                    "reference",
                    "",
                    "Signs each message: `X-Rollout-Signature: t=<unix time>,v1=<hex>`, HMAC-SHA256 over "
                    "`<unix time>.<body>`.",
                ),
            ),
        ),
        "slack": Table(
            SlackSink,
            "Alerts to a Slack incoming webhook.",
            (
                Key(
                    "url",
                    values.reference,
                    "reference",
                    None,
                    "The webhook's URL, which is a secret.",
                    '{ env = "SLACK_URL" }',
                ),
            ),
        ),
    }
)
