"""uvicorn's HTTP/1.1 connection, with limits for slow clients and for large headers.

uvicorn has neither, and it drops the body of a request that offers an upgrade. `LimitedHttp`
overrides callbacks of `asyncio.Protocol` and of httptools, and uvicorn's public methods
`send_400_response` and `on_response_complete`. It uses uvicorn's public attributes `parser`, `url`,
`headers`, `cycle` and `pipeline`. `docs/adr/0007` compares the servers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from transformer.http_parser import Parser

__all__ = ["KEEP_ALIVE_SECONDS", "LimitedHttp"]

# Longer than proxies keep idle connections, so that the proxy closes them and not the server.
KEEP_ALIVE_SECONDS = 120
MAX_HEADER_BYTES = 64 * 2**10
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

    A request must arrive within `client_seconds` of its first byte. An answer that fills the
    transport's buffer must be read within `client_seconds`.
    """

    def __init__(self, *, client_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self.client_seconds = client_seconds
        self.parser = Parser(self)
        # Whether what comes is no longer read, since it can't be a request.
        self.refused = False
        # Bytes since the last piece of a body, or since the last request.
        self.header_bytes = 0
        self.read_timer: asyncio.TimerHandle | None = None
        self.write_timer: asyncio.TimerHandle | None = None

    def _abort_after(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self.client_transport.abort)

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the time for the first request."""
        self.client_transport = transport
        self.read_timer = self._abort_after(KEEP_ALIVE_SECONDS)
        super().connection_made(JoinedWrites(transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        _cancel(self.read_timer)
        _cancel(self.write_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse headers that are too large; httptools collects them without a limit."""
        if self.refused:
            return
        self.header_bytes += len(data)
        super().data_received(data)
        if self.header_bytes > MAX_HEADER_BYTES and not self.client_transport.is_closing():
            self.refuse(HEADERS_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Refuse what isn't HTTP."""
        self.refuse(NOT_HTTP)

    def refuse(self, answer: bytes) -> None:
        """Close the connection, with this answer or with those of the requests before."""
        if self.refused:
            return
        self.refused = True
        if self.pipeline and self.cycle.more_body:
            # The broken request waits for those before it.
            self.pipeline.popleft()
        elif self.cycle and not self.cycle.more_body and not self.cycle.response_complete:
            # The last request that is whole. Its answer says that the connection closes.
            self.cycle.keep_alive = False
        else:
            self.transport.write(answer)
            self.transport.close()

    def on_response_complete(self) -> None:
        """Close the connection after the last request before a refused one."""
        last = not self.pipeline
        super().on_response_complete()
        if self.refused and last:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Start the time for this request."""
        _cancel(self.read_timer)
        self.read_timer = self._abort_after(self.client_seconds)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is read again."""
        if not self.parser.upgrading:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the next bytes as headers again."""
        self.header_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the time for this request."""
        if self.parser.upgrading:
            return
        self.header_bytes = 0
        _cancel(self.read_timer)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the time for reading the answer."""
        self.write_timer = self._abort_after(self.client_seconds)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the time for reading the answer."""
        _cancel(self.write_timer)
        super().resume_writing()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
