"""Commands called in this process, and a state directory that a daemon could have left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.cli import main
from rollout.core.model import Decision, Order, Policy
from rollout.ports import Alert, Freeze, Record, SourceState
from tests.unit.core.world import World

SETTINGS = """\
state = "state"
listen = ""
[sources.main]
url = "/nowhere/policies.git"
[meshes.edge]
kind = "envoy"
directory = "routes"
admin = ["127.0.0.1:1"]
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ended]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process: ``cli("get", "jazz")``."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


class House:
    """A folder with settings and a state directory; the journal is written by the real one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.settings = folder / "rollout.toml"
        self.settings.write_text(SETTINGS, encoding="utf-8")
        (folder / "routes").mkdir()

    @property
    def config(self) -> tuple[str, str]:
        return "--config", str(self.settings)

    def remember(self, world: World, *decisions: Decision, **more: Any) -> None:
        """What a daemon would have written: the policy that is asked for, and each decision."""
        asked = {world.asked.name: world.asked} if isinstance(world.asked, Policy) else {}
        asyncio.run(self._remember(asked, decisions or tuple(filter(None, [world.last])), **more))

    async def _remember(
        self,
        policies: dict[str, Policy],
        decisions: tuple[Decision, ...],
        *,
        source: SourceState | None = None,
        freezes: tuple[Freeze, ...] = (),
        orders: tuple[Order, ...] = (),
        alerts: tuple[tuple[str, Alert], ...] = (),
        outcome: str = "",
        name: str = "prod/jazz",
    ) -> None:
        clock = SystemClock()
        journal, _ = SqliteJournal.open(self.state, clock)
        try:
            await journal.accept("main", source or SourceState("1" * 40, "1" * 40), policies)
            for order in orders:
                await journal.order(name, order)
            for freeze in freezes:
                await journal.freeze(freeze, lifted=False)
            for decision in decisions:
                record = Record(name, clock.now(), decision, noteworthy=True, alerts=alerts, outcome=outcome)
                await journal.record(record)
        finally:
            await journal.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)
