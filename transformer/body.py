"""A request's body, read within the limits of one body and of all bodies together."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from transformer.deadline import BODY, MEMORY
from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from transformer.budget import Share
    from transformer.deadline import Deadline

    Receive = Callable[[], Awaitable[dict[str, Any]]]

__all__ = ["MAX_BODY_BYTES", "SMALL_BODY_BYTES", "Body"]

MAX_BODY_BYTES = 32 * 2**20
# Smaller bodies need no share of the memory for bodies.
SMALL_BODY_BYTES = 64 * 2**10
# For the log and the metrics. The client is gone and does not get it.
CLIENT_CLOSED_REQUEST = 499
# Time for a refused client to finish sending.
DISCARD_SECONDS = 5


class ClientGoneError(RequestError):
    """The client closed the connection before it had sent the whole body."""

    def __init__(self) -> None:
        super().__init__(CLIENT_CLOSED_REQUEST, "the client closed the connection within its body")


class Body:
    """The body of one ASGI request. Names of `headers` are in lower case."""

    def __init__(self, headers: Mapping[bytes, bytes], version: str, receive: Receive) -> None:
        self.receive = receive
        self.headers = headers
        self.http_version = version
        self.more = True
        # As far as it is known, and since when the client may send it.
        self.size = 0
        self.since = 0.0

    async def read(self, share: Share, deadline: Deadline) -> bytes | bytearray:
        """The whole body. Raises RequestError as soon as it turns out to be too large."""
        self.size = self._declared_size()
        if self.size > SMALL_BODY_BYTES:
            await _take(share, self.size, deadline)
        self.since = time.monotonic()
        part = await self._next_part()
        # Most bodies are small and arrive in one part, which needs no copy.
        return await self._read_rest(part, share, deadline) if self.more else part

    async def _read_rest(self, part: bytes, share: Share, deadline: Deadline) -> bytearray:
        body = bytearray(part)
        while self.more:
            if len(body) > SMALL_BODY_BYTES and not share.held:
                self.size = MAX_BODY_BYTES
                await _take(share, self.size, deadline)
                self.since = time.monotonic()
            body += await self._next_part()
            if len(body) > MAX_BODY_BYTES:
                raise _too_large()
        return body

    async def discard(self, *, closes: bool = False) -> None:
        """Read the rest if the connection ends with the answer, as the client or `closes` says.

        A client that is still sending when the connection closes gets a connection error instead
        of the answer.
        """
        closes = closes or self.headers.get(b"connection", b"").lower() == b"close"
        waits_for_continue = self.headers.get(b"expect", b"").lower() == b"100-continue"
        if waits_for_continue or not (closes or self.http_version == "1.0"):
            return
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                while self.more:
                    await self._next_part()
        except (TimeoutError, ClientGoneError):
            pass

    async def _next_part(self) -> bytes:
        message = await self.receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        self.more = message.get("more_body", False)
        part: bytes = message["body"]
        return part

    def _declared_size(self) -> int:
        """Content-Length, 0 without one. Raises RequestError if the body can't be read."""
        encoding = self.headers.get(b"content-encoding", b"identity")
        if encoding.lower() != b"identity":
            raise RequestError(
                415, f"Content-Encoding {encoding.decode('latin-1')!r}; allowed: none"
            )
        size = int(self.headers.get(b"content-length", 0))
        if size > MAX_BODY_BYTES:
            raise _too_large()
        return size


async def _take(share: Share, size: int, deadline: Deadline) -> None:
    deadline.waits_for = MEMORY
    await share.take(size)
    deadline.waits_for = BODY


def _too_large() -> RequestError:
    return RequestError(413, f"the body is larger than {MAX_BODY_BYTES >> 20} MiB")
