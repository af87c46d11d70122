"""The settings of the command that runs."""

from __future__ import annotations

import os
from pathlib import Path

from rollout.cli.commands import wishes
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
