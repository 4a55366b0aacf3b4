"""HTTP/1.1 requests to one host over kept connections."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import httptools

from transformer.errors import MAX_ANSWER_BYTES, PredictorError
from transformer.upstream import connection_lifetime

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Answer", "Connections"]

MAX_IDLE = 64
# A Triton that ends waits for its clients' connections, up to 30 s.
IDLE_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    """An HTTP response. Header names are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class StaleError(Exception):
    """The server closed the connection before it received the request."""


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self, created: float) -> None:
        self.created = created
        self.expires = created + connection_lifetime()
        self.transport: asyncio.Transport
        self.answer: asyncio.Future[Answer] | None = None
        self.open = False
        self.unused: asyncio.TimerHandle | None = None

    async def exchange(self, request: Sequence[bytes | memoryview]) -> Answer:
        """Send a request and wait for its answer.

        Raises StaleError if nothing was received, PredictorError if a part of an answer was.
        """
        self.parser = httptools.HttpResponseParser(self)
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []
        self.size = 0
        self.answered = False
        if self.unused:
            self.unused.cancel()
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.writelines(request)
        return await self.answer

    def keep(self) -> None:
        """Wait for a further request, for some time."""
        loop = asyncio.get_running_loop()
        self.unused = loop.call_later(IDLE_SECONDS, self.transport.close)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self.transport = cast("asyncio.Transport", transport)
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self.answer is None or not self.answered:
            self._fail(StaleError(str(exc or "closed the connection")))
        else:
            self._fail(PredictorError("closed the connection within its answer", again=True))

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self.answer is None:
            # An answer without a request.
            self._abort(PredictorError("sent more than its answer"))
            return
        self.answered = True
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._abort(PredictorError(f"its answer is not HTTP: {error}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by httptools."""
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """Called by httptools."""
        self.size += len(body)
        if self.size > MAX_ANSWER_BYTES:
            self._abort(PredictorError(f"its answer is larger than {MAX_ANSWER_BYTES >> 20} MiB"))
        else:
            self.parts.append(body)

    def on_message_complete(self) -> None:
        """Called by httptools."""
        if self.answer is None:
            self.open = False
            return
        self.open = self.open and bool(self.parser.should_keep_alive())
        answer, self.answer = self.answer, None
        if not answer.done():
            body = b"".join(self.parts)
            answer.set_result(Answer(self.parser.get_status_code(), self.headers, body))

    def _abort(self, error: Exception) -> None:
        self._fail(error)
        self.transport.abort()

    def _fail(self, error: Exception) -> None:
        self.open = False
        answer, self.answer = self.answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)


class Connections:
    """The connections to one host and port.

    The connection used last is used next, so that the others become idle and can be closed.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.idle: list[Connection] = []
        self.closed = False

    async def exchange(self, request: Sequence[bytes | memoryview]) -> Answer:
        """Send a request, once more if the kept connection was closed. Raises PredictorError."""
        kept = self._pop_idle()
        if kept is not None:
            try:
                return await self._exchange_on(kept, request)
            except StaleError:
                pass
        try:
            return await self._exchange_on(await self._connect(), request)
        except StaleError as error:
            raise PredictorError(f"{self.host}:{self.port}: {error}", again=True) from error

    async def _exchange_on(
        self, connection: Connection, request: Sequence[bytes | memoryview]
    ) -> Answer:
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.transport.abort()
            raise
        if connection.open and not self.closed and len(self.idle) < MAX_IDLE:
            self.idle.append(connection)
            connection.keep()
        else:
            connection.transport.close()
        return answer

    def _pop_idle(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self.idle:
            connection = self.idle.pop()
            if connection.open and connection.expires > now:
                return connection
            connection.transport.close()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(loop.time()), self.host, self.port
            )
        except OSError as error:
            reason = f"{self.host}:{self.port}: {error.strerror or error}"
            raise PredictorError(reason, unreached=True) from error
        return connection

    def drop(self, before: float) -> None:
        """Close the idle connections that were made before this time of the loop."""
        kept = [each for each in self.idle if each.created > before]
        for connection in self.idle:
            if connection.created <= before:
                connection.transport.close()
        self.idle = kept

    async def close(self) -> None:
        """Close the idle connections, and the others with their answers."""
        self.closed = True
        self.drop(asyncio.get_running_loop().time())
