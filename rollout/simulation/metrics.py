"""Counters in memory, with everything that can go wrong with a source of them. It passes Envoy's contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rollout.core.model import Sample, Series, Unseen
from rollout.ports import Hosts, Question
from rollout.simulation import latency


@dataclass
class Count:
    """What one proxy counted for one backend since it started."""

    started: int = 0
    completed: int = 0
    active: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    upto: latency.Upto = latency.NONE


@dataclass
class SimulatedProxyCounters:
    """``silent`` says why the proxy does not answer; ``uptime`` is its age in seconds, if it tells."""

    counts: dict[str, Count] = field(default_factory=dict)
    silent: str = ""
    uptime: float | None = 100.0


class SimulatedMetrics:
    """``ports.Metrics``. A backend has counters at a proxy once it is ``known`` there."""

    def __init__(self, *proxies: str, uptime: float = 100.0) -> None:
        self.proxies = {name: SimulatedProxyCounters(uptime=uptime) for name in proxies or ("proxy-1",)}
        self.reads = 0

    # --- the world's hand ------------------------------------------------------------------------

    def known(self, *backends: str) -> None:
        """Every proxy knows these backends; nothing was sent to them yet."""
        for proxy in self.proxies.values():
            for backend in backends:
                proxy.counts.setdefault(backend, Count())

    def serve(self, backend: str, number: int, *, proxy: str = "", **codes: int) -> None:
        """So many more requests were completed; ``code_503=2`` says how many of them with what code."""
        count = self._count(proxy, backend)
        count.started += number
        count.completed += number
        for key, more in codes.items():
            code = key.removeprefix("code_")
            for name in {code, f"{code[0]}xx"}:
                count.codes[name] = count.codes.get(name, 0) + more

    def took(self, backend: str, upto: latency.Upto, *, proxy: str = "") -> None:
        """How long requests that were completed took."""
        count = self._count(proxy, backend)
        count.upto = latency.add(count.upto, upto)

    def begin(self, backend: str, number: int, *, proxy: str = "") -> None:
        """So many requests were sent on and are under way."""
        count = self._count(proxy, backend)
        count.started += number
        count.active += number

    def restart(self, proxy: str) -> None:
        """All counters of a proxy begin again at zero."""
        found = self.proxies[proxy]
        found.counts = {backend: Count() for backend in found.counts}
        found.uptime = None if found.uptime is None else 0.0

    def grow_older(self, seconds: float) -> None:
        """Time passes for every proxy, also for those that do not answer."""
        for proxy in self.proxies.values():
            proxy.uptime = None if proxy.uptime is None else proxy.uptime + seconds

    def _count(self, proxy: str, backend: str) -> Count:
        counts = self.proxies[proxy or next(iter(self.proxies))].counts
        return counts.setdefault(backend, Count())

    # --- the port --------------------------------------------------------------------------------

    async def read(self, questions: Sequence[Question], deadline: float) -> Sequence[Sample | Unseen]:
        self.reads += 1
        return [self._answer(question) for question in questions]

    async def hosts(self, backends: Sequence[str], deadline: float) -> Mapping[str, Hosts]:
        return {
            backend: {
                (name, f"{backend}-host"): (count.completed, count.codes.get("5xx", 0))
                for name, proxy in self.proxies.items()
                if not proxy.silent and (count := proxy.counts.get(backend))
            }
            for backend in backends
        }

    def _answer(self, question: Question) -> Sample | Unseen:
        silent = tuple((name, proxy.silent) for name, proxy in self.proxies.items() if proxy.silent)
        if len(silent) == len(self.proxies):
            return Unseen("; ".join(f"{name} {why}" for name, why in silent))
        return Sample(
            tuple(
                Series(
                    name,
                    backend,
                    count.started,
                    count.completed,
                    count.active,
                    tuple((code, count.codes.get(code, 0)) for code in question.codes),
                    proxy.uptime,
                    latency.edges(count.upto) if question.latency else (),
                )
                for name, proxy in self.proxies.items()
                if not proxy.silent
                for backend in question.backends
                if (count := proxy.counts.get(backend))
            ),
            silent,
            missing=tuple(
                (what, "this source does not count it") for what in question.beyond_http if what != "latency"
            ),
        )
