"""Requests that offer an upgrade are read as those that don't, in whatever segments they come."""

from __future__ import annotations

from dataclasses import dataclass, field

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transformer.http_parser import Parser


@dataclass
class Message:
    method: bytes = b""
    url: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""


class Recorder:
    """What uvicorn's class and ours do with the callbacks, without a server."""

    def __init__(self) -> None:
        self.parser = Parser(self)
        self.messages: list[Message] = []
        self.complete = 0

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if not self.parser.upgrading:
            method = self.parser.get_method()
            self.messages.append(Message(method, self.url, self.headers))

    def on_body(self, body: bytes) -> None:
        self.messages[-1].body += body

    def on_message_complete(self) -> None:
        if not self.parser.upgrading:
            self.complete += 1


def encode(
    method: str, path: str, upgrade: str | None, body: bytes | None, chunked: bool, close: bool
) -> bytes:
    options = ["close"] * close + ["Upgrade", "HTTP2-Settings"] * bool(upgrade)
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Connection: {', '.join(options)}"]
    if upgrade:
        lines += [f"Upgrade: {upgrade}", "HTTP2-Settings: A"]
    if body is not None:
        lines.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}")
    if body and chunked:
        body = b"%x\r\n%b\r\n" % (len(body), body)
    end = b"0\r\n\r\n" if body is not None and chunked else b""
    return "\r\n".join((*lines, "", "")).encode() + (body or b"") + end


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "PUT"]),
        st.sampled_from(["/", "/v1/models/digits:predict", "/v2?x=1"]),
        st.sampled_from([None, "h2c", "websocket"]),
        st.none() | st.binary(max_size=80) | st.just(b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@given(REQUESTS, st.booleans(), st.data())
@settings(max_examples=500)
def test_every_request_is_read_whole(
    given_requests: list[tuple[str, str, str | None, bytes | None, bool]],
    close: bool,
    data: st.DataObject,
) -> None:
    *others, last = given_requests
    stream = b"".join((*(encode(*each, False) for each in others), encode(*last, close)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    recorder = Recorder()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if end > start:
            recorder.parser.feed_data(stream[start:end])
    found = [(each.method, each.url, each.body) for each in recorder.messages]
    assert found == [
        (method.encode(), path.encode(), body or b"") for method, path, _, body, _ in given_requests
    ]
    assert recorder.complete == len(given_requests)
    for message in recorder.messages:
        assert b"upgrade" not in dict(message.headers)
        assert dict(message.headers)[b"host"] == b"x"


def test_a_tunnel_is_not_taken_for_a_request() -> None:
    with pytest.raises(httptools.HttpParserUpgrade):
        Recorder().parser.feed_data(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")
