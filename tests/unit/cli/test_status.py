"""`status`: when a rollout is at its end, and what that is worth."""

import pytest

from rollout.cli.status import outcome
from rollout.core.reason import Reason
from tests.unit.cli.conftest import Cli, House
from tests.unit.core.test_explain import SCENES, moment
from tests.unit.core.world import World, policy, steady

GOOD = {Reason.NOTHING_NEW, Reason.PROMOTED, Reason.RELEASED}
BAD = {
    Reason.MIXTURE,
    Reason.REJECTED_BEFORE,
    Reason.SAME_BACKEND,
    Reason.ROLLED_BACK,
    Reason.LOWERED,
    Reason.CONTESTED,
    Reason.FORGOTTEN,
}


@pytest.mark.parametrize("reason", SCENES, ids=lambda reason: reason.name)
def test_every_reason_is_an_end_or_not(reason):
    """0: what git asks for serves everybody; 1: rolled back, rejected, held; nothing: it is under way."""
    expected = 0 if reason in GOOD else 1 if reason in BAD else None
    assert outcome(moment(SCENES[reason]())) == expected


def test_a_fresh_commit_is_no_end():
    """Adopted, and git asks for another backend already: the beginning is one look away."""
    assert outcome(moment(World())) is None


def test_it_ends_at_once_when_the_end_is_there(cli: Cli, house: House):
    world = World(policy("jazz-v1"), steady())
    world.look()
    house.remember(world)
    ended = cli("status", "jazz", *house.config)
    assert (ended.code, ended.out) == (0, "prod/jazz: git asks for jazz-v1, and it serves everybody\n")
    said = cli("status", "jazz", "-o", "json", *house.config).json
    assert (said["exit_code"], said["rollout"]["state"]) == (0, "steady")


def test_it_does_not_wait_for_a_daemon_that_is_not_there(cli: Cli, house: House):
    house.remember(SCENES[Reason.BAKING]())
    ended = cli("status", "jazz", "--timeout", "30m", *house.config)
    assert ended.code == 4
    assert "prod/jazz is under way, but nothing moves: the daemon is not running" in ended.err


@pytest.mark.parametrize(("written", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("45", 45)])
def test_a_timeout_is_written_as_in_a_policy(written: str, seconds: float):
    from rollout.cli.durations import DURATION

    assert DURATION.convert(written, None, None) == seconds
