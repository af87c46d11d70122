"""A team's repository: one policy a service, what people do to it, and the ways in which git fails us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollout.ports import File, Tree
from rollout.simulation.plan import Terms
from rollout.simulation.policy_source import SimulatedPolicySource

FOLDER = "prod"
BAD = {
    "bomb": "a: &a [1, 1]\nb: &b [*a, *a]\n",
    "typo": "apiVersion: rollout.dev/v1alpha1\nkind: Rollout\nmetadata: {name: typo}\nspce: 1\n",
    "link": "",
    "empty": "",
    "number": "1.0e999\n",
}
"""Files that no reader may trip over; ``link`` stands for what is not read at all."""


def text(name: str, route: str, backend: str, terms: Terms, *, suspend: bool = False) -> str:
    """A policy as people write it."""
    steps = "\n".join(f"    - {{weight: {weight}, bake: {bake:g}s}}" for weight, bake in terms.steps)
    asked = ["errors: {}"]
    asked += ["errors: {max: 20%, minRequests: 20}"] if terms.limit else []
    asked += ["latency: {}", "latency: {quantile: 0.9, max: 1s, minRequests: 20}"] if terms.latency else []
    checks = f"[{', '.join(f'{{{check}}}' for check in asked)}]"
    windows = "  windows: [{days: Mon-Fri, from: '09:00', to: '09:01', zone: UTC}]\n" if terms.windows else ""
    return f"""\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: prod, name: {name}}}
spec:
  route: {{envoy: {{routeConfiguration: {route}}}}}
  backend: {backend}
  steps:
{steps}
  analysis:
    checks: {checks}
    noData: {{hold: {terms.hold:g}s, then: {terms.then}}}
{windows}  suspend: {str(suspend).lower()}
  observe: {str(terms.observe).lower()}
"""


@dataclass(slots=True)
class _Offer:
    """What git says of one service now."""

    backend: str
    terms: Terms
    suspend: bool = False


@dataclass
class Repository:
    """``ports.PolicySource`` behind which people commit. ``away``, ``gone``, ``stale``: git's faults."""

    source: SimulatedPolicySource
    away: bool = False
    gone: bool = False
    stale: bool = False
    _offers: dict[str, _Offer] = field(default_factory=dict)
    _head: str | None = None

    async def read(self, accepted: str | None) -> Tree:
        """As the source."""
        source = self.source
        source.unreachable = "connection refused" if self.away else ""
        head = None if self.gone else self._head
        if head and self.stale:
            head = source.commits[head].parent or head
        source.head = head
        tree = await source.read(accepted)
        files = tuple(_linked(file) for file in tree.files)
        return replace(tree, files=files)

    def begin(self, services: Mapping[str, Terms]) -> str:
        """The first commit: everybody on v1."""
        self._offers = {name: _Offer(f"{name}-v1", terms) for name, terms in services.items()}
        return self.commit({_path(name): self._text(name) for name in services})

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Commit on top of what people see, whatever git shows the daemon."""
        self.source.head = self._head
        self._head = self.source.commit(files)
        return self._head

    def ask(self, name: str, backend: str) -> str:
        """Another backend; a policy that was suspended, broken or deleted is whole again."""
        terms = self._offers[name].terms
        self._offers[name] = _Offer(backend, terms)
        return self._say(name)

    def suspend(self, name: str) -> str:
        """No weight may rise until the next offer."""
        self._offers[name].suspend = True
        return self._say(name)

    def tighten(self, name: str) -> str:
        """A limit where there was none."""
        self._offers[name].terms = replace(self._offers[name].terms, limit=True)
        return self._say(name)

    def reshape(self, name: str) -> str:
        """Other weights."""
        offer = self._offers[name]
        steps = ((15, 2.0), *offer.terms.steps[-1:])
        offer.terms = replace(offer.terms, steps=steps)
        return self._say(name)

    def reword(self, name: str) -> str:
        """Longer steps."""
        offer = self._offers[name]
        steps = tuple((weight, bake + 1.0) for weight, bake in offer.terms.steps)
        offer.terms = replace(offer.terms, steps=steps)
        return self._say(name)

    def backend(self, name: str) -> str:
        """What git asks for."""
        return self._offers[name].backend

    def delete(self, name: str) -> str:
        """The policy's file is gone."""
        return self.commit({_path(name): None})

    def spoil(self, name: str) -> str:
        """A typo in the policy."""
        return self.commit({_path(name): self._text(name).replace("backend:", "bakend:")})

    def clash(self, name: str) -> str:
        """A second policy for the route."""
        return self.commit({_path("twin"): text("twin", name, f"{name}-v3", self._offers[name].terms)})

    def unclash(self) -> str:
        """It is taken out again."""
        return self.commit({_path("twin"): None})

    def dirty(self, kind: str) -> str:
        """A file that is no policy."""
        return self.commit({_path(f"zzz-{kind}"): BAD[kind]})

    def rewrite(self) -> str:
        """The same files in a history without the old one."""
        files = dict(self.source.commits[self._head].files) if self._head else {}
        self._head = None
        return self.commit({path: kept for path, (kept, _) in files.items()})

    def names(self) -> tuple[str, ...]:
        """The policies that have a file."""
        files = self.source.commits[self._head].files if self._head else {}
        paths = (path.removeprefix(f"{FOLDER}/").removesuffix(".yaml") for path in files)
        return tuple(sorted(name for name in paths if not name.startswith("zzz-")))

    def _say(self, name: str) -> str:
        return self.commit({_path(name): self._text(name)})

    def _text(self, name: str) -> str:
        offer = self._offers[name]
        return text(name, name, offer.backend, offer.terms, suspend=offer.suspend)


def _path(name: str) -> str:
    return f"{FOLDER}/{name}.yaml"


def _linked(file: File) -> File:
    return replace(file, text=b"", refused="it is a symbolic link") if "zzz-link" in file.path else file
