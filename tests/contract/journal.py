"""What every journal promises: the real one and the fake are held to the same sentences."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest

from rollout.core.model import (
    EVERYTHING,
    NOTHING,
    Analysis,
    Bet,
    Cause,
    Comparison,
    ComparisonEvidence,
    Decision,
    Errors,
    Held,
    Intent,
    Judged,
    Limit,
    LimitEvidence,
    Order,
    Origin,
    Past,
    Paused,
    Policy,
    Probe,
    Promoted,
    Ramping,
    Revision,
    RollingBack,
    Route,
    Sample,
    Series,
    SetSplit,
    Split,
    Stage,
    State,
    Steady,
    Step,
    Tally,
    Unadopted,
    Verb,
    Verdict,
    Weight,
    Why,
    Window,
)
from rollout.core.reason import Level, Reason
from rollout.ports import Alert, Freeze, Journal, Outbox, Record, Remembered, SourceState, Unavailable
from tests.fakes.clock import START, FakeClock

LATER = START + timedelta(seconds=30)
ORIGIN = Origin("apps", "jazz.yaml", "c0ffee", "Ann Example", "jazz 2 \udcff ☂")
POLICY = Policy(
    name="prod/jazz",
    route=Route("envoy", "edge", "jazz", "prod", ("a", "b")),
    revision=Revision("jazz-v2", "sha256:2"),
    steps=(Step(Weight(1_000), 300.0), Step(EVERYTHING, 0.5)),
    analysis=Analysis(checks=(Comparison(), Limit(0.05, Errors(("5xx", "429"))))),
    stable="jazz-v1",
    windows=(Window((0, 1), START.time().replace(tzinfo=None), LATER.time(), "Europe/Berlin"),),
    alerts=("ops",),
    origin=ORIGIN,
)
PAST = Past(
    stable=Revision("jazz-v1"),
    route=POLICY.route,
    rejected=(Revision("jazz-v0", "x"),),
    promoted=(Promoted(Revision("jazz-v1"), LATER),),
    attempt=7,
)
COMPARED = ComparisonEvidence(Bet(0.1, (0.1 + 0.2, 1e-12)), Bet(1.0, (), fresh=False), Tally(1, 2, 3, 4, 0.5))
EVIDENCE = (
    COMPARED,
    LimitEvidence(Bet(0.5, (0.25, 0.25)), COMPARED, Tally(10, 1, 90, 0, 1.5)),
)
RAMPING = Ramping(
    past=PAST,
    policy=POLICY,
    canary=POLICY.revision,
    began=START,
    rung=Stage(0),
    intent=Intent("v17", START, confirmed=True),
    evidence=EVIDENCE,
    baseline=Sample((Series("edge-1", "jazz-v2", 10, 9, 1, (("5xx", 1),), 3.5),), (("edge-2", "down"),)),
    paused=Paused("ann", "lunch", START),
)
STATES: dict[str, State] = {
    "unadopted": Unadopted(),
    "steady": Steady(PAST, Intent("v1", START)),
    "ramping": RAMPING,
    "probing": replace(RAMPING, rung=Probe(Weight(50)), baseline=None, paused=None, evidence=()),
    "rolling back": RollingBack(PAST, POLICY.revision, Cause.WORSE, START, Weight(1_000)),
    "held steady": Held(Steady(PAST), Why.FORGOTTEN),
    "held ramping": Held(RAMPING, Why.LOWERED, Weight(500)),
}


def decision(state: State = RAMPING, reason: Reason = Reason.BAKING, **changes: object) -> Decision:
    facts = {"weight": "10 %", "baked": 12.5, "requests": 3}
    return replace(Decision(state, reason, facts, Verdict.PASSING), **changes)  # type: ignore[arg-type]


def look(number: int = 2, at: datetime = START, **changes: object) -> Judged:
    """A look in the middle of a journey, as odd as looks get."""
    fed = ((Tally(10, 1, 90, 0, 0.1 + 0.2),), (Tally(10, 2, 90, 1, 1.0),))
    verdicts, odds = (Verdict.PASSING, Verdict.NO_DATA), (1e-300, 0.1 + 0.7)
    plain = Judged(
        number,
        at,
        Weight(1_000),
        fed,
        noise=((1.0,), (4.0,)),
        proof=True,
        silence=None,
        verdicts=verdicts,
        odds=odds,
        verdict=Verdict.NO_DATA,
        reason=Reason.BAKING,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def judged(*looks: Judged, **changes: object) -> list[Record]:
    """A record of each of these looks."""
    return [
        record(decision=decision(judged=one), noteworthy=False, at=one.at, **changes)  # type: ignore[arg-type]
        for one in looks
    ]


def raise_to(weight: int) -> SetSplit:
    return SetSplit(Split.between("jazz-v1", "jazz-v2", weight), "v17", Split.all_on("jazz-v1"))


def record(
    name: str = "prod/jazz", state: State = RAMPING, at: datetime = START, **changes: object
) -> Record:
    return replace(
        Record(name, at, decision(state), noteworthy=True, origin=ORIGIN),
        **changes,  # type: ignore[arg-type]
    )


def alert(key: str = "prod/jazz/7/worse", rollout: str = "prod/jazz", reason: Reason = Reason.WORSE) -> Alert:
    fields = (("canary", "31 of 1000"), ("author", "Ann <!channel> \udcff"))
    return Alert(key, rollout, reason.name, reason.level, START, "rolled back", fields, "will not retry")


def order(verb: Verb = Verb.ABORT, why: str = "it hurts", at: datetime = START) -> Order:
    return Order(0, verb, "ann", why, at)


class Remembering(Journal, Outbox, Protocol):
    """Both halves, and how to let go."""

    async def close(self) -> None: ...


@dataclass
class Bench:
    """A journal on the bench: ``restart`` opens it again, ``broken`` makes the disk refuse writes, ``looks``
    reads what is kept of a rollout's attempt.
    """

    clock: FakeClock
    restart: Callable[[], Awaitable[tuple[Remembering, Remembered]]]
    broken: Callable[[], AbstractContextManager[object]]
    looks: Callable[[str, int], Sequence[Judged]]


class JournalContract:
    """Subclass it with a fixture ``bench``."""

    @pytest.fixture
    async def bench(self):
        raise NotImplementedError

    async def test_a_new_journal_remembers_nothing(self, bench: Bench):
        """The first start finds nothing, says that it is the first, and is epoch 1."""
        _, found = await bench.restart()
        assert found == Remembered(1, True, {}, {}, {}, {}, {}, (), {})

    async def test_each_start_is_an_epoch(self, bench: Bench):
        """Epochs only grow, and only the first start is new."""
        starts = [(await bench.restart())[1] for _ in range(3)]
        assert [(start.epoch, start.new) for start in starts] == [(1, True), (2, False), (3, False)]

    @pytest.mark.parametrize("kind", STATES)
    async def test_a_state_comes_back_as_it_was(self, bench: Bench, kind: str):
        """D1: what a pass recorded is what the next start finds, to the last bit of its evidence."""
        journal, _ = await bench.restart()
        obeyed = ((3, ""), (4, "too late"))
        written = decision(STATES[kind], actions=(raise_to(1_000),), obeyed=obeyed, judged=look())
        await journal.record(record(state=STATES[kind], decision=written))
        _, found = await bench.restart()
        assert found.decisions == {"prod/jazz": written}
        assert found.states == {"prod/jazz": STATES[kind]}

    async def test_each_look_is_kept_as_the_judge_had_it(self, bench: Bench):
        """All that a verdict depends on comes back to the last bit, and a restart goes on with the record."""
        first = look(1, checks=POLICY.analysis.checks, fed=(), silence=Verdict.ERROR, verdict=Verdict.ERROR)
        edged = look(2, edges=((1, (250.0, 0.1 + 0.2)),))
        last = look(3, LATER, proof=False, rose=True, held=Weight(7))
        journal, _ = await bench.restart()
        for one in judged(first, edged):
            await journal.record(one)
        journal, _ = await bench.restart()
        for one in judged(last):
            await journal.record(one)
        assert tuple(bench.looks("prod/jazz", 7)) == (first, edged, last)
        assert (tuple(bench.looks("prod/jazz", 6)), tuple(bench.looks("prod/metal", 7))) == ((), ())

    async def test_a_look_that_is_taken_again_stands_once(self, bench: Bench):
        """One that landed though its writer heard otherwise, and a journey that a lost memory began anew."""
        journal, _ = await bench.restart()
        again = look(2, LATER)
        for one in judged(look(1), look(2), again):
            await journal.record(one)
        assert tuple(bench.looks("prod/jazz", 7)) == (look(1), again)
        for one in judged(look(1, LATER)):
            await journal.record(one)
        assert tuple(bench.looks("prod/jazz", 7)) == (look(1, LATER),)

    async def test_a_record_can_be_entered_after_a_gap(self, bench: Bench):
        """Where a look before may be missing, and at each thousandth, all that the judge knew is kept."""
        journal, _ = await bench.restart()
        known: dict[str, Any] = {"checks": POLICY.analysis.checks, "evidence": EVIDENCE}
        for one in (*judged(look(5), anew=True), *judged(look(6), look(1_000))):
            await journal.record(one)
        kept = (look(5, **known), look(6), look(1_000, **known))
        assert tuple(bench.looks("prod/jazz", 7)) == kept

    async def test_of_a_look_that_is_refused_nothing_is_kept(self, bench: Bench):
        """Q1: never half a record."""
        journal, _ = await bench.restart()
        with bench.broken():
            for one in judged(look(1)):
                with pytest.raises(Unavailable):
                    await journal.record(one)
        assert tuple(bench.looks("prod/jazz", 7)) == ()

    async def test_the_last_record_stands(self, bench: Bench):
        """A decision replaces the one before, noteworthy or not."""
        journal, _ = await bench.restart()
        await journal.record(record())
        await journal.record(record(decision=decision(reason=Reason.PROBING), noteworthy=False))
        _, found = await bench.restart()
        assert found.decisions["prod/jazz"].reason is Reason.PROBING

    async def test_many_rollouts_at_once(self, bench: Bench):
        """A hundred passes that record in the same moment are all remembered."""
        journal, _ = await bench.restart()
        await asyncio.gather(*(journal.record(record(f"prod/r{number}")) for number in range(100)))
        _, found = await bench.restart()
        assert set(found.states) == {f"prod/r{number}" for number in range(100)}

    async def test_a_source_and_its_policies(self, bench: Bench):
        """A source's policies replace its own former ones; without policies only its state moves."""
        journal, _ = await bench.restart()
        first = SourceState("c1", "c1", seen_at=START)
        metal = replace(POLICY, name="prod/metal")
        await journal.accept("apps", first, {"prod/jazz": POLICY, "prod/metal": metal})
        await journal.accept("infra", first, {"infra/gate": replace(POLICY, name="infra/gate")})
        looser = replace(POLICY, steps=POLICY.steps[1:])
        await journal.accept("apps", SourceState("c2", "c2"), {"prod/jazz": looser})
        stuck = SourceState("c2", "c3", "the branch is gone", rewritten=True, seen_at=LATER)
        await journal.accept("apps", stuck, None)
        _, found = await bench.restart()
        assert found.sources == {"apps": stuck, "infra": first}
        gate = replace(POLICY, name="infra/gate")
        assert found.policies == {"apps": {"prod/jazz": looser}, "infra": {"infra/gate": gate}}
        assert found.policies["apps"]["prod/jazz"].origin == ORIGIN

    async def test_an_alert_about_a_source_is_owed_with_its_state(self, bench: Bench):
        """I6: what people must hear of a repository is owed in the breath that remembers it, and once."""
        journal, _ = await bench.restart()
        rewritten = alert("apps/rewritten", "", Reason.REWRITTEN)
        for _ in range(2):
            await journal.accept("apps", SourceState("c1", rewritten=True), None, (("ops", rewritten),))
        journal, found = await bench.restart()
        assert found.sources["apps"].rewritten
        assert [one.alert for one in await journal.owed(START, 10)] == [rewritten]

    async def test_a_policy_moves_to_another_source(self, bench: Bench):
        """A policy that another source takes over is not lost when the first one gives it up."""
        journal, _ = await bench.restart()
        await journal.accept("apps", SourceState("c1"), {"prod/jazz": POLICY})
        await journal.accept("infra", SourceState("d1"), {"prod/jazz": POLICY})
        await journal.accept("apps", SourceState("c2"), {})
        _, found = await bench.restart()
        assert found.policies == {"infra": {"prod/jazz": POLICY}}

    async def test_p5_two_sources_that_claim_one_name_are_both_remembered(self, bench: Bench):
        """The newcomer does not overwrite the policy of who has the name, and whose that is stays known."""
        other = replace(POLICY, origin=replace(ORIGIN, source="infra"), steps=POLICY.steps[1:])
        journal, _ = await bench.restart()
        await journal.accept("apps", SourceState("c1"), {"prod/jazz": POLICY})
        await journal.record(record())
        await journal.accept("infra", SourceState("d1"), {"prod/jazz": other})
        _, found = await bench.restart()
        assert found.policies == {"apps": {"prod/jazz": POLICY}, "infra": {"prod/jazz": other}}
        assert found.owners == {"prod/jazz": "apps"}

    async def test_p5_what_one_source_says_twice_is_remembered(self, bench: Bench):
        """Without it a restart would not know why neither policy was taken."""
        journal, _ = await bench.restart()
        twice = SourceState("c1", "c1", twice=(("prod/jazz", "a.yaml:1:1: RP080"),) * 2)
        await journal.accept("apps", twice, {})
        _, found = await bench.restart()
        assert found.sources == {"apps": twice}

    async def test_an_order_waits_until_it_is_obeyed(self, bench: Bench):
        """A person's command outlives a crash; the decision that obeyed it takes it away."""
        journal, _ = await bench.restart()
        abort = await journal.order("prod/jazz", order())
        pause = await journal.order("prod/jazz", order(Verb.PAUSE))
        assert abort.id != pause.id
        assert abort == replace(order(), id=abort.id)
        journal, found = await bench.restart()
        assert found.orders == {"prod/jazz": (abort, pause)}
        await journal.record(record(decision=decision(obeyed=((abort.id, ""),))))
        _, found = await bench.restart()
        assert found.orders == {"prod/jazz": (pause,)}

    async def test_an_order_given_twice_is_one(self, bench: Bench):
        """A repeated order is the first one, also when that has been obeyed."""
        journal, _ = await bench.restart()
        first = await journal.order("prod/jazz", order())
        assert await journal.order("prod/jazz", order()) == first
        assert await journal.order("prod/metal", order()) != first
        await journal.record(record(decision=decision(obeyed=((first.id, ""),))))
        assert await journal.order("prod/jazz", order()) == first
        _, found = await bench.restart()
        assert "prod/jazz" not in found.orders

    async def test_freezes_last_until_lifted(self, bench: Bench):
        """A freeze outlives a restart; lifting ends that one only."""
        journal, _ = await bench.restart()
        everything, jazz = Freeze("", "ann", "holidays", START), Freeze("prod/jazz", "bob", "audit", START)
        await journal.freeze(everything, lifted=False)
        await journal.freeze(jazz, lifted=False)
        journal, found = await bench.restart()
        assert found.freezes == (everything, jazz)
        await journal.freeze(replace(everything, at=LATER), lifted=True)
        _, found = await bench.restart()
        assert found.freezes == (jazz,)

    async def test_an_alert_is_owed_with_its_decision(self, bench: Bench):
        """I6: an alert is part of its transition's record and survives whatever comes after."""
        journal, _ = await bench.restart()
        await journal.record(record(alerts=(("ops", alert()), ("chat", alert()))))
        journal, _ = await bench.restart()
        owed = await journal.owed(START, 10)
        assert [(one.sink, one.alert, one.tries) for one in owed] == [
            ("ops", alert(), 0),
            ("chat", alert(), 0),
        ]
        assert await journal.undelivered() == 2

    async def test_a_delivered_alert_is_not_owed(self, bench: Bench):
        """What arrived is not sent again."""
        journal, _ = await bench.restart()
        await journal.record(record(alerts=(("ops", alert()),)))
        (dispatch,) = await journal.owed(START, 10)
        await journal.delivered(dispatch, START)
        journal, _ = await bench.restart()
        assert await journal.owed(LATER, 10) == ()
        assert await journal.undelivered() == 0

    async def test_a_transition_told_twice_is_owed_once(self, bench: Bench):
        """I6: the same key is one message, also after it arrived."""
        journal, _ = await bench.restart()
        await journal.record(record(alerts=(("ops", alert()),)))
        await journal.record(record(alerts=(("ops", alert()),)))
        (dispatch,) = await journal.owed(START, 10)
        await journal.delivered(dispatch, START)
        await journal.record(record(alerts=(("ops", alert()),)))
        assert await journal.owed(LATER, 10) == ()

    async def test_a_failed_alert_waits_for_its_next_try(self, bench: Bench):
        """An alert that was not taken comes back when it is due, and counts its tries."""
        journal, _ = await bench.restart()
        await journal.record(record(alerts=(("ops", alert()),)))
        (dispatch,) = await journal.owed(START, 10)
        await journal.failed(dispatch, "503 ☂ \udcff", LATER)
        journal, _ = await bench.restart()
        assert await journal.owed(LATER - timedelta(seconds=1), 10) == ()
        (again,) = await journal.owed(LATER, 10)
        assert (again.id, again.tries, again.next_try) == (dispatch.id, 1, LATER)

    async def test_a_clock_that_is_set_back_delays_no_alert(self, bench: Bench):
        """C1, L1: what would wait for longer than any alert may is due, and holds up nothing behind it."""
        journal, _ = await bench.restart()
        for key in ("first", "second"):
            await journal.record(record(alerts=(("ops", alert(key)),)))
        (dispatch, _) = await journal.owed(START, 10)
        await journal.failed(dispatch, "503", LATER)
        yesterday = START - timedelta(days=1)
        assert [one.alert.key for one in await journal.owed(yesterday, 10)] == ["first", "second"]

    async def test_an_alert_given_up_is_reported_for_a_day(self, bench: Bench):
        """L3: what never arrived stays visible for 24 hours."""
        journal, _ = await bench.restart()
        await journal.record(record(alerts=(("ops", alert()),)))
        (dispatch,) = await journal.owed(START, 10)
        await journal.failed(dispatch, "404", None)
        assert await journal.owed(LATER, 10) == ()
        assert await journal.undelivered() == 1
        bench.clock.advance(24 * 3_600 + 1)
        assert await journal.undelivered() == 0

    async def test_news_of_one_rollout_stays_in_order(self, bench: Bench):
        """Nothing overtakes what waits at a sink about the same rollout, until that failed five times."""
        journal, _ = await bench.restart()
        first, second, other = alert("first"), alert("second"), alert("other", "prod/metal")
        await journal.record(record(alerts=(("ops", first), ("chat", second))))
        await journal.record(record(alerts=(("ops", second), ("ops", other))))
        due = START
        for _ in range(5):
            (failing, *_) = await journal.owed(due, 10)
            assert failing.alert == first
            await journal.failed(failing, "503", due + timedelta(seconds=60))
            found = [(one.sink, one.alert.key) for one in await journal.owed(due, 10)]
            overtakes = [("ops", "second")] if failing.tries == 4 else []
            assert found == [("chat", "second"), *overtakes, ("ops", "other")]
            due += timedelta(seconds=60)
        assert [one.alert.key for one in await journal.owed(due, 2)] == ["first", "second"]

    async def test_one_sinks_alerts_are_found_alone(self, bench: Bench):
        """However much another sink is owed, this one's alerts are found, and none of the other's."""
        journal, _ = await bench.restart()
        await journal.record(record(alerts=tuple(("dead", alert(str(number))) for number in range(5))))
        await journal.record(record(alerts=(("ops", alert()),)))
        assert [one.sink for one in await journal.owed(START, 3, "ops")] == ["ops"]
        assert [one.alert.key for one in await journal.owed(START, 2, "dead")] == ["0", "1"]

    async def test_an_unwritable_journal_says_so_and_recovers(self, bench: Bench):
        """Q1: what cannot be remembered is refused in a sentence, none of it is kept, and later all works."""
        journal, _ = await bench.restart()
        await journal.record(record(state=STATES["steady"]))
        with bench.broken():
            lost = record(state=RAMPING, alerts=(("ops", alert()),))
            writes = [
                journal.record(lost),
                journal.accept("apps", SourceState("c1"), {"prod/jazz": POLICY}),
                journal.order("prod/jazz", order()),
                journal.freeze(Freeze("", "ann", "x", START), lifted=False),
            ]
            for answer in await asyncio.gather(*writes, return_exceptions=True):
                assert isinstance(answer, Unavailable)
                assert str(answer).startswith("the journal ")
        await journal.record(record("prod/metal"))
        assert await journal.owed(LATER, 10) == ()
        _, found = await bench.restart()
        assert found.states == {"prod/jazz": STATES["steady"], "prod/metal": RAMPING}
        assert (found.sources, found.policies, found.orders, found.freezes) == ({}, {}, {}, ())

    async def test_a_restart_keeps_nobody_from_zero(self, bench: Bench):
        """The way home is remembered as a way home: nothing of the canary's weight comes back."""
        journal, _ = await bench.restart()
        await journal.record(record(decision=decision(actions=(raise_to(1_000),))))
        home = decision(STATES["rolling back"], Reason.WORSE, actions=(raise_to(0),), verdict=Verdict.FAILING)
        await journal.record(record(decision=home, alerts=(("ops", alert()),), outcome="written"))
        _, found = await bench.restart()
        assert found.decisions["prod/jazz"] == home
        assert home.actions[0].split.weight("jazz-v2") == NOTHING
        assert Level.NOTIFY is Reason.WORSE.level
