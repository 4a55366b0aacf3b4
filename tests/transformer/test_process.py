"""The processes: their end, their workers, and what they let in at once."""

from __future__ import annotations

import concurrent.futures
import http.client
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.transformer.predictors import Impostor
from tests.transformer.server import PATIENCE_SECONDS, Transformer, eventually, instances

if TYPE_CHECKING:
    from pathlib import Path

    from local.triton.server import Triton

Samples = list[dict[str, Any]]
PATH = "/v1/models/digits:predict"
WORKERS = ["--workers=1", "--workers=2"]


def connect(made: Transformer) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=PATIENCE_SECONDS)
    connection.connect()
    return connection


@pytest.mark.parametrize("workers", WORKERS)
def test_sigterm_answers_what_is_in_flight_and_ends(
    triton: Triton, workers: str, tmp_path: Path, samples: Samples
) -> None:
    body = instances([samples[0]["image"]])
    with Transformer(triton.http, tmp_path, workers) as made:
        idle = connect(made)
        idle.request("GET", "/v2/health/live")
        assert idle.getresponse().read() == b'{"live":true}'
        slow = connect(made)
        slow.putrequest("POST", PATH)
        slow.putheader("Content-Length", str(len(body)))
        slow.endheaders(body[:-1])
        time.sleep(0.2)
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


def test_a_request_that_does_not_end_does_not_hold_it_up(tmp_path: Path, samples: Samples) -> None:
    deadline = "--deadline_seconds=1"
    with Impostor() as impostor, Transformer(impostor.address, tmp_path, deadline) as made:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(made.predict, instances([samples[0]["image"]]))
            eventually(lambda: bool(impostor.taken))
            made.process.terminate()
            assert waiting.result()[0] == 504
        assert made.process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("workers", WORKERS)
def test_ctrl_c_ends_it_without_a_traceback(workers: str, tmp_path: Path) -> None:
    with Transformer("127.0.0.1:1", tmp_path, workers) as made:
        made.process.send_signal(signal.SIGINT)
        assert made.process.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in made.log.read_text()


def test_a_worker_that_dies_is_replaced(triton: Triton, tmp_path: Path, samples: Samples) -> None:
    body = instances([samples[0]["image"]])
    with Transformer(triton.http, tmp_path, "--workers=2") as made:
        before = made.workers()
        os.kill(before[-1], signal.SIGKILL)
        eventually(lambda: before[-1] not in made.workers() and len(made.workers()) == len(before))
        # Workers share the socket: each of these goes to whoever is there.
        for _ in range(20):
            assert made.predict(body)[0] == 200


def test_late_bodies_are_the_clients_fault(tmp_path: Path) -> None:
    with Transformer("127.0.0.1:1", tmp_path, "--deadline_seconds=0.3") as made:
        late = connect(made)
        late.putrequest("POST", PATH)
        late.putheader("Content-Length", "100")
        late.endheaders(b"{")
        answer = late.getresponse()
        assert answer.status == 408
        assert answer.read() == b'{"error":"0.3 s passed before the body arrived"}'
        assert late.sock is None


def test_too_many_at_once_are_sent_elsewhere(tmp_path: Path) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode()
    with Transformer("127.0.0.1:1", tmp_path) as made:
        held = [socket.create_connection(("127.0.0.1", made.port)) for _ in range(256)]
        for connection in held:
            connection.sendall(head)
        gauge = 'transformer_requests_in_flight{model="digits"} 256.0'
        eventually(lambda: gauge in made.ask("/metrics")[1])
        status, answer = made.predict(b"{}")
        assert (status, answer) == (503, {"error": "busy with 256 other requests"})
        # Health has its own way.
        assert made.ask("/v2/health/live")[0] == 200
        for connection in held:
            connection.close()
        eventually(lambda: made.predict(b"{}")[0] == 400)
