"""An HTTP/1.1 backend that does what its path says, byte by byte: the faults that a server library hides."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc"
CALL = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n"
MESSAGE = b"transfer-encoding: chunked\r\n\r\n5\r\n\0\0\0\0\0\r\n"
"""An empty message of gRPC, as a chunk."""


class BadBackend:
    """``/200`` ... answers with that status, ``/grpc-13/call`` with that of gRPC, after a message
    (``/grpc-only-13/call``: without one). ``/slow-300`` takes so many milliseconds. ``calls`` counts requests
    by path.
    """

    def __init__(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.port = 0

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[BadBackend]:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; ``False`` ends the connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        what = head.split(b" ")[1].decode().strip("/")
        self.calls[what] += 1
        match what:
            case "reset":
                _reset(writer)
                return False
            case "cut" | "stall":
                writer.write(HEAD)
                await writer.drain()
                await asyncio.sleep(0.1 if what == "cut" else 60)
                _reset(writer)
                return False
            case "hang":
                await asyncio.sleep(60)
                return False
            case "until-close":
                writer.write(b"HTTP/1.0 200 OK\r\n\r\nabc")
                await writer.drain()
                return False
            case "upgrade":
                writer.write(b"HTTP/1.1 101 Go\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello")
                await writer.drain()
                return False
            case "continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                what = "200"
            case "every-other" | "every-other-reset":
                bad = self.calls[what] % 2 == 1
                if bad and what == "every-other-reset":
                    _reset(writer)
                    return False
                what = "503" if bad else "200"
            case _ if what.endswith("/call"):
                return await _answer_call(writer, what.removesuffix("/call"))
            case _ if what.startswith("slow-"):
                await asyncio.sleep(int(what.removeprefix("slow-")) / 1000)
                what = "200"
            case _:
                pass
        writer.write(f"HTTP/1.1 {what} X\r\ncontent-length: 2\r\n\r\nok".encode())
        return True


async def _answer_call(writer: asyncio.StreamWriter, what: str) -> bool:
    """Answer one call of gRPC; its status comes after the message, in trailers."""
    kind, _, status = what.rpartition("-")
    match kind or what:
        case "grpc-only":
            writer.write(CALL + f"grpc-status: {status}\r\ncontent-length: 0\r\n\r\n".encode())
        case "grpc":
            writer.write(CALL + MESSAGE + f"0\r\ngrpc-status: {status}\r\n\r\n".encode())
        case "cut":
            writer.write(CALL + MESSAGE)
            await writer.drain()
            await asyncio.sleep(0.1)
            _reset(writer)
            return False
        case "hang" | "stall":
            writer.write(CALL + MESSAGE if what == "stall" else b"")
            await writer.drain()
            await asyncio.sleep(60)
            return False
        case _:
            writer.write(f"HTTP/1.1 {what} X\r\ncontent-length: 0\r\n\r\n".encode())
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST instead of FIN."""
    kernel: socket.socket = writer.get_extra_info("socket")
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def refusing_port() -> tuple[socket.socket, int]:
    """A port that refuses connections as long as the socket is kept."""
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    return kept, kept.getsockname()[1]
