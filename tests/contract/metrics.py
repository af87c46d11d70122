"""What every source of counters promises: the real one and the fake are held to the same sentences."""

import time
from typing import Protocol

import pytest

from rollout.core.model import Sample, Series, Unseen
from rollout.ports import Metrics, Question

DEADLINE = 2.0
BOTH = Question(("jazz-v1", "jazz-v2"), ("5xx", "429"))


class MetricsWorld(Protocol):
    """Two proxies that know ``jazz-v1`` (answers 200), ``jazz-v2`` (503) and ``jazz-v3`` (429)."""

    metrics: Metrics
    names: tuple[str, str]

    async def request(self, proxy: str, backend: str, number: int) -> None:
        """Send requests through a proxy to a backend, one after the other."""

    def hang(self, proxy: str) -> None: ...

    def mend(self, proxy: str) -> None: ...

    def restart(self, proxy: str) -> None: ...


class MetricsContract:
    """Subclass it with a fixture ``world``. ``tells_hosts``: it can tell a backend's hosts apart."""

    tells_hosts = True

    @pytest.fixture
    async def world(self):
        raise NotImplementedError

    async def ask(self, world: MetricsWorld, question: Question = BOTH) -> Sample:
        [answer] = await world.metrics.read([question], DEADLINE)
        assert isinstance(answer, Sample), answer
        return answer

    def one(self, sample: Sample, proxy: str, backend: str) -> Series:
        [series] = [series for series in sample.series if (series.proxy, series.backend) == (proxy, backend)]
        return series

    async def test_a_backend_without_traffic_has_zeros(self, world: MetricsWorld):
        """Never used is a baseline of zeros, not silence."""
        sample = await self.ask(world)
        assert not sample.silent
        assert len(sample.series) == 4
        for series in sample.series:
            assert (series.started, series.completed, series.active) == (0, 0, 0)
            assert series.codes == (("5xx", 0), ("429", 0))

    async def test_a_backend_that_no_proxy_knows_has_no_series(self, world: MetricsWorld):
        """Unknown is not zero: there is nothing to compare with."""
        sample = await self.ask(world, Question(("jazz-v1", "jazz-v9"), ("5xx",)))
        assert {series.backend for series in sample.series} == {"jazz-v1"}

    async def test_requests_are_counted_by_proxy_backend_and_code(self, world: MetricsWorld):
        """Each proxy counts its own; a class counts all its codes, a code itself alone."""
        first, second = world.names
        await world.request(first, "jazz-v1", 3)
        await world.request(first, "jazz-v2", 2)
        await world.request(second, "jazz-v2", 1)
        await world.request(second, "jazz-v3", 4)
        sample = await self.ask(
            world, Question(("jazz-v1", "jazz-v2", "jazz-v3"), ("5xx", "503", "4xx", "429"))
        )
        counted = {
            (series.proxy, series.backend): (series.started, series.completed, *(n for _, n in series.codes))
            for series in sample.series
        }
        assert counted == {
            (first, "jazz-v1"): (3, 3, 0, 0, 0, 0),
            (first, "jazz-v2"): (2, 2, 2, 2, 0, 0),
            (first, "jazz-v3"): (0, 0, 0, 0, 0, 0),
            (second, "jazz-v1"): (0, 0, 0, 0, 0, 0),
            (second, "jazz-v2"): (1, 1, 1, 1, 0, 0),
            (second, "jazz-v3"): (4, 4, 0, 0, 4, 4),
        }

    async def test_each_question_has_its_own_answer(self, world: MetricsWorld):
        """Many rollouts in one read: answers in the order of questions, each with what it asked for."""
        await world.request(world.names[0], "jazz-v2", 1)
        questions = [Question(("jazz-v2",), ("5xx",)), Question(("jazz-v1",), ("429",)), BOTH]
        answers = await world.metrics.read(questions, DEADLINE)
        assert len(answers) == 3
        for question, answer in zip(questions, answers, strict=True):
            assert isinstance(answer, Sample)
            assert {series.backend for series in answer.series} == set(question.backends)
            assert all(tuple(code for code, _ in series.codes) == question.codes for series in answer.series)
        assert await world.metrics.read([], DEADLINE) == []

    async def test_requests_are_counted_by_host_where_hosts_can_be_told_apart(self, world: MetricsWorld):
        """Of each proxy, completed and failed; a backend that nobody knows has no hosts."""
        first, second = world.names
        await world.request(first, "jazz-v1", 3)
        await world.request(second, "jazz-v2", 2)
        found = await world.metrics.hosts(["jazz-v1", "jazz-v2", "jazz-v9"], DEADLINE)
        counted = {
            (backend, proxy): (n, x)
            for backend, hosts in found.items()
            for (proxy, _), (n, x) in hosts.items()
            if n
        }
        assert not found.get("jazz-v9")
        told = {("jazz-v1", first): (3, 0), ("jazz-v2", second): (2, 2)}
        assert counted == (told if self.tells_hosts else {})

    async def test_what_cannot_be_counted_is_named_and_the_rest_is_told(self, world: MetricsWorld):
        """Never zeros for what nobody looked at."""
        sample = await self.ask(world, Question(("jazz-v1",), ("5xx",), queries=("no-such-query",)))
        [(what, why)] = sample.missing
        assert what == "no-such-query"
        assert why
        assert {series.backend for series in sample.series} == {"jazz-v1"}
        assert (await self.ask(world)).missing == ()

    async def test_a_silent_proxy_is_named_and_delays_nothing(self, world: MetricsWorld):
        """The other proxy's counters come within the deadline; the silent one has no zeros, but a reason."""
        first, second = world.names
        await world.request(second, "jazz-v1", 1)
        await self.ask(world)  # what is made at the first question is no part of the deadline
        world.hang(first)
        for deadline, most in ((0.2, 0.4), (1.0, 0.4)):
            began = time.monotonic()
            [sample] = await world.metrics.read([BOTH], deadline)
            assert time.monotonic() - began < most, "who let a deadline pass is not waited for again"
            assert isinstance(sample, Sample)
            assert {series.proxy for series in sample.series} == {second}
            [(name, why)] = sample.silent
            assert name == first
            assert why
        world.mend(first)

    async def test_a_proxy_that_came_back_is_counted_again(self, world: MetricsWorld):
        """Silence leaves no trace once it is over."""
        world.hang(world.names[0])
        await world.metrics.read([BOTH], 0.1)
        world.mend(world.names[0])
        until = time.monotonic() + 5
        while (await self.ask(world)).silent:
            assert time.monotonic() < until

    async def test_silence_everywhere_is_not_a_sample(self, world: MetricsWorld):
        """Nobody answers: no counters at all, and each proxy's reason."""
        for proxy in world.names:
            world.hang(proxy)
        [answer] = await world.metrics.read([BOTH], 0.2)
        for proxy in world.names:
            world.mend(proxy)
        assert isinstance(answer, Unseen)
        assert all(proxy in answer.why for proxy in world.names)

    async def test_a_restarted_proxy_counts_from_zero(self, world: MetricsWorld):
        """Counters of a restarted proxy begin again: raw, as they are."""
        first, _ = world.names
        await world.request(first, "jazz-v2", 3)
        world.restart(first)
        await world.request(first, "jazz-v2", 1)
        series = self.one(await self.ask(world), first, "jazz-v2")
        assert (series.completed, dict(series.codes)["5xx"]) == (1, 1)
        assert series.uptime is not None
        assert series.uptime < 60
