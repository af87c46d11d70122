"""The referee lets a fair game pass and sees each foul: one that forgives proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rollout.core.reason import Level, Reason
from tests.e2e.kill.programme import Journey
from tests.e2e.kill.referee import Kill, Referee, Tale
from tests.e2e.kill.sink import Delivery
from tests.e2e.kill.witness import FILE, FULL, Entry, Shares, Shown

PROXY = "127.0.0.1:9901"
STABLE, GOOD, BAD = "jazz-a", "jazz-b", "jazz-dead"


class Game:
    """A tale under way: each thing comes one round and one second after the one before."""

    def __init__(self) -> None:
        self.clock = 1
        self.stable = STABLE
        self.tale = Tale([], [], [], [], [], {"jazz": STABLE})
        self.shows(self.split(GOOD, 0))

    def split(self, canary: str, weight: int) -> Shares:
        weights = {self.stable: FULL - weight, canary: weight}
        return {name: share for name, share in sorted(weights.items()) if share}

    def ask(self, canary: str, *, healthy: bool) -> None:
        self.tale.journeys = [*self.tale.journeys, Journey(self.clock, "jazz", canary, healthy, 1.0)]

    def record(self, reason: str, canary: str, weight: int | None = None, **facts: Any) -> None:
        """A decision; with a weight, an intent. What it owes is delivered."""
        self.clock += 1
        told = {"stable": self.stable, "canary": canary, "weight": f"{(weight or 0) / 100:g} %"}
        told |= {"before": "less", "tally": "enough", "detail": "so"}
        facts = {**told, "odds": 200.0, "baked": 1.0, **facts}
        action = {
            "split": {"shares": list(self.split(canary.partition("@")[0], weight or 0).items())},
            "home": {"shares": [(self.stable, FULL)]},
        }
        kind, actions = ("decision", []) if weight is None else ("intent", [action])
        said = {"kind": kind, "reason": reason, "facts": facts, "actions": actions}
        entry = Entry(self.clock, self.clock, self.clock, "prod/jazz", said)
        self.tale.entries = [*self.tale.entries, entry]
        if Reason[reason].level is not Level.EVENT:
            self.deliver(f"{canary}/{reason}/{weight}", f"prod/jazz: {Reason[reason].say(facts)}")

    def deliver(self, key: str, headline: str) -> None:
        data = {"rollout": "prod/jazz", "reason": "", "headline": headline, "fields": []}
        delivery = Delivery(self.clock, key.replace("@", "%40"), {"id": key, "data": data})
        self.tale.deliveries = [*self.tale.deliveries, delivery]

    def shows(self, shares: Shares, *places: str) -> None:
        self.clock += 1
        shown = [Shown(self.clock, self.clock, where, "jazz", shares) for where in places or (FILE, PROXY)]
        self.tale.shown = [*self.tale.shown, *shown]

    def carry(self, reason: str, canary: str, weight: int) -> None:
        """A decision, and its write."""
        self.record(reason, canary, weight)
        self.shows(self.split(canary.partition("@")[0], weight))

    def kill(self) -> None:
        self.clock += 1
        self.tale.kills = [
            *self.tale.kills,
            Kill(self.clock, self.clock, len(self.tale.kills) + 1, "anywhere"),
        ]

    def found(self) -> list[str]:
        return [violation.what for violation in Referee(self.tale).judge()]


def climb(game: Game) -> None:
    """A healthy canary at 50 %."""
    game.ask("jazz-b@1", healthy=True)
    game.carry("STARTED", "jazz-b@1", 1000)
    game.carry("STEP_PASSED", "jazz-b@1", 5000)


def promote(game: Game) -> None:
    """... and to the end."""
    game.carry("PROMOTED", "jazz-b@1", FULL)
    game.stable = GOOD


def fall(game: Game) -> None:
    """A dead canary comes and goes."""
    game.ask("jazz-dead@2", healthy=False)
    game.carry("STARTED", "jazz-dead@2", 1000)
    game.carry("WORSE", "jazz-dead@2", 0)
    game.record("ROLLED_BACK", "jazz-dead@2")


@pytest.fixture
def game() -> Game:
    """One canary at 50 %, on its way to promotion."""
    game = Game()
    climb(game)
    return game


def test_a_fair_game_is_no_foul(game: Game):
    promote(game)
    fall(game)
    assert game.found() == []
    assert Referee(game.tale).outcome(game.tale.journeys[1]) == ("rolled back", "WORSE")


def test_a_write_lost_in_a_kill_and_made_again_is_fair(game: Game):
    """The intent was recorded, the file was not written; the next daemon records it again and writes."""
    game.record("PROMOTED", "jazz-b@1", FULL)
    game.kill()
    game.carry("NOTHING_NEW", "jazz-b@1", FULL)
    assert game.found() == []


def test_a_way_home_before_its_record_is_fair_and_counted():
    """A downward write waits for the journal only a moment."""
    game = Game()
    game.ask("jazz-dead@2", healthy=False)
    game.carry("STARTED", "jazz-dead@2", 1000)
    game.shows({STABLE: FULL})
    game.clock += 1
    game.record("WORSE", "jazz-dead@2", 0)
    game.record("ROLLED_BACK", "jazz-dead@2")
    referee = Referee(game.tale)
    assert referee.judge() == []
    assert referee.early == 1


def test_a_message_again_after_a_kill_is_fair(game: Game):
    promote(game)
    again = game.tale.deliveries[-1]
    game.kill()
    game.tale.deliveries = [*game.tale.deliveries, replace(again, at=game.clock + 1)]
    assert game.found() == []


def write_without_record(game: Game) -> None:
    game.shows(game.split(GOOD, FULL))
    game.record("PROMOTED", "jazz-b@1")


def write_before_record(game: Game) -> None:
    game.shows(game.split(GOOD, FULL))
    game.clock += 1
    promote(game)


def write_an_old_intent(game: Game) -> None:
    game.record("WORSE", "jazz-b@1", 0)
    game.clock += 1
    game.shows(game.split(GOOD, 1000))
    game.shows({STABLE: FULL})


def write_twice(game: Game) -> None:
    game.shows(game.split(GOOD, 5000), FILE)
    promote(game)


def raise_a_rung_twice(game: Game) -> None:
    game.carry("SETTLING", "jazz-b@1", 1000)
    game.carry("SETTLING", "jazz-b@1", 5000)
    promote(game)


def decide_a_rung_twice(game: Game) -> None:
    game.record("STEP_PASSED", "jazz-b@1", 5000)
    promote(game)


def pass_without_bake(game: Game) -> None:
    game.record("PROMOTED", "jazz-b@1", FULL, baked=0.9)
    game.shows({GOOD: FULL})


def rise_after_rejection(game: Game) -> None:
    promote(game)
    fall(game)
    game.record("STARTED", "jazz-dead@2", 1000)


def show_what_was_over(game: Game) -> None:
    promote(game)
    game.shows(game.split(GOOD, FULL), FILE)
    game.tale.shown = game.tale.shown[:-1]
    game.shows({GOOD: 5000, STABLE: 5000}, PROXY)
    game.shows({GOOD: FULL}, PROXY)


def send_the_healthy_home(game: Game) -> None:
    game.carry("LOST_ENDPOINTS", "jazz-b@1", 0)


def promote_the_bad(game: Game) -> None:
    game.tale.journeys = [replace(game.tale.journeys[0], healthy=False)]
    promote(game)


def end_half_way(game: Game) -> None:
    promote(game)
    game.tale.shown = game.tale.shown[:-1]


def lose_an_alert(game: Game) -> None:
    promote(game)
    game.tale.deliveries = game.tale.deliveries[:-1]


def tell_what_never_was(game: Game) -> None:
    promote(game)
    game.deliver("k", "prod/jazz: all is lost")


def tell_again_under_another_key(game: Game) -> None:
    promote(game)
    game.kill()
    game.deliver("other", game.tale.deliveries[-1].said["headline"])


def tell_two_things_under_one_key(game: Game) -> None:
    promote(game)
    last = game.tale.deliveries[-1]
    first = game.tale.deliveries[0]
    game.tale.deliveries = [*game.tale.deliveries[:-1], replace(last, key=first.key)]


def tell_twice_without_a_kill(game: Game) -> None:
    promote(game)
    game.tale.deliveries = [*game.tale.deliveries, game.tale.deliveries[-1]]


def tell_two_things_twice_for_one_kill(game: Game) -> None:
    promote(game)
    game.kill()
    again = [replace(delivery, at=game.clock + 1) for delivery in game.tale.deliveries[-2:]]
    game.tale.deliveries = [*game.tale.deliveries, *again]


FOULS: tuple[tuple[Callable[[Game], None], str], ...] = (
    (write_without_record, "jazz-b 100 % was written; jazz-a 50 %, jazz-b 50 % was authorised"),
    (write_before_record, "jazz-b 100 % was written; jazz-a 50 %, jazz-b 50 % was authorised"),
    (write_an_old_intent, "jazz-a 90 %, jazz-b 10 % was written; jazz-a 100 % was authorised"),
    (write_twice, "jazz-a 50 %, jazz-b 50 % was written a second time"),
    (raise_a_rung_twice, "jazz-b@1 was raised to 50 % a second time"),
    (decide_a_rung_twice, "STEP_PASSED of jazz-b@1 to 50 % was decided twice"),
    (pass_without_bake, "PROMOTED of jazz-b@1 after 0.90 s of bake"),
    (rise_after_rejection, "STARTED gives to jazz-dead@2, which had gone home"),
    (show_what_was_over, "shows jazz-b 50 %, jazz-a 50 %, which nobody intended after jazz-b 100 %"),
    (send_the_healthy_home, "jazz-b@1 is healthy, and was rolled back LOST_ENDPOINTS"),
    (promote_the_bad, "jazz-b@1 is bad, and was promoted PROMOTED"),
    (end_half_way, "at the end 127.0.0.1:9901 shows jazz-a 50 %, jazz-b 50 %"),
    (lose_an_alert, "never delivered: prod/jazz: jazz-b@1 serves everybody"),
    (tell_what_never_was, "told, but not in the journal: prod/jazz: all is lost"),
    (tell_again_under_another_key, "told again under another key"),
    (tell_two_things_under_one_key, "one key, two messages"),
    (tell_twice_without_a_kill, "told twice: jazz-b%401/PROMOTED/10000"),
    (tell_two_things_twice_for_one_kill, "told twice: jazz-b%401/PROMOTED/10000"),
)


@pytest.mark.parametrize(("foul", "said"), FOULS, ids=[foul.__name__ for foul, _ in FOULS])
def test_a_foul_is_seen(game: Game, foul: Callable[[Game], None], said: str):
    """Each planted fault is named."""
    foul(game)
    assert any(said in one for one in game.found()), game.found()


def test_a_story_tells_what_happened_in_order(game: Game):
    """With the kill before it, what was recorded and what was shown."""
    game.kill()
    write_without_record(game)
    referee = Referee(game.tale)
    told = referee.story(referee.judge()[0])
    assert told.startswith("prod/jazz, after kill 1: jazz-b 100 % was written")
    assert told.index("STEP_PASSED") < told.index("KILL 1: anywhere") < told.index("file shows jazz-b 100 %")
