"""M9: from what is recorded of its looks alone, any life is judged again to the same bits."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rollout.adapters.journals import looks
from rollout.core.machine import decide
from rollout.core.model import (
    Analysis,
    Comparison,
    Decision,
    Errors,
    Judged,
    Latency,
    Limit,
    Noise,
    Policy,
    State,
    Steady,
    Unseen,
    Verb,
)
from rollout.core.moment import ramp_of
from rollout.core.noise import quiet
from rollout.core.replay import Standing, judged_again, replay, settled
from rollout.core.seen import UNHEARD
from rollout.core.testimony import kept
from rollout.policy.codec import decode, encode
from tests.property.examples import examples
from tests.property.lives import Life, live, lives
from tests.unit.core.slow_world import Slow
from tests.unit.core.world import V1, V2, World, policy, steady


def through_text(look: Judged) -> Judged:
    return looks.read(look.at.isoformat(), look.weight, looks.written(look))


def standing(number: int, state: State) -> Standing | None:
    ramp = ramp_of(state)
    return Standing(number, ramp.policy.analysis.checks, ramp.evidence) if ramp else None


@examples(300)
@given(lives)
def test_each_look_of_any_life_is_judged_again_the_same(life: Life):
    """Whatever is seen, ordered, asked for and held: findings, odds, verdict, and the evidence left."""
    for one in live(life):
        look = one.decision.judged
        ramp = ramp_of(one.decision.state)
        if look is None:
            assert ramp is None
            continue
        before = ramp_of(one.before)
        after, again = judged_again(standing(before.looks if before else 0, one.before), through_text(look))
        assert again.differs == ""
        assert again.verdict is (one.decision.verdict or again.verdict)
        assert after == (standing(look.number, one.decision.state) or after)


@examples(100)
@given(lives, st.integers(0, 9))
def test_a_restart_in_the_middle_changes_no_answer(life: Life, cut: int):
    """ANALYSIS 10: serialise and restore mid-rollout equals uninterrupted, in state, verdict and record."""
    lived = live(life)
    state, resumed = lived[0].before, []
    for number, one in enumerate(lived):
        if number == cut:
            state = decode(Decision, encode(replace(one.decision, state=state))).state
        decision = decide(state, one.asked, one.seen)
        resumed.append(decision)
        state = decision.state
    assert resumed == [one.decision for one in lived]


NOISES = (UNHEARD, quiet(4), Noise(60, (((0.1, 2.5), (0.5, 1.3)),) * 2))
CHECKS = (
    Comparison(Latency(), min_requests=5),
    Limit(0.3, Latency(100.0), min_requests=5),
    Comparison(min_requests=5),
    Limit(0.2, min_requests=5),
    Limit(0.5, Errors(("429",)), min_requests=1),
)
EVENTS = ("tighten", "pause", "resume", "lower", "blind", "seen", "unknown time", *[""] * 13)
seconds = st.lists(
    st.tuples(
        st.sampled_from((0.0, 3.0, 40.0, 500.0)),
        st.sampled_from((0.0, 0.01, 0.3)),
        st.sampled_from((0.0, 0.01, 0.3, 1.0)),
        st.sampled_from(EVENTS),
    ),
    min_size=1,
    max_size=40,
)
noises = st.lists(st.sampled_from(NOISES), min_size=1, max_size=3)


def happens(world: World, event: str) -> list[Decision]:
    """What befalls a journey between two looks; a person's order is a look of its own."""
    match event:
        case "tighten" if isinstance(world.asked, Policy):
            old = world.asked.analysis.checks
            tighter = tuple(replace(check, min_requests=99) for check in old)
            world.asks(analysis=Analysis(checks=(*tighter, Limit(0.1, Errors(("5xx", "429"))))))
        case "pause" | "resume":
            return [world.order(Verb[event.upper()])]
        case "lower":
            world.foreign({V1: 9_999, V2: 1})
        case "blind" | "seen":
            world.metrics_gone = Unseen("away") if event == "blind" else None
        case _:
            pass
    return []


@examples(150)
@given(st.lists(st.sampled_from(CHECKS), min_size=1, max_size=3, unique=True).map(tuple), seconds, noises)
def test_whole_journeys_are_judged_again_from_their_record(checks, coming, heard):
    """From the first look to the last with nothing but the record, whatever happens on the way."""
    world = Slow(policy(analysis=Analysis(checks=checks)), steady(), mesh_epoch=1)
    decided: list[Decision] = []
    for rate, sick, bad, event in coming:
        decided += happens(world, event)
        world.noise = heard[len(decided) % len(heard)]
        world.rate, world.failing = rate, {V1: sick, V2: bad}
        decided.append(world.look(1.0, elapsed=None if event == "unknown time" else 1.0))
        if isinstance(world.state, Steady):
            break
    record = [through_text(look) for look in map(kept, decided) if look]
    assert [look.number for look in record] == list(range(1, len(record) + 1))
    again = tuple(replay(settled(record)))
    assert {(each.differs, each.missing) for each in again} <= {("", "")}
    assert [each.verdict for each in again] == [look.verdict for look in record]
