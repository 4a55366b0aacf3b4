"""Connections to a pod that is about to stop: idle ones are reset, those in use are not."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from local.node.addresses import GATEWAY
from local.node.pod_network import spared_ports
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
# gRPC answers a request's frames with control frames at once.
_GRPC = """
import concurrent.futures, grpc, sys, time
def late(request, context):
    time.sleep(request[0] / 10)
    return b'answer'
handler = grpc.unary_unary_rpc_method_handler(late)
server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('s', {'m': handler}),))
server.add_insecure_port('0.0.0.0:8000')
server.start()
client = grpc.insecure_channel(f'{sys.argv[2]}:8000') if len(sys.argv) > 2 else None
print('up', flush=True)
for n in range(20 if client else 0):
    print(client.unary_unary('/s/m')(bytes([n % 2 * 3]) * 10_000), flush=True)
server.wait_for_termination()
"""


class _Pod:
    """A pod with a server, and connections from the node to it."""

    def __init__(
        self, sandbox: Sandbox, folder: Path, place: int, code: str, *arguments: str
    ) -> None:
        self._sandbox, self.uid = sandbox, uuid.uuid4().hex
        self.address = f"10.244.0.{place}"
        sandbox.add(self.uid, "pod", self.address)
        (folder / self.uid).mkdir()
        self._log = folder / f"{self.uid}.log"
        argv = [sys.executable, "-uc", code, *arguments]
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

    def drain_until(self, ask: Callable[[], bool], *spared: int) -> None:
        """Drain, more often than the agent does, until something is true."""

        def drained() -> bool:
            for _ in range(20):
                self._sandbox.drain(self.uid, spared)
                time.sleep(0.01)
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

    def begin(*arguments: str, code: str = _SERVER) -> _Pod:
        pods.append(_Pod(sandbox, tmp_path, 2 + len(pods), code, *arguments))
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


def test_requests_of_http2_keep_their_connection(start: Callable[..., _Pod]) -> None:
    server = start("", code=_GRPC)
    client = start("", server.address, code=_GRPC)
    server.drain_until(lambda: client.log.count("answer") == 20, _PORT)


def test_ports_of_http2_are_spared_by_their_names_and_the_queue_proxys_by_number() -> None:
    ports = [
        {"name": "h2c", "containerPort": 1},
        {"name": "http1", "containerPort": 2},
        {"name": "grpc-web", "containerPort": 3},
        {"containerPort": 4},
    ]
    proxy = [{"name": "queue-port", "containerPort": 8012}, {"containerPort": 8013}]
    containers = [{"ports": ports}, {"ports": proxy}, {}]
    assert spared_ports({"spec": {"containers": containers}}) == [1, 3, 8012, 8013]
