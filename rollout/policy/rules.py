"""What one value of a policy says about another, and the operator's guard rails.

Rules read the plain document, not the finished one, so that a fault in one field does not hide the faults
between the others; what cannot be read is passed over here, because it is complained about elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

from rollout.core.model import FULL, Analysis, NoDataRule, percent
from rollout.policy import scalars
from rollout.policy.complaint import Fault
from rollout.policy.limits import Limits
from rollout.policy.loader import Path, at, show
from rollout.policy.route_rules import PINS, Finding, route_rules
from rollout.policy.scalars import SECOND, did_you_mean, written
from rollout.policy.schema import MAX_LIST

_T = TypeVar("_T")


def rules(plain: object, limits: Limits | None) -> Iterator[Finding]:
    """Everything that is wrong between the fields of a document, or against the guard rails."""
    yield from _lists(plain)
    yield from _questions(plain)
    yield from _rising(plain)
    yield from _looks(plain)
    yield from route_rules(plain, limits)
    if limits:
        yield from _guard(plain, limits)
        yield from _names(plain, limits)
        yield from _queries(plain, limits)


def _entries(plain: object, *path: str | int) -> list[object]:
    found = at(plain, *path)
    return found if isinstance(found, list) else []


def _read(scalar: Callable[[object], _T], value: object) -> _T | None:
    """A value, or ``None`` if it cannot be read."""
    try:
        return scalar(value)
    except Fault:
        return None


def _weights(plain: object) -> list[tuple[int, int]]:
    """(index, weight) of each step whose weight can be read."""
    steps = _entries(plain, "spec", "steps")
    read = [(index, _read(scalars.weight, at(step, "weight"))) for index, step in enumerate(steps)]
    return [(index, weight) for index, weight in read if weight is not None]


def _lists(plain: object) -> Iterator[Finding]:
    """Lists that are empty, too long, or say a thing twice."""
    checks = "spec", "analysis", "checks"
    codes = [(*checks, i, "errors", "codes") for i in range(len(_entries(plain, *checks)))]
    must = [("spec", "steps"), checks, *codes]
    may = [("spec", "windows"), ("spec", "alerts"), *PINS]
    for path in must:
        if at(plain, *path) == []:
            yield path, Fault("RP048", f"`{path[-1]}` is empty", "write at least one, or remove the line")
    for path in [*must, *may]:
        entries = _entries(plain, *path)
        if len(entries) > MAX_LIST:
            yield (
                path,
                Fault("RP052", f"`{path[-1]}` has {len(entries)} entries", f"write at most {MAX_LIST}"),
            )
        elif path != ("spec", "steps"):
            yield from (((*path, index), fault) for index, fault in _twice(entries))
    for path in codes:
        yield from _covered(plain, path)


def _twice(entries: list[object]) -> Iterator[tuple[int, Fault]]:
    for index, entry in enumerate(entries):
        if entry in entries[:index]:
            what = "the same entry" if isinstance(entry, list | dict) else show(entry)
            yield index, Fault("RP049", f"{what} stands in the list twice", "remove one")


def _covered(plain: object, path: Path) -> Iterator[Finding]:
    """Single codes whose class is in the same list: they would count twice."""
    codes = [_read(scalars.code, code) for code in _entries(plain, *path)]
    for index, code in enumerate(codes):
        if code and not code.endswith("xx") and f"{code[0]}xx" in codes:
            yield (*path, index), Fault("RP049", f"{code} is part of {code[0]}xx already", "remove one")


_CHECKS = "spec", "analysis", "checks"
_ASKED = "errors", "latency", "query"
"""What a check can ask about."""


def _questions(plain: object) -> Iterator[Finding]:
    """Each check asks one question, whole, and all of them can be asked of one route."""
    checks: list[tuple[Path, dict[str, object]]] = [
        ((*_CHECKS, index), check)
        for index, check in enumerate(_entries(plain, *_CHECKS))
        if isinstance(check, dict)
    ]
    for path, check in checks:
        asked = [name for name in _ASKED if name in check]
        if len(asked) > 1:
            what = f"asks about {' and '.join(asked)} at once"
            yield (*path, asked[1]), Fault("RP056", what, f"write - {asked[1]}: as an entry of its own")
        if not check:
            yield path, Fault("RP056", "asks nothing", "write for example errors: {}")
        latency, errors = at(check, "latency"), at(check, "errors")
        if isinstance(latency, dict) and len(given := {"quantile", "max"} & latency.keys()) == 1:
            lacking = "max: 500ms" if "quantile" in given else "quantile: 0.99"
            what = f"`{next(iter(given))}` stands alone"
            yield (*path, "latency", *given), Fault("RP055", what, f"write {lacking} beside it")
        if isinstance(errors, dict) and errors.get("protocol") in ("grpc", "tcp") and "codes" in errors:
            what = f"a failure of {errors['protocol']} has no response code"
            yield (*path, "errors", "codes"), Fault("RP057", what, "remove the line")
    yield from _connections(checks)


def _connections(checks: list[tuple[Path, dict[str, object]]]) -> Iterator[Finding]:
    """Where connections are judged there are no requests."""
    protocols = [at(check, "errors", "protocol") for _, check in checks]
    if "tcp" not in protocols:
        return
    for (path, check), protocol in zip(checks, protocols, strict=True):
        if "latency" in check or ("errors" in check and protocol in (None, "http", "grpc")):
            asked = "latency" if "latency" in check else "errors"
            what = "asks about requests, another check of this policy about connections (protocol: tcp)"
            instead = "remove it" if asked == "latency" else "write protocol: tcp in both, or in none"
            yield (*path, asked), Fault("RP058", what, instead)


def _rising(plain: object) -> Iterator[Finding]:
    """Weights rise from step to step and end at 100, and the holdback takes none back."""
    weights = _weights(plain)
    for (before, low), (index, high) in pairwise(weights):
        if before + 1 == index and high <= low:
            what = f"weight {high / 100:g} does not rise above the step before it ({low / 100:g})"
            yield (
                ("spec", "steps", index, "weight"),
                Fault("RP041", what, "order the steps, each weight once"),
            )
    if not weights or weights[-1][0] != len(_entries(plain, "spec", "steps")) - 1:
        return
    last, weight = weights[-1]
    if weight != FULL:
        what = f"the last step's weight is {weight / 100:g}"
        yield ("spec", "steps", last, "weight"), Fault("RP042", what, "end with weight: 100")
    elif len(weights) > 1:
        yield from _holdback(plain, weights)


def _holdback(plain: object, weights: list[tuple[int, int]]) -> Iterator[Finding]:
    written_down = at(plain, "spec", "analysis", "holdback")
    kept = Analysis().holdback if written_down is None else _read(scalars.holdback, written_down)
    before = weights[-2][1]
    if kept is not None and before < FULL < before + kept:
        what = f"the last step keeps {percent(kept)} on stable, less is left than the step before had"
        path: Path = ("spec", "analysis", "holdback")
        if written_down is None:
            path = ("spec", "steps", weights[-2][0], "weight")
        instead = f"write holdback: {(FULL - before) / 100:g}% under analysis, or lower this step"
        yield path, Fault("RP050", what, instead)


def _looks(plain: object) -> Iterator[Finding]:
    """Evidence must be able to arrive before its absence counts."""
    look = _read(scalars.duration, at(plain, "spec", "analysis", "look"))
    hold = _read(scalars.duration, at(plain, "spec", "analysis", "noData", "hold"))
    hold = NoDataRule().hold if hold is None else hold
    if look is not None and look >= hold >= SECOND:
        what = f"a look every {written(look)} is no shorter than noData.hold ({written(hold)})"
        yield ("spec", "analysis", "look"), Fault("RP051", what, f"write less than {written(hold)}")


def _guard(plain: object, limits: Limits) -> Iterator[Finding]:
    """The operator's guard rails."""
    for index, step in enumerate(_entries(plain, "spec", "steps")):
        bake = _read(scalars.duration, at(step, "bake"))
        if bake is not None and 0 < bake < limits.min_bake:
            least = written(limits.min_bake)
            fault = Fault(
                "RP070", f"bakes {written(bake)}, the operator wants {least} or more", f"write {least}"
            )
            yield ("spec", "steps", index, "bake"), fault
    weights = _weights(plain)
    if weights and weights[0][0] == 0 and weights[0][1] > limits.max_first_weight:
        most = f"{limits.max_first_weight / 100:g}"
        what = f"the first weight is {weights[0][1] / 100:g}, the operator allows {most}"
        yield ("spec", "steps", 0, "weight"), Fault("RP071", what, f"begin with weight: {most} or less")
    for index, check in enumerate(_entries(plain, "spec", "analysis", "checks")):
        most_errors = _read(scalars.error_limit, at(check, "errors", "max"))
        if most_errors is not None and most_errors > limits.max_error_limit:
            allowed = f"{limits.max_error_limit * 100:g}%"
            what = f"lets {most_errors * 100:g} % of requests fail, the operator allows {allowed}"
            path = ("spec", "analysis", "checks", index, "errors", "max")
            yield path, Fault("RP072", what, f"write {allowed} or less")
    look = _read(scalars.duration, at(plain, "spec", "analysis", "look"))
    if look is not None and look < limits.min_look:
        least = written(limits.min_look)
        what = f"a look every {written(look)}, the operator allows one every {least}"
        yield ("spec", "analysis", "look"), Fault("RP073", what, f"write {least} or more")


def _queries(plain: object, limits: Limits) -> Iterator[Finding]:
    """Queries that the operator's settings must know, each asked as what it is."""
    source = at(plain, "spec", "analysis", "metrics") or Analysis().metrics
    known = limits.queries.get(source) if limits.queries is not None and isinstance(source, str) else None
    if known is None:
        return
    for index, check in enumerate(_entries(plain, *_CHECKS)):
        query = at(check, "query")
        name = at(query, "name")
        path: Path = (*_CHECKS, index, "query")
        if not isinstance(query, dict) or not isinstance(name, str):
            continue
        if name not in known:
            hint = did_you_mean(name, sorted(known)) or f"the settings name no query of {source}"
            yield (*path, "name"), Fault("RP077", f"{show(name)} is no query of {source}", hint)
            continue
        most = _read(scalars.most, query["max"]) if "max" in query else None
        if known[name] and (most is None or most.is_share) and (most or "max" not in query):
            place = (*path, "max") if most else (*path, "name")
            yield (
                place,
                Fault("RP078", f"{name} is a gauge", "write max: with the highest level, such as 250"),
            )
        if not known[name] and most is not None and not most.is_share:
            what = f"{name} is a share of what it counts, and {{raw}} a level"
            yield (*path, "max"), Fault("RP078", what, "write a share with its sign, such as 5%")


def _names(plain: object, limits: Limits) -> Iterator[Finding]:
    """Names that the operator's settings must know."""
    alerts = enumerate(_entries(plain, "spec", "alerts"))
    named: list[tuple[Path, object, tuple[str, ...] | None, str, str]] = [
        (("spec", "alerts", index), sink, limits.sinks, "RP076", "sink") for index, sink in alerts
    ]
    source: Path = ("spec", "analysis", "metrics")
    metrics = at(plain, *source) or Analysis().metrics
    named.append((source, metrics, limits.metrics, "RP075", "source of metrics"))
    for path, name, known, code, what in named:
        if known is not None and isinstance(name, str) and name not in known:
            hint = did_you_mean(name, sorted(known)) or f"the settings name no {what} at all"
            yield path, Fault(code, f"{show(name)} is no {what} that the operator named", hint)
