"""Triton's own metrics, from the same pod: annotations name one port of a pod to scrapers."""

from __future__ import annotations

import asyncio

__all__ = ["fetch"]

SECONDS = 2.0
REQUEST = b"GET /metrics HTTP/1.0\r\nConnection: close\r\n\r\n"


async def fetch(port: int) -> bytes:
    """The metrics in Prometheus' text format; none where Triton does not answer in time."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(REQUEST)
                # With HTTP/1.0 the answer ends with the connection, and is not in chunks.
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
    except OSError:
        return b""
    return body if head.split(b" ")[1:2] == [b"200"] else b""
