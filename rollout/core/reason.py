"""Why a decision came out as it did: one closed list, the quiet outcomes too.

A reason's name is the metric label and the log's word, its level says who hears of it, its sentence is
filled with the decision's facts. ``rollout why`` shows nothing that is not one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum


class Level(IntEnum):
    """Who hears of it: the log and the metrics only, the people by a message, a person at once."""

    EVENT = 0
    NOTIFY = 1
    PAGE = 2


class Reason(Enum):
    """(level, sentence); the sentence's fields are facts of the decision."""

    # at rest
    NOTHING_NEW = (Level.EVENT, "git asks for {stable}, and it serves everybody")
    ADOPTED = (Level.NOTIFY, "{stable} carries everything and is taken as stable")
    OTHER_ROUTE = (Level.NOTIFY, "git names another route, {route}: it is adopted afresh")
    MIXTURE = (
        Level.PAGE,
        "the mesh shows {split}: which is stable? Say spec.stable, or `rollout adopt {name} BACKEND`",
    )
    REJECTED_BEFORE = (
        Level.EVENT,
        "{canary} was rejected; not tried again until git offers another revision or `rollout retry {name}`",
    )
    SAME_BACKEND = (
        Level.NOTIFY,
        (
            "{canary} names the running stable with other content: weights cannot split one backend, "
            "give the new content a backend of its own"
        ),
    )
    # on the way up
    STARTED = (Level.NOTIFY, "{canary} begins at {weight}, stable is {stable}")
    RAISED = (Level.EVENT, "probe passed: {before} to {weight}")
    STEP_PASSED = (Level.NOTIFY, "{before} passed after {baked:.0f} s: {tally}; now {weight}")
    PROMOTED = (Level.NOTIFY, "{canary} serves everybody: {tally}")
    MEASURING = (Level.EVENT, "{canary} is asked for; learning the request rate before the probe")
    NOT_READY = (Level.EVENT, "{canary} has no ready endpoint yet: {detail}")
    STABLE_NOT_READY = (Level.PAGE, "stable {stable} has no ready endpoint: {detail}; holding at {weight}")
    SETTLING = (Level.EVENT, "waiting for the mesh to carry {weight}: {detail}")
    NOT_CONVERGING = (
        Level.PAGE,
        "the mesh has not carried {weight} for {settling:.0f} s: {detail}",
    )
    PROBING = (
        Level.EVENT,
        "probe at {weight}: {tally}; the next rung needs a good look with 5 canary requests",
    )
    BAKING = (Level.EVENT, "baking at {weight}: {baked:.0f} of {bake:.0f} s; {tally}")
    TOO_FEW = (Level.EVENT, "{requests} of {needed} {arm} {things} seen at {weight}; {tally}")
    UNCOMPARED = (Level.EVENT, "latency cannot be compared yet at {weight}: {detail}; {tally}")
    UNPROVEN = (
        Level.EVENT,
        (
            "{requests} canary {things} at {weight} do not yet rule out that {margin:.0%} more of them {do}: "
            "{tally}"
        ),
    )
    INCONCLUSIVE = (
        Level.NOTIFY,
        "no proof either way after {baked:.0f} s at {weight} ({detail}); holding, as the policy says",
    )
    PASSED_UNPROVEN = (
        Level.NOTIFY,
        (
            "{before} passed without proof after {baked:.0f} s, as the policy says; nothing speaks against "
            "{canary}: {tally}; now {weight}"
        ),
    )
    OVER_LIMIT_NOW = (
        Level.EVENT,
        (
            "{canary_share:.2%} of the canary's {things} {did}, over {limit:.2%}; too little to go back, too "
            "much to rise"
        ),
    )
    SUSPECT = (
        Level.EVENT,
        "odds {odds:.1f} : 1 against the canary ({tally}): not proof enough to roll back, too much to rise",
    )
    BOTH_OVER_LIMIT = (
        Level.PAGE,
        (
            "canary ({canary_share:.2%} of its {things} {did}) and stable ({stable_share:.2%}) both break "
            "the limit ({limit:.2%}): going back would not help, going on would be blind; holding at {weight}"
        ),
    )
    BLIND = (Level.EVENT, "no evidence ({detail}) for {blind:.0f} of {deadline:.0f} s; holding at {weight}")
    BLIND_HELD = (Level.PAGE, "no evidence for {blind:.0f} s ({detail}); the policy says hold, at {weight}")
    BREAKER_OPEN = (
        Level.PAGE,
        "many rollouts are blind at once ({detail}): the observer is broken, not they; holding at {weight}",
    )
    STABLE_UNHEALTHY = (
        Level.PAGE,
        "canary fails ({tally}), but stable {stable} has no ready endpoint; holding at {weight}",
    )
    MESH_UNSEEN = (Level.EVENT, "the mesh cannot be read: {detail}; nothing is written")
    TARGET_LOST = (Level.PAGE, "the route is gone: {detail}; it is not made again, and nothing is written")
    UNRECORDED = (
        Level.PAGE,
        "the journal cannot be written ({detail}): nothing rises; going home still works",
    )
    BROKEN = (Level.NOTIFY, "looking at it failed {times} times in a row ({detail}); it is left as it is")
    # held by people, time or neighbours
    PAUSED = (Level.NOTIFY, "paused by {actor}: {why}; holding at {weight}")
    SUSPENDED = (Level.NOTIFY, "suspended in git; holding at {weight}")
    FROZEN = (Level.NOTIFY, "frozen: {detail}; holding at {weight}")
    WINDOW_CLOSED = (Level.EVENT, "outside the windows; weight may rise from {opens}; holding at {weight}")
    REWRITTEN = (
        Level.PAGE,
        "the history of {detail} was rewritten; holding at {weight} until `rollout adopt --source`",
    )
    SHARED_TARGET = (Level.PAGE, "{detail}; holding at {weight} on the old policy")
    GIT_LOST = (Level.NOTIFY, "git has not been seen for {detail}; holding at {weight}")
    LOWERED = (
        Level.NOTIFY,
        (
            "somebody lowered {canary} from {authorised} to {weight}: taken as a wish; "
            "`rollout resume {name}` goes on, `rollout abort {name}` ends it"
        ),
    )
    DRIFT = (Level.EVENT, "the mesh shows {split}, which we did not write; looking a second time")
    CORRECTED = (Level.NOTIFY, "the mesh showed {split}, more than was authorised; set back to {weight}")
    CONTESTED = (
        Level.PAGE,
        (
            "somebody keeps writing {split}; set back {times} times in 10 minutes, now holding: "
            "end the fight, then `rollout resume {name}`"
        ),
    )
    FORGOTTEN = (
        Level.PAGE,
        (
            "the route bears our mark (epoch {epoch}), but the journal knows nothing of it: lost, or an old "
            "copy; nothing is written until `rollout adopt {name} BACKEND`"
        ),
    )
    # on the way home
    WORSE = (Level.NOTIFY, "{canary} is worse: {tally}; odds {odds:.0f} : 1; from {before} to 0 %")
    OVER_LIMIT = (
        Level.NOTIFY,
        (
            "{canary} breaks the limit of {limit:.2%}: {canary_share:.2%} of its {things} {did}; {tally}; "
            "from {before} to 0 %"
        ),
    )
    NO_DATA_TOO_LONG = (Level.NOTIFY, "no evidence for {blind:.0f} s ({detail}); from {before} to 0 %")
    INCONCLUSIVE_TOO_LONG = (
        Level.NOTIFY,
        "no proof either way after {baked:.0f} s ({detail}); from {before} to 0 %, as the policy says",
    )
    NEVER_READY = (Level.NOTIFY, "{canary} had no ready endpoint for {total:.0f} s: {detail}")
    LOST_ENDPOINTS = (Level.NOTIFY, "{canary} lost its endpoints: {detail}; from {before} to 0 %")
    ABORTED = (Level.NOTIFY, "aborted by {actor}: {why}; from {before} to 0 %")
    WITHDRAWN = (Level.NOTIFY, "git no longer has the policy; from {before} to 0 %")
    REVERTED = (Level.NOTIFY, "git asks for stable {stable} again; from {before} to 0 %")
    CHANGED = (Level.NOTIFY, "git asks for something else ({detail}); from {before} to 0 %, then afresh")
    GOING_HOME = (Level.EVENT, "waiting for the mesh to carry 0 %: {detail}")
    NOT_HOME = (
        Level.PAGE,
        (
            "the mesh does not carry 0 % after {total:.0f} s: {detail}. By hand: set the weights to "
            "{stable} 100 %"
        ),
    )
    ROLLED_BACK = (Level.NOTIFY, "{canary} is off the traffic, {stable} serves everybody")
    RELEASED = (Level.NOTIFY, "the policy is gone; the route is left with {stable} on everything")

    def __init__(self, level: Level, sentence: str) -> None:
        self.level = level
        self.sentence = sentence

    def say(self, facts: Mapping[str, str | int | float]) -> str:
        """The sentence with its numbers."""
        return self.sentence.format_map(_HTTP | dict(facts))


_HTTP = {"things": "requests", "do": "fail", "did": "failed"}
"""What a decision was about that does not say it."""
