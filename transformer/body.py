"""A request's body, read within the limits of one body and of all together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from transformer.deadline import BODY, ROOM
from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from transformer.budget import Share
    from transformer.deadline import Deadline

    Receive = Callable[[], Awaitable[dict[str, Any]]]

__all__ = ["MAX_BODY_BYTES", "SMALL_BODY_BYTES", "Body", "ClientGoneError", "Given", "Whole"]

MAX_BODY_BYTES = 32 * 2**20
# What needs no share of the memory that large bodies wait for.
SMALL_BODY_BYTES = 64 * 2**10
# The client is told, where it listens at all.
CLIENT_GONE = 499
# For a refused client to finish sending.
DISCARD_SECONDS = 5


class ClientGoneError(RequestError):
    """The client closed the connection before it had sent everything."""

    def __init__(self) -> None:
        super().__init__(CLIENT_GONE, "the client went away while it sent the body")


class Given(Protocol):
    """A request's body, there already or still to come."""

    async def read(self, share: Share, deadline: Deadline) -> bytes | bytearray:
        """The whole body. Raises RequestError as soon as it is known to be too large."""
        ...


class Whole:
    """A small body that came with its head."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def read(self, share: Share, deadline: Deadline) -> bytes:
        """All of it; it needs no share."""
        return self.content


class Body:
    """Of one request, as ASGI gives it."""

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.receive = receive
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.old = scope["http_version"] == "1.0"
        self.more = True

    async def read(self, share: Share, deadline: Deadline) -> bytes | bytearray:
        """The whole body. Raises RequestError as soon as it is known to be too large."""
        size = self._declared()
        if size > SMALL_BODY_BYTES:
            await _take(share, size, deadline)
        part = await self._part()
        # All there, mostly: nothing to put together.
        return await self._rest(part, share, deadline) if self.more else part

    async def _rest(self, part: bytes, share: Share, deadline: Deadline) -> bytearray:
        parts = bytearray(part)
        while self.more:
            if len(parts) > SMALL_BODY_BYTES and not share.held:
                await _take(share, MAX_BODY_BYTES, deadline)
            parts += await self._part()
            if len(parts) > MAX_BODY_BYTES:
                raise _too_large()
        return parts

    async def discard(self) -> None:
        """The rest, if the connection ends with the answer: a client that is still sending then
        would see its connection fail instead of the answer."""
        kept = self.headers.get(b"connection", b"").lower() != b"close" and not self.old
        if kept or self.headers.get(b"expect", b"").lower() == b"100-continue":
            return
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                while self.more:
                    await self._part()
        except (TimeoutError, ClientGoneError):
            pass

    async def _part(self) -> bytes:
        message = await self.receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        self.more = message.get("more_body", False)
        part: bytes = message["body"]
        return part

    def _declared(self) -> int:
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
    deadline.waits_for = ROOM
    await share.take(size)
    deadline.waits_for = BODY


def _too_large() -> RequestError:
    return RequestError(413, f"the body is larger than {MAX_BODY_BYTES >> 20} MiB")
