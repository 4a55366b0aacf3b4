"""The process: shutdown, and the limit of requests at the same time."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.transformer.predictors import FakePredictor
from tests.transformer.server import PATIENCE_SECONDS, Transformer, eventually, instances
from transformer.predict import MAX_REQUESTS

if TYPE_CHECKING:
    from pathlib import Path

    from local.triton.server import Triton

Samples = list[dict[str, Any]]
PATH = "/v1/models/digits:predict"


def connect(made: Transformer) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=PATIENCE_SECONDS)
    connection.connect()
    return connection


def in_flight(made: Transformer, count: int) -> bool:
    return f'transformer_requests_in_flight{{model="digits"}} {count}.0' in made.ask("/metrics")[1]


def test_sigterm_answers_what_is_in_flight_and_ends(
    triton: Triton, tmp_path: Path, samples: Samples
) -> None:
    body = instances([samples[0]["image"]])
    with Transformer(triton.http, tmp_path) as made:
        idle = connect(made)
        idle.request("GET", "/v2/health/live")
        assert idle.getresponse().read() == b'{"live":true}'
        slow = connect(made)
        slow.putrequest("POST", PATH)
        slow.putheader("Content-Length", str(len(body)))
        slow.endheaders(body[:-1])
        eventually(lambda: in_flight(made, 1))
        made.process.terminate()
        # Closed by the server, while the slow one is still being read.
        assert idle.sock.recv(1) == b""
        assert made.process.poll() is None
        slow.send(body[-1:])
        answer = slow.getresponse()
        assert answer.status == 200
        assert answer.getheader("connection") == "close"
        assert answer.read().startswith(b'{"predictions":')
        assert made.process.wait(PATIENCE_SECONDS) == 0
        with pytest.raises(OSError):
            connect(made)


def test_sigterm_makes_it_unready_before_it_ends(triton: Triton, tmp_path: Path) -> None:
    with Transformer(triton.http, tmp_path, "--drain_seconds=1") as made:
        assert made.ask("/v2/health/ready")[0] == 200
        started = time.monotonic()
        made.process.terminate()
        eventually(lambda: made.ask("/v2/health/ready")[0] == 503)
        assert made.ask("/v2/health/live")[0] == 200
        assert made.process.wait(PATIENCE_SECONDS) == 0
        assert time.monotonic() - started > 1


def test_a_request_without_an_end_does_not_delay_the_exit(tmp_path: Path, samples: Samples) -> None:
    deadline = "--deadline_seconds=1"
    with FakePredictor() as fake, Transformer(fake.address, tmp_path, deadline) as made:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(made.predict, instances([samples[0]["image"]]))
            eventually(lambda: bool(fake.connections))
            made.process.terminate()
            assert waiting.result()[0] == 504
        assert made.process.wait(PATIENCE_SECONDS) == 0


def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    with Transformer("127.0.0.1:1", tmp_path) as made:
        made.process.send_signal(signal.SIGINT)
        assert made.process.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in made.log.read_text()


def test_a_late_body_is_answered_with_408(tmp_path: Path) -> None:
    with Transformer("127.0.0.1:1", tmp_path, "--deadline_seconds=0.3") as made:
        late = connect(made)
        late.putrequest("POST", PATH)
        late.putheader("Content-Length", "100")
        late.endheaders(b"{")
        answer = late.getresponse()
        assert answer.status == 408
        assert answer.read() == b'{"error":"0.3 s passed before the body arrived"}'
        assert late.sock is None


def post(made: Transformer, body: bytes, size: int) -> socket.socket:
    """Send a request's head and what there is of its body."""
    connection = socket.create_connection(("127.0.0.1", made.port), PATIENCE_SECONDS)
    lines = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    connection.sendall(lines.encode() + body)
    return connection


def test_the_257th_request_is_refused(tmp_path: Path, samples: Samples) -> None:
    body = instances([samples[0]["image"]])
    with (
        FakePredictor() as fake,
        Transformer(fake.address, tmp_path, "--deadline_seconds=55") as made,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(MAX_REQUESTS):
            stack.enter_context(post(made, body, len(body)))
        eventually(lambda: in_flight(made, MAX_REQUESTS))
        status, answer = made.predict(body)
        assert (status, answer) == (503, {"error": "busy with 256 other requests"})
        # Health is not limited.
        assert made.ask("/v2/health/live")[0] == 200


def test_a_body_that_stays_away_gives_way_to_another_request(tmp_path: Path) -> None:
    with (
        Transformer("127.0.0.1:1", tmp_path, "--deadline_seconds=55") as made,
        contextlib.ExitStack() as stack,
    ):
        held = [stack.enter_context(post(made, b"{", 9)) for _ in range(MAX_REQUESTS)]
        eventually(lambda: in_flight(made, MAX_REQUESTS))
        assert made.predict(b"{}")[0] == 400
        assert held[0].recv(100).startswith(b"HTTP/1.1 408 ")


def test_large_bodies_that_stay_away_give_their_memory_to_others(tmp_path: Path) -> None:
    """Two of them hold it all."""
    with (
        Transformer("127.0.0.1:1", tmp_path, "--deadline_seconds=55") as made,
        contextlib.ExitStack() as stack,
    ):
        held = [stack.enter_context(post(made, b"{", 24 * 2**20)) for _ in range(2)]
        eventually(lambda: in_flight(made, 2))
        started = time.monotonic()
        assert made.predict(b" " * 2**20)[0] == 400
        # Long before the deadline.
        assert time.monotonic() - started < PATIENCE_SECONDS
        answer = held[0].recv(1000).decode()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "s passed before the body arrived" in answer
