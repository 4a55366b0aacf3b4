"""Servers in the place of the predictor: a fake one, and a relay to a real one."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from local.ports import free_port

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["FakePredictor", "Relay", "unused_address", "v2_answer"]


def unused_address() -> str:
    """An address where connections are refused."""
    return f"127.0.0.1:{free_port()}"


def v2_answer(status: str, body: bytes, *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Server:
    """A TCP server that closes all its connections on exit."""

    def __init__(self, port: int = 0) -> None:
        self.socket = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.connections: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for open_socket in (self.socket, *self.connections):
            # Wakes the threads that wait for it.
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.connections.append(connection)
                self.handle(connection)

    def handle(self, connection: socket.socket) -> None:
        """Serve a connection."""
        raise NotImplementedError


class FakePredictor(Server):
    """Sends the same answer on each connection and closes it. Sends nothing if it is `None`."""

    answer: bytes | None = None

    def handle(self, connection: socket.socket) -> None:
        """Send the answer once."""
        if self.answer is not None:
            with contextlib.suppress(OSError):
                connection.recv(2**20)
                connection.sendall(self.answer)
                connection.shutdown(socket.SHUT_WR)


class Relay(Server):
    """Forwards connections to an address."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(port)
        self.host, _, self.port = address.partition(":")

    def handle(self, connection: socket.socket) -> None:
        """Start a thread for each direction."""
        onward = socket.create_connection((self.host, int(self.port)))
        self.connections.append(onward)
        for ends in ((connection, onward), (onward, connection)):
            threading.Thread(target=_copy, args=ends, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(2**16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
