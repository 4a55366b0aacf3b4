"""Who is measured: a name, what it is started with, and what it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from measure.bench.serving.servers import MAX_BATCH, MODEL, RELEASE, ROOT

if TYPE_CHECKING:
    from measure.bench.serving.payloads import Payload

__all__ = ["SUBJECTS", "Subject"]

OURS = (str(ROOT / ".venv-model/bin/python"), "-m", "transformer")
SDK = (str(ROOT / ".venv-bench/bin/python"), str(ROOT / "measure/bench/serving/sdk_transformer.py"))


@dataclass(frozen=True)
class Subject:
    """`form` is what is sent: images, numbers, binary, or grpc, as in `payloads`.

    Without a program it is Triton itself; `to_triton` is a transformer's --predictor_protocol.
    """

    name: str
    title: str
    form: str
    program: tuple[str, ...] = ()
    to_triton: str = ""
    more: tuple[str, ...] = ()

    def line(self, predictor: str, port: int) -> list[str]:
        """Its command line."""
        return [
            *self.program,
            f"--model_name={MODEL}",
            f"--predictor_host={predictor}",
            f"--predictor_protocol={self.to_triton}",
            f"--http_port={port}",
            *self.more,
        ]

    def takes(self, payload: Payload) -> bool:
        """Triton gets tensors, in which images of every format and size are alike."""
        return self.form == "images" or payload.is_standard


def _ours(name: str, title: str, to_triton: str) -> Subject:
    more = (f"--release={RELEASE}", f"--max_batch_size={MAX_BATCH}", "--drain_seconds=0")
    return Subject(name, title, "images", OURS, to_triton, more)


def _sdk(name: str, title: str, to_triton: str, tensors: str) -> Subject:
    # Its own gRPC server is for clients; nobody asks it here.
    more = (f"--tensors={tensors}", "--enable_grpc=false")
    return Subject(name, title, "images", SDK, to_triton, more)


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
