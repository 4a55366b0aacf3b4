"""A request's body, read within the limits of one body and of all together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformer.deadline import BODY, ROOM
from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from transformer.budget import Share
    from transformer.deadline import Deadline

    Receive = Callable[[], Awaitable[dict[str, Any]]]

__all__ = ["MAX_BODY_BYTES", "SMALL_BODY_BYTES", "ClientGoneError", "read"]

MAX_BODY_BYTES = 32 * 2**20
# What needs no share of the memory that large bodies wait for.
SMALL_BODY_BYTES = 64 * 2**10
# The client is told, where it listens at all.
CLIENT_GONE = 499


class ClientGoneError(RequestError):
    """The client closed the connection before it had sent everything."""

    def __init__(self) -> None:
        super().__init__(CLIENT_GONE, "the client went away while it sent the body")


async def read(
    headers: Iterable[tuple[bytes, bytes]], receive: Receive, share: Share, deadline: Deadline
) -> bytes | bytearray:
    """The whole body. Raises RequestError as soon as it is known to be too large."""
    size = _declared(headers)
    if size is not None and size > MAX_BODY_BYTES:
        raise _too_large()
    if size is not None and size > SMALL_BODY_BYTES:
        await _take(share, size, deadline)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        # All there, mostly: nothing to put together.
        body: bytes = message["body"]
        return body
    parts = bytearray()
    while message["type"] == "http.request":
        parts += message["body"]
        if len(parts) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            return parts
        if len(parts) > SMALL_BODY_BYTES and not share.held:
            await _take(share, MAX_BODY_BYTES, deadline)
        message = await receive()
    raise ClientGoneError


async def _take(share: Share, size: int, deadline: Deadline) -> None:
    deadline.waits_for = ROOM
    await share.take(size)
    deadline.waits_for = BODY


def _declared(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    size = None
    for name, value in headers:
        if name == b"content-length":
            size = int(value)
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise RequestError(415, f"Content-Encoding {value.decode('latin-1')!r}; allowed: none")
    return size


def _too_large() -> RequestError:
    return RequestError(413, f"the body is larger than {MAX_BODY_BYTES >> 20} MiB")
