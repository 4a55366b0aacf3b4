"""The server's clients: how many there may be, and how long the server waits for each."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from transformer.budget import Budget

__all__ = ["MAX_CONNECTIONS", "Clients"]

# More than requests at the same time, since most connections of proxies are idle.
MAX_CONNECTIONS = 1000
# Of all large answers together, until their clients have read them.
MAX_UNREAD_BYTES = 32 * 2**20
# A client that has been reading for longer than this gives way to another answer.
READ_SECONDS = 2.0
CHECK_SECONDS = 0.5
# A client that has been sending for longer than this may be one that never ends. On a busy machine
# a good one's request waits so long until it is read.
PROMPT_SECONDS = 1.0


class Wait(NamedTuple):
    """Times of the event loop: since when the server waits for a client, and how long at most."""

    began: float
    end: float


class Clients:
    """The connections. One whose client takes too long is closed, within CHECK_SECONDS.

    Where there are too many, one makes room for a new one: a client that has been sending for some
    time, else one that waits between two requests, else the one that began first.
    """

    def __init__(self) -> None:
        self.connections: set[asyncio.Transport] = set()
        # Who must send something, read something, or begin another request; in the order in which
        # they began.
        self.senders: dict[asyncio.Transport, Wait] = {}
        self.readers: dict[asyncio.Transport, Wait] = {}
        self.idle: dict[asyncio.Transport, Wait] = {}
        self.answers = Budget(MAX_UNREAD_BYTES)
        self.check: asyncio.TimerHandle | None = None

    def add(self, connection: asyncio.Transport, seconds: float) -> None:
        """Add a connection whose client must send something within this time."""
        self.connections.add(connection)
        self.expect(connection, seconds)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()
        if self.check is None:
            self._check_later()

    def remove(self, connection: asyncio.Transport) -> None:
        """Remove a connection that was closed."""
        self.connections.discard(connection)
        self.expect_nothing(connection)
        self.has_read(connection)

    def expect(self, connection: asyncio.Transport, seconds: float) -> None:
        """The client must send something within this time."""
        self.expect_nothing(connection)
        self.senders[connection] = _wait(seconds)

    def expect_more(self, connection: asyncio.Transport, seconds: float) -> None:
        """The same, unless it had begun before."""
        if connection not in self.senders:
            self.expect(connection, seconds)

    def expect_request(self, connection: asyncio.Transport, seconds: float) -> None:
        """The client may begin another request within this time."""
        self.expect_nothing(connection)
        self.idle[connection] = _wait(seconds)

    def expect_nothing(self, connection: asyncio.Transport) -> None:
        """The client waits for an answer."""
        self.senders.pop(connection, None)
        self.idle.pop(connection, None)

    def is_expected(self, connection: asyncio.Transport) -> bool:
        """Whether the client must send something."""
        return connection in self.senders

    def expect_reading(self, connection: asyncio.Transport, seconds: float) -> None:
        """The client must read its answer within this time."""
        self.readers[connection] = _wait(seconds)

    def has_read(self, connection: asyncio.Transport) -> None:
        """The client read its answer."""
        self.readers.pop(connection, None)

    def _make_room(self) -> None:
        first, wait = next(iter(self.senders.items()))
        if wait.began > _now() - PROMPT_SECONDS and self.idle:
            first = next(iter(self.idle))
        self._abort(first)

    def _abort(self, connection: asyncio.Transport) -> None:
        connection.abort()
        self.remove(connection)

    def _check_later(self) -> None:
        self.check = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._check)

    def _check(self) -> None:
        now = _now()
        for waiting in (self.senders, self.readers, self.idle):
            for each in [each for each, wait in waiting.items() if wait.end < now]:
                self._abort(each)
        if self.answers.queue and self.readers:
            first, wait = next(iter(self.readers.items()))
            if wait.began < now - READ_SECONDS:
                self._abort(first)
        self.check = None
        if self.connections:
            self._check_later()


def _wait(seconds: float) -> Wait:
    now = _now()
    return Wait(now, now + seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
