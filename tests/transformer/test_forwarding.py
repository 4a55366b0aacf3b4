"""A request's id and its tracing headers: in the answer, in the log, and on their way to Triton."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.ports import free_port
from tests.transformer.predictors import Relay, refusing_grpc
from tests.transformer.server import Transformer, eventually, instances
from transformer.errors import RequestError
from transformer.forwarding import FORWARDED, MAX_FORWARDED_BYTES, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.triton.server import Triton

Samples = list[dict[str, Any]]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {
    "Authorization": "Bearer secret",
    "B3": f"{TRACE}-00f067aa0ba902b7-1",
    "Traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    "Tracestate": "vendor=value",
    "X-B3-TraceId": TRACE,
    "X-Request-ID": "order-4711",
}
NOT_FORWARDED = {"Cookie": "a=b", "X-Api-Key": "secret"}


class Listener(Relay):
    """A relay that keeps what was sent to the address."""

    def __init__(self, address: str) -> None:
        super().__init__(address, free_port())
        self.received = bytearray()

    def handle(self, connection: socket.socket) -> None:
        """Start a thread for each direction."""
        onward = socket.create_connection((self.host, int(self.port)))
        self.connections.append(onward)
        threading.Thread(target=self._pass, args=(connection, onward, True), daemon=True).start()
        threading.Thread(target=self._pass, args=(onward, connection, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, keeps: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(2**16):
                if keeps:
                    self.received += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def ask(
    made: Transformer, path: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[int, str]:
    """Status and request id of an answer."""
    request = urllib.request.Request(made.url + path, body, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["X-Request-ID"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["X-Request-ID"]


def sent_to_triton(received: bytes) -> dict[str, str]:
    request = received[received.index(b"POST ") :].decode("latin-1")
    head = request.split("\r\n\r\n")[0].lower().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in head)


def test_headers_reach_triton_over_http(triton: Triton, tmp_path: Path, samples: Samples) -> None:
    body = instances([samples[0]["image"]])
    with Listener(triton.http) as relay, Transformer(relay.address, tmp_path) as made:
        status, id = ask(made, "/v1/models/digits:predict", body, HEADERS | NOT_FORWARDED)
        assert (status, id) == (200, "order-4711")
        found = sent_to_triton(bytes(relay.received))
    assert {name.lower(): value.lower() for name, value in HEADERS.items()}.items() <= found.items()
    assert not {name.lower() for name in NOT_FORWARDED} & found.keys()


def test_headers_reach_triton_as_metadata(tmp_path: Path, samples: Samples) -> None:
    body = instances([samples[0]["image"]])
    with (
        refusing_grpc(grpc.StatusCode.INVALID_ARGUMENT, "enough") as (address, seen),
        Transformer(address, tmp_path, "--predictor_protocol=grpc-v2") as made,
    ):
        path = "/v1/models/digits:predict"
        assert ask(made, path, body, HEADERS | NOT_FORWARDED) == (503, "order-4711")
    for found in seen:
        assert {name.lower(): value for name, value in HEADERS.items()}.items() <= found.items()
        assert not {name.lower() for name in NOT_FORWARDED} & found.keys()
    assert seen


def test_ids_are_in_answers_and_in_the_log(tmp_path: Path) -> None:
    with Transformer("127.0.0.1:1", tmp_path) as made:
        path = "/v1/models/digits:predict"
        assert ask(made, path, b"{}", HEADERS) == (400, "order-4711")
        _, first = ask(made, path, b"{", {})
        _, second = ask(made, "/v2", None, {"X-Request-ID": "with blank"})
        assert ask(made, "/nowhere", None, {"X-Request-ID": "lost"}) == (404, "lost")
        assert all(re.fullmatch("[0-9a-f]{32}", each) for each in (first, second))
        assert first != second
        eventually(lambda: len(failures(made)) == 3)
        lines = failures(made)
    assert [line["request_id"] for line in lines] == ["order-4711", first, "lost"]
    assert [line.get("trace_id") for line in lines] == [TRACE, None, None]
    assert "secret" not in json.dumps(lines)


def failures(made: Transformer) -> list[dict[str, Any]]:
    return [line for line in made.lines() if "status" in line]


def test_more_than_grpc_servers_take_is_refused(tmp_path: Path) -> None:
    with Transformer("127.0.0.1:1", tmp_path) as made:
        token = {"Authorization": "x" * MAX_FORWARDED_BYTES, "X-Request-ID": "1"}
        assert ask(made, "/v1/models/digits:predict", b"{}", token) == (431, "1")


@given(st.dictionaries(st.sampled_from((*FORWARDED, b"x-request-id", b"cookie")), st.binary()))
def test_whatever_is_forwarded_is_printable(headers: dict[bytes, bytes]) -> None:
    context = read(headers)
    assert context.headers["x-request-id"] == context.id
    assert 1 <= len(context.id) <= 128
    assert all(" " <= char <= "~" for value in context.headers.values() for char in value)
    assert "cookie" not in context.headers


def test_the_size_counts_names_and_values() -> None:
    fits = MAX_FORWARDED_BYTES - len("x-request-id1b3")
    read({b"x-request-id": b"1", b"b3": b"x" * fits}).check_size()
    with pytest.raises(RequestError, match=r"x-request-id, b3: 6,145 bytes together"):
        read({b"x-request-id": b"1", b"b3": b"x" * (fits + 1)}).check_size()
