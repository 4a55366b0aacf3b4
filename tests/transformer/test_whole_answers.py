"""The short way for Triton's answers: what it reads, a parser reads too."""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer.connections import Answer, whole

NAMES = st.sampled_from(
    ["Content-Type", "content-length", "Content-Length", "Transfer-Encoding", "Connection", "Date"]
)
VALUES = st.sampled_from(["0", "5", "close", "chunked", "keep-alive", "text/plain", ""])
BODIES = st.sampled_from([b"", b"hello", b"\r\n\r\n", b"0\r\n\r\n"])
STATUSES = st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 404 Not Found"])


class Parsed:
    """What httptools says of an answer."""

    def __init__(self, data: bytes) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body, self.complete = b"", 0
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


def data(status: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [status, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode() + body


@given(STATUSES, st.lists(st.tuples(NAMES, VALUES), max_size=4), BODIES, st.integers(0, 200))
def test_a_parser_reads_the_same(
    status: str, headers: list[tuple[str, str]], body: bytes, cut: int
) -> None:
    raw = data(status, headers, body)
    raw = raw[: max(1, len(raw) - cut)]
    found = whole(raw)
    if found is not None:
        parsed = Parsed(raw)
        assert parsed.complete == 1
        assert parsed.parser.should_keep_alive()
        assert found == Answer(parsed.parser.get_status_code(), parsed.headers, parsed.body)


def test_tritons_answers_take_it() -> None:
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("Inference-Header-Content-Length", "2"),
        ("Content-Length", "6"),
    ]
    found = whole(data("HTTP/1.1 200 OK", headers, b"{}\0\0\0\0"))
    assert found is not None
    assert (found.status, found.body) == (200, b"{}\0\0\0\0")
    assert found.headers[b"inference-header-content-length"] == b"2"


@pytest.mark.parametrize(
    "more", [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Content-Length", "5")]
)
def test_what_needs_a_parser_gets_one(more: Any) -> None:
    assert whole(data("HTTP/1.1 200 OK", [("Content-Length", "5"), more], b"hello")) is None
