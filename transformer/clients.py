"""The server's clients: how many there may be, and how long the server waits for each."""

from __future__ import annotations

import asyncio

__all__ = ["MAX_CONNECTIONS", "Clients"]

# More than requests at the same time, since most connections of proxies are idle.
MAX_CONNECTIONS = 1000
# Of all answers together that wait until their clients read them.
MAX_UNREAD_BYTES = 32 * 2**20
CHECK_SECONDS = 0.5


class Clients:
    """The connections. One whose client takes too long is closed, within CHECK_SECONDS.

    Where there are too many, the client with the least time left makes room for a new one.
    """

    def __init__(self) -> None:
        self.connections: set[asyncio.Transport] = set()
        # The times of the event loop by which clients must have sent or read something.
        self.senders: dict[asyncio.Transport, float] = {}
        self.readers: dict[asyncio.Transport, float] = {}
        self.check: asyncio.TimerHandle | None = None

    def add(self, connection: asyncio.Transport, seconds: float) -> None:
        """Add a connection whose client must send something within this time."""
        self.connections.add(connection)
        self.expect(connection, seconds)
        if len(self.connections) > MAX_CONNECTIONS:
            times = self.readers | self.senders
            self._abort(min(times, key=times.__getitem__))
        if self.check is None:
            self._check_later()

    def remove(self, connection: asyncio.Transport) -> None:
        """Remove a connection that was closed."""
        self.connections.discard(connection)
        self.senders.pop(connection, None)
        self.readers.pop(connection, None)

    def expect(self, connection: asyncio.Transport, seconds: float) -> None:
        """The client must send something within this time."""
        self.senders[connection] = asyncio.get_running_loop().time() + seconds

    def expect_sooner(self, connection: asyncio.Transport, seconds: float) -> None:
        """The same, unless it had less time left."""
        before = self.senders.get(connection, float("inf"))
        self.senders[connection] = min(before, asyncio.get_running_loop().time() + seconds)

    def expect_nothing(self, connection: asyncio.Transport) -> None:
        """The client waits for an answer."""
        self.senders.pop(connection, None)

    def is_expected(self, connection: asyncio.Transport) -> bool:
        """Whether the client must send something."""
        return connection in self.senders

    def expect_reading(self, connection: asyncio.Transport, seconds: float) -> None:
        """The client must read its answer within this time.

        Where all answers together are too large, the client that was the first to be slow goes.
        """
        self.readers[connection] = asyncio.get_running_loop().time() + seconds
        unread = sum(each.get_write_buffer_size() for each in self.readers)
        for each in [*self.readers][:-1]:
            if unread <= MAX_UNREAD_BYTES:
                break
            unread -= each.get_write_buffer_size()
            self._abort(each)

    def has_read(self, connection: asyncio.Transport) -> None:
        """The client read its answer."""
        self.readers.pop(connection, None)

    def _abort(self, connection: asyncio.Transport) -> None:
        connection.abort()
        self.remove(connection)

    def _check_later(self) -> None:
        self.check = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._check)

    def _check(self) -> None:
        now = asyncio.get_running_loop().time()
        for times in (self.senders, self.readers):
            for each in [each for each, end in times.items() if end < now]:
                self._abort(each)
        self.check = None
        if self.connections:
            self._check_later()
