"""What the agent and the sandbox must agree on. Imported by both, so without pyroute2."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LARGEST", "TERMINAL", "Service"]

LARGEST = 1 << 18
"""Bytes of a message."""
TERMINAL = b'{"files": ["terminal"]}'
"""What a guest sends with its terminal's descriptor, as local/node/streams.py does with others."""


@dataclass(frozen=True)
class Service:
    """One port of a Service, and the addresses and ports of its ready pods."""

    protocol: str
    address: str
    port: int
    targets: tuple[tuple[str, int], ...]
