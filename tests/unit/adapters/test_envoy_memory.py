"""What the Envoy mesh remembers between two reads, and what it must forget."""

from collections import OrderedDict

import aiohttp
import pytest

from rollout.adapters.envoy_admin import Admin, Silent
from rollout.adapters.meshes.envoy import REMEMBERED, _keep
from rollout.adapters.meshes.envoy_proxies import Endpoints
from tests.fakes.clock import FakeClock


async def test_a_bug_in_one_question_is_not_the_answer_to_the_next():
    """A list of endpoints that was not read because of a bug is asked for anew, in the same instant too."""
    troubles: list[Exception] = [aiohttp.ClientError("gone"), RuntimeError("a bug")]

    def session() -> aiohttp.ClientSession:
        raise troubles.pop()

    clock = FakeClock()
    endpoints = Endpoints(Admin("127.0.0.1:1", session, clock), clock)
    with pytest.raises(RuntimeError, match="a bug"):
        await endpoints.read(1.0)
    assert isinstance(await endpoints.read(1.0), Silent)


def test_i14_what_is_remembered_of_routes_is_bounded():
    """Routes that came and went do not fill the memory: the oldest makes room."""
    kept: OrderedDict[int, int] = OrderedDict()
    for route in range(REMEMBERED + 5):
        _keep(kept, route, route)
    assert len(kept) == REMEMBERED
    assert 4 not in kept
    assert 5 in kept
