"""Connections to a pod that is about to stop: idle ones are reset, those in use are not."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import uuid
from typing import TYPE_CHECKING

import pytest

from local.node.addresses import GATEWAY
from local.node.sandbox.client import Sandbox
from local.node.sandbox.program import Program
from tests.local.cluster import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PORT = 8000
# Answers each request, "PAUSE\n", after that many seconds; "close\n" ends its listening. With a
# second argument it is also a client of a server there, with an idle connection.
_SERVER = """
import socket, socketserver, sys, threading, time
class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6 if sys.argv[1] == '::' else socket.AF_INET
    allow_reuse_address, request_queue_size = True, 64
class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    def handle(self):
        for line in self.rfile:
            if line == b'close\\n':
                server.socket.close()
            else:
                time.sleep(float(line))
            self.wfile.write(b'answer\\n')
server = Server((sys.argv[1], 8000), Handler)
print('up', flush=True)
if len(sys.argv) > 2:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = socket.create_connection((sys.argv[2], 8000))
    client.sendall(b'0\\n')
    client.recv(100)
    print('connected', flush=True)
    try:
        client.recv(100)
    except ConnectionResetError:
        print('reset', flush=True)
else:
    server.serve_forever()
"""


class _Pod:
    """A pod with this server, and connections from the node to it."""

    def __init__(self, sandbox: Sandbox, folder: Path, place: int, *arguments: str) -> None:
        self._sandbox, self.uid = sandbox, uuid.uuid4().hex
        self.address = f"10.244.0.{place}"
        sandbox.add(self.uid, "pod", self.address)
        (folder / self.uid).mkdir()
        self._log = folder / f"{self.uid}.log"
        argv = [sys.executable, "-uc", _SERVER, *arguments]
        program = Program(argv, {"PATH": os.environ["PATH"]}, base=str(folder / self.uid))
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        sandbox.start(self.uid, self.uid, program, output, lambda _: None)
        os.close(output)
        eventually(lambda: "up" in self.log)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def connect(self) -> socket.socket:
        made = self._sandbox.connector()
        made.settimeout(5)
        made.connect((self.address, _PORT))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def drain_until(self, ask: Callable[[], bool]) -> None:
        """Drain as the agent does, until something is true."""

        def drained() -> bool:
            self._sandbox.drain(self.uid)
            return ask()

        eventually(drained, 10)

    def end(self) -> None:
        self._sandbox.signal(self.uid, 9)
        self._sandbox.remove(self.uid)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., _Pod]]:
    """Starts pods with the server, on a node of their own."""
    sandbox = Sandbox(GATEWAY)
    pods: list[_Pod] = []

    def begin(*arguments: str) -> _Pod:
        pods.append(_Pod(sandbox, tmp_path, 2 + len(pods), *arguments))
        return pods[-1]

    yield begin
    for pod in pods:
        pod.end()
    sandbox.stop()


def _ask(connection: socket.socket, pause: float = 0) -> None:
    connection.sendall(f"{pause}\n".encode())


def _is_reset(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return not connection.recv(100)
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
@pytest.mark.parametrize("before", [0, 30], ids=["first", "after-others"])
def test_a_request_that_is_answered_late_keeps_its_connection(
    start: Callable[..., _Pod], listen: str, before: int
) -> None:
    """Those before are answered at once, and each follows the answer to the last at once."""
    pod = start(listen)
    connections = [pod.connect() for _ in range(5)]
    for connection in connections:
        for _ in range(before):
            _ask(connection)
            assert connection.recv(100) == b"answer\n"
        _ask(connection, 0.6)
    answers: list[bytes] = []

    def wait() -> None:
        for connection in connections:
            with contextlib.suppress(ConnectionResetError):
                answers.append(connection.recv(100))

    thread = threading.Thread(target=wait)
    thread.start()
    pod.drain_until(lambda: not thread.is_alive())
    assert answers == [b"answer\n"] * 5


@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
@pytest.mark.parametrize("requests", [0, 1, 30])
def test_an_idle_connection_is_reset(
    start: Callable[..., _Pod], listen: str, requests: int
) -> None:
    pod = start(listen)
    connection = pod.connect()
    for _ in range(requests):
        _ask(connection)
        assert connection.recv(100) == b"answer\n"
    pod.drain_until(lambda: _is_reset(connection))


def test_an_idle_connection_of_a_server_that_stopped_listening_is_reset(
    start: Callable[..., _Pod],
) -> None:
    """As servers do first when they shut down."""
    pod = start("0.0.0.0")
    busy, idle = pod.connect(), pod.connect()
    _ask(busy, 0.3)
    _ask(idle)
    assert idle.recv(100) == b"answer\n"
    pod.drain_until(lambda: True)
    again = pod.connect()
    again.sendall(b"close\n")
    assert again.recv(100) == b"answer\n"
    assert busy.recv(100) == b"answer\n"
    pod.drain_until(lambda: _is_reset(again) and _is_reset(busy))


@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
def test_connections_within_a_pod_and_to_other_pods_stay_open(
    start: Callable[..., _Pod], listen: str
) -> None:
    """Only a pod's servers are about to stop, and not for its own containers."""
    within = start(listen, "127.0.0.1")
    outward = start(listen, within.address)
    idle = {pod: pod.connect() for pod in (within, outward)}
    for pod in (within, outward):
        eventually(lambda pod=pod: "connected" in pod.log)
        _ask(idle[pod])
        assert idle[pod].recv(100) == b"answer\n"
    outward.drain_until(lambda: _is_reset(idle[outward]))
    assert "reset" not in outward.log
    within.drain_until(lambda: "reset" in outward.log)
    assert "reset" not in within.log
