"""What happened, in figures, for each service from the commit to the end; did it go as it should?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rollout.core.words import count, share
from rollout.demo import djapp
from rollout.demo.receiver import Received
from rollout.demo.tape import Count
from rollout.demo.weights import Carried

PROMOTED, ROLLED_BACK, UNFINISHED = "promoted", "rolled back", "unfinished"
EXPECTED = {"jazz": PROMOTED, "metal": ROLLED_BACK}
FIRST_STEP, STEPS, CONTROL = 10.0, (10.0, 50.0), 95.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One service's rollout. Times are monotonic seconds; ``carried`` is what Envoy showed."""

    service: str
    commit: str
    began: float
    ended: float
    outcome: str
    carried: tuple[Carried, ...]
    canary: Count
    total: Count
    alerts: tuple[Received, ...]

    @property
    def rungs(self) -> list[float]:
        """The canary's weights in per cent, as Envoy carried them one after the other."""
        return [carried.of(djapp.canary_of(self.service)) for carried in self.carried]

    @property
    def zero_at(self) -> float | None:
        """When the canary was off the traffic for good: Envoy shows 0, and its last answer has come."""
        if self.outcome != ROLLED_BACK or not self.carried or self.rungs[-1] > 0:
            return None
        return max(self.carried[-1].at, self.canary.last or 0.0)

    @property
    def seconds_to_zero(self) -> float | None:
        """From the first failed answer of the canary to its being off the traffic."""
        if self.zero_at is None or self.canary.first_failed is None:
            return None
        return self.zero_at - self.canary.first_failed

    def problems(self) -> list[str]:
        """What did not go as it should."""
        return [f"{self.service}: {problem}" for problem in self._problems()]

    def _problems(self) -> list[str]:
        expected = EXPECTED[self.service]
        if self.outcome != expected:
            return [f"{self.outcome}, expected {expected}"]
        return self._promotion() if expected == PROMOTED else self._rollback()

    def _promotion(self) -> list[str]:
        found, rungs = [], self.rungs
        wanted = [*STEPS, CONTROL, 100.0]
        if [rung for rung in rungs if rung in wanted] != wanted or rungs != sorted(rungs):
            found.append(f"Envoy was seen at {told(rungs)}, expected {told(wanted)} in this order")
        if not any(0 < rung < FIRST_STEP for rung in rungs):
            found.append(f"no probe was seen below {FIRST_STEP:g} %")
        if self.total.failed:
            found.append(f"{self.total.failed} of {self.total.requests} requests failed, expected none")
        return [*found, *self._told("PROMOTED")]

    def _rollback(self) -> list[str]:
        found, rungs = [], self.rungs
        if not rungs or rungs[-1] != 0 or max(rungs) == 0:
            found.append(f"Envoy was seen at {told(rungs)}, expected a rise and then 0 %")
        elif self.seconds_to_zero is None:
            found.append("the canary never failed in its callers' eyes, so nothing was proved")
        return [*found, *self._told("WORSE")]

    def _told(self, reason: str) -> list[str]:
        return (
            [] if reason in {alert.reason for alert in self.alerts} else [f"no alert {reason} was delivered"]
        )

    def summary(self) -> list[tuple[str, str]]:
        """(what, figures) in lines for people."""
        canary, total = djapp.canary_of(self.service), self.total
        answered = f"{canary} answered {count(self.canary.requests)}"
        lines = [
            ("outcome", f"{canary} {self.outcome} {self.ended - self.began:.1f} s after the commit"),
            ("weights", told(self.rungs)),
            ("callers", f"{share(total.failed, total.requests)} failed; {answered}"),
        ]
        if self.seconds_to_zero is not None:
            lines.append(
                ("way home", f"{self.seconds_to_zero:.2f} s from its first failed answer to its last")
            )
        reasons = Counter(alert.reason.lower() for alert in self.alerts)
        said = ", ".join(f"{name} x{times}" if times > 1 else name for name, times in reasons.items())
        return [*lines, ("alerts", f"{len(self.alerts)} delivered: {said}" if said else "none delivered")]

    def plain(self, start: float) -> dict[str, Any]:
        """For the report: times are seconds since the demo began."""
        return {
            "outcome": self.outcome,
            "expected": EXPECTED[self.service],
            "stable": djapp.stable_of(self.service),
            "canary": djapp.canary_of(self.service),
            "commit": self.commit,
            "committed_at": round(self.began - start, 3),
            "seconds": round(self.ended - self.began, 3),
            "rungs": self.rungs,
            "weights": [{"at": round(seen.at - start, 3), **seen.split} for seen in self.carried],
            "requests": self.total.requests,
            "failed_requests": self.total.failed,
            "canary_requests": self.canary.requests,
            "canary_failed_requests": self.canary.failed,
            "seconds_from_first_failed_response_to_weight_0": _rounded(self.seconds_to_zero),
            "alerts_delivered": len(self.alerts),
            "alerts": [
                {"at": round(alert.at - start, 3), "reason": alert.reason, "headline": alert.headline}
                for alert in self.alerts
            ],
            "problems": self.problems(),
        }


def told(rungs: list[float]) -> str:
    """Weights in a row; the last step's says what it keeps back."""
    return ", ".join(rung(weight) for weight in rungs) if rungs else "nothing"


def shares(carried: Carried) -> str:
    """Who gets how much; those who get nothing are left out."""
    told = {name: rung(weight) for name, weight in sorted(carried.split.items()) if weight}
    return ", ".join(f"{name} {weight}" for name, weight in told.items())


def rung(weight: float) -> str:
    """One weight as people read it."""
    return f"{weight:g} % (5 % kept as control)" if weight == CONTROL else f"{weight:g} %"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
