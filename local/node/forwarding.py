"""Forwards connections between the machine's network and the node's."""

from __future__ import annotations

import asyncio
import resource
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["Forwarder"]

_BLOCK = 1 << 16


class Forwarder:
    """Listening sockets and the targets of their connections, in one thread."""

    def __init__(self) -> None:
        # Each port of each Service is an open file, and each connection two more.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._loop = asyncio.new_event_loop()
        self._servers: dict[int, asyncio.Server] = {}
        threading.Thread(target=self._loop.run_forever, name="forwarder", daemon=True).start()

    def serve(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> int:
        """Forward the listener's connections to what `connect`, called in a thread, returns.

        Returns a number for `stop`.
        """

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                target = await self._loop.run_in_executor(None, connect)
            except OSError:
                writer.transport.abort()
                return
            target.setblocking(False)
            back, forth = await asyncio.open_connection(sock=target)
            await asyncio.gather(_copy(reader, forth), _copy(back, writer))
            for each in (forth, writer):
                each.close()

        async def begin() -> int:
            server = await asyncio.start_server(handle, sock=listener)
            self._servers[id(server)] = server
            return id(server)

        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result(10)

    def stop(self, number: int) -> None:
        """Accept no more connections. Then the port is free; not for the loop's own thread."""

        async def close() -> None:
            self._servers.pop(number).close()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy until the source ends. A reset is passed on: the client must not wait for an answer."""
    try:
        while data := await source.read(_BLOCK):
            target.write(data)
            await target.drain()
        target.write_eof()
    except OSError:
        target.transport.abort()
