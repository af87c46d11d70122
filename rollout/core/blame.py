"""What a check calls bad, in words: of which things, and what they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollout.core import judge
from rollout.core.model import (
    Check,
    Comparison,
    Errors,
    Evidence,
    Fact,
    Latency,
    LatencyEvidence,
    Protocol,
    Query,
    Tally,
)

_THINGS = {Protocol.HTTP: "requests", Protocol.GRPC: "calls", Protocol.TCP: "connections"}


@dataclass(frozen=True, slots=True)
class Blame:
    """``requests`` that ``fail``, or ``failed``."""

    things: str = "requests"
    do: str = "fail"
    did: str = "failed"

    @property
    def facts(self) -> dict[str, Fact]:
        """For the sentences of reasons."""
        return {"things": self.things, "do": self.do, "did": self.did}

    def tell(self, counts: Tally) -> str:
        """Both arms' counts in words."""
        canary = self._arm(counts.canary_x, counts.canary_n)
        return f"canary {canary}, stable {self._arm(counts.stable_x, counts.stable_n)}"

    def _arm(self, bad: int, total: int) -> str:
        return f"{bad} of {total} {self.did} ({bad / total:.2%})" if total else f"0 {self.things}"


def of(check: Check, evidence: Evidence) -> Blame:
    """What this check calls bad. A comparison of latencies does so at the edge that says most."""
    match check.of:
        case Errors(protocol=protocol):
            return Blame(_THINGS[protocol])
        case Latency(over=over):
            if isinstance(evidence, LatencyEvidence):
                over = evidence.worst.edge if evidence.worst else None
            long = f"over {milliseconds(over)}" if over is not None else "long"
            return Blame("requests", f"take {long}", f"took {long}")
        case Query(name=name, over=None):
            return Blame(f"counts of {name}", "are bad", "were bad")
        case Query(name=name, over=level):
            return Blame(f"readings of {name}", f"are over {level:g}", f"were over {level:g}")


def loudest(checks: Sequence[Check], evidence: Sequence[Evidence]) -> int:
    """The check that speaks most against the canary; comparisons by their shares of one capital."""
    total = sum(judge.weight(check) for check in checks if isinstance(check, Comparison))

    def voice(index: int) -> float:
        check = checks[index]
        share = judge.weight(check) / total if isinstance(check, Comparison) else 1.0
        return share * judge.find(check, evidence[index]).odds

    return max(range(len(checks)), key=voice)


def milliseconds(over: float) -> str:
    """``250 ms``, ``2.5 s``."""
    return f"{over:g} ms" if over < 1000 else f"{over / 1000:g} s"  # noqa: PLR2004 - a second
