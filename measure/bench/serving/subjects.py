"""The servers that are compared: how each is started, and the form of its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.layout import ROOT

if TYPE_CHECKING:
    from measure.bench.serving.payloads import Payload

__all__ = ["MAX_BATCH", "RELEASE", "SUBJECTS", "Subject"]

MODEL = "digits"
RELEASE = ROOT / "build" / MODEL / "release.json"
# Triton takes the largest request at once.
MAX_BATCH = 64
OURS = (str(ROOT / ".venv-model/bin/python"), "-m", "transformer")
SDK = (str(ROOT / ".venv-bench/bin/python"), str(ROOT / "measure/bench/serving/sdk_transformer.py"))


@dataclass(frozen=True)
class Subject:
    """`form` is a form of requests in `payloads`, or grpc.

    `program` starts a transformer, whose --predictor_protocol is `to_triton`; without it the
    subject is Triton alone.
    """

    name: str
    title: str
    form: str
    program: tuple[str, ...] = ()
    to_triton: str = ""
    options: tuple[str, ...] = ()

    def command(self, predictor: str, port: int) -> list[str]:
        """The command line of the transformer."""
        return [
            *self.program,
            f"--model_name={MODEL}",
            f"--predictor_host={predictor}",
            f"--predictor_protocol={self.to_triton}",
            f"--http_port={port}",
            *self.options,
        ]

    def takes(self, payload: Payload) -> bool:
        """Triton gets tensors, which are the same for images of every format and size."""
        return self.form == "images" or payload.is_standard


def _ours(name: str, title: str, to_triton: str) -> Subject:
    options = (f"--release={RELEASE}", f"--max_batch_size={MAX_BATCH}", "--drain_seconds=0")
    return Subject(name, title, "images", OURS, to_triton, options)


def _sdk(name: str, title: str, to_triton: str, tensors: str) -> Subject:
    # The SDK's own gRPC server is not measured.
    options = (f"--tensors={tensors}", "--enable_grpc=false")
    return Subject(name, title, "images", SDK, to_triton, options)


SUBJECTS = (
    Subject("triton-json", "Triton alone, JSON", "numbers"),
    Subject("triton-binary", "Triton alone, binary", "binary"),
    Subject("triton-grpc", "Triton alone, gRPC", "grpc"),
    _sdk("sdk-json", "SDK, JSON to Triton", "v2", "numbers"),
    _sdk("sdk-binary", "SDK, binary to Triton", "v2", "binary"),
    _sdk("sdk-grpc", "SDK, gRPC to Triton", "grpc-v2", "binary"),
    _ours("ours-http", "ours, binary to Triton", "v2"),
    _ours("ours-grpc", "ours, gRPC to Triton", "grpc-v2"),
)
