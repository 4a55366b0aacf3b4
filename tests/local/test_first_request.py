"""The first request after `make up`: by V1 where that carries the sample, else by V2."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from local.errors import LocalError
from local.first_request import send
from release.schema import (
    Array,
    Exchange,
    File,
    Handler,
    ImageInput,
    Release,
    Sample,
    Tensor,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGEST = "0" * 64
ROW = Array((1, 2), base64.b64encode(bytes(8)).decode())
SCORES = Tensor("OUTPUT__0", "FP32", (2,))


def release(**fields: Any) -> Release:
    wanted: dict[str, Any] = {
        "name": "net",
        "model": File(DIGEST, 1),
        "torch": "2.12.1",
        "inputs": (Tensor("INPUT__0", "FP32", (2,)),),
        "outputs": (SCORES,),
        "samples": (Sample((ROW,), (ROW,)),),
        "warmup": {},
    }
    return Release(**(wanted | fields))


def pictures() -> Release:
    image = ImageInput(width=4, height=4, mean=(0.0,) * 3, std=(1.0,) * 3)
    sample = Sample((ROW,), image="UE5H", label="cat")
    inputs = (Tensor("INPUT__0", "FP32", (3, 4, 4)),)
    return release(image=image, inputs=inputs, samples=(sample,))


class Server:
    """Answers each POST with `answer`, and remembers the last one."""

    def __init__(self) -> None:
        self.answer: tuple[int, Any] = (200, {})
        self.path, self.body, self.header_length, self.host = "", b"", "", ""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(200, {})

            def do_POST(self) -> None:
                server.path, server.host = self.path, self.headers["Host"]
                server.body = self.rfile.read(int(self.headers["Content-Length"]))
                server.header_length = self.headers.get("Inference-Header-Content-Length", "")
                self._send(*server.answer)

            def _send(self, status: int, body: Any) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.http.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    made.http.shutdown()
    made.http.server_close()


def endpoint(server: Server, *, transformer: bool = True) -> dict[str, str | None]:
    predict = f"{server.url}/v1/models/net:predict" if transformer else None
    return {"predict": predict, "v2_http": None if transformer else server.url, "v2_grpc": None}


def test_a_picture_goes_by_v1(server: Server) -> None:
    server.answer = (200, {"predictions": [{"label": "dog", "index": 1, "scores": [0, 1]}]})
    said = send(endpoint(server), pictures())
    assert said is not None and said.startswith("a picture labelled 'cat' is answered by 'dog' (")
    assert server.path == "/v1/models/net:predict"
    assert json.loads(server.body) == {"instances": [{"image_bytes": {"b64": "UE5H"}}]}


def test_under_knative_the_gateway_is_asked_with_the_host_of_the_model(server: Server) -> None:
    server.answer = (200, {"predictions": [{"label": "dog", "index": 1, "scores": [0, 1]}]})
    host, gateway = "net-transformer.models.localhost", server.url.removeprefix("http://")
    named = f"http://{host}:{gateway.rpartition(':')[2]}/v1/models/net:predict"
    send(endpoint(server) | {"predict": named, "gateway": gateway}, pictures())
    assert server.host.partition(":")[0] == host
    assert server.path == "/v1/models/net:predict"


def test_a_handlers_exchange_goes_by_v1(server: Server) -> None:
    server.answer = (200, {"predictions": ["sports"]})
    handler = Handler({"handler.py": File(DIGEST, 1)})
    said = send(
        endpoint(server), release(handler=handler, exchanges=(Exchange(("a text",), ("sports",)),))
    )
    assert said is not None and said.startswith('an instance is answered by "sports" (')
    assert json.loads(server.body) == {"instances": ["a text"]}


@pytest.mark.parametrize("transformer", [True, False])
def test_tensors_go_by_v2(server: Server, transformer: bool) -> None:
    output = {"name": "OUTPUT__0", "datatype": "FP32", "shape": [1, 2], "data": [0.5, 1]}
    server.answer = (200, {"outputs": [output]})
    said = send(endpoint(server, transformer=transformer), release())
    assert said is not None and 'is answered by {"OUTPUT__0": [0.5, 1]} (' in said
    assert server.path == "/v2/models/net/infer"
    length = int(server.header_length)
    (sent,) = json.loads(server.body[:length])["inputs"]
    assert (sent["name"], sent["datatype"], sent["shape"]) == ("INPUT__0", "FP32", [1, 2])
    assert server.body[length:] == bytes(8)


def test_grpc_alone_is_left_to_the_verification() -> None:
    assert send({"predict": None, "v2_http": None, "v2_grpc": "127.0.0.1:1"}, release()) is None


def test_an_error_is_reported(server: Server) -> None:
    server.answer = (500, {"error": "no"})
    with pytest.raises(LocalError, match=r'answers 500: \{"error": "no"\}'):
        send(endpoint(server), pictures())
