"""uvicorn's HTTP protocol, with a limit on what it would otherwise keep without one."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["MAX_HEAD_BYTES", "LimitedHeads"]

MAX_HEAD_BYTES = 64 * 2**10


# mypy does not follow uvicorn.
class LimitedHeads(HttpToolsProtocol):  # type: ignore[misc]
    """Neither a request's line and headers nor what may follow its body grow for ever."""

    bodiless = 0

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        self.bodiless += len(data)
        super().data_received(data)
        if self.bodiless > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"Headers larger than {MAX_HEAD_BYTES >> 10} KiB.")

    def on_body(self, body: bytes) -> None:
        """The parser's."""
        self.bodiless = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The parser's."""
        self.bodiless = 0
        super().on_message_complete()
