"""What people write in one value of a policy, to what the core means: durations, weights, names, days.

Each function takes the value as YAML's core types left it and raises ``Fault`` with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import time
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from rollout.core.model import FULL, Weight
from rollout.policy.complaint import Fault
from rollout.policy.loader import show

API_VERSION = "rollout.dev/v1alpha1"
KIND = "Rollout"
GROUP = API_VERSION.partition("/")[0]

DURATION = r"^([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,6}ms)?$"
PERCENTAGE = r"^[0-9]{1,3}(\.[0-9]{1,6})? ?%$"
LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
SUBDOMAIN = r"^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
BACKEND = r"^[!-~]{1,253}$"
OPERATORS_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$"
CODE = r"^[345](xx|[0-9][0-9])$"
TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
DAYS = "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"
_DAY = "(" + "|".join(DAYS) + ")"
DAYS_LIST = rf"^{_DAY}(-{_DAY})?(, ?{_DAY}(-{_DAY})?)*$"
ZONE = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$"

MILLISECOND, SECOND, MINUTE, HOUR, DAY = 0.001, 1.0, 60.0, 3600.0, 86_400.0
MAX_REVISION = 256
MAX_WORD = 64
"""Characters of a word that is looked for among others; the search is quadratic."""
MAX_REQUESTS = 1_000_000
MAX_LEVEL = 1e15
MAX_HOLDBACK = Weight(FULL // 2)

_UNITS = 86_400_000, 3_600_000, 60_000, 1000, 1
_duration = re.compile(DURATION)
_percentage = re.compile(PERCENTAGE)
_days = re.compile(DAYS_LIST)
_time = re.compile(TIME)
_code = re.compile(CODE)
_zone = re.compile(ZONE)
_clock_like = re.compile(r"([0-9]{1,3}):([0-5][0-9])")
_number_like = re.compile(r"[-+]?[0-9][0-9_]{0,18}%?")


def closest(word: str, known: Sequence[str], likeness: float = 0.6) -> str | None:
    """The known word that is most like this one, or begins it, case aside (``likeness`` from 0 to 1)."""
    if len(word) > MAX_WORD:
        return None
    folded, word = {name.lower(): name for name in known}, word.lower()
    close = get_close_matches(word, folded, 1, likeness) or [name for name in folded if word.startswith(name)]
    return folded[close[0]] if close else None


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint that names the closest of the known words, or all of them; empty if there are none."""
    close = closest(word, known)
    if close:
        return f"did you mean `{close}`?"
    return f"known: {', '.join(known)}" if known else ""


def text(value: object) -> str:
    """A value that must be text.

    Raises:
        Fault: it is something else, or empty.
    """
    if isinstance(value, str):
        if not value.strip():
            raise Fault("RP025", "is empty")
        return value
    _something(value)
    if isinstance(value, list | dict):
        raise Fault("RP024", f"is {show(value)}, wants text", "write one value")
    read_as = "a truth value" if isinstance(value, bool) else "a number"
    raise Fault("RP026", "{raw} is read as " + read_as + ", wants text", 'write "{raw}" in quotes')


def _something(value: object) -> None:
    if value is None:
        raise Fault("RP025", "has no value")


def flag(value: object) -> bool:
    """``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    _something(value)
    word = value.lower() if isinstance(value, str) else ""
    meant = (
        "true"
        if word in {"yes", "on", "y", "true"}
        else "false"
        if word in {"no", "off", "n", "false"}
        else ""
    )
    raise Fault(
        "RP027",
        f"{show(value)} is neither true nor false",
        f"write {meant} without quotes" if meant else "write true or false",
    )


def numeric(value: object, example: str) -> int | float:
    """A number; ``example`` of one is what to write instead of something else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    _something(value)
    instead = f"write a number, such as {example}"
    if isinstance(value, str) and _number_like.fullmatch(value):
        meant = int(value.rstrip("%").replace("_", ""))
        instead = f"write {meant}" if value != str(meant) else f"write {meant} without quotes"
    raise Fault("RP028", f"{show(value)} is not a number", instead)


def weight(value: object) -> Weight:
    """A share of traffic in per cent: over 0, at most 100, at most two decimals."""
    number = Decimal(repr(numeric(value, "10")))
    if not 0 < number <= 100:  # noqa: PLR2004 - per cent
        instead = "write a share of traffic in per cent, over 0 and at most 100"
        raise Fault("RP040", "{raw} is no weight", instead)
    return _exact(number, "RP040")


def _exact(number: Decimal, code: str) -> Weight:
    units = number * 100
    if units != int(units):
        raise Fault(code, "{raw} is finer than 0.01 %", "write at most two decimals")
    return Weight(int(units))


def _share(value: object) -> Decimal:
    """``5%`` or ``0.05``, as a share."""
    if isinstance(value, str) and _percentage.fullmatch(value):
        return Decimal(value.rstrip("% ")) / 100
    if isinstance(value, int | float) and not isinstance(value, bool):
        share = Decimal(repr(value))
        if 0 <= share <= 1:
            return share
        instead = "write {raw}%" if 1 < share <= 100 else "write for example 5% or 0.05"  # noqa: PLR2004
        raise Fault("RP030", "{raw} is no share", instead)
    _something(value)
    raise Fault("RP030", f"{show(value)} is not a percentage", "write for example 5% or 0.05")


def error_limit(value: object) -> float:
    """The share of requests that may fail: over 0 and under 100 %."""
    share = _share(value)
    if not 0 < share < 1:
        said = "nothing could fail it" if share else "the first failed request would break it"
        raise Fault("RP044", f"{show(value)} is absurd: {said}", "write for example 5%")
    return float(share)


def quantile(value: object) -> float:
    """The share of requests that a limit of latency speaks of: half to 99.99 %."""
    share = _share(value)
    if not Decimal("0.5") <= share <= Decimal("0.9999"):
        raise Fault("RP053", f"{show(value)} is no quantile to hold a canary to", "write 0.5 to 0.9999")
    return float(share)


def milliseconds(value: object) -> float:
    """The longest that a request may take, in milliseconds: 1 ms to an hour."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        raise Fault("RP029", "{raw} is not a duration: it has no unit", "write {raw}ms or {raw}s")
    return round(lasting(MILLISECOND, HOUR)(value) * 1000)


class Most(NamedTuple):
    """The most that a query may show: a share of what it counts (``5%``), or a level (``250``)."""

    value: float
    is_share: bool


def most(value: object) -> Most:
    """``5%`` of a ratio, or the level of a gauge as a plain number."""
    if isinstance(value, str) and _percentage.fullmatch(value):
        return Most(error_limit(value), is_share=True)
    _something(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) > MAX_LEVEL:
            raise Fault("RP054", "{raw} is no level that can be meant", f"write at most {MAX_LEVEL:g}")
        return Most(float(value), is_share=False)
    instead = "write a share with its sign, 5%, for a ratio, or a number, 250, for a gauge"
    raise Fault("RP054", f"{show(value)} is neither a share nor a level", instead)


def holdback(value: object) -> Weight:
    """Stable's share in the last step: 0 to 50 %."""
    share = _share(value)
    if not 0 <= share * FULL <= MAX_HOLDBACK:
        raise Fault("RP046", f"{show(value)} is over 50 %", "write 0% to 50%, for example 5%")
    return _exact(share * 100, "RP046")


def requests(value: object) -> int:
    """A number of requests to judge on."""
    number = numeric(value, "100")
    if isinstance(number, float):
        raise Fault("RP028", "{raw} is not a whole number", f"write {number:.0f}")
    if not 1 <= number <= MAX_REQUESTS:
        raise Fault("RP045", "{raw} requests cannot be meant", f"write 1 to {MAX_REQUESTS}, for example 100")
    return number


def duration(value: object) -> float:
    """A length of time in seconds, written with its units: ``250ms``, ``1h30m``."""
    match = _duration.fullmatch(value) if isinstance(value, str) and value else None
    if match:
        counts = [int(re.sub("[a-z]", "", group)) if group else 0 for group in match.groups()]
        return sum(count * unit for count, unit in zip(counts, _UNITS, strict=True)) / 1000
    _something(value)
    instead = "write for example 30s, 5m, 1h30m or 2d"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value >= 0:
            instead = "write {raw}s or {raw}m"
        raise Fault("RP029", "{raw} is not a duration: it has no unit", instead)
    if isinstance(value, str) and (clock := _clock_like.fullmatch(value)):
        hours, minutes = int(clock[1]), int(clock[2])
        instead = f"write {hours}h{minutes}m or {hours}m{minutes}s"
    raise Fault("RP029", f"{show(value)} is not a duration", instead)


def lasting(low: float, high: float) -> Callable[[object], float]:
    """A duration between two bounds in seconds, both allowed."""

    def between(value: object) -> float:
        seconds = duration(value)
        if seconds < low or seconds > high:
            what = f"{show(value)} is too long" if seconds > high else f"{show(value)} is too short"
            raise Fault("RP047", what, f"write {written(low)} to {written(high)}")
        return seconds

    return between


def written(seconds: float) -> str:
    """A duration as a policy writes it: 5400 is ``1h30m``."""
    rest, parts = round(seconds * 1000), ""
    for unit, name in zip(_UNITS, ("d", "h", "m", "s", "ms"), strict=True):
        count, rest = divmod(rest, unit)
        parts += f"{count}{name}" if count else ""
    return parts or "0s"


def named(pattern: str, rule: str) -> Callable[[object], str]:
    """A name that matches a pattern, which ``rule`` says in words."""
    fits = re.compile(pattern).fullmatch

    def name(value: object) -> str:
        word = text(value)
        if not fits(word):
            raise Fault("RP031", f"{show(word)} is no name for this", rule)
        return word

    return name


label = named(LABEL, "write a-z, 0-9 and -, at most 63 characters, letter or digit first and last")
subdomain = named(
    SUBDOMAIN, "write a-z, 0-9, - and ., at most 253 characters, letter or digit first and last"
)
backend = named(BACKEND, "write at most 253 characters without spaces")
operators_name = named(OPERATORS_NAME, "write letters, digits, _, . and -, at most 253 characters")


def metrics_name(value: object) -> str:
    """The operator's name for a source of metrics; no address, because policies choose no servers."""
    word = text(value)
    if "://" in word:
        raise Fault(
            "RP031",
            f"{show(word)} is an address",
            "write the name the operator gave the source, such as envoy",
        )
    return operators_name(word)


def free_text(value: object) -> str:
    """Any text on one line, at most ``MAX_REVISION`` characters."""
    words = text(value)
    if len(words) > MAX_REVISION or not words.isprintable():
        raise Fault(
            "RP031",
            f"{show(words)} is too long or has line ends",
            f"write one line of at most {MAX_REVISION}",
        )
    return words


def code(value: object) -> str:
    """A class of response codes or one code: ``5xx``, ``429`` (with or without quotes)."""
    word = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(word, str) and _code.fullmatch(word):
        return word
    _something(value)
    raise Fault("RP035", f"{show(value)} is no code of a failed response", "write for example 5xx or 429")


def of_day(value: object) -> time:
    """A time of day, ``HH:MM``."""
    if isinstance(value, str) and _time.fullmatch(value):
        return time(int(value[:2]), int(value[3:5]))
    _something(value)
    clock = _clock_like.fullmatch(value) if isinstance(value, str) else None
    instead = 'write for example "09:00"'
    if clock and clock[1] == "24" and clock[2] == "00":
        instead = 'write "00:00"'
    elif clock and int(clock[1]) < 24:  # noqa: PLR2004 - hours
        instead = f'write "{int(clock[1]):02d}:{clock[2]}"'
    raise Fault("RP032", f"{show(value)} is not a time of day", instead)


def days(value: object) -> tuple[int, ...]:
    """Days of the week, 0 is Monday: ``Mon-Fri``, ``Mon,Wed``, ``[Mon, Wed]``; ``Fri-Mon`` is four."""
    listed = ",".join(str(day) for day in value) if isinstance(value, list) else value
    if not isinstance(listed, str) or not _days.fullmatch(listed):
        _something(value)
        raise Fault(
            "RP033", f"{show(listed)} are no days of the week", "write Mon-Fri, or Mon,Wed, or [Mon, Wed]"
        )
    chosen: set[int] = set()
    for span in listed.replace(" ", "").split(","):
        first, _, last = span.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        chosen.update(day % 7 for day in range(begin, end + 1 if end >= begin else end + 8))
    return tuple(sorted(chosen))


def zone(value: object) -> str:
    """A time zone of the IANA database."""
    name = text(value)
    if not _is_zone(name):
        raise Fault(
            "RP034", f"{show(name)} is no time zone", _nearest_zone(name) or "write for example Europe/Berlin"
        )
    return name


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())


def _nearest_zone(name: str) -> str:
    close = closest(name, _zones())
    return f"did you mean {close}?" if close else ""


def _is_zone(name: str) -> bool:
    if not _zone.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def choice(*words: str) -> Callable[[object], str]:
    """One of a few words."""

    def chosen(value: object) -> str:
        word = text(value)
        if word not in words:
            raise Fault("RP036", f"{show(word)} is not one of the choices", f"write {' or '.join(words)}")
        return word

    return chosen


def api_version(value: object) -> str:
    """The one version that is read."""
    if text(value) != API_VERSION:
        raise Fault("RP020", f"{show(value)} is not read by this version", f"write {API_VERSION}")
    return API_VERSION


def kind(value: object) -> str:
    """The one kind that is read."""
    if text(value) != KIND:
        raise Fault("RP021", f"{show(value)} is no kind of {GROUP}", f"write {KIND}")
    return KIND
