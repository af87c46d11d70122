"""What a benchmark says: figures, some of them with a budget."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Unusable(Exception):  # noqa: N818 - it speaks of what was given
    """What a bench was given cannot be measured; the message says why, and what would be right."""


class Measured(Protocol):
    """What a bench has to say: a line, and whether it is within its budget (``None`` without one)."""

    @property
    def ok(self) -> bool | None:
        """Is it within its budget?"""
        ...

    def line(self, bench: str) -> str:
        """As one line of JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; ``budget`` is the most it may be, ``None`` where it only informs."""

    metric: str
    value: float
    unit: str
    budget: float | None = None

    @property
    def ok(self) -> bool | None:
        """Is it within its budget? ``None`` without one."""
        return None if self.budget is None else self.value <= self.budget

    def line(self, bench: str) -> str:
        """As one line of JSON."""
        return json.dumps(
            {
                "bench": bench,
                "metric": self.metric,
                "value": round(self.value, 4),
                "unit": self.unit,
                "budget": self.budget,
                "ok": self.ok,
            }
        )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of them do not exceed (nearest rank).

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no value was measured")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(metric: str, values: Sequence[float], unit: str, budget: float | None = None) -> list[Figure]:
    """The median, and the 95th percentile with the budget."""
    return [
        Figure(f"{metric}, p50", quantile(values, 0.5), unit),
        Figure(f"{metric}, p95", quantile(values, 0.95), unit, budget),
    ]
