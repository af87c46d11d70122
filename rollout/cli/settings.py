"""The settings of the command that runs."""

from __future__ import annotations

import os
from pathlib import Path

from rollout.cli.commands import wishes
from rollout.policy.limits import Limits
from rollout.settings import Settings
from rollout.settings.load import find, load


def settings_file() -> Path:
    """Which file they are in.

    Raises:
        SettingsError: there is none.
    """
    return find(wishes().config, os.environ, Path.cwd())


def load_settings() -> Settings:
    """All of them.

    Raises:
        SettingsError: everything that is wrong with them.
    """
    return load(settings_file())


def limits_of(settings: Settings) -> Limits:
    """What they allow a policy."""
    guard = settings.guard
    return Limits(
        min_look=guard.min_look,
        min_bake=guard.min_bake,
        max_first_weight=guard.max_first_weight,
        max_error_limit=guard.max_error_limit,
        meshes=tuple(mesh.name for mesh in settings.meshes),
        metrics=tuple(metrics.name for metrics in settings.metrics),
        sinks=tuple(sink.name for sink in settings.sinks),
    )
