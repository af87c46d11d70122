"""`get`, `why` and `history`: what the journal says, with nobody at work."""

import os
from typing import Any

import pytest
import yaml

from rollout.adapters.clock import SystemClock
from rollout.adapters.lock import FILE
from rollout.cli import layout
from rollout.cli.exits import Ends
from rollout.cli.reading import resolve
from rollout.cli.terminal import Terminal
from rollout.core.forecast import marks
from rollout.core.model import Order, Verb, Withdrawn
from rollout.core.reason import Level, Reason
from rollout.ports import Alert, Freeze, SourceState
from tests.unit.cli.conftest import Cli, House
from tests.unit.cli.streams import terminal
from tests.unit.core.world import FIFTY, LAST, TEN, World, at, policy

NOT_RUNNING = "the daemon is not running; this is what it last knew"


def ramping(rung: Any = FIFTY, looks: int = 20) -> World:
    world = at(rung, asked=policy("jazz-v2"))
    world.looks(looks)
    return world


@pytest.fixture
def jazz(house: House) -> House:
    """A house in which jazz-v2 has had 50 % for twenty seconds."""
    house.remember(ramping())
    (house.state / FILE).touch()
    return house


def test_get_is_a_table_of_all(cli: Cli, jazz: House):
    """Name, state, step, weight wanted and seen, what comes next, both arms' failures, and the reason."""
    ended = cli("get", *jazz.config)
    assert ended.code == 0
    head, row = ended.out.splitlines()
    assert head.split() == [
        "NAME",
        "STATE",
        "STEP",
        "WEIGHT",
        "SEEN",
        "NEXT",
        "IN",
        "CANARY",
        "STABLE",
        "REASON",
    ]
    assert row.startswith(
        "prod/jazz  ramping  2/3   50 %    50 %  39 s     0.00 %  0.00 %  baking at 50 %: 21"
    )
    assert not row.endswith(" ")


def test_what_is_read_without_the_daemon_says_so(cli: Cli, jazz: House):
    """Beside the answer, not in it: how long ago the daemon knew this."""
    before = SystemClock().now().timestamp() - 12
    os.utime(jazz.state / FILE, (before, before))
    ended = cli("get", *jazz.config)
    assert ended.err == f"{NOT_RUNNING}, 12 s ago\n"
    assert NOT_RUNNING in cli("why", "jazz", *jazz.config).err
    assert NOT_RUNNING in cli("history", "jazz", *jazz.config).err
    assert cli("get", "-o", "json", *jazz.config).json["daemon"]["running"] is False


def test_a_page_shows_ladder_evidence_and_commit(cli: Cli, jazz: House):
    ended = cli("get", "jazz", *jazz.config)
    assert ended.code == 0
    lines = dict(line.split("  ", 1) for line in ended.out.splitlines()[1:] if not line.startswith(" "))
    assert ended.out.startswith("prod/jazz  ramping since ")
    assert lines["stable"].strip() == "jazz-v1 50 %"
    assert lines["canary"].strip() == "jazz-v2 50 % (step 2 of 3), seen in the mesh"
    assert lines["ladder"].strip() == "✓ 10 %  ▸ 50 %  · 95 % (5 % kept as control)  · 100 % (promoted)"
    assert lines["errors"].strip() == "canary 0 of 1 050 (0.00 %), stable 0 of 1 050 (0.00 %)"
    assert "100 : 1 sends it home" in lines["odds"]
    assert lines["next"].strip().startswith("95 % in about 39 s, if")
    assert "Git asks for jazz-v2" in lines["asked by"]


def test_json_is_versioned_and_names_its_units(cli: Cli, jazz: House):
    ended = cli("get", "-o", "json", *jazz.config)
    assert ended.json["format"] == 1
    [rollout] = ended.json["rollouts"]
    assert rollout["name"] == "prod/jazz"
    assert (rollout["state"], rollout["reason"], rollout["verdict"]) == ("ramping", "BAKING", "passing")
    assert (rollout["weight_percent"], rollout["seen_percent"]) == (50.0, 50.0)
    assert rollout["step"] == {"number": 2, "of": 3}
    assert rollout["counts"]["canary"] == {"requests": 1050, "failed": 0}
    assert rollout["next"]["rise"]["weight_percent"] == 95.0
    assert rollout["next"]["rise"]["in_seconds"] == pytest.approx(39, abs=1)
    assert [rung["place"] for rung in rollout["ladder"]] == ["passed", "now", "ahead", "ahead"]
    assert cli("get", "jazz", "-o", "json", *jazz.config).json["rollout"]["name"] == "prod/jazz"


def test_yaml_says_the_same(cli: Cli, jazz: House):
    said = yaml.safe_load(cli("get", "jazz", "-o", "yaml", *jazz.config).out)
    assert (said["format"], said["rollout"]["name"]) == (1, "prod/jazz")


def test_why_is_sentences_under_headings(cli: Cli, jazz: House):
    ended = cli("why", "prod/jazz", *jazz.config)
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == [
        "Now",
        "Seen",
        "Decided",
        "Next",
        "Way",
        "Asked",
    ]
    told = cli("why", "prod/jazz", "-o", "json", *jazz.config).json
    assert [part["heading"] for part in told["why"]][:4] == ["Now", "Seen", "Decided", "Next"]
    assert told["rollout"]["reason"] == "BAKING"


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("jaz", "no rollout is named jaz; did you mean jazz?"),
        ("xyz", "no rollout is named xyz; there are: prod/jazz"),
        ("", "no rollout is named ; there are: prod/jazz"),
    ],
)
def test_a_wrong_name_is_told_the_right_ones(cli: Cli, jazz: House, wish: str, said: str):
    for command in ("get", "why", "history", "status"):
        ended = cli(command, wish, *jazz.config)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == f"{said}\n"


def test_a_short_name_must_be_clear():
    """The namespace may be left out only where one rollout can be meant."""
    assert resolve("jazz", ["prod/jazz", "prod/rock"]) == "prod/jazz"
    assert resolve("prod/jazz", ["prod/jazz", "test/jazz"]) == "prod/jazz"
    with pytest.raises(Ends, match="jazz may be any of prod/jazz, test/jazz: say which"):
        resolve("jazz", ["prod/jazz", "test/jazz"])
    with pytest.raises(Ends, match="no rollout is named jazz; there are none yet"):
        resolve("jazz", [])


def test_without_a_journal_it_is_said_what_to_start(cli: Cli, house: House):
    ended = cli("get", *house.config)
    assert ended.code == 4
    assert "there is no journal at" in ended.err
    assert "rollout run" in ended.err


def test_with_no_rollout_the_reason_is_told(cli: Cli, house: House):
    """An empty table is no answer: what is wrong with the sources stands beside it."""
    source = SourceState(problem="no answer within 60 s", complaints=("jazz.yaml:1:1: RP001 not valid YAML",))
    world = World()
    world.asked = Withdrawn("prod/jazz")
    house.remember(world, source=source)
    ended = cli("get", *house.config)
    assert ended.code == 0
    assert ended.out == "there are no rollouts: no policy has been taken from git yet\n"
    assert "source main: no answer within 60 s\n" in ended.err
    assert "source main: jazz.yaml:1:1: RP001 not valid YAML\n" in ended.err


def test_a_policy_that_nobody_looked_at_is_shown(cli: Cli, house: House):
    house.remember(World())
    ended = cli("get", *house.config)
    assert ended.out.splitlines()[1].split() == [
        "prod/jazz",
        "new",
        "-",
        "-",
        "?",
        "-",
        "-",
        "-",
        "not",
        "looked",
        "at",
        "yet",
    ]
    assert "The daemon has not looked at it yet." in cli("why", "jazz", *house.config).out
    assert cli("get", "jazz", *house.config).code == 0


def test_freezes_and_alerts_that_did_not_arrive_are_told(cli: Cli, house: House):
    now = SystemClock().now()
    alert = Alert("key", "prod/jazz", "WORSE", Level.NOTIFY, now, "jazz is worse")
    frozen = (Freeze("", "ana", "a sale", now), Freeze("prod/jazz", "bo", "holidays", now))
    house.remember(ramping(), freezes=frozen, alerts=(("ops", alert),))
    said = cli("get", *house.config).err
    assert "frozen: everything, by ana: a sale\n" in said
    assert "frozen: prod/jazz, by bo: holidays\n" in said
    assert "not delivered yet: 1 alert; see `rollout doctor`\n" in said


# --- history -------------------------------------------------------------------------------------


def test_history_tells_decisions_orders_and_failed_writes(cli: Cli, house: House):
    """Each transition with its reason, numbers and weights; a write only when it went wrong."""
    world = ramping(TEN)
    order = Order(0, Verb.PAUSE, "ana", "lunch", SystemClock().now())
    house.remember(world, world.until(Reason.STEP_PASSED), orders=(order,), outcome="moved: it changed")
    passed = world.until(Reason.STEP_PASSED)
    house.remember(world, passed, outcome="written")
    ended = cli("history", "jazz", *house.config)
    assert ended.code == 0
    told = [line.split(" UTC  ", 1)[1] for line in ended.out.splitlines()]
    assert told[0] == "pause, ordered by ana: lunch"
    assert told[1] == "write: moved: it changed"
    assert told[2].startswith("0 % → 50 %: 10 % passed after 60 s: canary 0 of ")
    assert told[3].startswith("50 % → 95 %: 50 % passed after 60 s: canary 0 of ")
    assert len(told) == 4


def test_history_tells_which_order_was_refused(cli: Cli, house: House):
    """Ordered is not yet done: the look that refused it says why."""
    world = ramping(TEN)
    given = Order(0, Verb.RESUME, "root", "", SystemClock().now())
    house.remember(world, world.order(Verb.RESUME), orders=(given,))
    told = [line.split(" UTC  ", 1)[1] for line in cli("history", "jazz", *house.config).out.splitlines()]
    assert told[0] == "resume, ordered by root"
    assert told[1].endswith("; an order was refused: it is not paused")


def test_history_after_a_promotion_shows_no_fall(cli: Cli, house: House):
    """100 % is where the journey ends; at rest nothing moves, and the next one begins at nothing."""
    world = ramping(LAST)
    promoted = world.until(Reason.PROMOTED)
    house.remember(world, promoted, world.until(Reason.NOTHING_NEW))
    told = [line.split(" UTC  ", 1)[1] for line in cli("history", "jazz", *house.config).out.splitlines()]
    assert "→ 100 %: jazz-v2 serves everybody" in told[-2]
    assert told[-1] == "git asks for jazz-v2, and it serves everybody"


def test_history_in_json_keeps_everything(cli: Cli, house: House):
    house.remember(ramping(), outcome="written")
    said = cli("history", "jazz", "-o", "json", *house.config).json
    assert (said["format"], said["name"]) == (1, "prod/jazz")
    assert [entry["kind"] for entry in said["entries"]] == ["result", "decision"]
    assert said["entries"][1]["facts"]["weight"] == "50 %"
    assert said["entries"][1]["told"].startswith("baking at 50 %")


def test_history_is_as_long_as_wished(cli: Cli, house: House):
    world = ramping()
    assert world.last is not None
    house.remember(world, *[world.last] * 5)
    assert len(cli("history", "jazz", "--limit", "2", *house.config).out.splitlines()) == 2


def test_an_entry_of_another_version_is_still_told():
    """A reason that this version does not know is told by its name."""
    from rollout.cli.history import _sentence

    assert _sentence({"reason": "UNHEARD_OF", "facts": {}}) == "UNHEARD_OF"
    assert _sentence({"reason": "BAKING", "facts": {}}) == "BAKING"


# --- layout --------------------------------------------------------------------------------------


def narrow(width: int) -> Terminal:
    shown = terminal(TERM="xterm", colour="never")
    return Terminal(shown.stream, colour=False, letters=True, live=True, width=width)


@pytest.mark.parametrize("width", [20, 40, 80, 119, 120, 200])
def test_pages_and_sentences_fit_the_terminal(width: int):
    """Down to narrow ones: text is wrapped under its own column, and no word is lost."""
    rows = [("Now", "prod/jazz is on its way: " + "many words " * 30), ("Next", "50 % in about 19 s")]
    lines = layout.labelled(narrow(width), rows)
    assert max(map(len, lines)) <= max(width, 26)
    assert " ".join(" ".join(lines).split()) == "Now " + rows[0][1].strip() + " Next 50 % in about 19 s"


def test_a_narrow_table_puts_the_reason_below(cli: Cli, jazz: House):
    from rollout.cli.reading import Picture
    from rollout.settings.load import load

    picture = Picture.read(load(jazz.settings))
    head, row, *reason = layout.table(narrow(80), picture)
    assert "REASON" not in head
    assert row.split()[:2] == ["prod/jazz", "ramping"]
    assert reason[0].startswith("    baking at 50 %")
    assert max(map(len, (head, row, *reason))) <= 80
    assert "REASON" in layout.table(narrow(150), picture)[0]


def test_the_bar_is_as_long_as_the_weight():
    assert layout.bar(0) == "╺" + "─" * 29
    assert layout.bar(5000) == "━" * 15 + "╺" + "─" * 14
    assert layout.bar(10_000) == "━" * 30


def test_signs_tell_the_places_without_colour():
    assert layout.ladder(marks(policy(), at(LAST).state)).startswith("✓ 10 %  ✓ 50 %  ▸ 95 % (5 % kept")
