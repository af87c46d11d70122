"""`rollout replay`: a journey judged again from the journal, offline, and another policy asked."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.journals.reader import FILE
from rollout.cli.exits import NEGATIVE, OK, USAGE
from rollout.core.model import Decision, Verb
from rollout.core.reason import Reason
from tests.unit.cli.conftest import Cli, House
from tests.unit.core.world import V1, V2, World, policy, steady

POLICY = """\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: prod, name: {name}}}
spec:
  route: {{envoy: {{routeConfiguration: jazz, mesh: edge}}}}
  backend: jazz-v2
  steps: [{{weight: 10, bake: 1m}}, {{weight: 50, bake: 1m}}, {{weight: 100, bake: 1m}}]
  analysis: {{checks: [{check}]}}
"""


def journey() -> tuple[World, list[Decision]]:
    """A canary that dies at its second step."""
    world = World(policy(), steady(), mesh_epoch=1, failing={V1: 0.01, V2: 0.01})
    decisions: list[Decision] = []
    while not decisions or decisions[-1].reason is not Reason.ROLLED_BACK:
        decisions.append(world.look())
        if decisions[-1].reason is Reason.STEP_PASSED:
            world.failing[V2] = 0.2
    return world, decisions


@pytest.fixture
def ended(house: House) -> House:
    world, decisions = journey()
    house.remember(world, *decisions)
    return house


def edit(house: House, sql: str, *values: Any) -> None:
    connection = sqlite3.connect(house.state / FILE)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


def written(house: House, check: str, name: str = "jazz") -> str:
    path = house.folder / "other.yaml"
    path.write_text(POLICY.format(name=name, check=check), encoding="utf-8")
    return str(path)


def test_a_rollback_is_shown_and_judged_again(cli: Cli, ended: House):
    """The looks around the decision, the judge's sentence, and that all is the same."""
    said = cli("replay", "jazz", *ended.config)
    assert said.code == OK
    head, headings, *lines = said.out.splitlines()
    assert head.startswith("attempt 1 of 2026-03-02, looks ")
    assert headings.split() == ["TIME", "WEIGHT", "CANARY", "STABLE", "ODDS", "VERDICT", "REASON"]
    assert "failing" in lines[-3]
    assert lines[-3].endswith("worse")
    assert lines[-2].startswith("judge   Canary failed ")
    assert "If the canary were not worse than 1.1x stable" in lines[-2]
    assert lines[-1].endswith(" verdicts are the same, bit for bit")


def test_the_look_of_a_time_is_shown(cli: Cli, ended: House):
    """With the few that came after it; a time before the record is said to be."""
    said = cli("replay", "jazz", "--at", "2026-03-02T12:00:10Z", *ended.config)
    times = [line.split()[0] for line in said.out.splitlines() if line.startswith("12:")]
    assert times[0] <= "12:00:02.00"
    assert times[-1] == "12:00:14.00"
    early = cli("replay", "jazz", "--at", "2026-03-01T12:00:00", *ended.config)
    assert (early.code, early.out) == (USAGE, "")
    assert (
        early.err
        == "nothing of prod/jazz is recorded before 2026-03-02 12:00:01 UTC: what is older is pruned\n"
    )
    assert cli("replay", "jazz", "--at", "noon", *ended.config).code == USAGE
    assert cli("replay", "jazz", "--at", "23:59", *ended.config).code == OK


def test_what_was_changed_by_hand_differs(cli: Cli, ended: House):
    """M9: the first looks that are not what they were are named, and the exit code is 1."""
    edit(ended, 'UPDATE evidence SET counted = replace(counted, \'"v":"PP"\', \'"v":"FF"\') WHERE id = 40')
    said = cli("replay", "jazz", *ended.config)
    assert said.code == NEGATIVE
    assert "1 verdict of " in said.out
    assert (
        "look 40, 12:00:40 UTC: the verdicts are passing, passing, recorded were failing, failing" in said.out
    )
    assert cli("replay", "jazz", "-o", "json", *ended.config).json["equal"] is False


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"n":40}'])
def test_a_damaged_look_breaks_nothing(cli: Cli, ended: House, torn: str):
    """It is named, what hangs on it cannot be had, and the exit code is 1."""
    edit(ended, "UPDATE evidence SET counted = ? WHERE id = 40", torn)
    said = cli("replay", "jazz", *ended.config)
    assert said.code == NEGATIVE
    assert "damaged  2026-03-02T12:00:40" in said.out
    assert "look 41, 12:00:41 UTC: 1 looks before it were never written down" in said.out
    edit(ended, "UPDATE evidence SET counted = ?", torn)
    assert "no look of it can be read" in cli("replay", "jazz", *ended.config).out
    assert cli("replay", "jazz", "-o", "yaml", *ended.config).code == NEGATIVE
    assert cli("why", "jazz", *ended.config).code == OK


def test_another_policy_is_asked(cli: Cli, ended: House):
    """What it would have decided on the same counts, and where the record cannot know."""
    same = cli("replay", "jazz", "--policy", written(ended, "{errors: {}}"), *ended.config)
    assert same.code == OK
    assert same.out.splitlines()[-1].endswith(" for errors: the record's last look.")
    looser = cli("replay", "jazz", "--policy", written(ended, "{errors: {max: 50%}}"), *ended.config)
    assert "it would not have gone home by 12:0" in looser.out
    assert "What would have come later, nobody counted." in looser.out
    stricter = written(ended, "{errors: {max: 0.1%, minRequests: 1}}, {errors: {codes: ['429']}}")
    plain = cli("replay", "jazz", "--policy", stricter, "-o", "json", *ended.config).json["policy"]
    assert plain["fails_at"] is not None
    assert plain["unknown"] == ["nobody counted errors (429) in these looks: that check is left out"]


def test_a_policy_that_is_not_one_is_refused(cli: Cli, ended: House):
    """Another name is taken if it is the only one; a mistake is told with its line."""
    other = cli("replay", "jazz", "--policy", written(ended, "{errors: {}}", "metal"), *ended.config)
    assert other.code == OK
    two = Path(written(ended, "{errors: {}}", "metal"))
    both = two.read_text(encoding="utf-8") + "---\n" + POLICY.format(name="soul", check="{errors: {}}")
    two.write_text(both.replace("routeConfiguration: jazz", "routeConfiguration: soul", 1), encoding="utf-8")
    refused = cli("replay", "jazz", "--policy", str(two), *ended.config)
    assert refused.code == USAGE
    assert "has no policy for prod/jazz, but prod/metal, prod/soul" in refused.err
    wrong = cli("replay", "jazz", "--policy", written(ended, "{errors: {most: 3}}"), *ended.config)
    assert wrong.code == USAGE
    assert "mend them first, then replay" in wrong.err


def test_a_rollout_without_a_journey_says_so(cli: Cli, house: House):
    world = World(policy(V1), steady(), mesh_epoch=1)
    world.look()
    house.remember(world)
    said = cli("replay", "jazz", *house.config)
    assert (said.code, said.out) == (USAGE, "")
    assert said.err.startswith("of prod/jazz no journey is recorded")


def test_json_holds_every_look(cli: Cli, ended: House):
    """With what was fed, so that others can judge by their own means."""
    said = cli("replay", "jazz", "-o", "json", *ended.config).json
    last = said["looks"][-1]
    assert (said["equal"], said["attempt"], said["format"]) == (True, 1, 1)
    assert (last["verdict"], last["again"], last["reason"]) == ("failing", "failing", "WORSE")
    assert last["fed"][0][0]["canary_n"] > 0
    assert json.dumps(said)


def test_why_quotes_the_judge_after_the_way_home(cli: Cli, ended: House):
    """The last journey's sentence, when nothing is under way any more."""
    lines = cli("why", "jazz", *ended.config).out.splitlines()
    judged = next(line for line in lines if line.startswith("Judged"))
    assert "over the same" in judged
    assert "evidence this strong would appear in fewer than 1 of " in judged


def test_a_journey_is_drawn(cli: Cli, ended: House):
    """`history --plot`: the newest canary by its name; what was written is said."""
    path = ended.folder / "jazz.svg"
    said = cli("history", "jazz", "--plot", str(path), *ended.config)
    assert said.code == OK
    assert said.out.startswith(f"{path}: attempt 1 of prod/jazz, ")
    assert "<title>prod/jazz: jazz-v2 rolled back at 12:0" in path.read_text(encoding="utf-8")
    nowhere = cli("history", "jazz", "--plot", str(ended.folder / "none" / "jazz.svg"), *ended.config)
    assert nowhere.code == USAGE
    assert "cannot be written: No such file" in nowhere.err


def test_an_abort_is_drawn_with_who_and_why(cli: Cli, house: House):
    world = World(policy(), steady(), mesh_epoch=1)
    decisions = [*world.looks(20), world.order(Verb.ABORT, why="500s <in> checkout")]
    house.remember(world, *decisions)
    path = house.folder / "jazz.svg"
    assert cli("history", "jazz", "--plot", str(path), *house.config).code == OK
    assert "jazz-v2 aborted by ana: 500s &lt;in&gt; checkout" in path.read_text(encoding="utf-8")


def test_without_a_journey_there_is_no_picture(cli: Cli, house: House):
    world = World(policy(V1), steady(), mesh_epoch=1)
    world.look()
    house.remember(world)
    said = cli("history", "jazz", "--plot", str(house.folder / "jazz.svg"), *house.config)
    assert said.code == USAGE
    assert "no journey is recorded" in said.err
    assert not (house.folder / "jazz.svg").exists()
