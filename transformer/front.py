"""Predict requests that come whole and small, answered without a detour over ASGI.

Most do: an image of some kilobytes lies in one segment with its head. Then there is nothing to wait
for and nothing to stream, and what ASGI needs for that costs a tenth of a millisecond. Whatever
else comes goes the common way.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from transformer.body import SMALL_BODY_BYTES, Whole
from transformer.heads import LimitedHeads

__all__ = ["Front"]

STATUS_LINES = {
    each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus
}
# With one of these there is more to a body than its bytes.
SPECIAL = frozenset((b"content-encoding", b"transfer-encoding", b"expect", b"upgrade"))


class Exchange:
    """A request under way, as far as uvicorn's connection asks its cycle."""

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        # Where uvicorn wakes up who waits for the body; here nobody does.
        self.message_event = self

    def set(self) -> None:
        """As an asyncio.Event."""


class Front(LimitedHeads):
    """uvicorn's connection, with a short way for such requests."""

    parts: list[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        super().data_received(data)
        if self.parts is not None:
            # More is to come, which takes waiting and a deadline.
            parts, self.parts = self.parts, None
            super().on_headers_complete()
            for part in parts:
                super().on_body(part)

    def on_headers_complete(self) -> None:
        """The parser's."""
        if self._is_short():
            self.parts = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """The parser's."""
        if self.parts is None:
            super().on_body(body)
        else:
            self.bodiless = 0
            self.parts.append(body)

    def on_message_complete(self) -> None:
        """The parser's."""
        if self.parts is None:
            super().on_message_complete()
            return
        self.bodiless = 0
        content, self.parts = b"".join(self.parts), None
        self.cycle = Exchange(keep_alive=self.parser.should_keep_alive())
        task = self.loop.create_task(self._answer(self.cycle, content, self.url))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _is_short(self) -> bool:
        """A predict request, next in turn, with a plain body of a declared, small size."""
        path, _, _ = self.url.partition(b"?")
        if path != self.app.predict_url or self.parser.get_method() != b"POST":
            return False
        if self.parser.get_http_version() != "1.1":
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        given = dict(self.headers)
        size = given.get(b"content-length", b"")
        small = size.isdigit() and len(size) < 9 and int(size) <= SMALL_BODY_BYTES
        return small and SPECIAL.isdisjoint(given)

    async def _answer(self, exchange: Exchange, content: bytes, url: bytes) -> None:
        _, _, query = url.partition(b"?")
        status, answer = await self.app.predicted(Whole(content), query)
        if self.flow.write_paused:
            await self.flow.drain()
        if exchange.disconnected or self.transport.is_closing():
            return
        if self.app.draining:
            # So that its next request goes to someone who stays.
            exchange.keep_alive = False
        self.transport.write(self._head(status, len(answer), exchange) + answer)
        exchange.response_complete = True
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _head(self, status: int, size: int, exchange: Exchange) -> bytes:
        lines: list[Any] = [STATUS_LINES[status]]
        lines += [b"%b: %b\r\n" % line for line in self.server_state.default_headers]
        lines.append(b"content-type: application/json\r\ncontent-length: %d\r\n" % size)
        lines.append(b"\r\n" if exchange.keep_alive else b"connection: close\r\n\r\n")
        return b"".join(lines)
