"""HTTP as it is on the wire: what no client library would send."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tests.transformer.server import PATIENCE_SECONDS

if TYPE_CHECKING:
    from tests.transformer.server import Transformer

__all__ = ["answers", "talk"]


def talk(made: Transformer, *parts: bytes) -> bytes:
    """Send them, and read until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", made.port), PATIENCE_SECONDS) as connection:
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def answers(text: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and content of each answer."""
    found = []
    while text:
        head, _, rest = text.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = int(headers["content-length"])
        found.append((int(status.split()[1]), headers, rest[:size]))
        text = rest[size:]
    return found
