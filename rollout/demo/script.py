"""The play: both services on v1, a healthy jazz-v2, a bad metal-v2, and what became of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from rollout.adapters.journals.reader import Reader, read_only
from rollout.core.picture import draw
from rollout.core.reason import Reason
from rollout.demo import djapp, figures
from rollout.demo.figures import Figures
from rollout.demo.processes import DemoFailed
from rollout.demo.screen import BAD, GOOD, NEWS, Panel, Screen
from rollout.demo.story import Story
from rollout.demo.venue import Venue

BEAT = 0.2
"""Seconds between two looks of ours at everything."""
READY_DEADLINE, OUTCOME_DEADLINE, ALERT_DEADLINE = 30.0, 120.0, 10.0
WARM_UP = 1.5
"""Seconds of traffic before the first commit, so that nothing is judged on connections being made."""

_STYLES = {
    Reason.PROMOTED: GOOD,
    Reason.WORSE: BAD,
    Reason.ROLLED_BACK: BAD,
    Reason.ABORTED: BAD,
    Reason.STEP_PASSED: GOOD,
    Reason.RAISED: GOOD,
}


class Play:
    """One performance in a venue, told on a screen."""

    def __init__(self, venue: Venue, screen: Screen) -> None:
        self._venue = venue
        self._screen = screen
        self._story = Story(read_only(venue.state))
        self._told_weights = dict.fromkeys(djapp.SERVICES, 0)
        self._told_alerts = 0

    async def perform(self) -> list[Figures]:
        """Both rollouts, one after the other."""
        await self._until(self._adopted, READY_DEADLINE, "jazz and metal were not adopted")
        await self._until(self._warm, READY_DEADLINE, "dj gets no answers through Envoy")
        return [await self._roll_out(service) for service in djapp.SERVICES]

    async def keep_on(self) -> None:
        """Go on telling what happens, for ever. Visitors may end whatever they like; it is told."""
        ended: set[str] = set()
        while True:
            await self._look()
            for child in self._venue.children:
                if child.ended and child.name not in ended:
                    ended.add(child.name)
                    self._screen.tell(time.monotonic(), "", "demo", f"{child.name} has ended", BAD)

    async def _roll_out(self, service: str) -> Figures:
        venue, canary, name = self._venue, djapp.canary_of(service), djapp.rollout_of(service)
        fault = djapp.FAULTS.get(canary)
        said = f", which fails {fault:.0%} of its requests" if fault else ", which is healthy"
        began = time.monotonic()
        venue.tape.restart(service, began)
        commit = await venue.repository.commit(
            f"{service} is played by {canary}", **{service: djapp.policy(service, canary)}
        )
        self._screen.tell(began, service, "git", f"commit {commit} asks for {canary}{said}", NEWS)
        outcome = await self._outcome(service)
        ended = time.monotonic()
        await self._told(name, began, outcome)
        venue.tape.read()
        return Figures(
            service,
            commit,
            began,
            ended,
            outcome,
            tuple(venue.witness.since(service, began)),
            venue.tape.of(service, canary),
            venue.tape.total(service),
            tuple(venue.receiver.of(name, began)),
        )

    async def _outcome(self, service: str) -> str:
        """How it ended: the journal says so, and Envoy carries it."""
        canary, name = djapp.canary_of(service), djapp.rollout_of(service)

        def promoted() -> bool:
            return self._story.stable(name) == canary and self._weight(service) == 100.0  # noqa: PLR2004

        def rolled_back() -> bool:
            return canary in self._story.rejected(name) and self._weight(service) == 0.0

        try:
            await self._until(lambda: promoted() or rolled_back(), OUTCOME_DEADLINE, "")
        except TimeoutError:
            return figures.UNFINISHED
        return figures.PROMOTED if promoted() else figures.ROLLED_BACK

    async def _told(self, name: str, since: float, outcome: str) -> None:
        """Wait for the alert that says so; without it the figures will show that it is missing."""
        wanted = {figures.PROMOTED: "PROMOTED", figures.ROLLED_BACK: "ROLLED_BACK"}.get(outcome)

        def arrived() -> bool:
            return wanted in {alert.reason for alert in self._venue.receiver.of(name, since)}

        if wanted:
            try:
                await self._until(arrived, ALERT_DEADLINE, "")
            except TimeoutError:
                return

    def _adopted(self) -> bool:
        return all(
            self._story.stable(djapp.rollout_of(service)) == djapp.stable_of(service)
            for service in djapp.SERVICES
        )

    def _warm(self) -> bool:
        least = djapp.RATE * WARM_UP
        return all(self._venue.tape.total(service).requests >= least for service in djapp.SERVICES)

    def _weight(self, service: str) -> float:
        return self._venue.witness.now(service).of(djapp.canary_of(service))

    async def _until(self, done: Callable[[], bool], deadline: float, otherwise: str) -> None:
        """Look at everything again and again until it is so.

        Raises:
            DemoFailed: ``otherwise``, after ``deadline`` seconds; without a sentence a ``TimeoutError``.
        """
        until = time.monotonic() + deadline
        while not done():
            if time.monotonic() > until:
                if otherwise:
                    raise DemoFailed(f"{otherwise} within {deadline:.0f} s; {self._excuse()}")
                raise TimeoutError
            await self._look()
            self._venue.check()

    def _excuse(self) -> str:
        """What the daemon has to say about it."""
        said = [f"{name}: {self._story.sentence(name)}" for name in self._story.known]
        return "; ".join(said) or "the daemon's journal says nothing yet"

    async def _look(self) -> None:
        await asyncio.sleep(BEAT)
        self._venue.tape.read()
        self._tell_news()
        self._screen.show([self._panel(service) for service in djapp.SERVICES])

    def _tell_news(self) -> None:
        """What was decided, carried and delivered since the last time, in order of time."""
        offset = time.time() - time.monotonic()
        news: list[tuple[float, str, str, str, str]] = []
        for line in self._story.read():
            style = _STYLES.get(line.reason, "") if line.reason else NEWS
            news.append((line.at.timestamp() - offset, line.rollout, "rollout", line.text, style))
        for service in djapp.SERVICES:
            seen = self._venue.witness.seen.get(service, [])
            new, self._told_weights[service] = seen[self._told_weights[service] :], len(seen)
            news += [(one.at, service, "envoy", f"carries {figures.shares(one)}", "cyan") for one in new]
        alerts = list(self._venue.receiver.alerts.values())
        fresh, self._told_alerts = alerts[self._told_alerts :], len(alerts)
        news += [
            (one.at, one.rollout, "alert", f"delivered: {one.reason.lower()}", "yellow") for one in fresh
        ]
        for at, name, who, text, style in sorted(news):
            self._screen.tell(at, name.removeprefix(f"{djapp.NAMESPACE}/"), who, text, style)

    def _panel(self, service: str) -> Panel:
        stable, canary, tape = djapp.stable_of(service), djapp.canary_of(service), self._venue.tape
        return Panel(
            service,
            stable,
            canary,
            self._weight(service),
            tape.of(service, stable),
            tape.of(service, canary),
            self._story.sentence(djapp.rollout_of(service)),
        )


def close(screen: Screen, played: list[Figures], seconds: float) -> list[str]:
    """The summary; what did not go as it should."""
    problems = [problem for one in played for problem in one.problems()]
    screen.say()
    for one in played:
        screen.summary(one.service, one.summary(), BAD if one.problems() else GOOD)
    screen.say()
    for problem in problems:
        screen.say(f"not as it should be: {problem}", BAD)
    if not problems:
        screen.say(f"Both went as they should, in {seconds:.0f} s.", GOOD)
    return problems


def write_pictures(report: Path, reader: Reader) -> None:
    """Beside the report: each service's journey, as the daemon recorded it.

    Raises:
        DemoFailed: a file cannot be written.
    """
    for service in djapp.SERVICES:
        name, path = djapp.rollout_of(service), report.with_suffix(f".{service}.svg")
        looks = [
            look for attempt in reader.journeys(name)[-1:] for look in reader.journey(name, attempt).looks
        ]
        try:
            if looks:
                path.write_text(draw(name, djapp.canary_of(service), looks), encoding="utf-8")
        except OSError as error:
            raise DemoFailed(f"the picture cannot be written to {path}: {error.strerror}") from None


def write_report(path: Path, played: list[Figures], problems: list[str], start: float) -> None:
    """The figures as JSON.

    Raises:
        DemoFailed: the file cannot be written.
    """
    body = {
        "ok": not problems,
        "problems": problems,
        "seconds": round(time.monotonic() - start, 1),
        "requests_per_second_and_service": djapp.RATE,
        "services": {one.service: one.plain(start) for one in played},
    }
    try:
        path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise DemoFailed(f"the report cannot be written to {path}: {error.strerror}") from None
