"""/metrics and /healthz: what is told of each rollout and source, what goes with them, and who is alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from rollout.adapters.timetable import Timetable
from rollout.core.model import Held, Ramping, Weight, Why
from rollout.engine.daemon import BEAT, MISSED_BEATS, Daemon
from rollout.server.exposition import Exposition, make_app
from tests.fakes.lab import JAZZ, Lab, policy

PROMISED = {
    "rollout_weight_ratio",
    "rollout_step",
    "rollout_state",
    "rollout_evidence_odds",
    "rollout_verdicts",
    "rollout_decisions",
    "rollout_look_lateness_seconds",
    "rollout_source_age_seconds",
    "rollout_source_problem",
    "rollout_source_complaints",
    "rollout_undelivered_alerts",
    "rollout_alive",
}

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Page:
    """A lab, looked at as the daemon does, and its page."""

    def __init__(self, lab: Lab) -> None:
        async def prune() -> None:
            """Nothing to prune."""

        self.lab = lab
        self.exposition = Exposition()
        self.daemon = Daemon(lab.engine, lab.postman, Timetable(), beat=lambda: None, prune=prune)
        app = make_app(self.exposition, lab.engine, self.daemon, lab.postman)
        self.client = TestClient(TestServer(app))

    async def look(self, name: str = "jazz", late: float = 0.0) -> None:
        rollout = self.lab.rollout(name)
        await self.lab.engine.look(rollout.name)
        self.exposition.observe(rollout, late)

    async def series(self) -> Series:
        """(name, labels) to value."""
        answer = await self.client.get("/metrics")
        assert answer.status == 200
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(await answer.text())
            for sample in family.samples
        }


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """jazz-v2 at its first step, metal at rest."""
    lab = await Lab("jazz", "metal").adopted()
    await lab.ask("jazz-v2", bake=60)
    await lab.run(6)
    made = Page(lab)
    await made.client.start_server()
    yield made
    await made.client.close()


def of(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


async def test_every_family_that_is_promised_is_there(page: Page):
    """Also before the first look; after it, each has its series."""
    answer = await page.client.get("/metrics")
    assert answer.content_type == "text/plain"
    families = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert families >= PROMISED


async def test_a_rollout_under_way_shows_weight_step_evidence_and_decisions(page: Page):
    for _ in range(3):
        page.lab.flow(1.0)
        await page.look(late=0.02)
    await page.look("metal")
    found = await page.series()
    assert found[of("rollout_weight_ratio", rollout=JAZZ)] == 0.1
    assert found[of("rollout_step", rollout=JAZZ)] == 1
    assert found[of("rollout_state", rollout=JAZZ, state="ramping")] == 1
    assert found[of("rollout_evidence_odds", rollout=JAZZ)] >= 0
    assert found[of("rollout_decisions_total", rollout=JAZZ, reason="baking")] == 3
    assert found[of("rollout_verdicts_total", rollout=JAZZ, verdict="passing")] == 3
    assert found[of("rollout_look_lateness_seconds_count")] == 4
    assert found[of("rollout_look_lateness_seconds_bucket", le="0.025")] == 4
    assert found[of("rollout_weight_ratio", rollout="prod/metal")] == 0
    assert found[of("rollout_step", rollout="prod/metal")] == 0


async def test_a_state_that_was_left_is_no_series_any_more(page: Page):
    """Held at 2 %: the weight is what is authorised now, the step is where it stands."""
    await page.look()
    rollout = page.lab.rollout()
    assert isinstance(rollout.state, Ramping)
    rollout.state = Held(rollout.state, Why.LOWERED, Weight(200))
    page.exposition.observe(rollout, 0.0)
    found = await page.series()
    assert of("rollout_state", rollout=JAZZ, state="ramping") not in found
    assert found[of("rollout_state", rollout=JAZZ, state="held")] == 1
    assert found[of("rollout_weight_ratio", rollout=JAZZ)] == 0.02
    assert found[of("rollout_step", rollout=JAZZ)] == 1


async def test_series_go_when_the_rollout_goes(page: Page):
    """Every series that names it, and none of its neighbour's."""
    await page.look()
    await page.look("metal")
    page.exposition.forget(JAZZ)
    page.exposition.forget("prod/never-there")
    named = {dict(labels).get("rollout") for _, labels in await page.series()}
    assert named == {None, "prod/metal"}


async def test_sources_tell_their_age_and_their_troubles(page: Page):
    """Since the last answer; one that never answered counts from the start."""
    lab = page.lab
    lab.clock.advance(40)
    lab.source.cut()
    await lab.engine.poll("main")
    found = await page.series()
    assert found[of("rollout_source_age_seconds", source="main")] == pytest.approx(46, abs=1.5)
    assert found[of("rollout_source_problem", source="main")] == 1
    lab.source.mend()
    lab.source.commit({"prod/jazz.yaml": "kind: [", "prod/metal.yaml": policy("metal-v1", "metal")})
    await lab.engine.poll("main")
    found = await page.series()
    assert found[of("rollout_source_age_seconds", source="main")] == 0
    assert found[of("rollout_source_problem", source="main")] == 0
    assert found[of("rollout_source_complaints", source="main")] == 1


async def test_a_source_that_never_answered_has_an_age():
    lab = Lab()
    page = Page(lab)
    async with page.client:
        lab.clock.advance(90)
        found = await page.series()
        assert found[of("rollout_source_age_seconds", source="main")] == 90


async def test_l3_alerts_that_do_not_arrive_are_a_number(page: Page):
    page.lab.sink.down = "connection refused"
    await page.lab.postman.sweep()
    assert (await page.series())[of("rollout_undelivered_alerts")] >= 1
    page.lab.sink.down = ""
    page.lab.clock.advance(10)
    await page.lab.postman.sweep()
    assert (await page.series())[of("rollout_undelivered_alerts")] == 0


async def test_d4_a_loop_that_does_not_beat_is_not_healthy(page: Page):
    """HTTP answers all the while: health is the heart of the loop that looks."""
    answer = await page.client.get("/healthz")
    assert (answer.status, await answer.json()) == (200, {"alive": True, "rollouts": 2})
    assert (await page.series())[of("rollout_alive")] == 1
    page.lab.clock.advance(MISSED_BEATS * BEAT)
    answer = await page.client.get("/healthz")
    assert (answer.status, (await answer.json())["alive"]) == (503, False)
    assert (await page.series())[of("rollout_alive")] == 0


async def test_a_page_of_many_rollouts_does_not_stop_the_looks(page: Page):
    """It is written beside the loop, which goes on turning."""
    rollout = page.lab.rollout()
    for number in range(3_000):
        page.exposition.observe(replace(rollout, name=f"prod/r{number}"), 0.0)
    asking = asyncio.ensure_future(page.client.get("/metrics"))
    turns = 0
    while not asking.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 10
