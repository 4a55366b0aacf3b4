"""httptools' parser, which reads a request that offers another protocol as one that doesn't."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools

if TYPE_CHECKING:
    from typing import Protocol

    class Callbacks(Protocol):
        """uvicorn's protocol: httptools' callbacks, and what it keeps of a request's head."""

        url: bytes
        headers: list[tuple[bytes, bytes]]


__all__ = ["Parser"]


class Parser:
    """A parser that ignores the header Upgrade, as a server may (RFC 9110, section 7.8).

    Java's HttpClient offers h2c with the first request of each connection. httptools takes what
    follows such a head for the other protocol, and drops the request's body. So the head is parsed
    once more, without the offer. Until then, `upgrading` is true.
    """

    def __init__(self, callbacks: Callbacks) -> None:
        self.callbacks = callbacks
        self.parser = self._create()

    def _create(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self.callbacks)
        # As uvicorn's: what follows a request with `Connection: close` is ignored.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def __getattr__(self, name: str) -> Any:
        return getattr(self.parser, name)

    @property
    def upgrading(self) -> bool:
        """Whether the head that was read last will be read again. CONNECT has no other form."""
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def feed_data(self, data: bytes | memoryview) -> None:
        """Parse what the connection received. Raises what httptools raises."""
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if not self.upgrading:
                    raise
                data = memoryview(data)[upgrade.args[0] :]
            head = self._without_offer()
            # The old one ignores everything further after `Connection: close, Upgrade`.
            self.parser = self._create()
            self.parser.feed_data(head)

    def _without_offer(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.callbacks.url, version)]
        lines += [b"%b: %b" % each for each in self.callbacks.headers if each[0] != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))
