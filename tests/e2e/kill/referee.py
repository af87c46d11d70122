"""The rules of the game: from what was recorded, shown and delivered to everything that should not have been.

It shares no code with the engine's decisions, and remembers by itself what was authorised. It judges by what
was written down and in which order, never by how long something took; of time it needs only which kill came
between two things.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from rollout.core.reason import Level, Reason
from tests.e2e.kill.programme import Journey
from tests.e2e.kill.sink import Delivery
from tests.e2e.kill.witness import FILE, FULL, Entry, Shares, Shown

RAISES = frozenset({"STARTED", "RAISED", "STEP_PASSED", "PASSED_UNPROVEN", "PROMOTED"})
PASSED = frozenset({"STEP_PASSED", "PASSED_UNPROVEN", "PROMOTED"})
HOMEWARD = frozenset(
    {
        "WORSE", "OVER_LIMIT", "NO_DATA_TOO_LONG", "NEVER_READY", "LOST_ENDPOINTS",
        "ABORTED", "REVERTED", "WITHDRAWN", "CHANGED", "INCONCLUSIVE_TOO_LONG",
    }
)  # fmt: skip
GUILTY = frozenset({"WORSE", "OVER_LIMIT"})
"""Reasons for which a canary that was made to fail goes home."""
COMMON_CAUSE = "COMMON_CAUSE"
"""The one alert that is about several rollouts, not a line of one's history."""
BEFORE, AFTER = 12.0, 1.0
"""Seconds of a story around what went wrong."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One ``kill -9``: when, when the dead one's last word had arrived (no other daemon lived before that),
    and where it fell (see ``moments``).
    """

    at: float
    over: float
    number: int
    where: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A line of the history that announced a write: what was authorised from then on."""

    entry: Entry
    shares: Shares
    home: Shares

    @property
    def canary(self) -> str:
        """The revision it speaks of."""
        return str(self.entry.said["facts"].get("canary", ""))


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be."""

    at: float
    rollout: str
    what: str


@dataclass(slots=True)
class Tale:
    """Everything that is known afterwards."""

    entries: Sequence[Entry]
    shown: Sequence[Shown]
    deliveries: Sequence[Delivery]
    journeys: Sequence[Journey]
    kills: Sequence[Kill]
    firsts: Mapping[str, str] = field(default_factory=dict)
    """The backend that served everybody in the beginning, by service."""


def name_of(service: str) -> str:
    """The rollout of a service."""
    return f"prod/{service}"


def lines(entries: Sequence[Entry]) -> list[Entry]:
    """Those that are decisions: no orders, no results."""
    return [entry for entry in entries if entry.said["kind"] in {"decision", "intent"}]


class Referee:
    """Judges a tale; ``early`` counts the ways home that were written before their record."""

    def __init__(self, tale: Tale) -> None:
        self.tale = tale
        self.early = 0
        self.raises = 0
        self.repeated: list[str] = []
        self._entries: dict[str, list[Entry]] = defaultdict(list)
        for entry in tale.entries:
            self._entries[entry.rollout].append(entry)

    def judge(self) -> list[Violation]:
        """All rules, all rollouts; the first that went wrong first."""
        found: list[Violation] = []
        for service in sorted({one.service for one in self.tale.shown}):
            found += self._file(service)
            found += self._proxies(service)
            found += self._rungs(name_of(service))
            found += self._ends(service)
        found += self._alerts()
        found += self._repeats()
        return sorted(found, key=lambda violation: violation.at)

    # --- weights ---------------------------------------------------------------------------------

    def intents(self, rollout: str) -> list[Intent]:
        """What was authorised, in order."""
        found = []
        for entry in self._entries[rollout]:
            if entry.said["kind"] == "intent":
                action = entry.said["actions"][-1]
                found.append(Intent(entry, dict(action["split"]["shares"]), dict(action["home"]["shares"])))
        return found

    def _seen(self, service: str, where: str) -> list[Shown]:
        return [one for one in self.tale.shown if one.service == service and one.where == where]

    def _file(self, service: str) -> Iterator[Violation]:
        """Every new text of the file is the newest intent's, each rung of a revision comes once, and none
        after it went home.
        """
        rollout, intents = name_of(service), self.intents(name_of(service))
        reached: Counter[tuple[str, int]] = Counter()
        texts = self._seen(service, FILE)
        for before, now in itertools.pairwise(texts):
            known = [one for one in intents if one.entry.round < now.round]
            fresh = [one for one in intents if now.round <= one.entry.round <= now.round + 1]
            allowed = [*known[-1:], *fresh]
            cause = next((one for one in reversed(allowed) if one.shares == now.shares), None)
            if now.shares == before.shares:
                yield Violation(now.at, rollout, f"{say(now.shares)} was written a second time")
            elif cause is not None:
                yield from self._reached(rollout, cause, before, now, reached)
            elif any(one.home == now.shares for one in allowed):
                self.early += 1
            else:
                newest = say(allowed[-1].shares) if allowed else "nothing"
                yield Violation(now.at, rollout, f"{say(now.shares)} was written; {newest} was authorised")

    def _reached(
        self, rollout: str, cause: Intent, before: Shown, now: Shown, reached: Counter[tuple[str, int]]
    ) -> Iterator[Violation]:
        backend = cause.canary.partition("@")[0]
        weight = now.shares.get(backend, 0)
        if weight <= before.shares.get(backend, 0):
            return
        self.raises += 1
        reached[cause.canary, weight] += 1
        if reached[cause.canary, weight] > 1:
            yield Violation(now.at, rollout, f"{cause.canary} was raised to {weight / 100:g} % a second time")

    def _proxies(self, service: str) -> Iterator[Violation]:
        """What a proxy shows is what was intended, in that order: nothing comes back that was over."""
        rollout, intents = name_of(service), self.intents(name_of(service))
        for where in sorted({one.where for one in self.tale.shown} - {FILE}):
            at = -1
            for now in self._seen(service, where)[1:]:
                ahead = range(at + 1, len(intents))
                step = next((index for index in ahead if intents[index].shares == now.shares), None)
                if step is not None and intents[step].entry.round <= now.round + 1:
                    at = step
                elif at < 0 or intents[at].home != now.shares:
                    was = say(intents[at].shares) if at >= 0 else "the beginning"
                    yield Violation(
                        now.at, rollout, f"{where} shows {say(now.shares)}, which nobody intended after {was}"
                    )

    def _rungs(self, rollout: str) -> Iterator[Violation]:
        """A revision is raised once to each rung, after all of its bake, and never after it was rejected."""
        bakes = {journey.canary: journey.bake for journey in self.tale.journeys}
        climbed: Counter[tuple[str, str, str]] = Counter()
        rejected: set[str] = set()
        for entry in lines(self._entries[rollout]):
            said, facts = entry.said, entry.said["facts"]
            reason, canary = said["reason"], str(facts.get("canary", ""))
            for action in said["actions"] if canary in rejected else ():
                if dict(action["split"]["shares"]).get(canary.partition("@")[0], 0):
                    yield Violation(entry.at, rollout, f"{reason} gives to {canary}, which had gone home")
            if reason in HOMEWARD:
                rejected.add(canary)
            if reason not in RAISES:
                continue
            rung = (canary, reason, str(facts.get("weight", "")))
            climbed[rung] += 1
            if climbed[rung] > 1:
                yield Violation(entry.at, rollout, f"{reason} of {canary} to {rung[2]} was decided twice")
            if reason in PASSED and facts["baked"] < bakes.get(canary, math.inf) - 1e-6:
                yield Violation(
                    entry.at, rollout, f"{reason} of {canary} after {facts['baked']:.2f} s of bake"
                )

    # --- outcomes --------------------------------------------------------------------------------

    def outcome(self, journey: Journey) -> tuple[str, str]:
        """How a journey ended, and the reason's name: ``promoted``, ``rolled back`` or ``open``."""
        for entry in lines(self._entries[name_of(journey.service)]):
            if entry.said["facts"].get("canary") == journey.canary:
                reason = entry.said["reason"]
                if reason == "PROMOTED":
                    return "promoted", reason
                if reason in HOMEWARD:
                    return "rolled back", reason
        return "open", ""

    def _ends(self, service: str) -> Iterator[Violation]:
        """As without any kill: the healthy are promoted, the bad go home; and everything shows it."""
        rollout, stable = name_of(service), self.tale.firsts[service]
        for journey in self.tale.journeys:
            if journey.service != service:
                continue
            end, reason = self.outcome(journey)
            if journey.healthy and end == "promoted":
                stable = journey.canary.partition("@")[0]
            elif journey.healthy or end != "rolled back" or reason not in GUILTY:
                kind = "healthy" if journey.healthy else "bad"
                yield Violation(journey.at, rollout, f"{journey.canary} is {kind}, and was {end} {reason}")
        last = {one.where: one for one in self.tale.shown if one.service == service}
        for where, one in last.items():
            if one.shares != {stable: FULL}:
                yield Violation(one.at, rollout, f"at the end {where} shows {say(one.shares)}")

    # --- alerts ----------------------------------------------------------------------------------

    @cached_property
    def owed(self) -> list[tuple[Entry, str]]:
        """Every transition that people have to hear of, with its headline."""
        found = []
        for rollout, entries in self._entries.items():
            before = ""
            for entry in lines(entries):
                reason = Reason[entry.said["reason"]]
                new = reason.name != before or bool(entry.said["actions"])
                before = reason.name
                if new and reason.level is not Level.EVENT:
                    found.append((entry, f"{rollout}: {reason.say(entry.said['facts'])}"))
        return found

    def _alerts(self) -> Iterator[Violation]:
        """Each transition is told, nothing is told that did not happen, and a message has one key."""
        told = {delivery.said["headline"] for delivery in self.tale.deliveries}
        for entry, headline in self.owed:
            if headline not in told:
                yield Violation(entry.at, entry.rollout, f"never delivered: {headline}")
        happened = {headline for _, headline in self.owed}
        keys: dict[str, str] = {}
        headlines: dict[str, str] = {}
        for delivery in self.tale.deliveries:
            rollout, headline = delivery.said["rollout"], delivery.said["headline"]
            if delivery.said["reason"] == COMMON_CAUSE:
                continue
            if headline not in happened:
                yield Violation(delivery.at, rollout, f"told, but not in the journal: {headline}")
            if delivery.key != quote(delivery.event["id"]):
                yield Violation(delivery.at, rollout, f"the key {delivery.key} is not the event's id")
            if keys.setdefault(headline, delivery.key) != delivery.key:
                yield Violation(delivery.at, rollout, f"told again under another key: {headline}")
            if headlines.setdefault(delivery.key, headline) != headline:
                yield Violation(delivery.at, rollout, f"one key, two messages: {headline}")

    def _repeats(self) -> Iterator[Violation]:
        """A message comes a second time only when a kill came between, and one kill repeats one message."""
        last: dict[str, Delivery] = {}
        blamed: set[int] = set()
        for delivery in self.tale.deliveries:
            before = last.get(delivery.key)
            last[delivery.key] = delivery
            if before is None:
                continue
            self.repeated.append(delivery.key)
            between = [kill.number for kill in self.tale.kills if before.at <= kill.over <= delivery.at]
            cause = next((number for number in reversed(between) if number not in blamed), None)
            if cause is None:
                yield Violation(delivery.at, delivery.said["rollout"], f"told twice: {delivery.key}")
            else:
                blamed.add(cause)

    # --- the story -------------------------------------------------------------------------------

    def story(self, violation: Violation) -> str:
        """What happened around it, a line for each thing, in order of time."""
        service = violation.rollout.removeprefix("prod/")
        since, until = violation.at - BEFORE, violation.at + AFTER
        found = [(entry.at, _told(entry)) for entry in self._entries[violation.rollout]]
        found += [
            (one.at, f"{one.where} shows {say(one.shares)} {one.version}".rstrip())
            for one in self.tale.shown
            if one.service == service
        ]
        found += [(kill.at, f"KILL {kill.number}: {kill.where}") for kill in self.tale.kills]
        found += [
            (one.at, f"git asks for {one.canary}, {'healthy' if one.healthy else 'bad'}")
            for one in self.tale.journeys
            if one.service == service
        ]
        found += [
            (one.at, f"delivered: {one.key}")
            for one in self.tale.deliveries
            if one.said["rollout"] == violation.rollout
        ]
        told = [
            f"  {at - violation.at:+8.3f} s  {what}" for at, what in sorted(found) if since <= at <= until
        ]
        number = sum(kill.at <= violation.at for kill in self.tale.kills)
        return "\n".join([f"{violation.rollout}, after kill {number}: {violation.what}", *told])


def say(shares: Shares) -> str:
    """Shares as people write them."""
    return ", ".join(f"{name} {share / 100:g} %" for name, share in shares.items()) or "nothing"


def _told(entry: Entry) -> str:
    said: Mapping[str, Any] = entry.said
    match said["kind"]:
        case "result":
            return f"journal {entry.id}: of {said['of']}: {said['outcome']}"
        case "decision" | "intent":
            reason = Reason[said["reason"]]
            splits = "; ".join(say(dict(action["split"]["shares"])) for action in said["actions"])
            intends = f" -> {splits}" if splits else ""
            return f"journal {entry.id}: {reason.name}, {reason.say(said['facts'])}{intends}"
        case other:
            return f"journal {entry.id}: {other}"
