"""One look of a journey's record as a row, in few letters: it is written at each look.

What is read is believed only if it can have been: exact types, no unknown word, no failure without a request.
"""

from __future__ import annotations

import json
from datetime import datetime
from math import isfinite
from typing import Any

from rollout.core.model import FULL, Check, Evidence, Judged, Tally, Verdict, Weight
from rollout.core.reason import Reason
from rollout.policy.codec import Undecodable, decode, encode

_LETTERS = {Verdict.PASSING: "P", Verdict.FAILING: "F", Verdict.NO_DATA: "N", Verdict.ERROR: "E"}
_VERDICTS = {letter: verdict for verdict, letter in _LETTERS.items()}
_MOST = 2**53
"""Beyond it an integer is not the same in every reader of JSON."""


def written(look: Judged) -> str:
    """The row's text; time and weight have columns of their own. What says nothing is left out."""
    plain: dict[str, Any] = {
        "n": look.number,
        "f": [[[*_counts(tally), tally.seconds] for tally in tallies] for tallies in look.fed],
        "phi": look.noise,
        "o": look.odds,
        "v": "".join(_LETTERS[verdict] for verdict in (*look.verdicts, look.verdict)),
        "r": look.reason.name,
    }
    if look.proof:
        plain["p"] = 1
    if look.silence:
        plain["s"] = _LETTERS[look.silence]
    if look.rose:
        plain["up"] = 1
    if look.held is not None:
        plain["h"] = look.held
    if look.edges:
        plain["e"] = look.edges
    if look.checks:
        plain["checks"] = encode(look.checks)
    if look.evidence:
        plain["evidence"] = encode(look.evidence)
    return json.dumps(plain, separators=(",", ":"))


def read(at: str, weight: object, text: str) -> Judged:
    """The look that was written.

    Raises:
        Undecodable: it is no such row, or one of another version.
    """
    try:
        return _read(at, weight, json.loads(text))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Undecodable(f"a look cannot be read: {type(error).__name__} {error}") from error


def _read(at: str, weight: object, plain: Any) -> Judged:
    if not isinstance(plain, dict) or not plain.keys() <= _KEYS:
        raise ValueError("it was written by another version")
    *verdicts, verdict = (_VERDICTS[letter] for letter in plain["v"])
    seen = datetime.fromisoformat(at)
    if seen.tzinfo is None:
        raise ValueError("its time has no zone")
    return Judged(
        number=_whole(plain["n"], least=1),
        at=seen,
        weight=Weight(_whole(weight, most=FULL)),
        fed=tuple(tuple(map(_tally, tallies)) for tallies in plain["f"]),
        noise=tuple(tuple(map(_number, each)) for each in plain["phi"]),
        proof=_flag(plain, "p"),
        silence=_VERDICTS[plain["s"]] if "s" in plain else None,
        verdicts=tuple(verdicts),
        odds=tuple(map(_number, plain["o"])),
        verdict=verdict,
        reason=Reason[plain["r"]],
        rose=_flag(plain, "up"),
        held=Weight(_whole(plain["h"], most=FULL)) if "h" in plain else None,
        edges=tuple((_whole(check), tuple(map(_number, edges))) for check, edges in plain.get("e", ())),
        checks=decode(tuple[Check, ...], plain.get("checks", ())),
        evidence=decode(tuple[Evidence, ...], plain.get("evidence", ())),
    )


_KEYS = {"n", "f", "p", "s", "o", "v", "r", "up", "phi", "h", "e", "checks", "evidence"}


def _counts(tally: Tally) -> tuple[int, int, int, int]:
    return tally.canary_n, tally.canary_x, tally.stable_n, tally.stable_x


def _tally(plain: Any) -> Tally:
    *counts, seconds = plain
    canary_n, canary_x, stable_n, stable_x = map(_whole, counts)
    if canary_x > canary_n or stable_x > stable_n:
        raise ValueError("more failed than were counted")
    return Tally(canary_n, canary_x, stable_n, stable_x, _number(seconds))


def _flag(plain: dict[str, Any], key: str) -> bool:
    if plain.get(key, 1) != 1:
        raise ValueError(f"{key} is {plain[key]!r}")
    return key in plain


def _whole(plain: Any, least: int = 0, most: int = _MOST) -> int:
    if type(plain) is not int or not least <= plain <= most:
        raise ValueError(f"{plain!r} is no count")
    return plain


def _number(plain: Any) -> float:
    if type(plain) not in {int, float} or not isfinite(plain) or plain < 0:
        raise ValueError(f"{plain!r} is no number of this kind")
    return float(plain)
