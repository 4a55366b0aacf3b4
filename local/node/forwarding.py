"""Carries connections over the border between the machine's network and the node's."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    Connect = Callable[[], Coroutine[Any, Any, socket.socket]]

__all__ = ["Forwarder"]


class _Half(asyncio.Protocol):
    """One end of a carried connection; what arrives here leaves at the other."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Half | None = None
        self.early: list[bytes] = []
        self.over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def join(self, other: _Half) -> None:
        self.other, other.other = other, self
        for data in self.early:
            self.data_received(data)
        if self.over:
            self.eof_received()

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.early.append(data)
        elif self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        self.over = True
        if self.other is not None and self.other.transport is not None:
            with contextlib.suppress(OSError):
                self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            # A reset here is a reset there: its client must not wait for an answer.
            (self.other.transport.abort if error else self.other.transport.close)()


class Forwarder:
    """Listening sockets, and where their connections go; all of it in one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: dict[int, asyncio.Server] = {}
        threading.Thread(target=self._loop.run_forever, name="forwarder", daemon=True).start()

    def serve(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> int:
        """Carry its connections to where `connect`, called in a thread, gets through.

        Gives a number by which to stop.
        """

        async def begin() -> int:
            server = await self._loop.create_server(
                lambda: _Front(self._loop, connect), sock=listener
            )
            self._servers[id(server)] = server
            return id(server)

        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result(10)

    def stop(self, number: int) -> None:
        """Take no more connections."""

        def end() -> None:
            self._servers.pop(number).close()

        self._loop.call_soon_threadsafe(end)


class _Front(_Half):
    """The end that came to us."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connect: Callable[[], socket.socket]
    ) -> None:
        super().__init__()
        self._loop, self._connect = loop, connect
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = self._loop.create_task(self._reach())

    async def _reach(self) -> None:
        assert self.transport is not None
        try:
            through = await self._loop.run_in_executor(None, self._connect)
        except OSError:
            self.transport.abort()
            return
        through.setblocking(False)
        _, back = await self._loop.create_connection(_Half, sock=through)
        if self.transport.is_closing():
            assert back.transport is not None
            back.transport.close()
        self.join(back)
