"""An hour of stable's counters, read once a minute for all rollouts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from rollout.core.model import UNHEARD, Sample, Unseen, Weight
from rollout.core.noise import ENOUGH_MINUTES, UNKNOWN, at_edge, factor
from rollout.engine.history import MOST_HOSTS
from rollout.ports import Hosts, Question
from rollout.simulation import latency
from rollout.simulation.metrics import SimulatedMetrics
from tests.fakes.lab import JAZZ, Lab


class Told(SimulatedMetrics):
    """Tells its hosts apart: ``by_host`` are the counts of each."""

    def __init__(self) -> None:
        super().__init__()
        self.by_host: dict[tuple[str, str], tuple[int, int]] = {}
        self.asked: list[Sequence[Question]] = []
        self.away = False
        self.poison = ""

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        self.asked.append(questions)
        if any(self.poison in question.backends for question in questions):
            raise ValueError("no such number")
        if self.away:
            return [Unseen("away")] * len(questions)
        return await super().read(questions, deadline)

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:
        del deadline
        return {backend: dict(self.by_host) for backend in backends}


async def lab_of(*names: str) -> tuple[Lab, Told]:
    """Rollouts at rest, and their counters."""
    lab = Lab(*names, backend="v1")
    told = Told()
    told.proxies = lab.metrics.proxies
    lab.counters["envoy"] = lab.metrics = told
    lab.start()
    await lab.adopted()
    told.asked.clear()
    return lab, told


async def minutes(lab: Lab, number: int) -> None:
    for _ in range(number):
        await lab.run(60)
        await lab.engine.look_back()


async def test_a_question_that_breaks_the_source_costs_its_own_history_only():
    """Its neighbour's minutes go on (law 10)."""
    lab, told = await lab_of("jazz", "metal")
    told.poison = "metal-v1"
    await minutes(lab, ENOUGH_MINUTES + 1)
    await lab.ask("jazz-v2")
    await lab.run(8)
    assert lab.ramp().noise.minutes == ENOUGH_MINUTES


async def test_a_tighter_limit_keeps_the_history():
    """What is asked of stable is the same."""
    limit = "  analysis: {{checks: [{{errors: {{}}}}, {{errors: {{max: {}%}}}}]}}\n"
    lab, _ = await lab_of("jazz")
    await lab.ask("jazz-v1", more=limit.format(5))
    await minutes(lab, ENOUGH_MINUTES + 1)
    await lab.ask("jazz-v2", more=limit.format(4))
    await lab.run(8)
    assert lab.ramp().noise.minutes == ENOUGH_MINUTES


async def test_all_stables_are_read_together_once_a_minute():
    """Two services, one read of each source, also at rest."""
    lab, told = await lab_of("jazz", "metal")
    await lab.engine.look_back()
    assert [sorted(question.backends for question in asked) for asked in told.asked] == [
        [("jazz-v1",), ("metal-v1",)]
    ]


async def test_noise_is_known_after_twenty_minutes_and_asked_for_by_a_journey_only():
    """At rest nobody wants it; on the way up it is in the state, so that a restart does not forget it."""
    lab, _ = await lab_of("jazz")
    await minutes(lab, ENOUGH_MINUTES + 1)
    rollout = lab.engine.rollouts[JAZZ]
    assert lab.engine.world.history.noise(rollout) == UNHEARD
    await lab.ask("jazz-v2")
    await lab.run(8)
    assert lab.ramp().noise.minutes == ENOUGH_MINUTES
    assert factor(lab.ramp().noise, 0, Weight(lab.weight("jazz-v2"))) == 1.0
    lab.start()
    await lab.run(3)
    assert lab.ramp().noise.minutes == ENOUGH_MINUTES


async def test_a_new_installation_knows_nothing():
    """The judge divides by the number for the unknown."""
    lab, _ = await lab_of("jazz")
    await lab.ask("jazz-v2")
    await lab.run(8)
    assert factor(lab.ramp().noise, 0, Weight(lab.weight("jazz-v2"))) == UNKNOWN


async def test_a_minute_without_an_answer_is_a_longer_minute():
    """Nothing is lost, and nothing is made up."""
    lab, told = await lab_of("jazz")
    await minutes(lab, ENOUGH_MINUTES)
    told.away = True
    await minutes(lab, 3)
    told.away = False
    await minutes(lab, 1)
    await lab.ask("jazz-v2")
    await lab.run(8)
    assert lab.ramp().noise.minutes == ENOUGH_MINUTES


async def test_hosts_that_differ_are_noise():
    """Two hosts that take turns at failing: between them there is far more than chance."""
    lab, told = await lab_of("jazz")
    counts = {name: [0, 0] for name in ("a", "b")}
    for minute in range(ENOUGH_MINUTES + 1):
        for number, name in enumerate(counts):
            counts[name][0] += 1000
            counts[name][1] += 100 if minute % 2 == number else 0
        told.by_host = {("proxy-1", name): (n, x) for name, (n, x) in counts.items()}
        await minutes(lab, 1)
    await lab.ask("jazz-v2")
    await lab.run(8)
    assert factor(lab.ramp().noise, 0, Weight(lab.weight("jazz-v2"))) > 20


async def test_a_host_s_counter_that_begins_anew_counts_nothing_twice():
    """A restart of the proxy: what it forgot is not what was done."""
    lab, told = await lab_of("jazz")
    for minute in range(ENOUGH_MINUTES + 1):
        done = 1000 * (minute % 7)
        told.by_host = {
            ("proxy-1", f"host-{number}"): (done, done // 100) for number in range(MOST_HOSTS + 4)
        }
        await minutes(lab, 1)
    await lab.ask("jazz-v2")
    await lab.run(8)
    assert factor(lab.ramp().noise, 0, Weight(lab.weight("jazz-v2"))) == 1.0


# --- latency -------------------------------------------------------------------------------------


TIMED = "  analysis: {checks: [{errors: {}}, {latency: {}}]}\n"


async def timed_lab(known: int) -> Lab:
    """A service at rest whose policy asks for latency; stable's answers are timed for so many minutes."""
    lab, told = await lab_of("jazz")
    await lab.ask("jazz-v1", more=TIMED)
    chance = Random(7)
    for _ in range(known):
        told.took("jazz-v1", latency.answers(600, 60.0, chance))
        await minutes(lab, 1)
    return lab


async def test_stable_s_latency_is_known_as_its_errors_are():
    """The first reading that knows enough chooses the edges; minutes count from then on."""
    lab = await timed_lab(ENOUGH_MINUTES + 2)
    await lab.ask("jazz-v2", more=TIMED)
    await lab.run(8)
    pairs = lab.ramp().noise.factors[1]
    assert [edge for edge, _ in pairs] == [50.0, 100.0, 250.0, 500.0]
    assert [phi for _, phi in pairs].count(1.0) >= 3


async def test_minutes_without_answers_are_minutes_too():
    """Who gets a request now and then is known after as many of them."""
    lab = await timed_lab(ENOUGH_MINUTES - 2)
    await minutes(lab, 5)
    await lab.ask("jazz-v2", more=TIMED)
    await lab.run(8)
    assert at_edge(lab.ramp().noise, 1, 100.0) == 1.0


async def test_nothing_is_known_of_latency_that_nobody_timed():
    lab = await timed_lab(0)
    await minutes(lab, ENOUGH_MINUTES + 2)
    await lab.ask("jazz-v2", more=TIMED)
    await lab.run(8)
    assert at_edge(lab.ramp().noise, 1, 100.0) == UNKNOWN
    assert factor(lab.ramp().noise, 0, Weight(lab.weight("jazz-v2"))) == 1.0
