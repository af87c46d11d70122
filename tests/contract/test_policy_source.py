"""The policy source's contract, held by the real one on real git and by the fake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.git import GitSource
from rollout.settings import SourceSettings
from rollout.simulation.policy_source import SimulatedPolicySource
from tests.contract.policy_source import PolicySourceContract, World
from tests.repository import Repository


class GitWorld:
    def __init__(self, folder: Path) -> None:
        self.repository = Repository.create(folder / "remote.git")
        settings = SourceSettings("policies", self.repository.url, path="prod", timeout=20.0)
        self.source = GitSource(settings, folder / "cache", SystemClock())
        self.move = self.repository.move
        self.drop_branch = self.repository.drop_branch

    def commit(self, files: Mapping[str, str | None], subject: str = "") -> str:
        return self.repository.commit(files, subject)

    def cut(self) -> None:
        self.repository.path.rename(self.repository.path.with_suffix(".away"))

    def mend(self) -> None:
        self.repository.path.with_suffix(".away").rename(self.repository.path)


class FakeWorld(SimulatedPolicySource):
    @property
    def source(self) -> SimulatedPolicySource:
        return self


class TestGitSource(PolicySourceContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return GitWorld(tmp_path)


class TestFakePolicySource(PolicySourceContract):
    @pytest.fixture
    def world(self) -> World:
        return FakeWorld()
