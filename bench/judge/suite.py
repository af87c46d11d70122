"""Scenarios from a file, ``{"format": 1, "scenarios": [...]}``; docs/benchmarks.md has the whole form."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from bench.figures import Unusable
from bench.judge.scenarios import QUIET, STEPS, Kind, Noise, Scenario
from rollout.core import bets

FORMAT = 1
FIELDS = ("id", "bad", "rate", "base", "canary", "onset_seconds", "scrape_seconds", "steps", "noise")
NOISES: Mapping[str, tuple[Kind, tuple[str, ...]]] = {
    "none": (Kind.NONE, ()),
    "incident": (Kind.INCIDENT, ("level", "seconds", "start")),
    "arm_gamma": (Kind.ARM_GAMMA, ("cv", "block_seconds")),
    "clumps": (Kind.CLUMPS, ("mean_size",)),
    "missed": (Kind.MISSED, ("missed", "reset_per_second")),
}
MOST_STEPS = 20
LONGEST = 86_400.0
HUNDRED = 100.0


class SuiteError(Unusable):
    """Every complaint about a file: where, what is there, and what would be right."""

    def __init__(self, path: Path, complaints: Sequence[str]) -> None:
        super().__init__("\n".join(f"{path}: {complaint}" for complaint in complaints))


class _Complaint(Exception):  # noqa: N818 - collected, never raised to a caller
    """One of them."""


def load(path: Path) -> tuple[Scenario, ...]:
    """The scenarios of a file.

    Raises:
        SuiteError: it cannot be read, or not everything in it can be honoured.
    """
    try:
        document = json.loads(
            path.read_text(encoding="utf-8"), object_pairs_hook=_object, parse_constant=_constant
        )
    except OSError as error:
        raise SuiteError(
            path, [f"cannot be read: {error.strerror}; give a JSON file of scenarios"]
        ) from error
    except UnicodeDecodeError as error:
        raise SuiteError(path, [f"byte {error.start} is not UTF-8; save the file as UTF-8"]) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SuiteError(path, [f"{where}: not JSON ({error.msg}); mend it there"]) from error
    except RecursionError as error:
        raise SuiteError(path, ["nested too deeply; scenarios need four levels"]) from error
    except _Complaint as complaint:
        raise SuiteError(path, [str(complaint)]) from complaint
    return _suite(path, document)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise _Complaint(f'"{twice[0]}" is written twice in one object; keep one')
    return dict(pairs)


def _constant(text: str) -> float:
    raise _Complaint(f"{text} is no number of JSON; write a finite number")


def _suite(path: Path, document: Any) -> tuple[Scenario, ...]:
    if not isinstance(document, dict):
        raise SuiteError(
            path, [f'the whole is {_shown(document)}; write {{"format": 1, "scenarios": [...]}}']
        )
    complaints = _unknown("", document, ("format", "scenarios"))
    form = document.get("format")
    if form != FORMAT or isinstance(form, bool):
        complaints.append(f'"format" is {_shown(form)}; this is read: {FORMAT}')
    listed = document.get("scenarios")
    if not isinstance(listed, list) or not listed:
        complaints.append(f'"scenarios" is {_shown(listed)}; write a list of at least one scenario')
        raise SuiteError(path, complaints)
    found: list[Scenario] = []
    for number, item in enumerate(listed):
        reader = _Reader(number, item)
        if (scenario := reader.scenario()) is not None:
            found.append(scenario)
        complaints += reader.complaints
    names = [scenario.id for scenario in found]
    complaints += [
        f'"{name}" is the id of {names.count(name)} scenarios; each needs its own'
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if complaints:
        raise SuiteError(path, complaints)
    return tuple(found)


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _unknown(where: str, given: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    names = list(known)
    found = []
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            instead = f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(names)}"
            found.append(f'{where}"{name}" is unknown; {instead}')
    return found


class _Reader:
    """One scenario, and all that is wrong with it."""

    def __init__(self, number: int, given: Any) -> None:
        self.where = f"scenarios[{number}]: "
        self.given = given
        self.complaints: list[str] = []

    def scenario(self) -> Scenario | None:
        """``None`` if anything is wrong."""
        if not isinstance(self.given, dict):
            self._complain("", self.given, "write an object with " + ", ".join(FIELDS))
            return None
        self.complaints += _unknown(self.where, self.given, FIELDS)
        name = self.given.get("id")
        if not isinstance(name, str) or not name.strip():
            self._complain("id", name, "write a text")
            name = ""
        else:
            self.where = f"{self.where[:-2]} ({name}): "
        bad = self.given.get("bad")
        if not isinstance(bad, bool):
            self._complain("bad", bad, "write true or false")
        rate = self._number("rate", "above 0, at most 100000 (requests per second)", lambda x: 0 < x <= 1e5)
        base = self._number("base", "a share from 0 on, below 1 (2 % is 0.02)", lambda x: 0 <= x < 1)
        scrape = self._number("scrape_seconds", "from 1 to 3600 (seconds)", lambda x: 1 <= x <= 3600)
        steps = self._steps()
        canary = self._canary(bad is True, base)
        onset = self._onset(sum(seconds for _, seconds in steps))
        noise = self._noise()
        if self.complaints:
            return None
        return Scenario(name, bool(bad), rate, base, canary, scrape, onset, steps=steps, noise=noise)

    def _complain(self, field: str, value: Any, instead: str) -> None:
        named = f'"{field}" is ' if field else "this is "
        self.complaints.append(f"{self.where}{named}{_shown(value)}; {instead}")

    def _number(
        self, field: str, instead: str, allowed: Callable[[float], bool], given: Any = None, prefix: str = ""
    ) -> float:
        value = (self.given if given is None else given).get(field)
        if _is_number(value) and allowed(value):
            return float(value)
        self._complain(prefix + field, value, f"write a number {instead}")
        return 1.0

    def _canary(self, bad: bool, base: float) -> float:
        value = self.given.get("canary")
        if not bad:
            return self._harmless(value, base)
        if self.complaints and not _is_number(self.given.get("base")):
            return 1.0  # above an unknown share
        return self._number(
            "canary", "above base, at most 1: the error share of a bad canary", lambda x: base < x <= 1
        )

    def _harmless(self, value: Any, base: float) -> float:
        """A healthy canary has base's error share, or one within the margin that is declared harmless."""
        if value is None:
            return base
        most = bets.ERRORS.ratio * base + bets.ERRORS.margin
        if _is_number(value) and 0 <= value <= most * (1 + 1e-9):
            return float(value)
        self._complain("canary", value, f'leave it out, write at most {most:g}, or say "bad": true')
        return base

    def _onset(self, end: float) -> float:
        if self.given.get("onset_seconds") is None:
            return 0.0
        instead = f"from 0 on, below {end:g}, where the steps end (seconds)"
        return self._number("onset_seconds", instead, lambda x: 0 <= x < end)

    def _steps(self) -> tuple[tuple[float, float], ...]:
        """Weights in per cent if any is above 1, else as shares."""
        given = self.given.get("steps")
        if given is None:
            return STEPS
        form = "write [[weight, seconds], ...], rising, e.g. [[10, 300], [50, 300], [100, 300]]"
        if not isinstance(given, list) or not 1 <= len(given) <= MOST_STEPS:
            self._complain("steps", given, form)
            return STEPS
        pairs = [(item[0], item[1]) for item in given if isinstance(item, list) and len(item) == 2]
        if len(pairs) < len(given) or not all(_is_number(value) for pair in pairs for value in pair):
            self._complain("steps", given, form)
            return STEPS
        weights, seconds = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if all(weight == 1 for weight in weights):
            self._complain("steps", given, "weight 1 is 1 % or everything: write 0.01, or 100")
        elif weights[0] <= 0 or weights[-1] > HUNDRED or sorted(set(weights)) != weights:
            self._complain("steps", given, "weights must rise, from above 0 to at most 100 per cent (or 1)")
        if not all(0 < length <= LONGEST for length in seconds):
            self._complain("steps", given, f"seconds must be above 0 and at most {LONGEST:g}")
        whole = HUNDRED if weights[-1] > 1 else 1.0
        return tuple((weight / whole, float(length)) for weight, length in pairs)

    def _noise(self) -> Noise:
        given = self.given.get("noise")
        if given is None:
            return QUIET
        kinds = f'write {{"kind": ...}} with one of {", ".join(NOISES)}'
        if not isinstance(given, dict) or given.get("kind") not in NOISES:
            self._complain("noise", given, kinds)
            return QUIET
        kind, fields = NOISES[given["kind"]]
        self.complaints += _unknown(f"{self.where}noise: ", given, ("kind", *fields))
        values: list[float] = []
        for field in fields:
            values += self._noise_field(field, given)
        return Noise(kind, tuple(values))

    def _noise_field(self, field: str, given: Mapping[str, Any]) -> tuple[float, ...]:
        if field == "start":
            return self._start(given)
        instead, allowed = _NOISE_FIELDS[field]
        return (self._number(field, instead, allowed, given, "noise."),)

    def _start(self, given: Mapping[str, Any]) -> tuple[float, float]:
        value = given.get("start")
        if _is_number(value) and value >= 0:
            return float(value), float(value)
        if (
            isinstance(value, list)
            and len(value) == 2
            and all(map(_is_number, value))
            and 0 <= value[0] <= value[1]
        ):
            return float(value[0]), float(value[1])
        self._complain("noise.start", value, "write seconds from 0 on, or [earliest, latest]")
        return 0.0, 0.0


_NOISE_FIELDS: Mapping[str, tuple[str, Callable[[float], bool]]] = {
    "level": ("above 0, at most 1: both arms' error share", lambda x: 0 < x <= 1),
    "seconds": ("above 0 (seconds)", lambda x: 0 < x <= LONGEST),
    "cv": ("above 0, at most 10: standard deviation by mean", lambda x: 0 < x <= 10),
    "block_seconds": ("from 1 on (seconds)", lambda x: 1 <= x <= LONGEST),
    "mean_size": ("from 1 to 1000", lambda x: 1 <= x <= 1000),
    "missed": ("a share from 0 on, below 1", lambda x: 0 <= x < 1),
    "reset_per_second": ("a probability from 0 to 1", lambda x: 0 <= x <= 1),
}


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
