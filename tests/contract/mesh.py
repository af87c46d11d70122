"""What every mesh promises: the real one and the fake are held to the same sentences."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import pytest

from rollout.core.model import MeshSeen, Route, Split
from rollout.ports import Lost, Mesh, Moved

HOME = Split.all_on("jazz-v1")
DEADLINE = 2.0


class MeshWorld(Protocol):
    """A mesh whose route gives ``jazz-v1`` everything; ``names`` of its proxies, if it asks them. ``jazz-v1``
    and ``jazz-v2`` have one ready endpoint each, ``jazz-v3`` has none.
    """

    mesh: Mesh
    route: Route
    names: tuple[str, ...]

    def put(self, *weights: Mapping[str, int]) -> None:
        """A foreign hand: one mapping of weights for each entry of the route."""

    def delete(self) -> None: ...


class ProxiedWorld(MeshWorld, Protocol):
    """One of two proxies."""

    def put_bad(self, weights: Mapping[str, int]) -> None:
        """A foreign hand writes what every proxy rejects."""

    def hang(self, proxy: str) -> None: ...

    def mend(self, proxy: str) -> None: ...


class MeshContract:
    """Subclass it with a fixture ``world``. ``resolution``: the smallest weight that the mesh can express."""

    resolution = 1

    @pytest.fixture
    async def world(self):
        raise NotImplementedError

    async def wait(self, world: MeshWorld, so: Callable[[MeshSeen], bool]) -> MeshSeen:
        """Read until it is so."""
        until = time.monotonic() + 5
        while not so(seen := await world.mesh.read(world.route, DEADLINE)):
            assert time.monotonic() < until, f"never came about: {seen}"
        return seen

    async def settled(self, world: MeshWorld, wanted: Split) -> MeshSeen:
        """Read until every proxy shows a split."""
        return await self.wait(world, lambda seen: all(proxy.splits == (wanted,) for proxy in seen.proxies))

    async def write(self, world: MeshWorld, split: Split, epoch: int = 1) -> MeshSeen:
        """Write and wait until it is distributed."""
        seen = await world.mesh.read(world.route, DEADLINE)
        await world.mesh.write(world.route, split, version=seen.version, home=HOME, epoch=epoch)
        return await self.settled(world, split)

    async def test_a_route_never_written_bears_no_epoch(self, world: MeshWorld):
        """The first read shows the split, every proxy's own word and no epoch."""
        seen = await self.settled(world, HOME)
        assert seen.splits == (HOME,)
        assert seen.epoch is None
        assert [proxy.name for proxy in seen.proxies] == list(world.names)
        assert all(not proxy.rejected and not proxy.unreachable for proxy in seen.proxies)

    async def test_ready_endpoints_are_counted(self, world: MeshWorld):
        """A backend without endpoints is known and has none; one that nobody knows is not there."""
        seen = await world.mesh.read(world.route, DEADLINE)
        assert (seen.ready["jazz-v1"], seen.ready["jazz-v2"], seen.ready["jazz-v3"]) == (1, 1, 0)
        assert "jazz-v4" not in seen.ready

    async def test_what_is_written_is_read_back_and_distributed(self, world: MeshWorld):
        """A write is absolute, bears its epoch, and makes another version."""
        before = await world.mesh.read(world.route, DEADLINE)
        for weight in (self.resolution, 1_234 // self.resolution * self.resolution, 5_000, 10_000):
            split = Split.between("jazz-v1", "jazz-v2", weight)
            after = await self.write(world, split, epoch=7)
            assert (after.splits, after.epoch) == ((split,), 7)
            assert after.version != before.version
            before = after

    async def test_home_is_one_write_from_anywhere(self, world: MeshWorld):
        """Whatever the split, one write gives stable everything."""
        for weight in (self.resolution, 5_000, 9_500, 10_000):
            await self.write(world, Split.between("jazz-v1", "jazz-v2", weight))
            assert (await self.write(world, HOME)).splits == (HOME,)

    async def test_home_is_found_after_a_foreign_write(self, world: MeshWorld):
        """A way home staged for another version of the route is not taken; home is reached all the same."""
        await self.write(world, Split.between("jazz-v1", "jazz-v2", 1_000))
        world.put({"jazz-v1": 1, "jazz-v2": 3})
        await self.settled(world, Split.between("jazz-v1", "jazz-v2", 7_500))
        assert (await self.write(world, HOME)).splits == (HOME,)

    async def test_a_write_on_an_old_version_is_not_made(self, world: MeshWorld):
        """Who has not seen a foreign write cannot overwrite it."""
        old = await world.mesh.read(world.route, DEADLINE)
        world.put({"jazz-v1": 77, "jazz-v2": 23})
        little = Split.between("jazz-v1", "jazz-v2", self.resolution)
        with pytest.raises(Moved):
            await world.mesh.write(world.route, little, version=old.version, home=HOME, epoch=1)
        with pytest.raises(Moved):
            await world.mesh.write(world.route, HOME, version=old.version, home=HOME, epoch=1)
        seen = await self.settled(world, Split.between("jazz-v1", "jazz-v2", 2_300))
        assert seen.epoch is None

    async def test_the_fence_counts_the_writes(self, world: MeshWorld):
        """One more for each write, whoever of us made it; a way home staged beforehand counts too."""
        assert (await world.mesh.read(world.route, DEADLINE)).writes == 0
        half = Split.between("jazz-v1", "jazz-v2", 5_000)
        made = [(half, 1), (HOME, 1), (half, 2), (half, 2), (HOME, 3)]
        assert [(await self.write(world, split, epoch)).writes for split, epoch in made] == [1, 2, 3, 4, 5]

    async def test_a_write_made_twice_is_made_once(self, world: MeshWorld):
        """The second of two writes on one version finds the first."""
        seen = await world.mesh.read(world.route, DEADLINE)
        split = Split.between("jazz-v1", "jazz-v2", self.resolution)
        await world.mesh.write(world.route, split, version=seen.version, home=HOME, epoch=1)
        with pytest.raises(Moved):
            await world.mesh.write(world.route, split, version=seen.version, home=HOME, epoch=1)

    async def test_a_deleted_route_is_lost(self, world: MeshWorld):
        """Gone is not the same as unreadable, and is never recreated."""
        seen = await world.mesh.read(world.route, DEADLINE)
        world.delete()
        with pytest.raises(Lost):
            await world.mesh.read(world.route, DEADLINE)
        with pytest.raises(Lost):
            await world.mesh.write(world.route, HOME, version=seen.version, home=HOME, epoch=1)
        with pytest.raises(Lost):
            await world.mesh.read(world.route, DEADLINE)


class SeveralEntriesContract(MeshContract):
    """For meshes whose routes may have several entries."""

    async def test_entries_that_disagree_are_all_shown(self, world: MeshWorld):
        """Two entries with two splits are two splits, in object and proxies; a write makes them one."""
        world.put({"jazz-v1": 100}, {"jazz-v1": 60, "jazz-v2": 40})
        both = {HOME, Split.between("jazz-v1", "jazz-v2", 4_000)}
        seen = await self.wait(world, lambda seen: all(set(proxy.splits) == both for proxy in seen.proxies))
        assert set(seen.splits) == both
        assert (await self.write(world, HOME)).splits == (HOME,)


class ProxiedMeshContract(SeveralEntriesContract):
    """For meshes that ask the proxies themselves."""

    async def test_a_proxy_that_hangs_is_named_and_delays_nothing(self, world: ProxiedWorld):
        """One proxy is silent: the others are read, within the deadline, and counted without it."""
        await self.settled(world, HOME)
        first, second = world.names
        world.hang(first)
        began = time.monotonic()
        seen = await world.mesh.read(world.route, 0.2)
        took = time.monotonic() - began
        world.mend(first)
        assert took < 0.5
        silent, well = seen.proxies
        assert silent.name == first
        assert silent.unreachable
        assert not silent.splits
        assert (well.name, well.splits, well.unreachable) == (second, (HOME,), "")
        assert seen.ready["jazz-v2"] == 1

    async def test_a_proxy_that_came_back_is_counted_again(self, world: ProxiedWorld):
        """Silence leaves no trace once it is over."""
        world.hang(world.names[0])
        await world.mesh.read(world.route, 0.1)
        world.mend(world.names[0])
        await self.settled(world, HOME)

    async def test_what_proxies_reject_is_said(self, world: ProxiedWorld):
        """A rejected object shows its split in the object, and the old split with a reason at each proxy."""
        await self.settled(world, HOME)
        world.put_bad({"jazz-v1": 50, "jazz-v2": 50})
        seen = await self.wait(world, lambda seen: all(proxy.rejected for proxy in seen.proxies))
        assert seen.splits == (Split.between("jazz-v1", "jazz-v2", 5_000),)
        assert all(proxy.splits == (HOME,) for proxy in seen.proxies)
