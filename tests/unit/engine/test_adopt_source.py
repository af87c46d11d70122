"""Taking a rewritten history, also while a poll is under way."""

import asyncio

from rollout.ports import Tree
from rollout.simulation.policy_source import SimulatedPolicySource
from tests.fakes.lab import Lab, policy


class Slow:
    """A source whose first answer waits until it may be given."""

    def __init__(self, source: SimulatedPolicySource) -> None:
        self.source = source
        self.asked = asyncio.Event()
        self.may = asyncio.Event()

    async def read(self, accepted: str | None) -> Tree:
        tree = await self.source.read(accepted)
        if not self.asked.is_set():
            self.asked.set()
            await self.may.wait()
        return tree


async def test_a_poll_under_way_does_not_undo_what_a_person_took():
    """The answer to a question asked before the person spoke is not the last word."""
    lab = await Lab().adopted()
    lab.source.drop_branch()
    lab.source.commit({"prod/jazz.yaml": policy("jazz-v1", bake=7)})
    await lab.engine.poll("main")
    assert lab.engine.sources["main"].rewritten
    slow = Slow(lab.source)
    lab.engine._ports = {"main": slow}
    poll = asyncio.create_task(lab.engine.poll("main"))
    await slow.asked.wait()
    adopting = asyncio.create_task(lab.engine.adopt_source("main", "ana", "we rebased"))
    await asyncio.sleep(0)
    slow.may.set()
    assert await adopting == ""
    await poll
    assert not lab.engine.sources["main"].rewritten


async def test_g3_who_says_it_twice_takes_no_other_rewrite():
    """The second waits for the first, and what is rewritten meanwhile was seen by nobody."""
    lab = await Lab().adopted()
    lab.source.drop_branch()
    seen = lab.source.commit({"prod/jazz.yaml": policy("jazz-v1", bake=7)})
    await lab.engine.poll("main")
    slow = Slow(lab.source)
    lab.engine._ports = {"main": slow}
    adopting = [asyncio.create_task(lab.engine.adopt_source("main", who, "yes")) for who in ("ana", "bob")]
    await slow.asked.wait()
    lab.source.drop_branch()
    lab.source.commit({"prod/jazz.yaml": policy("jazz-v3")})
    slow.may.set()
    assert await asyncio.gather(*adopting) == ["", ""]
    assert lab.engine.sources["main"].accepted == seen
    await lab.engine.poll("main")
    assert lab.engine.sources["main"].rewritten


async def test_g3_a_rewrite_that_comes_while_a_person_waits_is_not_taken():
    """Who adopts means the history that was shown; a poll under way finds another."""
    lab = await Lab().adopted()
    accepted = lab.engine.sources["main"].accepted
    for backend in ("jazz-v2", "jazz-v3"):
        lab.source.drop_branch()
        lab.source.commit({"prod/jazz.yaml": policy(backend)})
        if backend == "jazz-v2":
            await lab.engine.poll("main")
    slow = Slow(lab.source)
    lab.engine._ports = {"main": slow}
    poll = asyncio.create_task(lab.engine.poll("main"))
    await slow.asked.wait()
    adopting = asyncio.create_task(lab.engine.adopt_source("main", "ana", "we rebased"))
    await asyncio.sleep(0)
    slow.may.set()
    assert "adopt again" in await adopting
    await poll
    assert lab.engine.sources["main"].accepted == accepted
    assert await lab.engine.adopt_source("main", "ana", "that one too") == ""
    assert lab.engine.sources["main"].accepted == lab.source.head
