"""What RFC 9110 and RFC 9112 say about requests and answers, on the real server."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import pytest

from tests.transformer.pictures import b64, encoded, noise
from tests.transformer.raw_http import answers, talk
from tests.transformer.server import PATIENCE_SECONDS, instances
from transformer.http_limits import MAX_HEADER_BYTES

if TYPE_CHECKING:
    from tests.transformer.server import Transformer

PATH = "/v1/models/digits:predict"
BODY = instances([b64(encoded(noise("RGB", 32, 32), "PNG"))])
GOOD = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (
    PATH.encode(),
    len(BODY),
    BODY,
)
CHUNKED = b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % PATH.encode()
RUBBISH = [
    b"rubbish\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
    b"GET /v2 HTTP/1.1\r\nHost : x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\nno size\r\n",
]
HEADS = [
    ("no Host", "HTTP/1.1", "", 400, "0 Host headers"),
    ("two Hosts", "HTTP/1.1", "Host: a\r\nHost: b\r\n", 400, "2 Host headers"),
    ("two Hosts in 1.0", "HTTP/1.0", "Host: a\r\nHost: b\r\n", 400, "2 Host headers"),
    ("a path as Host", "HTTP/1.1", "Host: a/b\r\n", 400, "Host 'a/b'"),
    ("a user as Host", "HTTP/1.1", "Host: me@a\r\n", 400, "Host 'me@a'"),
    (
        "gzip in chunks",
        "HTTP/1.1",
        "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
        501,
        "Transfer-Encoding 'gzip, chunked'; allowed: chunked",
    ),
    (
        "gzip in chunks, in two headers",
        "HTTP/1.1",
        "Host: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        501,
        "Transfer-Encoding 'gzip, chunked'",
    ),
]


@pytest.mark.parametrize(
    ("version", "lines", "status", "error"),
    [case[1:] for case in HEADS],
    ids=[case[0] for case in HEADS],
)
def test_wrong_heads_are_refused(
    over_http: Transformer, version: str, lines: str, status: int, error: str
) -> None:
    body = b"5\r\nhello\r\n0\r\n\r\n" if "Transfer" in lines else b""
    text = talk(over_http, f"POST {PATH} {version}\r\n{lines}\r\n".encode() + body)
    ((found, headers, content),) = answers(text)
    assert found == status
    assert headers["connection"] == "close"
    assert error in json.loads(content)["error"]


@pytest.mark.parametrize("host", ["", "a", "a:80", "a_b.svc", "[::1]:8080", "10.0.0.1", "a%20b"])
def test_every_right_host_is_served(over_http: Transformer, host: str) -> None:
    lines = f"GET /v2 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert talk(over_http, lines.encode()).startswith(b"HTTP/1.1 200 ")


def test_the_first_version_needs_no_host(over_http: Transformer) -> None:
    assert talk(over_http, b"GET /v2 HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("rubbish", RUBBISH)
@pytest.mark.parametrize("count", [1, 3])
def test_good_requests_before_rubbish_are_answered(
    over_http: Transformer, count: int, rubbish: bytes
) -> None:
    found = answers(talk(over_http, GOOD * count + rubbish))
    # The last ones may have been answered before the rubbish came.
    assert [status for status, _, _ in found] in ([200] * count, [200] * count + [400])
    assert all(b"predictions" in content for _, _, content in found[:count])


def test_a_good_request_before_headers_without_end_is_answered(over_http: Transformer) -> None:
    more = b"GET /v2 HTTP/1.1\r\nHost: x\r\nX-Long: ", b"x" * (MAX_HEADER_BYTES + 1)
    found = answers(talk(over_http, GOOD + more[0], more[1]))
    assert [status for status, _, _ in found] in ([200], [200, 431])


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_alone_is_refused(over_http: Transformer, rubbish: bytes) -> None:
    (found,) = answers(talk(over_http, rubbish))
    assert found[0] == 400


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/models/digits", "/v2/health/ready", "/metrics"])
def test_head_has_the_headers_of_get(over_http: Transformer, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", over_http.port, timeout=PATIENCE_SECONDS)
    found = []
    for method in ("GET", "HEAD", "GET"):
        connection.request(method, path)
        answer = connection.getresponse()
        content = answer.read()
        assert (content == b"") == (method == "HEAD")
        found.append((answer.status, answer.getheader("content-type")))
        if path != "/metrics":
            found[-1] += (answer.getheader("content-length"),)
    connection.close()
    assert found[0] == found[1] == found[2]
    assert found[0][0] == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PATH, "POST"),
        ("HEAD", PATH, "POST"),
        ("PUT", "/v2/models/digits/infer", "POST"),
        ("DELETE", "/v2", "GET, HEAD"),
        ("POST", "/v2/health/ready", "GET, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
    ],
)
def test_another_method_is_told_the_allowed_ones(
    over_http: Transformer, method: str, path: str, allowed: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", over_http.port, timeout=PATIENCE_SECONDS)
    connection.request(method, path)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert (answer.status, answer.getheader("allow")) == (405, allowed)
    assert content == b"" if method == "HEAD" else allowed in json.loads(content)["error"]
