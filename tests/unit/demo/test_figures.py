"""When the demo says that all went as it should, and what it says when not."""

import json
from dataclasses import replace

import pytest

from rollout.demo import figures
from rollout.demo.figures import Figures
from rollout.demo.receiver import Received
from rollout.demo.tape import Count
from rollout.demo.weights import Carried


def carried(service: str, *weights: float) -> tuple[Carried, ...]:
    split = [{f"{service}-v1": 100 - weight, f"{service}-v2": weight} for weight in weights]
    return tuple(Carried(100.0 + at, each) for at, each in enumerate(split))


def alerts(*reasons: str) -> tuple[Received, ...]:
    return tuple(Received(100.0, reason, "prod/x", reason, "notify", reason) for reason in reasons)


JAZZ = Figures(
    service="jazz",
    commit="abc",
    began=100.0,
    ended=125.0,
    outcome=figures.PROMOTED,
    carried=carried("jazz", 6.71, 10, 50, 95, 100),
    canary=Count(2_000, 0, None, 125.0),
    total=Count(4_000, 0),
    alerts=alerts("STARTED", "STEP_PASSED", "STEP_PASSED", "PROMOTED"),
)
METAL = Figures(
    service="metal",
    commit="def",
    began=100.0,
    ended=104.0,
    outcome=figures.ROLLED_BACK,
    carried=carried("metal", 6.71, 0),
    canary=Count(20, 4, first_failed=100.5, last=101.01),
    total=Count(600, 4),
    alerts=alerts("STARTED", "WORSE", "ROLLED_BACK"),
)


def test_what_should_happen_is_no_problem() -> None:
    """jazz on every rung to the top without a failed request, metal home with an alert."""
    assert JAZZ.problems() == METAL.problems() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(JAZZ, outcome=figures.UNFINISHED), "jazz: unfinished, expected promoted"),
        (replace(JAZZ, outcome=figures.ROLLED_BACK), "jazz: rolled back, expected promoted"),
        (replace(JAZZ, carried=carried("jazz", 6, 10, 95, 100)), "expected 10 %, 50 %, 95 %"),
        (replace(JAZZ, carried=carried("jazz", 6, 10, 50, 10, 50, 95, 100)), "expected 10 %, 50 %, 95 %"),
        (replace(JAZZ, carried=carried("jazz", 10, 50, 95, 100)), "no probe was seen below 10 %"),
        (replace(JAZZ, total=Count(4_000, 1)), "1 of 4000 requests failed, expected none"),
        (replace(JAZZ, alerts=alerts("STARTED")), "no alert PROMOTED was delivered"),
        (replace(METAL, outcome=figures.PROMOTED), "metal: promoted, expected rolled back"),
        (replace(METAL, carried=carried("metal", 6, 10)), "expected a rise and then 0 %"),
        (replace(METAL, carried=carried("metal", 0)), "expected a rise and then 0 %"),
        (replace(METAL, carried=()), "seen at nothing, expected a rise"),
        (replace(METAL, canary=Count(20, 0, None, 101.0)), "the canary never failed"),
        (replace(METAL, alerts=()), "no alert WORSE was delivered"),
    ],
)
def test_what_did_not_go_as_it_should_is_said(wrong: Figures, said: str) -> None:
    """Each of them ends the demo with 1."""
    assert said in "\n".join(wrong.problems())


def test_home_is_when_envoy_shows_zero_and_the_last_answer_has_come() -> None:
    """The later of the two counts: an answer under way is still the canary's."""
    assert METAL.seconds_to_zero == pytest.approx(0.51)
    early = replace(METAL, canary=replace(METAL.canary, last=100.9))
    assert early.seconds_to_zero == pytest.approx(0.5)
    assert JAZZ.seconds_to_zero is None


def test_the_report_has_every_figure() -> None:
    """It is JSON, with times since the demo began."""
    plain = json.loads(json.dumps(METAL.plain(90.0)))
    assert plain["outcome"] == "rolled back"
    assert plain["weights"][0] == {"at": 10.0, "metal-v1": 93.29, "metal-v2": 6.71}
    assert plain["rungs"] == [6.71, 0]
    assert (plain["requests"], plain["failed_requests"]) == (600, 4)
    assert plain["seconds_from_first_failed_response_to_weight_0"] == 0.51
    assert plain["alerts_delivered"] == 3
    assert json.loads(json.dumps(JAZZ.plain(90.0)))["seconds_from_first_failed_response_to_weight_0"] is None


def test_a_split_names_who_gets_something() -> None:
    """Whichever way the rollout goes: v1 may be the canary when somebody goes back."""
    assert figures.shares(JAZZ.carried[0]) == "jazz-v1 93.29 %, jazz-v2 6.71 %"
    assert figures.shares(JAZZ.carried[3]) == "jazz-v1 5 %, jazz-v2 95 % (5 % kept as control)"
    assert figures.shares(JAZZ.carried[4]) == "jazz-v2 100 %"


def test_the_last_step_says_what_it_keeps() -> None:
    """ "95 %" alone would look like a mistake in the policy's steps of 10, 50 and 100."""
    assert dict(JAZZ.summary())["weights"] == "6.71 %, 10 %, 50 %, 95 % (5 % kept as control), 100 %"
    assert dict(JAZZ.summary())["alerts"] == "4 delivered: started, step_passed x2, promoted"
