"""The program behind jazz and metal: an HTTP server that answers everything with one line.

``python -m rollout.demo.backend --name metal-v2 --answer TEXT --socket FD [--fault 0.2]``. With a fault, that
share of its answers is 503, and nothing but its callers notices: ``/ping`` stays well. It takes a listening
socket from whoever starts it, so that its port is known before it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import socket

from aiohttp import web

from rollout.demo.djapp import SERVED_BY


def application(name: str, answer: str, fault: float) -> web.Application:
    """What it answers."""

    async def ping(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def play(_: web.Request) -> web.Response:
        failed = random.random() < fault
        status, text = (503, "out of tune") if failed else (200, answer)
        return web.Response(status=status, text=f"{text}\n", headers={SERVED_BY: name})

    served = web.Application()
    served.router.add_get("/ping", ping)
    served.router.add_route("*", "/{path:.*}", play)
    return served


async def serve(served: web.Application, descriptor: int) -> None:
    """Serve on a listening socket until told to stop."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, socket.socket(fileno=descriptor)).start()
        await told.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="backend")
    parser.add_argument("--name", required=True)
    parser.add_argument("--answer", required=True)
    parser.add_argument("--socket", type=int, required=True, help="descriptor of a listening socket")
    parser.add_argument("--fault", type=float, default=0.0, help="share of answers that are 503")
    asked = parser.parse_args()
    asyncio.run(serve(application(asked.name, asked.answer, asked.fault), asked.socket))


if __name__ == "__main__":
    main()
