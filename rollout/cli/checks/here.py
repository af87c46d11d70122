"""This machine: the settings, the state directory with lock and journal, the clock."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rollout.adapters.clock import SystemClock
from rollout.adapters.journals.place import prepare
from rollout.adapters.journals.reader import FILE, Reader, read_only
from rollout.cli.checks import Finding, bad, good, odd
from rollout.cli.reading import Presence
from rollout.core.words import count, counted, span
from rollout.ports import Refused, Unavailable
from rollout.server.address import LONGEST, socket_of
from rollout.settings import Settings

_WRITTEN = datetime(2025, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier day."""
_FREE = 100 * 1024 * 1024
"""Bytes that the disk of the state directory should have left."""
_AHEAD = timedelta(seconds=30)
_SENDING = 2.0
"""Seconds in which an alert that can be delivered is."""
_SET = "set the clock (timedatectl set-ntp true)"


def settings(path: Path, found: Settings) -> Iterator[Finding]:
    """The file, which could be read."""
    parts = (
        counted(len(found.sources), "source"),
        counted(len(found.meshes), "mesh", "meshes"),
        counted(len(found.metrics), "source of metrics", "sources of metrics"),
        counted(len(found.sinks), "sink"),
    )
    yield good("settings", f"{path}: {', '.join(parts)}")
    if found.observe:
        yield odd(
            "settings", "observe mode: nothing is written anywhere", "take `observe` away when you trust it"
        )
    if not found.sinks:
        yield odd("settings", "no sink: nobody is told of anything", "write [sinks.NAME] with a kind")


def state(found: Settings) -> Iterator[Finding]:
    """The state directory."""
    directory = found.state
    about = f"state {directory}"
    if len(os.fsencode(socket_of(directory))) > LONGEST:
        yield bad(about, f"its control socket's path is over {LONGEST} bytes", "name a shorter `state`")
    if not directory.exists():
        yield from _not_there(about, directory)
        return
    try:
        prepare(directory)
    except (Refused, Unavailable) as trouble:
        yield bad(about, str(trouble), "see docs/operations.md on the state directory")
        return
    if not os.access(directory, os.W_OK | os.X_OK):
        yield bad(about, "cannot be written by you", f"chown it to the daemon's user, or remount {directory}")
        return
    free = shutil.disk_usage(directory).free
    if free < _FREE:
        yield bad(about, f"only {free >> 20} MiB are free", "make room: on a full disk no weight rises")
    else:
        yield good(about, f"there, writable, {free >> 20} MiB free")


def _not_there(about: str, directory: Path) -> Iterator[Finding]:
    parent = next(each for each in directory.absolute().parents if each.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        yield odd(about, "is not there yet", "the daemon makes it when it starts")
    else:
        mend = f"mkdir -m 0700 {directory}, and chown it to the daemon's user"
        yield bad(about, f"is not there, and you cannot make it in {parent}", mend)


def daemon(found: Settings) -> Iterator[Finding]:
    """Does it run, and does its heart beat?"""
    try:
        presence = Presence.of(found)
    except Unavailable as trouble:
        yield bad("daemon", str(trouble), "run the doctor as the daemon's user")
        return
    if presence.holder is None:
        yield odd("daemon", "is not running", "rollout run, or systemctl start rollout")
    elif presence.running:
        yield good("daemon", presence.holder.say(presence.now))
    else:
        mend = f"kill -9 {presence.holder.pid}, and start it again: nothing is lost by that"
        yield bad("daemon", presence.holder.say(presence.now), mend)


def journal(found: Settings) -> Iterator[Finding]:
    """The journal: whole, readable, and not ahead of the clock."""
    path = found.state / FILE
    if not path.exists():
        yield odd("journal", "there is none yet", "the daemon makes it when it starts")
        return
    reader, now = read_only(found.state), SystemClock().now()
    try:
        problems, known = reader.verify(), reader.rollouts()
        undelivered, sources = _undelivered(reader), reader.sources()
    except Unavailable as trouble:
        yield bad("journal", str(trouble), "see docs/operations.md on the loss of state")
        return
    damaged = [f"{each.name}: {each.damaged}" for each in known if each.damaged]
    for problem in (*problems, *damaged):
        yield bad("journal", problem, "see docs/operations.md on the loss of state")
    if not problems and not damaged:
        yield good("journal", f"whole, {counted(len(known), 'rollout')}")
    if undelivered:
        yield bad("alerts", f"not delivered: {count(undelivered)}", "see the sinks below, or --send-test")
    for name, source in sources.items():
        if source.rewritten:
            mend = f"look at it, then `rollout adopt --source {name}`"
            yield bad(f"source {name}", "its history was rewritten; its rollouts are held", mend)
    latest = max((each.at for each in known), default=now)
    if latest - now > _AHEAD:
        late = span((latest - now).total_seconds())
        yield bad("clock", f"is {late} behind what the journal has seen", _SET)


def _undelivered(reader: Reader) -> int:
    """Alerts that are owed for longer than it takes to send one."""
    if reader.undelivered(SystemClock().now()):
        time.sleep(_SENDING)
    return reader.undelivered(SystemClock().now())


def clock() -> Iterator[Finding]:
    """Is the wall clock believable, are zones known?"""
    now = SystemClock().now()
    if now < _WRITTEN:
        yield bad("clock", f"shows {now:%Y-%m-%d}, which cannot be", _SET)
    else:
        yield good("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")
    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        yield bad("time zones", "are not known, so windows cannot be read", "apt-get install tzdata")
