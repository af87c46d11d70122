"""The daemon's own configuration (``rollout.toml``), read once into frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


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


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is kept: the name of an environment variable, or a file. Read each time it is used."""

    env: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class GuardRails:
    """What a policy cannot exceed. Seconds; shares from 0 to 1; ``max_first_weight`` out of 10 000."""

    min_look: float = 1.0
    min_bake: float = 0.0
    max_first_weight: int = 10_000
    max_error_limit: float = 0.5


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """A git repository with policies. Seconds; ``path`` is a folder inside it; ``ssh_key`` and ``token`` by reference."""

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
    """Plain Envoy: the folder of its RDS files (``<directory>/<routeConfiguration>.yaml``) and its admin addresses."""

    name: str
    directory: Path
    admin: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnvoyMetrics:
    """Counters from Envoy's admin interface: one address for each proxy."""

    name: str
    admin: tuple[str, ...]


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


MeshSettings = EnvoyMesh
MetricsSettings = EnvoyMetrics
SinkSettings = LogSink | WebhookSink | SlackSink


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. ``state`` is the state directory; ``listen`` is host:port of /metrics and /healthz (empty: none)."""

    state: Path
    listen: str = "127.0.0.1:9460"
    observe: bool = False
    group_control: bool = False
    guard: GuardRails = field(default=GuardRails())
    sources: tuple[SourceSettings, ...] = ()
    meshes: tuple[MeshSettings, ...] = ()
    metrics: tuple[MetricsSettings, ...] = ()
    sinks: tuple[SinkSettings, ...] = ()
