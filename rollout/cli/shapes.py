"""A rollout as plain values, the same for JSON and YAML: names say the unit where there is one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rollout.cli.reading import Picture
from rollout.core.forecast import marks, say
from rollout.core.model import FULL, Policy, Ramping, Stage, Tally, Weight
from rollout.core.moment import Moment, odds_of, ramp_of, seen_of, stable_of, state_word, weight_of
from rollout.core.next_step import next_rise, next_step


def picture(shown: Picture) -> dict[str, Any]:
    """Everything that `rollout get` shows."""
    return {
        "daemon": daemon(shown),
        "rollouts": [rollout(moment, shown) for moment in shown.moments.values()],
        "sources": [
            {
                "name": name,
                "accepted": source.accepted,
                "attempted": source.attempted,
                "seen_at": _when(source.seen_at),
                "rewritten": source.rewritten,
                "problem": source.problem,
                "complaints": list(source.complaints),
            }
            for name, source in shown.sources.items()
        ],
        "freezes": [
            {"name": freeze.name, "actor": freeze.actor, "why": freeze.why, "at": _when(freeze.at)}
            for freeze in shown.freezes
        ],
        "undelivered_alerts": shown.undelivered,
    }


def daemon(shown: Picture) -> dict[str, Any]:
    """Who works in the state directory."""
    here = shown.daemon
    return {
        "running": here.running,
        "pid": here.holder.pid if here.holder else None,
        "heartbeat": _when(here.beat),
    }


def rollout(moment: Moment, shown: Picture) -> dict[str, Any]:
    """One rollout."""
    decision = moment.decision
    state = decision.state if decision else None
    ramp, stable = ramp_of(state), stable_of(state)
    seen = seen_of(decision) if decision else None
    return {
        "name": moment.name,
        "state": state_word(state),
        "reason": decision.reason.name if decision else None,
        "sentence": decision.reason.say(decision.facts) if decision else "not looked at yet",
        "verdict": decision.verdict.value if decision and decision.verdict else None,
        "since": _when(moment.since),
        "at": _when(moment.at),
        "stable": str(stable) if stable else None,
        "canary": str(ramp.canary) if ramp else None,
        "weight_percent": _percent(weight_of(state)),
        "seen_percent": None if seen is None else _percent(seen),
        "step": _step(ramp),
        "next": _next(moment),
        "counts": _counts(ramp.counts[ramp.policy.analysis.main]) if ramp and ramp.counts else None,
        "odds": odds_of(ramp) if ramp and ramp.evidence else None,
        "ladder": _ladder(ramp.policy if ramp else moment.policy, moment),
        "asked": _asked(moment.policy),
        "damaged": shown.damaged.get(moment.name, ""),
    }


def _step(ramp: Ramping | None) -> dict[str, int] | None:
    if ramp is None:
        return None
    number = ramp.rung.step + 1 if isinstance(ramp.rung, Stage) else 0
    return {"number": number, "of": len(ramp.policy.steps)}


def _next(moment: Moment) -> dict[str, Any]:
    rise = next_rise(moment)
    return {
        "sentence": next_step(moment),
        "rise": None
        if rise is None
        else {
            "sentence": say(rise),
            "weight_percent": None if rise.weight is None else _percent(rise.weight),
            "in_seconds": rise.seconds,
        },
    }


def _counts(counts: Tally) -> dict[str, Any]:
    return {
        "canary": {"requests": counts.canary_n, "failed": counts.canary_x},
        "stable": {"requests": counts.stable_n, "failed": counts.stable_x},
    }


def _ladder(policy: Policy | None, moment: Moment) -> list[dict[str, Any]]:
    if policy is None or moment.decision is None:
        return []
    return [
        {
            "weight_percent": _percent(mark.weight),
            "bake_seconds": mark.bake,
            "place": mark.place.value,
            "note": mark.note,
        }
        for mark in marks(policy, moment.decision.state)
    ]


def _asked(policy: Policy | None) -> dict[str, Any] | None:
    if policy is None:
        return None
    origin = policy.origin
    return {
        "backend": policy.revision.backend,
        "revision": policy.revision.content,
        "commit": origin.commit,
        "author": origin.author,
        "subject": origin.subject,
        "source": origin.source,
        "path": origin.path,
        "line": origin.line,
    }


def _percent(weight: Weight) -> float:
    return 100 * weight / FULL


def _when(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
