"""Kills the daemon again and again at seeded moments, while rollouts go on, and keeps the tale of it."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from rollout.adapters.journals import schema
from rollout.adapters.journals.looks import read
from rollout.adapters.journals.reader import FILE
from rollout.core.model import Ramping, State, Steady
from rollout.core.replay import replay
from tests.e2e.kill import witness
from tests.e2e.kill.house import SERVICES, House, backend
from tests.e2e.kill.moments import IN_FLIGHT, Moment, Standing, moment
from tests.e2e.kill.programme import ENDS_WITHIN, Programme, Stuck
from tests.e2e.kill.referee import Kill, Tale, Violation, name_of

SHARE_IN_FLIGHT = 1 / 3
"""Of the kills, so many at least fall between RECORD and the effect seen."""
AIMS = {
    "at the start": 0.1,
    "any": 0.25,
    "after a record": 0.4,
    "after a write": 0.15,
    "before a record": 0.1,
}
"""What the kills aim at, in shares."""
STARTING, PAUSE = 0.8, 1.8
"""Seconds at most from a start to a kill that comes while it starts, and from its end to any other."""
SHORTLY = ((0.0, 0.003), (0.003, 0.012), (0.01, 0.06))
"""Seconds after a record: before the file is written, while the proxies take it, while that is seen."""
NO_RECORD, NO_WRITE = 5.0, 0.2
"""Seconds to wait for what a kill aims at."""
SLOW_DISK = 0.8
"""Seconds at most that the journal cannot be written; from 1 s on the daemon would call that a failure."""
A_HAIR = 1e-6
"""Seconds by which sums of seconds may differ."""
TEND = 0.25
"""Seconds between two looks at which journeys have ended."""
INTENTS = "SELECT rollout, intent FROM chains WHERE intent IS NOT NULL ORDER BY rollout"
"""The newest write that each rollout announced."""
BEGUN_DEAD = """
SELECT max(result.id) FROM history AS result JOIN history AS intent
ON intent.id = json_extract(result.entry, '$.of')
WHERE json_extract(result.entry, '$.kind') = 'result' AND json_extract(intent.entry, '$.reason') = 'STARTED'
AND json_extract(intent.entry, '$.facts.canary') LIKE '%-dead@%'
"""
"""The newest beginning of a dead canary that is confirmed: what comes next is the look that sends it home."""


class Harness:
    """One run: ``kills`` of them at least, all of chance from one ``seed``.

    ``found`` is what was wrong already while it ran; the rest is for the referee. ``judged``: looks that were
    judged again from their record.
    """

    def __init__(self, house: House, kills: int, seed: int) -> None:
        self.house = house
        self.kills = kills
        self.seed = seed
        self.killed: list[Kill] = []
        self.fell: Counter[Moment] = Counter()
        self.rollouts_fell: Counter[Moment] = Counter()
        self.restarts: list[float] = []
        self.rounds = 0
        self.judged = 0
        self.found: list[Violation] = []
        self._chance = random.Random(seed)
        self._programme = Programme(house, self._chance)
        self._tended = 0.0
        self._ramping: dict[str, State] = {}
        self._look = 0

    def run(self) -> Tale:
        """Adopt, kill until there were enough, let everything end in peace; the tale."""
        house = self.house
        self._programme.open()
        house.start()
        house.wait_up()
        self._until(self._all_adopted, "adopted")
        with house.witnessed():
            try:
                while not self._is_enough():
                    self._kill_once()
                peace = time.monotonic()
                self._until(lambda: self._programme.have_ended(peace), "ended")
                self._until(self._all_told, "told")
            except Stuck as stuck:
                self._blame(name_of(stuck.service), str(stuck))
            code = house.stop()
        if code:
            self._blame("", f"SIGTERM ended the daemon with {code}:\n{house.said}")
        if left := house.orphans():
            self._blame("", f"left behind: {left}")
        self._judge_again()
        entries, shown, self.rounds = witness.read(house.log)
        firsts = {service: backend(service, "a") for service in SERVICES}
        return Tale(entries, shown, house.sink.deliveries, self._programme.journeys, self.killed, firsts)

    def _blame(self, rollout: str, what: str) -> None:
        self.found.append(Violation(time.monotonic(), rollout, what))

    def _judge_again(self) -> None:
        """M9: each journey's record is whole, however often its writer died, and says the same again."""
        reader = self.house.journal
        for service in SERVICES:
            name = name_of(service)
            for journey in (reader.journey(name, attempt) for attempt in reader.journeys(name)):
                wrong = [one.differs or one.missing for one in replay(journey.looks)]
                for what in (*journey.damaged, *filter(None, wrong)):
                    self._blame(name, f"attempt {journey.attempt}, judged again: {what}")
                self.judged += len(wrong)

    def _is_enough(self) -> bool:
        in_flight = sum(self.fell[one] for one in IN_FLIGHT)
        return len(self.killed) >= self.kills and in_flight >= SHARE_IN_FLIGHT * len(self.killed)

    # --- killing ---------------------------------------------------------------------------------

    def _kill_once(self) -> None:
        [aim] = self._chance.choices(list(AIMS), list(AIMS.values()))
        unseen: set[str] = set()
        with ExitStack() as stack:
            if aim == "at the start":
                self._idle(self._chance.uniform(0.0, STARTING))
            else:
                self.house.wait_up()
                self.restarts += [time.monotonic() - self.killed[-1].at] if self.killed else []
                self._idle(self._chance.uniform(0.0, PAUSE))
            if aim.startswith("after"):
                self._await_news(INTENTS)
            if aim == "after a write":
                stack.enter_context(self.house.proxies_stopped())
                unseen = self._await_write(NO_WRITE)
            elif aim == "after a record":
                time.sleep(self._chance.uniform(*self._chance.choice(SHORTLY)))
            elif aim == "before a record":
                self._await_news(BEGUN_DEAD)
                stack.enter_context(self._slow_disk())
                self._await_write(SLOW_DISK)
            at = time.monotonic()
            self.house.kill()
        carried = {proxy.admin: witness.of_dump(proxy.get(witness.DUMP)) for proxy in self.house.proxies}
        self.house.bury()
        self.house.sink.settle()
        self._note(at, time.monotonic(), carried, unseen)
        self.house.start()

    def _idle(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._tend()
            time.sleep(min(left, 0.02))

    def _tend(self) -> None:
        if time.monotonic() - self._tended > TEND:
            self._programme.tend()
            self._tended = time.monotonic()

    def _await_news(self, query: str) -> None:
        """Until the journal has another answer to the query: seen within a millisecond of its commit."""
        until = time.monotonic() + NO_RECORD
        with closing(schema.connect(self.house.state / FILE, mode="ro")) as connection:
            version, known = _version(connection), connection.execute(query).fetchall()
            while time.monotonic() < until:
                if (now := _version(connection)) == version:
                    self._tend()
                    time.sleep(0.0003)
                elif connection.execute(query).fetchall() != known:
                    return
                else:
                    version = now

    @contextmanager
    def _slow_disk(self) -> Iterator[None]:
        """Nobody else can write the journal until the block ends: a way home then goes before its record."""
        with closing(schema.connect(self.house.state / FILE)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield

    def _await_write(self, patience: float) -> set[str]:
        """Until a route file is another one; the services whose files are."""
        before = self._files()
        until = time.monotonic() + patience
        while (now := self._files()) == before and time.monotonic() < until:
            pass
        return {service for service in SERVICES if now[service] != before[service]}

    def _files(self) -> dict[str, bytes]:
        return {service: (self.house.routes / f"{service}.yaml").read_bytes() for service in SERVICES}

    # --- after a kill ----------------------------------------------------------------------------

    def _note(
        self, at: float, over: float, carried: dict[str, dict[str, witness.Shares]], unseen: set[str]
    ) -> None:
        """Where it fell; and whether the dead one had left anything that is not as it should be.

        ``unseen``: services whose files were written while the proxies could not look.
        """
        number, stages, files, looked = len(self.killed) + 1, {}, self._files(), self._looked()
        for problem in self.house.journal.verify():
            self._blame("", f"kill {number} left a broken journal: {problem}")
        for service, state in self._programme.states().items():
            self._check_bake(service, state, looked[name_of(service)])
            file, _ = witness.of_file(files[service])
            proxies = [] if service in unseen else [splits[service] for splits in carried.values()]
            stages[service] = moment(Standing(state, self._programme.asked(service), file, proxies))
        self.fell[next(one for one in Moment if one in stages.values())] += 1
        self.rollouts_fell.update(stages.values())
        told = "; ".join(f"{service} {one.value}" for service, one in stages.items())
        self.killed.append(Kill(at, over, number, told))

    def _looked(self) -> dict[str, float]:
        """The seconds of all looks since the kill before, by rollout, as the evidence of each has them."""
        seconds: dict[str, float] = defaultdict(float)
        with closing(schema.connect(self.house.state / FILE, mode="ro")) as connection:
            looks = connection.execute(
                "SELECT id, rollout, at, weight, counted FROM evidence WHERE id > ?", (self._look,)
            )
            for number, rollout, *row in looks:
                self._look = max(self._look, number)
                seconds[rollout] += sum(tallies[0].seconds for tallies in read(*row).fed[:1])
        return seconds

    def _check_bake(self, service: str, state: State, looked: float) -> None:
        """Bake that was earned is not lost by a kill, and none is got but by looking."""
        before, self._ramping[service] = self._ramping.get(service), state
        if not (isinstance(before, Ramping) and isinstance(state, Ramping)):
            return
        if (before.past.attempt, before.rung) == (state.past.attempt, state.rung):
            earned = state.clock.baked - before.clock.baked
            if not -A_HAIR <= earned <= looked + A_HAIR:
                self._blame(name_of(service), f"{earned:+.2f} s of bake in {looked:.2f} s of looks")

    # --- waiting ---------------------------------------------------------------------------------

    def _all_adopted(self) -> bool:
        return all(isinstance(state, Steady) for state in self._programme.states().values())

    def _all_told(self) -> bool:
        with closing(schema.connect(self.house.state / FILE, mode="ro")) as connection:
            owed = connection.execute("SELECT 1 FROM outbox WHERE ended IS NULL LIMIT 1").fetchone()
            return owed is None

    def _until(self, done: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + ENDS_WITHIN + 1
        while not done():
            if time.monotonic() > until:
                raise Stuck("*", f"not everything was {what} in {ENDS_WITHIN:g} s")
            time.sleep(0.1)


def _version(connection: sqlite3.Connection) -> int:
    """Changes when somebody else commits (``PRAGMA data_version``)."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
