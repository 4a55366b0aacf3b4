"""Ports for servers that are started for a while."""

from __future__ import annotations

import contextlib
import random
import socket

__all__ = ["free_port"]

# Below those that the system gives to clients: a load test uses them up by the thousand, and Triton
# binds none that one of them has just left.
PORTS = range(12_000, 20_000)
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, another one at each call."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port
