"""Weights and splits: who gets how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType

FULL = 10_000
"""The weight that stands for all traffic: one unit is 0.01 %."""

Weight = NewType("Weight", int)
"""Share of traffic to the canary, an integer from 0 to ``FULL``."""

NOTHING = Weight(0)
EVERYTHING = Weight(FULL)


def percent(weight: int) -> str:
    """Write a weight as people do: ``Weight(50)`` is ``0.5 %``."""
    return f"{weight / 100:g} %"


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets how much: (backend, weight) pairs in order of name, without zeros, that sum to ``FULL``."""

    shares: tuple[tuple[str, Weight], ...]

    @classmethod
    def of(cls, weights: Mapping[str, int]) -> Split:
        """Make a split from any relative weights, by largest remainder.

        Raises:
            ValueError: a weight is negative, or all are zero.
        """
        total = sum(weights.values())
        if total <= 0 or min(weights.values()) < 0:
            msg = f"no split can be made of {dict(weights)}"
            raise ValueError(msg)
        floors = {name: weight * FULL // total for name, weight in weights.items()}
        by_remainder = sorted(weights, key=lambda name: (-(weights[name] * FULL % total), name))
        for name in by_remainder[: FULL - sum(floors.values())]:
            floors[name] += 1
        return cls(tuple((name, Weight(floors[name])) for name in sorted(floors) if floors[name]))

    @classmethod
    def all_on(cls, backend: str) -> Split:
        """Everybody on one backend."""
        return cls(((backend, EVERYTHING),))

    @classmethod
    def between(cls, stable: str, canary: str, weight: int) -> Split:
        """``weight`` to the canary, the rest to stable."""
        shares = (stable, Weight(FULL - weight)), (canary, Weight(weight))
        return cls(tuple(sorted(share for share in shares if share[1])))

    def weight(self, backend: str) -> Weight:
        """The backend's share; zero when it is not in the split."""
        return next((weight for name, weight in self.shares if name == backend), NOTHING)

    @property
    def sole(self) -> str | None:
        """The backend that carries everything, if one does."""
        return self.shares[0][0] if len(self.shares) == 1 else None

    def __str__(self) -> str:
        return ", ".join(f"{name} {percent(weight)}" for name, weight in self.shares)
