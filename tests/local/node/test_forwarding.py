"""Connections between the machine's network and the node's."""

from __future__ import annotations

import resource
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from local.node.forwarding import Forwarder

if TYPE_CHECKING:
    import pytest


def test_connections_are_not_limited_by_the_shells_limit_of_open_files(
    request: pytest.FixtureRequest,
) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, before))
    target = socket.create_server(("127.0.0.1", 0), backlog=128)
    target.settimeout(5)
    taken = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 60, before[1]))
    forwarder = Forwarder()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    address = listener.getsockname()
    number = forwarder.serve(listener, lambda: socket.create_connection(target.getsockname(), 5))
    pairs = []
    for _ in range(50):
        client = socket.create_connection(address, 5)
        server, _ = target.accept()
        pairs.append((client, server))
        client.sendall(b"question")
        assert server.recv(100) == b"question"
    forwarder.stop(number)
    for client, server in pairs:
        client.close()
        assert server.recv(100) == b""
        server.close()
    target.close()


def test_the_port_of_a_stopped_forwarding_is_free() -> None:
    forwarder = Forwarder()
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    forwarder.stop(forwarder.serve(listener, lambda: socket.create_connection(address, 5)))
    socket.create_server(address).close()
