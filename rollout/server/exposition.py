"""/metrics and /healthz on loopback: what the daemon does, for Prometheus and for probes."""

from __future__ import annotations

import asyncio

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from rollout.core.model import FULL, Decision, Stage
from rollout.core.moment import ramp_of, weight_of
from rollout.engine.daemon import Daemon
from rollout.engine.engine import Engine
from rollout.engine.outbox import Postman
from rollout.engine.rollout import Rollout

LATE = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Exposition:
    """The daemon's own metrics; a rollout's series go when the rollout goes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.weight = Gauge(
            "rollout_weight_ratio", "Authorised canary weight, 0 to 1", ["rollout"], registry=self.registry
        )
        self.step = Gauge(
            "rollout_step",
            "Step of the policy (1 is the first), 0 at rest",
            ["rollout"],
            registry=self.registry,
        )
        self.odds = Gauge(
            "rollout_evidence_odds",
            "Odds against the canary; 100 condemns",
            ["rollout"],
            registry=self.registry,
        )
        self.state = Gauge(
            "rollout_state", "1 for the state the rollout is in", ["rollout", "state"], registry=self.registry
        )
        self.verdicts = Counter(
            "rollout_verdicts", "Verdicts of looks", ["rollout", "verdict"], registry=self.registry
        )
        self.decisions = Counter(
            "rollout_decisions", "Looks by reason", ["rollout", "reason"], registry=self.registry
        )
        self.lateness = Histogram(
            "rollout_look_lateness_seconds",
            "Looks behind their due time",
            buckets=LATE,
            registry=self.registry,
        )
        self.fetch_age = Gauge(
            "rollout_source_age_seconds",
            "Since a source last answered, or since the start if it never did",
            ["source"],
            registry=self.registry,
        )
        self.problem = Gauge(
            "rollout_source_problem", "1 while a source has a problem", ["source"], registry=self.registry
        )
        self.quarantined = Gauge(
            "rollout_source_complaints",
            "Complaints about a source's files",
            ["source"],
            registry=self.registry,
        )
        self.undelivered = Gauge(
            "rollout_undelivered_alerts", "Alerts owed or given up within a day", registry=self.registry
        )
        self.alive = Gauge("rollout_alive", "1 while the loop's heart beats", registry=self.registry)
        self._labels: dict[str, set[tuple[str, str]]] = {}

    def observe(self, rollout: Rollout, late: float) -> None:
        """Count one look."""
        self.lateness.observe(late)
        decision, name = rollout.decision, rollout.name
        if decision is None:
            return
        seen = self._labels.setdefault(name, set())
        ramp = ramp_of(rollout.state)
        self.weight.labels(name).set(weight_of(rollout.state) / FULL)
        self.step.labels(name).set(ramp.rung.step + 1 if ramp and isinstance(ramp.rung, Stage) else 0)
        self.odds.labels(name).set(float(decision.facts.get("odds", 0)))
        self._state(name, type(rollout.state).__name__.lower(), seen)
        self._count(name, decision, seen)

    def _state(self, name: str, now: str, seen: set[tuple[str, str]]) -> None:
        for kind, state in [label for label in seen if label[0] == "state" and label[1] != now]:
            self.state.remove(name, state)
            seen.discard((kind, state))
        self.state.labels(name, now).set(1)
        seen.add(("state", now))

    def _count(self, name: str, decision: Decision, seen: set[tuple[str, str]]) -> None:
        reason = decision.reason.name.lower()
        self.decisions.labels(name, reason).inc()
        seen.add(("reason", reason))
        if decision.verdict is not None:
            self.verdicts.labels(name, decision.verdict.value).inc()
            seen.add(("verdict", decision.verdict.value))

    def forget(self, name: str) -> None:
        """The rollout is gone, and so are its series."""
        families = {"state": self.state, "reason": self.decisions, "verdict": self.verdicts}
        labels = self._labels.pop(name, None)
        if labels is None:
            return
        for gauge in (self.weight, self.step, self.odds):
            gauge.remove(name)
        for kind, value in labels:
            families[kind].remove(name, value)


def make_app(exposition: Exposition, engine: Engine, daemon: Daemon, postman: Postman) -> web.Application:
    """The web application; it holds nothing that needs a password, and is bound to loopback."""
    started = engine.clock.now()

    async def metrics(_: web.Request) -> web.Response:
        now = engine.clock.now()
        for name, source in engine.sources.items():
            exposition.fetch_age.labels(name).set((now - (source.seen_at or started)).total_seconds())
            exposition.problem.labels(name).set(bool(source.problem))
            exposition.quarantined.labels(name).set(len(source.complaints))
        exposition.undelivered.set(postman.undelivered)
        exposition.alive.set(daemon.is_alive)
        text = await asyncio.to_thread(generate_latest, exposition.registry)  # long with many rollouts
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        alive = daemon.is_alive
        return web.json_response(
            {"alive": alive, "rollouts": len(engine.rollouts)}, status=200 if alive else 503
        )

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    return app
