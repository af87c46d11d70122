"""The parser's contract, held by the child process and by the fake."""

from collections.abc import AsyncIterator

import pytest

from rollout.adapters.parsing import ChildParser
from rollout.core.model import Origin
from rollout.policy.limits import Limits
from rollout.policy.parse import parse
from rollout.ports import File
from rollout.simulation.parser import SimulatedParser

JAZZ = b"""\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {name: jazz}
spec:
  route: {envoy: {routeConfiguration: jazz}}
  backend: jazz-v2
  steps: [{weight: 100, bake: 5m}]
"""
GUARD = Limits(sinks=("ops",), min_bake=60.0)


@pytest.fixture(params=[ChildParser, SimulatedParser])
async def parser(request: pytest.FixtureRequest) -> AsyncIterator[ChildParser | SimulatedParser]:
    parser = request.param(GUARD)
    yield parser
    await parser.close()


async def test_each_file_gets_its_result_in_order(parser: ChildParser | SimulatedParser):
    """Policies and complaints come back as the pure parser gives them, origin and all."""
    origin = Origin("git", "jazz.yaml", "abc", "Ann <ann@example.com>", "größer")
    texts = {"b.yaml": JAZZ, "a.yaml": b"rollout: \xff\0", "c.yaml": b"other: people", "d.yaml": b""}
    files = [File(path, text, origin) for path, text in texts.items()]
    results = await parser.parse(files)
    assert results == [parse(file.path, file.text, origin, GUARD) for file in files]
    assert [policy.origin for policy in results[0].policies] == [
        Origin("git", "b.yaml", "abc", "Ann <ann@example.com>", "größer")
    ]


async def test_the_guard_rails_hold(parser: ChildParser | SimulatedParser):
    """What the operator allows is known on the other side."""
    (parsed,) = await parser.parse([File("a.yaml", JAZZ.replace(b"5m", b"5s") + b"  alerts: [opps]\n")])
    assert [complaint.code for complaint in parsed.complaints] == ["RP070", "RP076"]


async def test_p3_a_file_that_was_not_read_is_complained_about(parser: ChildParser | SimulatedParser):
    """P3: a symbolic link in git is named, with why it was passed over; its neighbour is read."""
    refused, good = await parser.parse([File("link.yaml", refused="a symbolic link"), File("a.yaml", JAZZ)])
    assert [str(complaint) for complaint in refused.complaints] == [
        "link.yaml:1:1: RP014 not read: a symbolic link (commit the text itself)"
    ]
    assert good.policies


async def test_nothing_asked_nothing_answered(parser: ChildParser | SimulatedParser):
    assert list(await parser.parse([])) == []
