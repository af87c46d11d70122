"""Short stories in which several things meet that chance alone would hardly bring together."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from rollout.simulation.deed import Deed

Theme = Callable[[random.Random, str, float], list[Deed]]
"""What befalls one service from a time on."""


def both_fall(chance: random.Random, name: str, at: float) -> list[Deed]:
    """A canary begins to fail, and before it is home there is no home."""
    panic, lasts = chance.choice(("", "panic", "panic")), chance.uniform(2.0, 8.0)
    down = Deed(at + chance.uniform(-2.0, 2.5), "stable down", name, panic, lasts)
    return [Deed(at, "behave", f"{name}-v2", "1.0"), down]


def dither(chance: random.Random, name: str, at: float) -> list[Deed]:
    """Somebody freezes and thaws while each record takes its time: a raise may be under way."""
    words = ("freeze", "thaw") * 8
    said = [Deed(when, word, name) for when, word in zip(_now_and_then(chance, at), words, strict=False)]
    return [Deed(at, "disk slow", seconds=15.0), *said]


def meddle(chance: random.Random, name: str, at: float) -> list[Deed]:
    """Somebody edits between what is read and what is written."""
    hands = ("edit down", "edit up", "edit down", "edit up")
    did = [Deed(when, hand, name) for when, hand in zip(_now_and_then(chance, at), hands, strict=False)]
    return [Deed(at, "mesh slow", seconds=12.0), *did]


def _now_and_then(chance: random.Random, at: float) -> Iterator[float]:
    while True:
        at += chance.uniform(0.3, 1.5)
        yield at


def two_minds(chance: random.Random, name: str, at: float) -> list[Deed]:
    """One person promotes and another aborts, at once."""
    return [Deed(at, chance.choice(("promote", "promote full")), name), Deed(at, "abort", name)]


def last_word(chance: random.Random, name: str, at: float) -> list[Deed]:
    """An abort is taken, and the daemon dies before it looks."""
    dies = Deed(at + 1.0 + chance.uniform(0.01, 0.2), "kill", argument="0.2")
    return [Deed(at, "mesh slow", seconds=3.0), Deed(at + 1.0, "abort", name), dies]


def second_chance(chance: random.Random, name: str, at: float) -> list[Deed]:
    """A canary that failed is mended and retried, and a proxy that saw it fail comes back in the middle."""
    canary, again = f"{name}-v2", at + chance.uniform(8.0, 14.0)
    return [
        Deed(at, "behave", canary, "1.0"),
        Deed(again - 1.0, "behave", canary, "0.0"),
        Deed(again - 1.0, "metrics silent", "proxy-1", seconds=chance.uniform(3.0, 8.0)),
        Deed(again, "retry", name),
    ]


def stillborn(chance: random.Random, _name: str, _at: float) -> list[Deed]:
    """The first policies are taken; before a look at them is recorded, the daemon dies, and git is away."""
    return [
        Deed(0.0, "disk slow", seconds=2.0),
        Deed(0.25, "git away", seconds=60.0),
        Deed(chance.uniform(0.25, 0.35), "kill", argument="2"),
    ]


def stumble(chance: random.Random, name: str, at: float) -> list[Deed]:
    """In long steps looks break, again and again, each time for a little less than what is told."""
    longer = [Deed(at, "reword", name) for _ in range(3)]
    begins = (at + 8.0 + 5.5 * number + chance.uniform(0.0, 1.0) for number in range(6))
    return [
        *longer,
        Deed(at + 0.1, "ask", name, chance.choice(("v2", "v3", "v4"))),
        *(Deed(begin, "bug", name, seconds=chance.uniform(3.4, 4.4)) for begin in begins),
    ]


def hush(chance: random.Random, _name: str, at: float) -> list[Deed]:
    """Of three proxies, two do not answer while a canary is on its way."""
    seconds = chance.uniform(15.0, 30.0)
    return [Deed(at, "metrics silent", proxy, seconds=seconds) for proxy in ("proxy-1", "proxy-2")]


def dark(chance: random.Random, name: str, at: float) -> list[Deed]:
    """Somebody asks for another version, and soon nobody counts, for longer than any may be blind."""
    return [
        Deed(at, "ask", name, chance.choice(("v2", "v3", "v4"))),
        Deed(at + chance.uniform(5.0, 9.0), "metrics away", seconds=chance.uniform(35.0, 65.0)),
    ]


def lean(chance: random.Random, name: str, at: float) -> list[Deed]:
    """The canary gets requests, and far fewer than its weight."""
    return [Deed(at, "traffic leans", name, seconds=chance.uniform(15.0, 40.0))]


def hurry(chance: random.Random, name: str, at: float) -> list[Deed]:
    """Somebody commits while the disk is full, and it is well again before git is asked again."""
    begins = (at + 9.0 * number for number in range(3))
    full = [Deed(begin, "disk full", seconds=chance.uniform(3.2, 5.8)) for begin in begins]
    return [*full, *(Deed(one.at + 0.1, "ask", name, chance.choice(("v2", "v3", "v4"))) for one in full)]


THEMES: tuple[Theme, ...] = (
    both_fall, dither, meddle, two_minds, last_word, second_chance, stillborn, stumble, hush, dark, lean,
    hurry,
)  # fmt: skip
