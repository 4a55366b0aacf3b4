"""Clients that are slow, or many: they lose their connection, and others are served."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest

from release.schema import Tensor
from tests.transformer.echo import Echo
from tests.transformer.predictors import FakePredictor, v2_answer
from tests.transformer.server import PATIENCE_SECONDS, Transformer, eventually
from transformer.clients import MAX_CONNECTIONS, MAX_UNREAD_BYTES
from transformer.http_limits import MAX_HEADER_BYTES, MAX_HEADERS, MAX_PIPELINED

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MIB = 512
MIB = 2**20
PATH = "/v1/models/digits:predict"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n".encode()
GET = b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transformer]:
    """A client has 0.1 and 5 seconds to send a head, a body, or to read an answer."""
    folder = tmp_path_factory.mktemp("strict")
    with Transformer("127.0.0.1:1", folder, "--deadline_seconds=0.1") as server:
        yield server


@pytest.fixture(scope="module")
def idle(strict: Transformer) -> int:
    """How many sockets it has open without clients."""
    return strict.sockets()


@pytest.fixture(autouse=True)
def serves_afterwards(strict: Transformer, idle: int) -> Iterator[None]:
    """After each test the server answers, has no connection left, and took little memory."""
    yield
    assert strict.ask("/v2/health/live")[0] == 200
    eventually(lambda: strict.sockets() <= idle)
    assert strict.peak_mib() < MAX_MIB


def connect(made: Transformer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", made.port), PATIENCE_SECONDS)


def read_until_closed(connection: socket.socket) -> bytes:
    """What the server sends until it closes the connection, with or without a reset."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return received


def send_until_closed(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(data)


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n", b"PO", HEAD[:-2], HEAD], ids=repr)
def test_a_head_that_stays_away_ends_the_connection(strict: Transformer, sent: bytes) -> None:
    with connect(strict) as connection:
        connection.sendall(sent)
        assert read_until_closed(connection) == b""


def test_a_head_that_comes_byte_by_byte_ends_the_connection(strict: Transformer) -> None:
    with connect(strict) as connection:
        connection.sendall(HEAD + b"X-Slow: ")
        connection.settimeout(0.2)
        received = None
        while received is None:
            try:
                connection.sendall(b"x")
                received = connection.recv(100)
            except TimeoutError:
                continue
            except OSError:
                received = b""
    assert received == b""


def test_a_later_head_that_stays_away_ends_the_connection(strict: Transformer) -> None:
    with connect(strict) as connection:
        connection.sendall(GET + HEAD)
        assert read_until_closed(connection).count(b"HTTP/1.1 ") == 1


def test_a_body_that_stays_away_after_its_answer_ends_the_connection(strict: Transformer) -> None:
    with connect(strict) as connection:
        connection.sendall(HEAD.replace(b"99", b"%d" % 2**26) + b"\r\n{")
        assert read_until_closed(connection).startswith(b"HTTP/1.1 413 ")


def test_many_unfinished_heads_take_bounded_memory_and_keep_nobody_out(
    strict: Transformer, idle: int
) -> None:
    long = HEAD + b"X-Long: " + b"x" * (MAX_HEADER_BYTES - len(HEAD) - 8)
    with contextlib.ExitStack() as stack:
        for _ in range(4 * MAX_CONNECTIONS):
            send_until_closed(stack.enter_context(connect(strict)), long)
        assert strict.ask("/v2/health/live")[0] == 200
        assert strict.sockets() <= MAX_CONNECTIONS + idle
        # They are closed though their clients keep them open.
        eventually(lambda: strict.sockets() <= idle)


def test_idle_connections_make_room_for_clients_that_send_at_once(strict: Transformer) -> None:
    """A client whose connection has just begun keeps it, as a probe at a busy server."""
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            connection = stack.enter_context(connect(strict))
            connection.sendall(GET)
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        # All begin before one of them is read.
        new = [stack.enter_context(connect(strict)) for _ in range(20)]
        for connection in new:
            connection.sendall(GET)
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("count", "status"), [(MAX_HEADERS - 1, 200), (MAX_HEADERS, 431)])
def test_headers_are_counted(strict: Transformer, count: int, status: int) -> None:
    with connect(strict) as connection:
        connection.sendall(GET[:-2] + b"A:\r\n" * count + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 %d " % status)


def test_headers_of_pipelined_requests_are_counted(strict: Transformer) -> None:
    """The second is refused after the answer to the first."""
    many = GET[:-2] + b"A:\r\n" * 3000 + b"\r\n"
    with connect(strict) as connection:
        connection.sendall(GET + many + GET)
        received = read_until_closed(connection)
    assert received.count(b"HTTP/1.1 200 ") == 1


def test_requests_without_end_in_one_connection_end_it(strict: Transformer) -> None:
    with connect(strict) as connection:
        send_until_closed(connection, GET * 100_000)
        answers = read_until_closed(connection).count(b"HTTP/1.1 200 ")
    assert answers <= MAX_PIPELINED


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transformer]:
    """Answers each request with more than the buffers of both ends hold: eight megabytes."""
    folder = tmp_path_factory.mktemp("talkative")
    raw = np.ones(2 * 10**6, np.float32).tobytes()
    output = {"name": "OUT", "datatype": "FP32", "shape": [1, len(raw) // 4]}
    described = json.dumps(
        {"outputs": [output | {"parameters": {"binary_data_size": len(raw)}}]}
    ).encode()
    release = Echo("big", (Tensor("IN", "FP32", (-1,)),)).release(folder)
    with FakePredictor() as fake:
        length = f"Inference-Header-Content-Length: {len(described)}"
        fake.answer = v2_answer("200 OK", described + raw, length)
        options = ("--deadline_seconds=10",)
        with Transformer(fake.address, folder, *options, model="big", release=release) as made:
            yield made


def ask_without_reading(made: Transformer) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", made.port))
    body = b'{"instances": [[1.0]]}'
    lines = (
        f"POST /v1/models/big:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(lines.encode() + body)
    return connection


def test_a_client_that_does_not_read_is_closed(talkative: Transformer) -> None:
    status, answer = talkative.predict(b'{"instances": [[1.0]]}')
    assert (status, len(answer["predictions"][0]["OUT"])) == (200, 2 * 10**6)
    before = talkative.sockets()
    with ask_without_reading(talkative):
        eventually(lambda: talkative.sockets() > before)
        eventually(lambda: talkative.sockets() <= before)


def test_large_answers_are_read_whole_by_as_many_clients_as_ask(talkative: Transformer) -> None:
    """Those that don't fit into the memory wait for the others."""
    with contextlib.ExitStack() as stack:
        asked = [
            stack.enter_context(ask_without_reading(talkative))
            for _ in range(2 * MAX_UNREAD_BYTES // (8 * MIB))
        ]
        for connection in asked:
            connection.settimeout(PATIENCE_SECONDS)
            with connection.makefile("rb") as file:
                assert file.readline().startswith(b"HTTP/1.1 200 ")
                headers = http.client.parse_headers(file)
                size = int(headers["Content-Length"])
                assert size > 7 * MIB
                assert len(file.read(size)) == size


def test_answers_that_nobody_reads_take_bounded_memory(talkative: Transformer) -> None:
    clients = 3 * MAX_UNREAD_BYTES // (8 * MIB)
    with contextlib.ExitStack() as stack:
        for _ in range(clients):
            connection = stack.enter_context(ask_without_reading(talkative))
            # Its answer has begun.
            connection.settimeout(PATIENCE_SECONDS)
            assert connection.recv(1) == b"H"
        status, _ = talkative.predict(b'{"instances": [[1.0]]}')
        assert status == 200
        eventually(lambda: talkative.sockets() < clients)
    assert talkative.peak_mib() < MAX_MIB
