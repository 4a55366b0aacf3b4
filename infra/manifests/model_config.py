"""Triton's config.pbtxt, rendered and read back with Triton's own protobuf."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import text_format
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tritonclient.grpc import model_config_pb2

from infra.config import backends
from infra.config.backends import GRAPH_LEVELS
from infra.config.types import Device
from release.schema import CONFIG_TYPES

if TYPE_CHECKING:
    from infra.config import ModelSettings
    from infra.config.types import Value
    from release.schema import Format, Release, Tensor

TEMPLATES = Path(__file__).parents[2] / "templates"
# Format -> Triton's backend and platform.
BACKENDS: dict[Format, tuple[str, str]] = {
    "torchscript": ("pytorch", "pytorch_libtorch"),
    "onnx": ("onnxruntime", "onnxruntime_onnx"),
    "aoti": ("pytorch", "torch_aoti"),
}
# Parameters that a stack may change. ONNX Runtime would take as many threads as the node has CPUs,
# for each instance; PyTorch goes by OMP_NUM_THREADS, see inference_service.py.
DEFAULTS: dict[Format, dict[str, Value]] = {"onnx": {"intra_op_thread_count": 1}}
# Warm each batch size twice: TorchScript's executor optimises on the second run.
WARMUP_RUNS = 2


class RenderError(Exception):
    """Triton can't read the rendered config, or reads another model name."""


@cache
def environment() -> Environment:
    """Missing values are errors; text goes through `pbtxt` into a quoted string.

    One for all models, so that a template is compiled once.
    """
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # protobuf text, not HTML
    )
    made.filters["pbtxt"] = quoted
    return made


def quoted(value: object) -> str:
    """A protobuf text string: every byte that isn't plain ASCII is escaped in octal."""
    text = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in str(value).encode()
    )
    return f'"{text}"'


def config_pbtxt(release: Release, settings: ModelSettings) -> str:
    """The model's config.pbtxt, parsed back with Triton's protobuf; raises RenderError."""
    triton = settings.triton
    max_batch_size = triton.max_batch_size if release.batching else 0
    backend, platform = BACKENDS[release.format]
    text = (
        environment()
        .get_template("config.pbtxt.j2")
        .render(
            release=release,
            triton=triton,
            parameters=DEFAULTS.get(release.format, {}) | triton.parameters,
            backend=backend,
            platform=platform,
            types=CONFIG_TYPES,
            max_batch_size=max_batch_size,
            dynamic_batching=max_batch_size and triton.dynamic_batching and not _texts(release),
            # A batch that Triton doesn't know of is a dimension like others.
            lead=[-1] if release.batching and not max_batch_size else [],
            labels_file=labels_file,
            gpu=settings.device is Device.GPU,
            warmup_sizes=triton.warmup_batch_sizes[: None if max_batch_size else 1],
            warmup_runs=WARMUP_RUNS,
            warmup_dims=lambda tensor: warmup_dims(release, tensor, max_batch_size),
            graph_level=GRAPH_LEVELS.get(triton.graph_optimization),
            text=backends.text,
        )
    )
    check(text, release.name)
    return text


def _texts(release: Release) -> bool:
    """Whether Triton's PyTorch backend would mix texts up: each request of a dynamic batch gets
    those of the first. Source: SetStringBuffer of its src/pt/model_instance_state.cc.
    """
    return release.format == "torchscript" and any(
        tensor.dtype == "BYTES" for tensor in release.outputs
    )


def warmup_dims(release: Release, tensor: Tensor, max_batch_size: int) -> list[int]:
    """Shape of an input's warm-up file as a client would send it: one row of a real sample."""
    row = [1] if tensor.scalar else list(release.warmup[tensor.name].shape)
    return [1, *row] if release.batching and not max_batch_size else row


def check(text: str, name: str) -> None:
    """Parse with Triton's own protobuf; raises RenderError with the parser's message."""
    config = model_config_pb2.ModelConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise RenderError(f"config.pbtxt of {name}: Triton can't read it: {error}") from error
    if config.name != name:
        raise RenderError(f"config.pbtxt of {name}: it reads as the model {config.name!r}")


def labels_file(tensor: Tensor) -> str:
    """Path of an output's labels in the model's folder."""
    return f"labels/{tensor.name}"


def labels_text(tensor: Tensor) -> str:
    """One label a line, in the order of the output's last dimension."""
    return "".join(f"{label}\n" for label in tensor.labels)
