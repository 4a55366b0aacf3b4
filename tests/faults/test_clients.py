"""What clients of all kinds send to the transformer on the cluster, and what they get."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from measure.procfs import descendants
from tests.faults.served import sample
from tests.local.cluster import eventually
from tests.local.stack.conftest import floats, release
from tests.transformer.clients import CLIENTS, REQUESTS
from tests.transformer.raw_http import answers, talk
from tests.transformer.server import instances

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.served import Served
    from tests.local.stack.conftest import Stack

    Measured = Callable[..., None]

_TABLE = "Clients"
_PATH = "/v1/models/digits:predict"
_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_SECONDS = 30
_SAMPLE = release()["samples"][0]
_URL_SAFE = str.maketrans("+/", "-_")
_FORMS: dict[str, Callable[[str], bytes]] = {
    "picture as a data URI": lambda text: instances([f"data:image/png;base64,{text}"]),
    "URL-safe base64 without padding": lambda text: instances(
        [text.translate(_URL_SAFE).rstrip("=")]
    ),
    "body with a byte order mark": lambda text: b"\xef\xbb\xbf" + instances([text]),
}
_PICTURES = {
    "7 stored turned with EXIF orientation; the same without EXIF": ["turned.jpg", "untagged.jpg"],
    "7 as a JPEG with 8 MiB of video behind its end": ["motion.jpg"],
    "7 as RGBA on a transparent ground": ["clear.png"],
}
_POST = f"POST {_PATH} HTTP/1.1\r\n".encode()
_BODY = instances([sample("7")])
_GOOD = _POST + b"Host: x\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
_HEADS = {
    "no Host": (_POST + b"Content-Length: 0\r\n\r\n", 400),
    "`Transfer-Encoding: gzip, chunked`": (
        _POST + b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "good request followed by rubbish": (_GOOD + b"rubbish\r\n\r\n", 200),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_three_requests_of(served: Served, tmp_path: Path, measured: Measured, name: str) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(instances([_SAMPLE["image"]]))
    found = CLIENTS[name](served.url + _PATH, file)
    right = [each for each in found if _is_right(each)]
    measured(_TABLE, name, f"{len(right)} of {REQUESTS} requests answered")
    assert len(right) == REQUESTS, found


def _is_right(answer: dict[str, Any]) -> bool:
    """Whether it is the answer to the first sample, as the release has it."""
    (scores,) = (each["scores"] for each in answer.get("predictions", [{"scores": []}]))
    return bool(scores == pytest.approx(floats(_SAMPLE["outputs"][0]), abs=1e-3))


@pytest.mark.parametrize("form", _FORMS)
def test_body(served: Served, measured: Measured, form: str) -> None:
    status, answer = served.predict(_FORMS[form](_SAMPLE["image"]))
    measured(_TABLE, form, f"{status}")
    assert status == 200, answer
    assert _is_right(answer)


@pytest.mark.parametrize("row", _PICTURES)
def test_picture(served: Served, pictures: Path, measured: Measured, row: str) -> None:
    files = [(pictures / name).read_bytes() for name in _PICTURES[row]]
    status, answer = served.predict(instances([base64.b64encode(each).decode() for each in files]))
    labels = [each["label"] for each in answer.get("predictions", [])]
    measured(_TABLE, row, f"{status}, label {'; '.join(labels)}")
    assert labels[:1] == ["7"], answer
    # Without the tag it is another digit.
    assert "7" not in labels[1:]


@pytest.mark.parametrize("row", _HEADS)
def test_head(served: Served, measured: Measured, row: str) -> None:
    sent, wanted = _HEADS[row]
    found = [status for status, _, _ in answers(talk(served, sent))]
    measured(_TABLE, row, ", ".join(map(str, found)))
    # The rubbish may be refused or ignored.
    assert found[0] == wanted


def test_head_is_answered_as_get(served: Served, measured: Measured) -> None:
    paths = ["/", "/v2", "/v2/models/digits", "/v2/health/ready", "/v2/models/digits/ready"]
    same = 0
    for path in paths:
        get, head = (
            ask(served.url + path, timeout=_SECONDS) for ask in (requests.get, requests.head)
        )
        same += get.status_code == head.status_code == 200 and not head.content
        assert get.headers["content-length"] == head.headers["content-length"]
    measured(_TABLE, "`HEAD`", f"{same} of {len(paths)} as `GET`, without content")
    assert same == len(paths)


def test_another_method(served: Served, measured: Measured) -> None:
    answer = requests.put(served.url + _PATH, timeout=_SECONDS)
    allowed = answer.headers.get("allow")
    measured(_TABLE, "`PUT` where `POST` is right", f"{answer.status_code}, `Allow: {allowed}`")
    assert (answer.status_code, allowed) == (405, "POST")


def test_a_request_id_and_a_trace(served: Served, stack: Stack, measured: Measured) -> None:
    headers = {"X-Request-ID": "order-4711", "traceparent": f"00-{_TRACE}-00f067aa0ba902b7-01"}
    answer = requests.post(served.url + _PATH, data=b"{}", headers=headers, timeout=_SECONDS)
    id = answer.headers.get("X-Request-ID")

    def logged() -> list[dict[str, Any]]:
        lines = stack.cluster.command("logs", "digits-transformer").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line.get("request_id") == "order-4711"]

    (line,) = eventually(logged)
    text = f"{id} in the answer; it and trace {line['trace_id'][:8]}… in the log's line"
    measured(_TABLE, "`X-Request-ID: order-4711` and `traceparent`", text)
    assert (answer.status_code, id, line["trace_id"]) == (400, "order-4711", _TRACE)


def test_one_process_serves_a_pod(served: Served, measured: Measured) -> None:
    found = len(descendants(served.process.pid))
    measured(_TABLE, "processes among which a pod's connections are divided", f"{found}")
    assert found == 1
