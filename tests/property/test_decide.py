"""`decide` over any reachable state and any observation whatever: it answers, and the answer is in order."""

import json

from hypothesis import given

from rollout.core.action import wanted_split
from rollout.core.explain import why
from rollout.core.machine import decide
from rollout.core.model import (
    FULL,
    MeshSeen,
    Policy,
    State,
)
from rollout.core.moment import Moment
from rollout.core.past import past_of
from rollout.core.schedule import next_look, ripe_in
from rollout.policy.codec import decode, encode
from tests.property.examples import examples
from tests.property.lives import live, lives

quick = examples(80)


@quick
@given(lives)
def test_every_look_has_an_answer_and_a_sentence(life):
    """No exception, no field missing in the reason's words, and each order gets its answer."""
    for look in live(life):
        wanted, seen, decision = look.asked, look.seen, look.decision
        assert decision.reason.say(decision.facts)
        assert {number for number, _ in decision.obeyed} == {order.id for order in seen.orders}
        assert next_look(decision.state, wanted, 1.0) > 0
        assert (ripe_in(decision.state) or 1.0) > 0
        policy = wanted if isinstance(wanted, Policy) else None
        assert why(Moment("prod/jazz", decision, policy, seen.now, seen.now, seen.now))


@quick
@given(lives)
def test_every_action_is_absolute_conditional_and_whole(life):
    """I1, I8, I23: what is written is what the state wants, over what was seen, and sums to everything; what
    gains by it had an endpoint in this very look.
    """
    for look in live(life):
        seen, decision, wanted = look.seen, look.decision, wanted_split(look.decision.state)
        if wanted is not None:
            assert sum(weight for _, weight in wanted.shares) == FULL
            assert all(0 < weight <= FULL for _, weight in wanted.shares)
        if not decision.actions:
            continue
        [action] = decision.actions
        assert isinstance(seen.mesh, MeshSeen)
        assert not seen.observe
        assert action.split == wanted
        assert action.version == seen.mesh.version
        assert seen.mesh.splits != (wanted,)
        past = past_of(decision.state)
        assert past is not None
        assert action.home.sole == past.stable.backend
        for name, weight in action.split.shares:
            if any(weight > split.weight(name) for split in seen.mesh.splits):
                assert seen.mesh.ready.get(name) != 0


@quick
@given(lives)
def test_every_state_outlives_a_restart(life):
    """Through the journal's codec and JSON: the same state, and the same decision from it. And the journeys'
    numbers, by which alerts are told apart, never come back.
    """
    lived = live(life)
    pasts = [past_of(state) for state in (lived[0].before, *(look.decision.state for look in lived))]
    numbers = [past.attempt for past in pasts if past is not None]
    assert numbers == sorted(numbers)
    for look in lived:
        back = decode(State, json.loads(json.dumps(encode(look.before))))
        assert back == look.before
        assert decide(back, look.asked, look.seen) == look.decision
