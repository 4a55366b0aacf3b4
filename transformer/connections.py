"""HTTP/1.1 to one host over connections that are kept: as little as a request needs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import httptools

from transformer.errors import MAX_ANSWER_BYTES, PredictorError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Answer", "Connections", "whole"]

MAX_IDLE = 64
GOOD, LINE_END, HEAD_END = b"HTTP/1.1 200 OK", b"\r\n", b"\r\n\r\n"
# Headers that say nothing of how the body is framed or whether the connection stays.
PLAIN = frozenset(
    (b"content-type", b"content-length", b"inference-header-content-length", b"date", b"server")
)


@dataclass(frozen=True)
class Answer:
    """Header names are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


def whole(data: bytes) -> Answer | None:
    """A good answer that came in one piece, with nothing in its head that needs a parser.

    Most do, and a parser that is made for each, and calls back for every header, takes longer.
    """
    head, _, body = data.partition(HEAD_END)
    first, *lines = head.split(LINE_END)
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    if (
        first != GOOD
        or len(headers) != len(lines)
        or not headers.keys() <= PLAIN
        or headers.get(b"content-length") != b"%d" % len(body)
    ):
        return None
    return Answer(200, headers, body)


class StaleError(Exception):
    """The server had closed the connection before it saw the request."""


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, born: float) -> None:
        self.born = born
        self.transport: asyncio.Transport
        self.waiting: asyncio.Future[Answer] | None = None
        self.open = False
        self._start()

    def _start(self) -> None:
        self.parser: httptools.HttpResponseParser | None = None
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []
        self.size = 0
        self.answered = False

    async def exchange(self, request: Sequence[bytes | memoryview]) -> Answer:
        """Send and wait. Raises StaleError, or PredictorError once something was received."""
        self._start()
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.writelines(request)
        return await self.waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self.transport = cast("asyncio.Transport", transport)
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's."""
        self.open = False
        if self.answered:
            self._fail(PredictorError("closed the connection within its answer"))
        else:
            self._fail(StaleError(str(exc or "closed the connection")))

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        found = None if self.answered else whole(data)
        self.answered = True
        if found is not None:
            self._done(found)
            return
        try:
            self._parser().feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(PredictorError(f"its answer is not HTTP: {error}"))
            self.transport.abort()

    def _parser(self) -> httptools.HttpResponseParser:
        """Of the answer that comes now."""
        if self.parser is None:
            self.parser = httptools.HttpResponseParser(self)
        return self.parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser's."""
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """The parser's."""
        self.size += len(body)
        if self.size > MAX_ANSWER_BYTES:
            self._fail(PredictorError(f"its answer is larger than {MAX_ANSWER_BYTES >> 20} MiB"))
            self.transport.abort()
        else:
            self.parts.append(body)

    def on_message_complete(self) -> None:
        """The parser's."""
        parser = self._parser()
        self.open = self.open and bool(parser.should_keep_alive())
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self._done(Answer(parser.get_status_code(), self.headers, body))

    def _done(self, answer: Answer) -> None:
        waiting, self.waiting = self.waiting, None
        if waiting is None:
            # An answer to nothing: whatever comes next can't be told apart from it.
            self.open = False
        elif not waiting.done():
            waiting.set_result(answer)

    def _fail(self, error: Exception) -> None:
        self.open = False
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)


class Connections:
    """Those to one host and port; the one used last is used next, so that others may end."""

    def __init__(self, host: str, port: int, max_age: float) -> None:
        self.host = host
        self.port = port
        self.max_age = max_age
        self.idle: list[Connection] = []

    async def exchange(self, request: Sequence[bytes | memoryview]) -> Answer:
        """Raises PredictorError. A connection found closed is made anew, once."""
        kept = self._kept()
        if kept is not None:
            try:
                return await self._on(kept, request)
            except StaleError:
                pass
        try:
            return await self._on(await self._connect(), request)
        except StaleError as error:
            raise PredictorError(f"{self.host}:{self.port}: {error}") from error

    async def _on(self, connection: Connection, request: Sequence[bytes | memoryview]) -> Answer:
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.transport.abort()
            raise
        if connection.open and len(self.idle) < MAX_IDLE:
            self.idle.append(connection)
        else:
            connection.transport.close()
        return answer

    def _kept(self) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - self.max_age
        while self.idle:
            connection = self.idle.pop()
            if connection.open and connection.born > oldest:
                return connection
            connection.transport.close()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            _, made = await loop.create_connection(
                lambda: Connection(loop.time()), self.host, self.port
            )
        except OSError as error:
            raise PredictorError(f"{self.host}:{self.port}: {error.strerror or error}") from error
        return made

    def close(self) -> None:
        """End all that are idle."""
        while self.idle:
            self.idle.pop().transport.close()
