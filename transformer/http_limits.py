"""uvicorn's HTTP/1.1 connection, with limits for slow clients and for large headers.

uvicorn has neither, and it drops the body of a request that offers an upgrade. `LimitedHttp`
overrides callbacks of `asyncio.Protocol` and of httptools, and uvicorn's public methods
`send_400_response` and `on_response_complete`. It uses uvicorn's public attributes `parser`, `url`,
`headers`, `cycle`, `pipeline` and `connections`. `docs/adr/0007` compares the servers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from transformer.http_parser import Parser

if TYPE_CHECKING:
    from transformer.clients import Clients

__all__ = ["KEEP_ALIVE_SECONDS", "LimitedHttp"]

# Longer than proxies keep idle connections, so that the proxy closes them and not the server.
KEEP_ALIVE_SECONDS = 120
# From a connection's start to the end of its first head, and from a later head's first byte.
HEAD_SECONDS = 10
MAX_HEADER_BYTES = 16 * 2**10
MAX_HEADERS = 100
# Heads are measured between pieces of this size.
PIECE_BYTES = 16 * 2**10
# Of all connections together: requests that wait for the answer to an earlier one.
MAX_PIPELINED = 256
NOT_HTTP = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
HEADERS_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class JoinedWrites:
    """A transport that sends what is written in one turn of the event loop together.

    uvicorn writes the headers and the body of an answer separately. As two packets they would wake
    the client twice.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        """Send the data at the end of this turn."""
        if not self.parts:
            asyncio.get_running_loop().call_soon(self._send)
        self.parts.append(data)

    def close(self) -> None:
        """Send what was written, and close."""
        self._send()
        self.transport.close()

    def _send(self) -> None:
        if self.parts:
            self.transport.write(b"".join(self.parts))
            self.parts.clear()


# mypy does not follow uvicorn.
class LimitedHttp(HttpToolsProtocol):  # type: ignore[misc]
    """Closes the connection of a client that sends or reads too slowly.

    A head must arrive within HEAD_SECONDS, and its body within `client_seconds` from then on. An
    answer must be read within `client_seconds`.
    """

    def __init__(self, *, clients: Clients, client_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self.clients = clients
        self.client_seconds = client_seconds
        self.head_seconds = min(HEAD_SECONDS, client_seconds)
        self.parser = Parser(self)
        # Whether what comes is no longer read, since it can't be a request.
        self.refused = False
        # Bytes since the last piece of a body, or since the last request.
        self.header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the time for the first head."""
        self.client_transport = transport
        # `pause_writing` is called as soon as a part of an answer is not sent at once.
        transport.set_write_buffer_limits(high=0)
        super().connection_made(JoinedWrites(transport))
        self.clients.add(transport, self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self.clients.remove(self.client_transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse heads that are too large; httptools collects them without a limit."""
        for start in range(0, len(data), PIECE_BYTES):
            if self.refused or self.client_transport.is_closing():
                return
            self._receive(data[start : start + PIECE_BYTES])

    def _receive(self, piece: bytes) -> None:
        self.header_bytes += len(piece)
        super().data_received(piece)
        if self.header_bytes > MAX_HEADER_BYTES or len(self.headers or ()) > MAX_HEADERS:
            self.refuse(HEADERS_TOO_LARGE)
        elif self.pipeline and sum(len(each.pipeline) for each in self.connections) > MAX_PIPELINED:
            self.client_transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Refuse what isn't HTTP, and heads whose parser was stopped."""
        too_many = len(self.headers or ()) > MAX_HEADERS
        self.refuse(HEADERS_TOO_LARGE if too_many else NOT_HTTP)

    def refuse(self, answer: bytes) -> None:
        """Close the connection, with this answer or with those of the requests before."""
        if self.refused:
            return
        self.refused = True
        self.clients.expect_nothing(self.client_transport)
        if self.pipeline and self.cycle.more_body:
            # The broken request waits for those before it.
            self.pipeline.popleft()
        elif self.cycle and not self.cycle.more_body and not self.cycle.response_complete:
            # The last request that is whole. Its answer says that the connection closes.
            self.cycle.keep_alive = False
        else:
            self.clients.expect_reading(self.client_transport, self.client_seconds)
            self.transport.write(answer)
            self.transport.close()

    def on_response_complete(self) -> None:
        """Close the connection after the last request before a refused one."""
        last = not self.pipeline
        super().on_response_complete()
        if not last or self.client_transport.is_closing():
            return
        if self.refused:
            self.transport.close()
        elif not self.clients.is_expected(self.client_transport):
            self.clients.expect_request(self.client_transport, KEEP_ALIVE_SECONDS)

    def on_message_begin(self) -> None:
        """Start the time for this head, unless it started with the connection."""
        self.clients.expect_more(self.client_transport, self.head_seconds)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is read again, and the time for its body."""
        if len(self.headers) > MAX_HEADERS:
            # It stops the parser.
            raise ValueError
        if not self.parser.upgrading:
            self.clients.expect(self.client_transport, self.client_seconds)
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the next bytes as a head again."""
        self.header_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the time for this request."""
        if self.parser.upgrading:
            return
        self.header_bytes = 0
        self.clients.expect_nothing(self.client_transport)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the time for reading the answer."""
        self.clients.expect_reading(self.client_transport, self.client_seconds)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the time for reading the answer."""
        self.clients.has_read(self.client_transport)
        super().resume_writing()
