"""What the journal says, with the daemon up or down, and how old that is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rollout.adapters.clock import SystemClock
from rollout.adapters.journals.reader import Known, Reader, read_only
from rollout.adapters.lock import FILE, Holder, holder
from rollout.cli.exits import USAGE, Ends
from rollout.core.moment import Moment
from rollout.core.words import counted, span
from rollout.ports import Freeze, SourceState
from rollout.settings import Settings


@dataclass(frozen=True, slots=True)
class Presence:
    """Is there a daemon? ``beat`` is its last heartbeat, ``None`` when there never was one."""

    holder: Holder | None
    beat: datetime | None
    now: datetime

    @classmethod
    def of(cls, settings: Settings) -> Presence:
        """Look at the lock of a state directory."""
        now = SystemClock().now()
        here = holder(settings.state)
        if here is not None:
            return cls(here, here.beat, now)
        try:
            changed = (settings.state / FILE).stat().st_mtime
        except OSError:
            return cls(None, None, now)
        return cls(None, datetime.fromtimestamp(changed, UTC), now)

    @property
    def running(self) -> bool:
        """It holds the lock and its heart beats."""
        return self.holder is not None and not self.holder.overdue(self.now)

    def note(self) -> str:
        """What a reader has to know of what is shown; nothing while the daemon lives."""
        if self.running:
            return ""
        ago = f", {span((self.now - self.beat).total_seconds())} ago" if self.beat else ""
        who = f"the daemon hangs: {self.holder.say(self.now)}" if self.holder else "the daemon is not running"
        return f"{who}; this is what it last knew{ago}"


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that faces show, from one moment."""

    moments: Mapping[str, Moment]
    damaged: Mapping[str, str]
    sources: Mapping[str, SourceState]
    freezes: Sequence[Freeze]
    undelivered: int
    daemon: Presence
    now: datetime

    @classmethod
    def read(cls, settings: Settings) -> Picture:
        """Read the journal.

        Raises:
            Unavailable: there is none, or it cannot be read.
        """
        reader, now = read_only(settings.state), SystemClock().now()
        known = {each.name: each for each in reader.rollouts()}
        return cls(
            moments=_moments(known, reader, now),
            damaged={name: each.damaged for name, each in known.items() if each.damaged},
            sources=reader.sources(),
            freezes=reader.freezes(),
            undelivered=reader.undelivered(now),
            daemon=Presence.of(settings),
            now=now,
        )

    def find(self, wish: str) -> Moment:
        """The rollout of that name; its namespace may be left out where that is enough.

        Raises:
            Ends: there is none, or more than one.
        """
        return self.moments[resolve(wish, tuple(self.moments))]

    def notes(self) -> list[str]:
        """What stands in the way of things, beside the rollouts themselves."""
        said = [self.daemon.note()]
        said += [
            f"frozen: {frozen.name or 'everything'}, by {frozen.actor}: {frozen.why}"
            for frozen in self.freezes
        ]
        for name, source in self.sources.items():
            said += [f"source {name}: {source.problem}"] if source.problem else []
            said += [f"source {name}: {complaint}" for complaint in source.complaints]
        if self.undelivered:
            said.append(f"not delivered yet: {counted(self.undelivered, 'alert')}; see `rollout doctor`")
        return [note for note in said if note]


def resolve(wish: str, names: Sequence[str]) -> str:
    """A rollout's whole name.

    Raises:
        Ends: no rollout has that name, or several do.
    """
    if wish in names:
        return wish
    found = [name for name in names if name.rpartition("/")[2] == wish]
    if len(found) == 1:
        return found[0]
    if found:
        raise Ends(USAGE, f"{wish} may be any of {', '.join(found)}: say which")
    close = difflib.get_close_matches(wish, [*names, *(name.rpartition("/")[2] for name in names)], 1)
    if close:
        hint = f"did you mean {close[0]}?"
    else:
        hint = f"there are: {', '.join(names)}" if names else "there are none yet"
    raise Ends(USAGE, f"no rollout is named {wish}; {hint}")


def _moments(known: Mapping[str, Known], reader: Reader, now: datetime) -> dict[str, Moment]:
    """Those that were looked at, and those that git asks for but nobody looked at yet."""
    policies = dict(reader.policies())
    found = {
        name: Moment(name, each.decision, each.policy, each.at, each.since, now)
        for name, each in known.items()
    }
    for name, policy in policies.items():
        found.setdefault(name, Moment(name, None, policy, now, now, now))
    return dict(sorted(found.items()))
