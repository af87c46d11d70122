"""The daemon's own configuration (``rollout.toml``), read once into frozen values."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

_MOST_SECRET = 65_536


class Secret(str):
    """A value that is never shown: its ``repr`` and ``str`` in a format are masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return str.__str__(self)


class Unread(Exception):  # noqa: N818 - it says what became of the secret
    """A secret could not be read; ``str()`` says which, why and how to mend it, never what it holds."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is kept: the name of an environment variable, or a file. Read each time it is used."""

    env: str = ""
    file: Path | None = None

    def __str__(self) -> str:
        return f"the file {self.file}" if self.file else f"the environment variable {self.env}"

    def read(self) -> Secret:
        """The secret, without the white space around it.

        Raises:
            Unread: it is not there, empty, over 64 KiB, not UTF-8, or in a file that everybody may read.
        """
        raw = (
            self._contents(self.file)
            if self.file
            else os.environ.get(self.env, "").encode(errors="surrogateescape")
        )
        if len(raw) > _MOST_SECRET:
            raise Unread(f"{self} is over {_MOST_SECRET // 1024} KiB: that is no secret; name another")
        try:
            secret = raw.decode().strip()
        except UnicodeDecodeError:
            raise Unread(f"{self} is not UTF-8 text: write the secret as plain text") from None
        if not secret:
            raise Unread(f"{self} is empty or not set: put the secret there")
        return Secret(secret)

    def _contents(self, file: Path) -> bytes:
        try:
            with file.open("rb") as opened:
                if os.fstat(opened.fileno()).st_mode & stat.S_IROTH:
                    raise Unread(f"{self} may be read by everybody: chmod 600 {file}")
                return opened.read(_MOST_SECRET + 1)
        except OSError as problem:
            raise Unread(f"{self} cannot be read: {problem.strerror}") from None


@dataclass(frozen=True, slots=True)
class GuardRails:
    """What a policy cannot exceed. Seconds; shares from 0 to 1; ``max_first_weight`` out of 10 000."""

    min_look: float = 1.0
    min_bake: float = 0.0
    max_first_weight: int = 10_000
    max_error_limit: float = 0.5


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """A git repository with policies; ``path`` is a folder inside it. Durations are seconds."""

    name: str
    url: str
    branch: str = "main"
    path: str = ""
    poll: float = 30.0
    timeout: float = 60.0
    ssh_key: Reference | None = None
    known_hosts: Path | None = None
    token: Reference | None = None
    allow_rewrite: bool = False
    hold_when_lost: bool = False


@dataclass(frozen=True, slots=True)
class EnvoyMesh:
    """Plain Envoy: the folder of its RDS files (``<routeConfiguration>.yaml``), and its admin addresses."""

    name: str
    directory: Path
    admin: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KubernetesMesh:
    """The mesh objects of a cluster. Without ``kubeconfig``, the account of the pod that this runs in.

    ``namespaces``: those whose routes may be moved. ``custom``: the resources that a policy may declare, as
    ``Kind.version.group`` of the API.
    """

    name: str
    namespaces: tuple[str, ...]
    kubeconfig: Path | None = None
    context: str = ""
    custom: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvoyMetrics:
    """Counters from Envoy's admin interface: one address for each proxy."""

    name: str
    admin: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A query of two selectors of raw counters: so many of ``total`` are ``bad``. ``label`` of their series
    bears the backend's name; empty: that of the source.
    """

    name: str
    bad: str
    total: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A query of one selector, of what goes up and down. ``label`` as for ``Ratio``."""

    name: str
    gauge: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class PrometheusMetrics:
    """Counters from Prometheus, which scrapes the Envoys each ``interval`` seconds.

    ``match``: further PromQL matchers of their series; ``label``: the one that bears the cluster's name.
    ``queries``: what policies may ask for by name.
    """

    name: str
    url: str
    interval: float = 15.0
    match: str = ""
    label: str = "envoy_cluster_name"
    token: Reference | None = None
    queries: tuple[Ratio | Gauge, ...] = ()


@dataclass(frozen=True, slots=True)
class LogSink:
    """Alerts as lines of the daemon's log."""

    name: str


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """Alerts as JSON to a URL; ``secret`` signs them (HMAC-SHA256)."""

    name: str
    url: str | Reference
    secret: Reference | None = None


@dataclass(frozen=True, slots=True)
class SlackSink:
    """Alerts to a Slack incoming webhook; its URL is a secret, so by reference."""

    name: str
    url: Reference


MeshSettings = EnvoyMesh | KubernetesMesh
MetricsSettings = EnvoyMetrics | PrometheusMetrics
SinkSettings = LogSink | WebhookSink | SlackSink


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. ``state`` is the state directory, ``listen`` the host:port of /metrics, if it is served."""

    state: Path
    listen: str = "127.0.0.1:9460"
    observe: bool = False
    group_control: bool = False
    guard: GuardRails = field(default=GuardRails())
    sources: tuple[SourceSettings, ...] = ()
    meshes: tuple[MeshSettings, ...] = ()
    metrics: tuple[MetricsSettings, ...] = ()
    sinks: tuple[SinkSettings, ...] = ()

    def least_look(self, metrics: str) -> float:
        """Seconds between two looks at least: the operator's guard rail, or the interval at which these
        counters are scraped.
        """
        scraped = (one for one in self.metrics if isinstance(one, PrometheusMetrics) and one.name == metrics)
        return max([self.guard.min_look, *(one.interval for one in scraped)])
