"""Servers in the place of the predictor: a fake one, and a relay to a real one."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc

from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = [
    "Failover",
    "FakePredictor",
    "MutedRelay",
    "PatientPredictor",
    "Relay",
    "ending_triton",
    "refusing_grpc",
    "unused_address",
    "v2_answer",
]


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

    def __exit__(self, *_: object) -> None:
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


class PatientPredictor(Server):
    """Sends one answer, and waits until its client leaves, as a Triton that ends does."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer
        self.left = threading.Event()

    def handle(self, connection: socket.socket) -> None:
        """Send the answer, and wait."""
        connection.recv(2**20)
        connection.sendall(self.answer)
        if not connection.recv(1):
            self.left.set()


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


class MutedRelay(Relay):
    """Forwards connections until it is muted. Those that are open then stay open, in silence."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(address, port)
        self.muted = threading.Event()

    def mute(self) -> None:
        """Forward nothing more on the connections that are open."""
        self.muted.set()
        self.muted = threading.Event()

    def handle(self, connection: socket.socket) -> None:
        """Start a thread for each direction."""
        onward = socket.create_connection((self.host, int(self.port)))
        self.connections.append(onward)
        for ends in ((connection, onward), (onward, connection)):
            threading.Thread(target=_copy, args=(*ends, self.muted), daemon=True).start()


class Failover(Relay):
    """Forwards the first connection to one address, and all later ones to another."""

    def __init__(self, first: str, later: str) -> None:
        super().__init__(first, 0)
        self.later = later

    def handle(self, connection: socket.socket) -> None:
        """Forward, and use the other address from now on."""
        super().handle(connection)
        self.host, _, self.port = self.later.partition(":")


@contextlib.contextmanager
def refusing_grpc(
    code: grpc.StatusCode, details: str
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a gRPC server that refuses all calls, and the metadata of those it got."""
    seen: list[dict[str, Any]] = []

    def refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(dict(context.invocation_metadata()))
        context.abort(code, details)
        raise AssertionError

    class Handler(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", seen
    finally:
        server.stop(0).wait()


@contextlib.contextmanager
def ending_triton() -> Iterator[str]:
    """The address of a gRPC server that answers as a Triton whose models are unloaded."""
    text = "'digits' has no available versions"
    with refusing_grpc(grpc.StatusCode.NOT_FOUND, text) as (address, _):
        yield address


def _copy(
    source: socket.socket, target: socket.socket, muted: threading.Event | None = None
) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(2**16):
            if not (muted and muted.is_set()):
                target.sendall(data)
        target.shutdown(socket.SHUT_WR)
