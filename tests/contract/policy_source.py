"""What every policy source owes the engine. Both the real one and the fake are held to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from rollout.ports import Lost, PolicySource, Unavailable

OURS = "prod"
"""The folder that a world's source reads."""


class World(Protocol):
    """A repository with one source that reads its branch ``main`` and folder ``prod``."""

    @property
    def source(self) -> PolicySource:
        """What is tested."""

    def commit(self, files: Mapping[str, str | None], subject: str = "") -> str:
        """Change files (``None`` deletes) on top of the branch; the new commit's id."""

    def move(self, commit: str) -> None:
        """Make the branch point at any commit: a force-push, or a stale replica."""

    def drop_branch(self) -> None:
        """Delete the branch."""

    def cut(self) -> None:
        """Make the repository unreachable."""

    def mend(self) -> None:
        """Make it reachable again."""


class PolicySourceContract:
    """Inherit, and provide the fixture ``world``."""

    async def test_the_first_tree_has_all_policy_files_of_the_folder(self, world: World):
        """All of them in order of path, whole, and nothing from beside the folder."""
        head = world.commit(
            {
                "prod/b.yaml": "b",
                "prod/a/x.yml": "x",
                "prod/README.md": "r",
                "other/c.yaml": "c",
                "d.yaml": "d",
            }
        )
        tree = await world.source.read(None)
        assert (tree.relation, tree.commit) == ("first", head)
        assert [(file.path, file.text, file.refused) for file in tree.files] == [
            ("prod/a/x.yml", b"x", ""),
            ("prod/b.yaml", b"b", ""),
        ]

    async def test_an_unchanged_head_is_same_and_brings_no_files(self, world: World):
        head = world.commit({"prod/a.yaml": "a"}, "say a")
        tree = await world.source.read(head)
        assert (tree.relation, tree.commit, tree.subject, tree.files) == ("same", head, "say a", ())

    async def test_a_descendant_is_newer(self, world: World):
        first = world.commit({"prod/a.yaml": "1"})
        world.commit({"prod/a.yaml": "2"})
        head = world.commit({"prod/b.yaml": "b"})
        tree = await world.source.read(first)
        assert (tree.relation, tree.commit) == ("newer", head)
        assert [(file.path, file.text) for file in tree.files] == [
            ("prod/a.yaml", b"2"),
            ("prod/b.yaml", b"b"),
        ]

    async def test_g2_an_ancestor_is_older_and_brings_no_files(self, world: World):
        """A stale answer is named as such, and gives nothing that could be taken."""
        old = world.commit({"prod/a.yaml": "1"})
        accepted = world.commit({"prod/a.yaml": "2"})
        await world.source.read(None)
        world.move(old)
        tree = await world.source.read(accepted)
        assert (tree.relation, tree.commit, tree.files) == ("older", old, ())

    async def test_g3_force_push_is_seen_as_rewritten(self, world: World):
        """Again and again, however often it is asked, until a person accepts the new history."""
        base = world.commit({"prod/a.yaml": "1"})
        accepted = world.commit({"prod/a.yaml": "2"})
        assert (await world.source.read(base)).relation == "newer"
        world.move(base)
        head = world.commit({"prod/a.yaml": "3"})
        for _ in range(2):
            tree = await world.source.read(accepted)
            assert (tree.relation, tree.commit) == ("rewritten", head)
            assert [file.text for file in tree.files] == [b"3"]
        assert (await world.source.read(head)).relation == "same"

    async def test_g3_an_accepted_commit_that_nobody_knows_is_rewritten(self, world: World):
        world.commit({"prod/a.yaml": "1"})
        assert (await world.source.read("0123456789" * 4)).relation == "rewritten"

    async def test_g3_a_force_push_that_is_taken_back_is_newer_again(self, world: World):
        accepted = world.commit({"prod/a.yaml": "1"})
        good = world.commit({"prod/a.yaml": "2"})
        world.move(accepted)
        world.move(world.commit({"prod/a.yaml": "evil"}))
        await world.source.read(good)
        world.move(good)
        assert (await world.source.read(accepted)).relation == "newer"

    async def test_g4_a_deleted_branch_is_lost(self, world: World):
        """Gone is not the same as unreachable, and neither is an empty tree."""
        head = world.commit({"prod/a.yaml": "1"})
        await world.source.read(None)
        world.drop_branch()
        with pytest.raises(Lost, match="branch"):
            await world.source.read(head)
        world.move(head)
        assert (await world.source.read(head)).relation == "same"

    async def test_g4_a_deleted_folder_is_lost(self, world: World):
        head = world.commit({"prod/a.yaml": "1", "README.md": "r"})
        world.commit({"prod/a.yaml": None})
        with pytest.raises(Lost, match=OURS):
            await world.source.read(head)

    async def test_g4_an_emptied_tree_is_lost(self, world: World):
        head = world.commit({"prod/a.yaml": "1"})
        world.commit({"prod/a.yaml": None})
        with pytest.raises(Lost):
            await world.source.read(head)

    async def test_i11_a_folder_without_policies_is_a_whole_tree(self, world: World):
        """One that is there and holds other files only says, and may say, that there are no policies."""
        head = world.commit({"prod/a.yaml": "1", "prod/README.md": "r"})
        world.commit({"prod/a.yaml": None})
        tree = await world.source.read(head)
        assert (tree.relation, tree.files) == ("newer", ())

    async def test_g1_an_unreachable_repository_is_unavailable_and_heals(self, world: World):
        head = world.commit({"prod/a.yaml": "1"})
        await world.source.read(None)
        world.cut()
        with pytest.raises(Unavailable) as caught:
            await world.source.read(head)
        assert not isinstance(caught.value, Lost)
        world.mend()
        assert (await world.source.read(head)).relation == "same"

    async def test_each_file_names_the_commit_that_last_changed_it(self, world: World):
        one = world.commit({"prod/a.yaml": "1", "prod/b.yaml": "1"}, "both")
        two = world.commit({"prod/b.yaml": "2"}, "only b")
        world.commit({"README.md": "r"}, "neither")
        origins = {file.path: file.origin for file in (await world.source.read(None)).files}
        assert (origins["prod/a.yaml"].commit, origins["prod/a.yaml"].subject) == (one, "both")
        assert (origins["prod/b.yaml"].commit, origins["prod/b.yaml"].subject) == (two, "only b")
        assert {(origin.source, origin.path) for origin in origins.values()} == {
            ("policies", "prod/a.yaml"),
            ("policies", "prod/b.yaml"),
        }
        assert "Ada Lovelace" in origins["prod/a.yaml"].author
        three = world.commit({"prod/a.yaml": "3"}, "a again")
        later = {file.path: file.origin.commit for file in (await world.source.read(one)).files}
        assert later == {"prod/a.yaml": three, "prod/b.yaml": two}

    async def test_a_file_that_goes_back_names_the_commit_that_took_it_back(self, world: World):
        one = world.commit({"prod/a.yaml": "1"})
        await world.source.read(None)
        world.commit({"prod/a.yaml": "2"})
        back = world.commit({"prod/a.yaml": "1"})
        (file,) = (await world.source.read(one)).files
        assert (file.text, file.origin.commit) == (b"1", back)

    async def test_the_tree_names_its_commit(self, world: World):
        head = world.commit({"prod/a.yaml": "1"}, "why it was made")
        tree = await world.source.read(None)
        assert (tree.commit, tree.subject) == (head, "why it was made")
        assert "Ada Lovelace" in tree.author
        assert tree.at.utcoffset() is not None
