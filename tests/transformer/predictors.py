"""Predictors that don't do what they should, and a way to a good one that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from local.ports import free_port

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Impostor", "Relay", "nobody", "v2_answer"]


def nobody() -> str:
    """An address where connections are refused."""
    return f"127.0.0.1:{free_port()}"


def v2_answer(status: str, body: bytes, *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Server:
    """A TCP server that ends with all its connections."""

    def __init__(self, port: int = 0) -> None:
        self.socket = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.taken: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for open_socket in (self.socket, *self.taken):
            # Wakes the threads that wait for it.
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.taken.append(connection)
                self.take(connection)

    def take(self, connection: socket.socket) -> None:
        """Talk to a client."""
        raise NotImplementedError


class Impostor(Server):
    """Sends the same to everyone who has sent something, then hangs up; `None`: stays silent."""

    answer: bytes | None = None

    def take(self, connection: socket.socket) -> None:
        """One answer, and only one."""
        if self.answer is not None:
            with contextlib.suppress(OSError):
                connection.recv(2**20)
                connection.sendall(self.answer)
                connection.shutdown(socket.SHUT_WR)


class Relay(Server):
    """Passes everything on to an address and back."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(port)
        self.host, _, self.port = address.partition(":")

    def take(self, connection: socket.socket) -> None:
        """A thread for each direction."""
        onward = socket.create_connection((self.host, int(self.port)))
        self.taken.append(onward)
        for ends in ((connection, onward), (onward, connection)):
            threading.Thread(target=_copy, args=ends, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(2**16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
