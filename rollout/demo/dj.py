"""The program dj: it asks jazz and metal through Envoy at a steady rate, and writes down every answer.

``python -m rollout.demo.dj --socket FD --log FILE --rate 150 jazz=URL metal=URL``. The rate is open-loop:
slow answers do not slow the questions. Whoever visits it gets its greeting and what both play. Its log is how
the demo knows what callers saw, without asking the daemon.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import aiohttp
from aiohttp import web

from rollout.demo.backend import serve
from rollout.demo.djapp import DJ, SERVED_BY
from rollout.demo.tape import Answer

PATIENCE = aiohttp.ClientTimeout(total=5.0)
MOST_WAITING = 1_000
"""Questions under way at once; more than so many are not asked (each would only make things worse)."""


class Caller:
    """Asks services by their URLs and logs the answers."""

    def __init__(self, session: aiohttp.ClientSession, urls: Mapping[str, str], log: TextIO) -> None:
        self._session = session
        self._urls = urls
        self._log = log
        self._waiting: set[asyncio.Task[str]] = set()

    async def keep_asking(self, rate: float) -> None:
        """Each service ``rate`` times per second, for ever."""
        start, asked = time.monotonic(), 0
        while True:
            while asked < (time.monotonic() - start) * rate:
                for service in self._urls:
                    self._ask_soon(service)
                asked += 1
            await asyncio.sleep(1.0 / rate)

    def _ask_soon(self, service: str) -> None:
        if len(self._waiting) >= MOST_WAITING:
            return
        task = asyncio.create_task(self.ask(service))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def ask(self, service: str) -> str:
        """What it plays; an answer that never came counts as status 0."""
        began, backend, status, text = time.monotonic(), "", 0, "(silence)"
        try:
            async with self._session.get(self._urls[service], timeout=PATIENCE) as response:
                backend, text = response.headers.get(SERVED_BY, ""), (await response.text()).strip()
                status = response.status
        except (aiohttp.ClientError, TimeoutError):
            pass
        self._log.write(Answer(began, time.monotonic(), service, backend, status).line())
        return text


async def run(urls: Mapping[str, str], log: TextIO, rate: float, descriptor: int) -> None:
    """Ask and serve until told to stop."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        caller = Caller(session, urls, log)

        async def greet(_: web.Request) -> web.Response:
            played = [f"{service:<6}{await caller.ask(service)}\n" for service in urls]
            return web.Response(text="".join([f"{DJ}\n", *played]))

        served = web.Application()
        served.router.add_get("/", greet)
        asking = asyncio.create_task(caller.keep_asking(rate))
        try:
            await serve(served, descriptor)
        finally:
            asking.cancel()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="dj")
    parser.add_argument("--socket", type=int, required=True, help="descriptor of a listening socket")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests per second to each service")
    parser.add_argument("services", nargs="+", help="name=url")
    asked = parser.parse_args()
    urls = dict(service.split("=", 1) for service in asked.services)
    with asked.log.open("w", encoding="utf-8", buffering=1) as log:
        asyncio.run(run(urls, log, asked.rate, asked.socket))


if __name__ == "__main__":
    main()
