"""The operator's named queries: what they ask Prometheus, and what of its answers is counted.

Not an adapter: it serves no port. A query is of raw samples, as everything that is judged: of each instance
its newest scrape counts, and only while it is young. What is bad and all of it come from the same scrape.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rollout.adapters.envoy_admin import Silent, quote, stat_name
from rollout.adapters.prometheus_api import Answer, labels_of, literal, sample
from rollout.core.model import GaugeSeen, QuerySeen, RatioSeen
from rollout.settings import Gauge, PrometheusMetrics, Ratio

FRESH = 2.0
"""Scrape intervals after which an instance's newest counters are of another time (FAILURES R2)."""
WINDOW, LEAST_WINDOW = 5.0, 60.0
"""Scrape intervals, and seconds at least, in which a proxy that fell silent is still named."""
SLACK = 1.0
"""Seconds: the server's clock is read from a header that has no fractions."""
LARGEST = 2.0**53
"""From here on a float skips whole numbers."""

Named = Ratio | Gauge
Place = tuple[str, str]
"""A backend and an instance."""


def window(settings: PrometheusMetrics) -> str:
    """The range of a selector: ``[75s]``."""
    return f"[{math.ceil(max(WINDOW * settings.interval, LEAST_WINDOW))}s]"


def asked(query: Named, backends: Iterable[str], settings: PrometheusMetrics) -> tuple[str, ...]:
    """The PromQL of one named query about these backends."""
    names = sorted({form for backend in backends for form in (backend, stat_name(backend))})
    label = query.label or settings.label
    these = f"{label}=~{literal('|'.join(map(quote, names)))}}}{window(settings)}"
    selectors = (query.gauge,) if isinstance(query, Gauge) else (query.bad, query.total)
    return tuple(f"{selector}{these}" for selector in selectors)


def seen(
    query: Named,
    answers: Sequence[Answer | Silent],
    backends: Iterable[str],
    settings: PrometheusMetrics,
    now: datetime,
) -> tuple[QuerySeen, ...]:
    """What a query shows of these backends; of one that nobody counts yet, nothing.

    Raises:
        Silent: there is no answer that can be used, or none of any of the backends.
    """
    names = {form: backend for backend in backends for form in (backend, stat_name(backend))}
    label = query.label or settings.label
    tables = [_table(answer, label, names) for answer in answers]
    at = (_at(answers) or now).timestamp()
    young = FRESH * settings.interval + SLACK
    if isinstance(query, Gauge):
        found: list[QuerySeen] = []
        for place, scrapes in tables[0].items():
            newest = max(scrapes)
            if abs(at - newest) <= young:
                found.append(GaugeSeen(query.name, *place, max(scrapes[newest]), newest))
    else:
        found = list(_ratios(query, tables[0], tables[1], at, young))
    if not found:
        raise Silent(f"has no young samples of it with {label}=~{'|'.join(sorted(names))}")
    return tuple(found)


Table = Mapping[Place, Mapping[float, list[float]]]
"""By backend and instance, and by the moment of the scrape: the values of all series."""


def _table(answer: Answer | Silent, label: str, names: Mapping[str, str]) -> Table:
    if isinstance(answer, Silent):
        raise answer
    if answer.warnings:
        raise Silent(f"answered with a warning: {answer.warnings[0]}")
    table: dict[Place, dict[float, list[float]]] = {}
    try:
        for found in answer.result:
            labels = labels_of(found, label, "instance")
            place = names[labels[label]], labels["instance"]
            for moment, value in map(sample, found["values"]):
                table.setdefault(place, {}).setdefault(moment, []).append(value)
    except (TypeError, LookupError, ValueError):
        raise Silent(
            f"answered something that is no matrix of samples with an instance and {label}"
        ) from None
    return table


def _ratios(query: Ratio, bad: Table, total: Table, at: float, young: float) -> Iterable[RatioSeen]:
    for place, totals in total.items():
        bads = bad.get(place, {})
        common = totals.keys() & bads.keys() if bads else totals.keys()
        if not common:
            raise Silent(
                f"shows `bad` and `total` of {place[1]} in different scrapes: name counters of one job"
            )
        newest = max(common)
        if abs(at - newest) > young:
            continue
        n, x = _count(totals[newest]), _count(bads.get(newest, []))
        if n is None or x is None or x > n:
            raise Silent(f"shows no counts at {place[1]}, or more bad than all")
        yield RatioSeen(query.name, *place, x, n)


def _count(values: Iterable[float]) -> int | None:
    """The sum of counters, if it is one."""
    total = 0
    for value in values:
        if not 0 <= value < LARGEST or value != int(value):
            return None
        total += int(value)
    return total


def _at(answers: Sequence[Any]) -> datetime | None:
    return next((answer.at for answer in answers if isinstance(answer, Answer) and answer.at), None)
