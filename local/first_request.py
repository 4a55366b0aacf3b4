"""The first request to a deployed model: a sample of its release, and the answer in one line."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import urllib3

from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release.schema import Release

__all__ = ["send"]

_PATIENCE = 60.0
_TIMEOUT = 30.0
_SHOWN = 160
_HEADER_LENGTH = "Inference-Header-Content-Length"


def send(endpoint: Mapping[str, str | None], release: Release) -> str | None:
    """Send a request by V1, or by V2 where V1 can't carry the sample or nothing speaks it.

    None where there is only gRPC. Raises LocalError if the answer isn't good.
    """
    predict = endpoint["predict"]
    url = predict or endpoint["v2_http"]
    instances = _instances(release)
    if not url or (release.image and not (predict and instances)):
        return None
    server = _Server(url, endpoint.get("gateway"))
    model = f"/v2/models/{release.name}"
    _wait_until_ready(server, f"{model}/ready")
    if predict and instances:
        body = json.dumps({"instances": instances}).encode()
        answer, milliseconds = server.post(f"/v1/models/{release.name}:predict", body, {})
        return f"{_described(answer['predictions'], release)} ({milliseconds:.1f} ms)"
    body, headers = _tensors(release)
    answer, milliseconds = server.post(f"{model}/infer", body, headers)
    found = {output["name"]: output["data"] for output in answer["outputs"]}
    return f"a sample is answered by {_shown(found)} ({milliseconds:.1f} ms)"


class _Server:
    """The server of a URL, asked at `gateway` where there is one.

    This interpreter does not know the names below `localhost` that browsers and curl know.
    """

    def __init__(self, url: str, gateway: str | None) -> None:
        netloc = urllib3.util.parse_url(url).netloc
        self.headers = {"Host": str(netloc)}
        self.url = f"http://{gateway or netloc}"

    def ready(self, path: str) -> bool:
        """Whether a path answers 200."""
        answer = self._request("GET", path, None, {}, 2.0)
        return answer.status == 200

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[Any, float]:
        """The answer's JSON, and the milliseconds that it took."""
        begun = time.monotonic()
        answer = self._request("POST", path, body, headers, _TIMEOUT)
        took = (time.monotonic() - begun) * 1000
        if answer.status != 200:
            text = answer.data.decode(errors="replace")
            raise LocalError(f"{self.url}{path} answers {answer.status}: {text}")
        return answer.json(), took

    def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float
    ) -> urllib3.BaseHTTPResponse:
        return urllib3.request(
            method,
            self.url + path,
            body=body,
            headers=self.headers | headers,
            timeout=timeout,
            retries=False,
        )


def _instances(release: Release) -> list[Any]:
    if release.exchanges:
        return list(release.exchanges[0].instances)
    if release.image and not release.handler:
        return [{"image_bytes": {"b64": release.samples[0].image}}]
    return []


def _tensors(release: Release) -> tuple[bytes, dict[str, str]]:
    """Body and headers of V2's binary form, of the first sample as it is stored."""
    pairs = list(zip(release.inputs, release.samples[0].inputs, strict=True))
    described = [
        {
            "name": tensor.name,
            "datatype": tensor.dtype,
            "shape": stored.shape,
            "parameters": {"binary_data_size": len(stored.raw)},
        }
        for tensor, stored in pairs
    ]
    text = json.dumps({"inputs": described}).encode()
    return text + b"".join(stored.raw for _, stored in pairs), {_HEADER_LENGTH: str(len(text))}


def _described(predictions: list[Any], release: Release) -> str:
    first, label = predictions[0], release.samples[0].label
    if isinstance(first, dict) and "label" in first and release.image and label:
        return f"a picture labelled {label!r} is answered by {first['label']!r}"
    return f"an instance is answered by {_shown(first)}"


def _shown(found: Any) -> str:
    text = json.dumps(found, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _wait_until_ready(server: _Server, path: str) -> None:
    """Wait for pods, which may still be starting if the stack needed no update, or at zero."""
    deadline, printed = time.monotonic() + _PATIENCE, False
    while True:
        try:
            if server.ready(path):
                return
        except urllib3.exceptions.HTTPError:
            pass  # Nothing listens yet.
        if time.monotonic() > deadline:
            raise LocalError(f"{server.url} isn't ready after {_PATIENCE:.0f} s. See: make status")
        if not printed:
            print("  waiting for its pods …", flush=True)
            printed = True
        time.sleep(0.2)
