"""Whatever happens, in whatever order: the referee who judges simulated worlds finds nothing in `decide`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time
from functools import wraps
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rollout.adapters.journals.rows import text, untext
from rollout.core import ladder
from rollout.core.convergence import exposure
from rollout.core.machine import decide
from rollout.core.model import (
    FULL,
    Decision,
    Limit,
    MeshSeen,
    NoDataRule,
    OnSilence,
    Ramping,
    Revision,
    Stage,
    Step,
    Verb,
    Weight,
    Window,
    Withdrawn,
)
from rollout.core.moment import ramp_of
from tests.property.examples import examples
from tests.property.lives import Lived
from tests.property.watched import FAULTS, NAME, Fate, Watched
from tests.unit.core.world import V1, V2, V3, judged, policy

STEPS = (Step(Weight(1000), 5.0), Step(Weight(5000), 5.0), Step(Weight(10_000), 5.0))
LIMIT = Limit(0.05, min_requests=20)
MONDAY, SUNDAY = (Window((day,), time(12), time(12, 1), "UTC") for day in (0, 6))
BY_HAND = (({V1: 1},), ({V2: 1},), ({V1: 1, V2: 1},), ({V1: 97, V2: 3},), ({V1: 9, V2: 1}, {V1: 1}))
"""What somebody else may write: a mapping for each entry of the route."""
moments = st.sampled_from((0.0, 0.1, 1.0, 3.0, 9.0, 20.0))
backends = st.sampled_from((V2, V2, V1, V3))


def deed(**drawn: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule: somebody does something, and then time passes, with the looks that fall due."""

    def made(do: Callable[..., None]) -> Any:
        @wraps(do)
        def both(self: Hands, seconds: float, **given: Any) -> None:
            do(self, **given)
            self.world.wait(seconds)

        return rule(seconds=moments, **drawn)(both)

    return made


class Hands(RuleBasedStateMachine):
    """One rollout, and everybody who has a hand in it. A rule is one deed; the looks come by themselves."""

    world: Watched
    rival: bool

    @initialize(
        rate=st.sampled_from((20.0, 100.0, 2000.0)),
        then=st.sampled_from(OnSilence),
        seconds=st.sampled_from((0.0, 3.0, 9.0, 15.0, 40.0)),
        observe=st.sampled_from((*[False] * 7, True)),
        rival=st.sampled_from((*[False] * 7, True)),
    )
    def begin(self, rate: float, then: OnSilence, seconds: float, *, observe: bool, rival: bool) -> None:
        asked = policy(steps=STEPS, analysis=judged(no_data=NoDataRule(20.0, then)))
        self.world = Watched(asked, rate=rate, observe=observe)
        self.world.wait(seconds)
        self.rival = rival

    # --- time ------------------------------------------------------------------------------------

    @deed()
    def wait(self) -> None:
        pass

    @deed(down=st.sampled_from((0.2, 5.0)))
    def restart(self, down: float) -> None:
        self.world.restart(down)

    @deed(by=st.sampled_from((-86_400.0, 3600.0)))
    def jump(self, by: float) -> None:
        self.world.jump(by)

    # --- git -------------------------------------------------------------------------------------

    @deed(backend=backends)
    def ask(self, backend: str) -> None:
        self.world.commit(replace(self.world.offer, revision=Revision(backend), suspend=False))

    @deed()
    def tighten(self) -> None:
        analysis = self.world.offer.analysis
        checks = tuple(dict.fromkeys((*analysis.checks, LIMIT)))
        self.world.commit(replace(self.world.offer, analysis=replace(analysis, checks=checks)))

    @deed(windows=st.sampled_from(((), (MONDAY,), (SUNDAY,))), suspend=st.booleans())
    def hold(self, windows: tuple[Window, ...], *, suspend: bool) -> None:
        self.world.commit(replace(self.world.offer, windows=windows, suspend=suspend))

    @deed()
    def withdraw(self) -> None:
        self.world.commit(Withdrawn(NAME))

    # --- people ----------------------------------------------------------------------------------

    @deed()
    def pause(self) -> None:
        self.world.give(Verb.PAUSE)

    @deed()
    def resume(self) -> None:
        self.world.give(Verb.RESUME)

    @deed(argument=st.sampled_from(("", "full")))
    def promote(self, argument: str) -> None:
        self.world.give(Verb.PROMOTE, argument)

    @deed()
    def abort(self) -> None:
        self.world.give(Verb.ABORT)

    @deed()
    def retry(self) -> None:
        self.world.give(Verb.RETRY)

    @deed(backend=st.sampled_from(("", V1, V2)))
    def adopt(self, backend: str) -> None:
        self.world.give(Verb.ADOPT, backend)

    @deed(lifted=st.booleans())
    def freeze(self, *, lifted: bool) -> None:
        self.world.freeze(lifted=lifted)

    @deed(weights=st.sampled_from(BY_HAND))
    def edit(self, weights: tuple[dict[str, int], ...]) -> None:
        self.world.edit(*weights)

    # --- what befalls it -------------------------------------------------------------------------

    @deed(fate=st.sampled_from(Fate))
    def doom(self, fate: Fate) -> None:
        self.world.fate = fate

    @precondition(lambda self: self.rival)
    @deed()
    def claim(self) -> None:
        self.world.claim()

    @deed(backend=backends, count=st.sampled_from((0, 2)))
    def staff(self, backend: str, count: int) -> None:
        self.world.staff(backend, count)

    @deed(backend=backends, failing=st.sampled_from((0.0, 0.02, 0.3, 1.0)))
    def behave(self, backend: str, failing: float) -> None:
        self.world.behave(backend, failing)

    @deed(fault=st.sampled_from(FAULTS), on=st.booleans())
    def fault(self, fault: tuple[str, str], *, on: bool) -> None:
        self.world.fault(*fault, on=on)

    # --- laws ------------------------------------------------------------------------------------

    @invariant()
    def no_law_is_broken(self) -> None:
        """What people were promised, by somebody who asks the machine nothing."""
        violations = self.world.referee.violations
        assert not violations, "\n".join(map(str, violations))

    @invariant()
    def no_look_is_out_of_order(self) -> None:
        """What the core promises of each look by itself."""
        lived, self.world.lived = self.world.lived, []
        for look in lived:
            sums_to_everything(look)
            climbs_one_rung(look)
            rests_while_paused(look)
        for look in lived[-1:]:
            depends_on_nothing_else(look)
            outlives_a_restart(look)

    def teardown(self) -> None:
        """I20: whatever happened, when it is over all comes to rest, where it should be."""
        if not hasattr(self, "world"):
            return  # hypothesis gave this example up before it began
        self.world.heal()
        self.world.rest()
        self.no_law_is_broken()


TestMachine = Hands.TestCase
TestMachine.settings = settings(examples(200), stateful_step_count=15)


def sums_to_everything(look: Lived) -> None:
    """I1: nobody's requests are given to nobody."""
    for action in look.decision.actions:
        assert sum(weight for _, weight in action.split.shares) == FULL


def climbs_one_rung(look: Lived) -> None:
    """I2: of a journey's rungs a look takes one at the most, and none is ever gone down."""
    before, after = ramp_of(look.before), look.decision.state
    if before is None or not isinstance(after, Ramping) or after.past.attempt != before.past.attempt:
        return
    first = Stage(len(after.policy.steps) - 1 if after.fast else 0)
    up = Stage(before.rung.step + 1) if isinstance(before.rung, Stage) else first
    was, now = (ladder.weight_of(rung, after.policy) for rung in (before.rung, after.rung))
    assert after.rung == before.rung or was < now <= ladder.weight_of(up, after.policy)


def rests_while_paused(look: Lived) -> None:
    """I9: what a person paused stays on its rung, and no write gives it more than the route shows."""
    before, after, mesh = ramp_of(look.before), ramp_of(look.decision.state), look.seen.mesh
    if before is None or after is None or after.paused is None:
        return
    assert after.rung == before.rung
    stable = after.past.stable.backend
    for action in look.decision.actions:
        assert isinstance(mesh, MeshSeen)
        assert FULL - action.split.weight(stable) <= exposure(mesh, stable)


def depends_on_nothing_else(look: Lived) -> None:
    """The same is decided again from the same: no clock, no chance, no memory of its own."""
    assert decide(look.before, look.asked, look.seen) == look.decision


def outlives_a_restart(look: Lived) -> None:
    """D1: a decision comes back from the journal's text as it was."""
    assert untext(Decision, text(look.decision)) == look.decision
