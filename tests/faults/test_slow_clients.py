"""Clients that send or read slowly, or what is slow to decode, and what others see of it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from measure.procfs import reset_peak, usage
from tests.faults.served import PYTHON, pod, run_python, sample
from tests.local.stack.conftest import release_path
from tests.local.stack.load import load
from tests.local.stack.programs import find
from tests.transformer.server import Transformer, instances
from tests.transformer.test_log import REQUESTS, fail, unread

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.served import Served
    from tests.local.stack.conftest import Stack
    from tests.local.stack.load import Load

    Measured = Callable[..., None]

_TABLE = "Slow and hostile clients"
_CONNECTIONS = 4000
_RATE, _LOAD_SECONDS = 50, 5
_MAX_MIB = 512
_PATIENCE_SECONDS = 60
# A normal request once waited so long.
_TOO_LONG_SECONDS = 5
_POST = b"POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\n"
_PICTURES = {
    "BMP of 29 MiB with run-length encoding": ("runs.bmp", 400),
    "JPEG with 16 MiB of padding": ("padded.jpg", 413),
    "PNG of a million chunks": ("chunks.png", 413),
    "PNG of 67 million pixels": ("large.png", 200),
}


def _others(loaded: Load) -> str:
    """What the load saw, which has nothing to do with the slow clients."""
    p50 = statistics.median(hit["latency"] for hit in loaded.hits) / 1e6
    slowest = f"slowest {loaded.slowest * 1000:,.0f} ms"
    return (
        f"others: {len(loaded.hits)} requests, {len(loaded.lost)} lost, p50 {p50:.1f} ms, {slowest}"
    )


def test_nothing_slow(stack: Stack, served: Served, measured: Measured) -> None:
    with load(stack, _RATE) as loaded:
        time.sleep(_LOAD_SECONDS)
    measured(_TABLE, "no slow client", _others(loaded))
    assert not loaded.lost


def test_unfinished_heads(stack: Stack, served: Served, measured: Measured) -> None:
    """They come from another pod."""
    program = Path(__file__).with_name("unfinished_heads.py").read_text()
    reset_peak([served.process.pid])
    with load(stack, _RATE) as loaded:
        seconds = run_python(
            stack,
            pod(stack, "predictor"),
            program,
            served.pod["status"]["podIP"],
            str(_CONNECTIONS),
        )
    peak = usage([served.process.pid]).peak_mib
    row = f"{_CONNECTIONS:,} connections with unfinished heads"
    text = f"peak {peak:.0f} MiB; all closed {float(seconds):.1f} s after the last one began"
    measured(_TABLE, row, f"{text}; {_others(loaded)}")
    assert not loaded.lost, loaded.lost[:5]
    assert peak < _MAX_MIB


@pytest.mark.parametrize("row", _PICTURES)
def test_slow_picture(
    stack: Stack, served: Served, pictures: Path, measured: Measured, row: str
) -> None:
    name, wanted = _PICTURES[row]
    body, head = _binary((pictures / name).read_bytes())
    with load(stack, _RATE) as loaded:
        found, started = [], time.monotonic()
        while time.monotonic() < started + _LOAD_SECONDS:
            found.append(served.infer(body, head)[0])
        seconds = (time.monotonic() - started) / len(found)
    measured(_TABLE, row, f"{found[0]} after {seconds:.1f} s; {_others(loaded)}")
    assert set(found) == {wanted}
    assert not loaded.lost, loaded.lost[:5]
    assert loaded.slowest < _TOO_LONG_SECONDS


def _binary(picture: bytes) -> tuple[bytes, dict[str, str]]:
    """A V2 request with a picture as it is: in base64 it would be larger than a body may be."""
    raw = len(picture).to_bytes(4, "little") + picture
    input = {"name": "image_bytes", "shape": [1], "datatype": "BYTES"}
    described = input | {"parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [described]}).encode()
    return head + raw, {"Inference-Header-Content-Length": str(len(head))}


def test_a_client_that_reads_no_answer(served: Served, pictures: Path, measured: Measured) -> None:
    """It asks for more than the buffers on the way hold."""
    pixel = base64.b64encode((pictures / "pixel.png").read_bytes()).decode()
    body = instances([pixel] * 1024)
    request = _POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10)
        client.connect(("127.0.0.1", served.port))
        # Until the server reads no more.
        with contextlib.suppress(OSError):
            client.sendall(request * 100)
        assert served.clients()
        answered, last = 0, time.monotonic()
        while served.clients():
            assert time.monotonic() < last + _PATIENCE_SECONDS
            if answered != (now := _requests(served, "count")):
                answered, last = now, time.monotonic()
        seconds = time.monotonic() - last
    status, _ = served.predict(instances([sample("7")]))
    text = f"closed {seconds:.0f} s after the last answer; the next client gets {status}"
    measured(_TABLE, "client that reads no answer", text)
    assert status == 200


def test_a_log_that_nobody_reads(stack: Stack, tmp_path: Path, measured: Measured) -> None:
    """The node keeps logs in files, which take everything. So this one is started beside it."""
    predictor = stack.address("digits-predictor").removeprefix("http://")
    made = Transformer(predictor, tmp_path, release=release_path("digits"))
    made.python = PYTHON
    with os.fdopen(unread(made), "rb"), made:
        fail(made)
        health, good = made.ask("/v2/health/live")[0], made.predict(instances([sample("7")]))[0]
    text = f"{REQUESTS:,} of {REQUESTS:,} failures answered; health {health}, a prediction {good}"
    measured(_TABLE, "standard output that nobody reads, outside a pod", text)
    assert (health, good) == (200, 200)


def test_who_waited_is_in_the_histogram(stack: Stack, served: Served, measured: Measured) -> None:
    triton = find(stack.cluster, pod(stack, "predictor")["metadata"]["name"], "tritonserver")
    before = _slow(served)
    os.kill(triton, signal.SIGSTOP)
    threading.Timer(3, os.kill, (triton, signal.SIGCONT)).start()
    started = time.monotonic()
    status, _ = served.predict(instances([sample("7")]))
    seconds, gained = time.monotonic() - started, _slow(served) - before
    histogram = "`transformer_request_seconds`"
    text = f"{status} after {seconds:.1f} s; {histogram} has {gained} more above 2 s"
    measured(_TABLE, "request that waits for Triton", text)
    assert gained == 1


def _slow(served: Served) -> int:
    """Requests that took more than two seconds."""
    return _requests(served, "count") - _requests(served, "bucket", r'le="2\.0"')


def _requests(served: Served, kind: str, labels: str = "") -> int:
    """Answered requests of all statuses."""
    _, text = served.ask("/metrics")
    series = rf"^transformer_request_seconds_{kind}\{{.*{labels}.*\}} (\S+)$"
    return round(sum(map(float, re.findall(series, text, re.MULTILINE))))
