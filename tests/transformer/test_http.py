"""HTTP/1.1 connections: segments, pipelining and keep-alive."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import TYPE_CHECKING, Any

from tests.transformer.pictures import b64, encoded, noise
from tests.transformer.server import instances

if TYPE_CHECKING:
    from tests.transformer.server import Transformer

BODY = instances([b64(encoded(noise("RGB", 32, 32), "PNG"))])
PAUSE_SECONDS = 0.1


def head(more: str = "", body: bytes = BODY) -> bytes:
    path = "/v1/models/digits:predict"
    lines = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return lines.encode()


def talk(transformer: Transformer, *parts: bytes, answers: int = 1) -> list[tuple[int, Any]]:
    """Send the parts, each in a segment of its own, and read so many answers."""
    found = []
    with socket.create_connection(("127.0.0.1", transformer.port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
            time.sleep(PAUSE_SECONDS)
        stream = connection.makefile("rb")
        for _ in range(answers):
            status = int(stream.readline().split()[1])
            headers = http.client.parse_headers(stream)
            found.append((status, json.loads(stream.read(int(headers["content-length"])))))
    return found


def test_a_request_in_one_segment_and_in_many_get_the_same_answer(
    transformer: Transformer,
) -> None:
    (whole,) = talk(transformer, head() + BODY)
    assert whole[0] == 200
    assert talk(transformer, head(), BODY) == [whole]
    assert talk(transformer, head() + BODY[:100], BODY[100:]) == [whole]
    assert talk(transformer, head()[:30], head()[30:] + BODY) == [whole]
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    lines = head("Transfer-Encoding: chunked\r\n").replace(
        b"Content-Length: %d\r\n" % len(BODY), b""
    )
    assert talk(transformer, lines + chunked) == [whole]


def test_requests_in_one_segment_are_answered_in_their_order(transformer: Transformer) -> None:
    wrong = b"{}"
    both = head() + BODY + head(body=wrong) + wrong + head() + BODY
    assert [status for status, _ in talk(transformer, both, answers=3)] == [200, 400, 200]


def test_a_connection_stays_open_after_an_answer_and_after_an_error(
    transformer: Transformer,
) -> None:
    wrong = b"{}"
    parts = (head() + BODY, head(body=wrong) + wrong, head() + BODY)
    assert [status for status, _ in talk(transformer, *parts, answers=3)] == [200, 400, 200]


def test_a_client_that_wants_the_connection_closed_gets_it_closed(
    transformer: Transformer,
) -> None:
    with socket.create_connection(("127.0.0.1", transformer.port), 10) as connection:
        connection.sendall(head("Connection: close\r\n") + BODY)
        text = b"".join(iter(lambda: connection.recv(65536), b""))
    assert text.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in text.lower()


def test_a_client_that_leaves_early_does_not_stop_the_server(transformer: Transformer) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", transformer.port), 10) as connection:
            connection.sendall(head() + BODY)
    assert talk(transformer, head() + BODY)[0][0] == 200
