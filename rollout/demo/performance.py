"""From the first child to the last: opens the venue, plays, and leaves nothing behind, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from rich.console import Console

from rollout.adapters.journals.reader import read_only
from rollout.demo import djapp
from rollout.demo.envoy import EnvoyFailed
from rollout.demo.processes import DemoFailed
from rollout.demo.screen import NEWS, Screen
from rollout.demo.script import Play, close, write_pictures, write_report
from rollout.demo.venue import Venue, opened

WELL, NOT_WELL, INTERRUPTED = 0, 1, 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stop:
    """Ctrl-C and its kin: the first calls the play off, once; what was started is then ended in order,
    undisturbed by more of them, also while the last lines of this process run.
    """

    def __init__(self) -> None:
        self._called_off = False
        self._call_off: Callable[[], object] = lambda: None
        self._before = {number: signal.signal(number, self._ask) for number in SIGNALS if _is_wanted(number)}

    def calls_off(self, task: asyncio.Task[None]) -> None:
        """From now on it is this task that is called off; at once, if that was asked before."""
        loop = task.get_loop()
        self._call_off = lambda: loop.is_closed() or loop.call_soon_threadsafe(task.cancel)
        if self._called_off:
            self._call_off()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if not self._called_off:
            self._called_off = True
            self._call_off()

    def close(self) -> None:
        """The play is over."""
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_IGN if self._called_off else before)


def _is_wanted(number: signal.Signals) -> bool:
    """Not a hang-up that nohup wants ignored."""
    return number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN


def perform(*, once: bool, report: Path | None) -> int:
    """The whole demo; its exit code."""
    stop = _Stop()
    try:
        return asyncio.run(_until_stopped(stop, once=once, report=report))
    except (DemoFailed, EnvoyFailed) as failed:
        print(f"rollout demo: {failed}", file=sys.stderr)
        return NOT_WELL
    finally:
        stop.close()


async def _until_stopped(stop: _Stop, *, once: bool, report: Path | None) -> int:
    ended: list[int] = []
    playing = asyncio.create_task(_play(once=once, report=report, ended=ended))
    stop.calls_off(playing)
    with contextlib.suppress(asyncio.CancelledError):
        await playing
    return ended[0] if ended else INTERRUPTED


async def _play(*, once: bool, report: Path | None, ended: list[int]) -> None:
    """``ended`` gets the exit code as soon as both rollouts are through; what comes then is for playing."""
    start = time.monotonic()
    console = Console(highlight=False, markup=False, emoji=False)
    with Screen(console, start) as screen:
        screen.tell(start, "", "demo", "starting Envoy, five HTTP servers, a git repository and the daemon")
        async with opened() as venue:
            watching = asyncio.create_task(venue.witness.watch())
            try:
                screen.tell(time.monotonic(), "", "demo", _opening(venue))
                play = Play(venue, screen)
                played = await play.perform()
                problems = close(screen, played, time.monotonic() - start)
                if report:
                    write_report(report, played, problems, start)
                    write_pictures(report, read_only(venue.state))
                ended.append(NOT_WELL if problems else WELL)
                if not once:
                    _how_to_play(screen, venue)
                    await play.keep_on()
            except asyncio.CancelledError:
                screen.tell(time.monotonic(), "", "demo", "ending everything")
                raise
            finally:
                watching.cancel()


def _opening(venue: Venue) -> str:
    return f"dj asks jazz and metal {djapp.RATE:g} times a second each, through Envoy at {venue.envoy.admin}"


def _how_to_play(screen: Screen, venue: Venue) -> None:
    """What a visitor may type in another terminal, ready to be copied."""
    command = f"{sys.executable} -m rollout"
    config = f"--config {venue.settings}"
    screen.say()
    screen.say("It goes on. In another terminal:", NEWS)
    screen.say(f"""\
  # commit something else: back to v1, another step, a mistake
  cd {venue.repository.path}
  sed -i s/jazz-v2/jazz-v1/ jazz.yaml && git commit -am "jazz: back to v1"

  # ask why, hold it, end it, try the rejected one again
  {command} why prod/metal {config}
  {command} pause prod/jazz {config} --reason "let me look"
  {command} abort prod/jazz {config} --reason "I do not like it"
  {command} retry prod/metal {config} --reason "is it better now?"

  # listen to the music; look at the daemon's metrics, at Envoy, at the logs
  curl {venue.dj_url}
  curl http://{venue.listen}/metrics
  curl "http://{venue.envoy.admin}/stats?filter=cluster.metal"
  ls {venue.home / "logs"}

Ctrl-C ends it and removes {venue.home}.""")
    screen.say()
