"""The only place that knows which adapter stands behind which port: tables from name to factory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import aiohttp
from aiohttp import web

from rollout.adapters.clock import SystemClock
from rollout.adapters.git import GitSource
from rollout.adapters.journals.place import prepare
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.adapters.lock import DaemonLock
from rollout.adapters.meshes.envoy import EnvoyFiles
from rollout.adapters.metrics.envoy import EnvoyStats
from rollout.adapters.parsing import ChildParser
from rollout.adapters.sinks.log import Log
from rollout.adapters.sinks.slack import Slack
from rollout.adapters.sinks.webhook import Webhook
from rollout.adapters.supervisor import Supervisor
from rollout.adapters.timetable import Timetable
from rollout.engine.daemon import Daemon
from rollout.engine.engine import Engine, Outside
from rollout.engine.outbox import Postman
from rollout.ports import Clock, Mesh, Metrics, Outbox, Refused, Sink, Unavailable
from rollout.server.control import serve_control
from rollout.server.exposition import Exposition, make_app
from rollout.settings import (
    EnvoyMesh,
    EnvoyMetrics,
    KubernetesMesh,
    LogSink,
    PrometheusMetrics,
    Settings,
    SlackSink,
    WebhookSink,
)
from rollout.settings.limits import limits

log = logging.getLogger("rollout")

Session = Callable[[], aiohttp.ClientSession]


def _kubernetes(settings: KubernetesMesh, clock: Clock) -> Mesh:
    from rollout.adapters.meshes.kubernetes import KubernetesRoutes  # most have no cluster

    return KubernetesRoutes(settings, clock)


MESHES: Mapping[type, Callable[[Any, Clock], Mesh]] = {EnvoyMesh: EnvoyFiles, KubernetesMesh: _kubernetes}


def _prometheus(settings: PrometheusMetrics, clock: Clock) -> Metrics:
    from rollout.adapters.metrics.prometheus import PrometheusCounters  # heavy, and most have none

    return PrometheusCounters(settings, clock)


METRICS: Mapping[type, Callable[[Any, Clock], Metrics]] = {
    EnvoyMetrics: EnvoyStats,
    PrometheusMetrics: _prometheus,
}
SINKS: Mapping[type, Callable[[Any, Session, Clock], Sink]] = {
    LogSink: lambda _settings, _session, _clock: Log(),
    WebhookSink: Webhook,
    SlackSink: Slack,
}


@runtime_checkable
class Closes(Protocol):
    """An adapter that holds connections."""

    async def close(self) -> None:
        """Let go of them."""
        ...


SHUTDOWN = 1.0
"""Seconds that requests under way get when the daemon stops."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine with what its loops need besides."""

    engine: Engine
    postman: Postman
    journal: SqliteJournal
    lock: DaemonLock


Around = Callable[[Outside, Outbox, Mapping[str, Sink]], tuple[Outside, Outbox, Mapping[str, Sink]]]


@contextlib.asynccontextmanager
async def open_all(settings: Settings, around: Around = lambda *ports: ports) -> AsyncIterator[Opened]:
    """Take the lock, open the journal, make the adapters, restore; and undo it all. ``around`` may put
    something around the ports, to watch what crosses them.

    Raises:
        Refused: another daemon holds the lock, or the state directory cannot be trusted.
        Unavailable: the disk does not take it, and nothing on it can be read.
    """
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        journal, remembered, lock = await _memory(settings, clock, stack)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        parser = ChildParser(limits(settings))
        stack.push_async_callback(parser.close)
        sinks: Mapping[str, Sink] = {
            sink.name: SINKS[type(sink)](sink, lambda: session, clock) for sink in settings.sinks
        }
        outside = Outside(
            clock,
            journal,
            {source.name: GitSource(source, settings.state / "git", clock) for source in settings.sources},
            parser,
            {mesh.name: MESHES[type(mesh)](mesh, clock) for mesh in settings.meshes},
            {source.name: METRICS[type(source)](source, clock) for source in settings.metrics},
        )
        for adapter in (*outside.meshes.values(), *outside.metrics.values()):
            if isinstance(adapter, Closes):
                stack.push_async_callback(adapter.close)
        outside, outbox, sinks = around(outside, journal, sinks)
        postman = Postman(outbox, sinks, clock)
        yield Opened(Engine(settings, outside, remembered, postman.shout), postman, journal, lock)


async def _memory(settings: Settings, clock: Clock, stack: contextlib.AsyncExitStack) -> Any:
    """The lock first: nobody opens a journal that another daemon writes."""
    prepare(settings.state)
    lock = await DaemonLock.take(settings.state, clock)
    stack.callback(lock.release)
    journal, remembered = SqliteJournal.open(settings.state, clock)
    stack.push_async_callback(journal.close)
    return journal, remembered, lock


@contextlib.asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """An engine without loops, for ``once`` and for an abort while the daemon is down."""
    async with open_all(settings) as opened:
        yield opened.engine


async def run_daemon(settings: Settings) -> None:
    """The daemon, until SIGTERM or SIGINT.

    Raises:
        Refused: another daemon holds the lock, or an address is taken.
        Unavailable: the disk does not take it.
    """
    exposition = Exposition()
    async with open_all(settings) as opened, contextlib.AsyncExitStack() as stack:
        engine = opened.engine
        supervisor = Supervisor()

        def beat() -> None:
            opened.lock.beat()
            supervisor.beat()

        daemon = Daemon(
            engine,
            opened.postman,
            Timetable(),
            beat=beat,
            prune=lambda: opened.journal.prune(engine.clock.now()),
            observed=exposition.observe,
            gone=exposition.forget,
        )

        def stop() -> None:
            supervisor.stopping()
            daemon.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        if settings.listen:
            await _serve(make_app(exposition, engine, daemon, opened.postman), settings.listen, stack)
        await _take_orders(engine, settings, stack)
        supervisor.ready()
        await daemon.run()


async def _take_orders(engine: Engine, settings: Settings, stack: contextlib.AsyncExitStack) -> None:
    control = serve_control(engine, settings.state, group=settings.group_control)
    try:
        await stack.enter_async_context(control)
    except Unavailable as trouble:  # a disk that takes nothing; canaries are watched all the same
        log.error("control.unusable", extra={"detail": str(trouble)})  # noqa: TRY400 - it is said whole


async def _serve(app: web.Application, listen: str, stack: contextlib.AsyncExitStack) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        raise Refused(
            f"cannot listen on {listen}: {error.strerror}; name another address in `listen`"
        ) from error
