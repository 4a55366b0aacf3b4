"""The servers that are compared: how each is started, and the form of its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.layout import ROOT

if TYPE_CHECKING:
    from measure.bench.serving.payloads import Payload
    from release.schema import Format

__all__ = ["FORMATS", "MAX_BATCH", "PEERS", "SUBJECTS", "TRANSFORMERS", "Subject"]

# Every server takes the largest request at once.
MAX_BATCH = 64
V1 = "/v1/models/{model}:predict"
PEERS_PACKAGE = "measure.bench.serving.peers"
PYTHON = (str(ROOT / ".venv-bench/bin/python"), "-m")


@dataclass(frozen=True)
class Subject:
    """`form` is a form of requests in `payloads`, or grpc; images are sent to `path`.

    `command` starts the server, with `{model}`, the release's `{folder}`, Triton's addresses
    `{http}` and `{grpc}`, and the server's own `{port}` filled in; without it the subject is Triton
    alone. `format` is that of the release which Triton serves; without it the server has the
    network in its own process.
    """

    name: str
    title: str
    form: str = "images"
    format: Format | None = "torchscript"
    command: tuple[str, ...] = ()
    path: str = ""

    def takes(self, payload: Payload) -> bool:
        """Triton gets tensors, which are the same for images of every format and size."""
        return self.form == "images" or payload.is_standard


def _ours(name: str, title: str, protocol: str, address: str, *more: str) -> Subject:
    command = (
        *(str(ROOT / ".venv-model/bin/python"), "-m", "transformer", "--model_name={model}"),
        *("--release={folder}/release.json", f"--predictor_host={address}", "--http_port={port}"),
        *(f"--predictor_protocol={protocol}", f"--max_batch_size={MAX_BATCH}", *more),
        "--drain_seconds=0",
    )
    return Subject(name, title, command=command, path=V1)


def _sdk(name: str, title: str, protocol: str, address: str, tensors: str) -> Subject:
    command = (
        *(*PYTHON, f"{PEERS_PACKAGE}.kserve_transformer"),
        *("--model_name={model}", f"--predictor_host={address}", "--http_port={port}"),
        # The SDK's own gRPC server is not measured.
        *(f"--predictor_protocol={protocol}", f"--tensors={tensors}", "--enable_grpc=false"),
    )
    return Subject(name, title, command=command, path=V1)


def _peer(name: str, title: str, *arguments: str) -> Subject:
    return Subject(name, title, format=None, command=(*PYTHON, *arguments), path="/predict")


def _fastapi(name: str, title: str, *more: str) -> Subject:
    application = f"{PEERS_PACKAGE}.fastapi_app:app"
    return _peer(name, title, "uvicorn", application, "--port={port}", *more)


SUBJECTS = (
    Subject("triton-json", "Triton alone, JSON", "numbers"),
    Subject("triton-binary", "Triton alone, binary", "binary"),
    Subject("triton-grpc", "Triton alone, gRPC", "grpc"),
    _sdk("sdk-json", "SDK, JSON to Triton", "v2", "{http}", "numbers"),
    _sdk("sdk-binary", "SDK, binary to Triton", "v2", "{http}", "binary"),
    _sdk("sdk-grpc", "SDK, gRPC to Triton", "grpc-v2", "{grpc}", "binary"),
    _ours("ours-http", "ours, binary to Triton", "v2", "{http}"),
    _ours("ours-grpc", "ours, gRPC to Triton", "grpc-v2", "{grpc}"),
    _fastapi("fastapi", "FastAPI"),
    _fastapi("fastapi-2", "FastAPI, 2 workers", "--workers=2"),
    _peer("litserve", "LitServe", f"{PEERS_PACKAGE}.litserve_api", "{port}"),
    _peer(
        *("bentoml", "BentoML", "bentoml", "serve"),
        *(f"{PEERS_PACKAGE}.bentoml_service:Classifier", "--port={port}"),
    ),
    _peer("ray", "Ray Serve", f"{PEERS_PACKAGE}.ray_deployment", "{port}"),
    Subject("onnx", "Triton alone, binary, onnx", "binary", "onnx"),
    Subject("aoti", "Triton alone, binary, aoti", "binary", "aoti"),
)
# Names of subjects, for the parts of the page.
TRANSFORMERS = (
    *("triton-json", "triton-binary", "triton-grpc", "sdk-json", "sdk-binary", "sdk-grpc"),
    *("ours-http", "ours-grpc"),
)
PEERS = (
    *("ours-http", "ours-grpc", "fastapi", "fastapi-2", "litserve", "bentoml", "ray"),
    "sdk-grpc",
)
FORMATS = ("triton-binary", "onnx", "aoti")
