"""Triton's config.pbtxt, rendered and read back with Triton's own protobuf."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import text_format
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tritonclient.grpc import model_config_pb2

from infra.config.types import Device
from release.schema import CONFIG_TYPES

if TYPE_CHECKING:
    from infra.config import ModelSettings
    from release.schema import Release

TEMPLATES = Path(__file__).parents[2] / "templates"
LABELS = "labels.txt"
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
    text = (
        environment()
        .get_template("config.pbtxt.j2")
        .render(
            name=release.name,
            release=release,
            types=CONFIG_TYPES,
            labels_file=LABELS if release.labels else None,
            triton=triton,
            gpu=settings.device is Device.GPU,
            warmup_runs=WARMUP_RUNS,
            parameters={key: parameter(value) for key, value in sorted(triton.parameters.items())},
        )
    )
    check(text, release.name)
    return text


def parameter(value: bool | int | str) -> str:
    """A value in the format of the PyTorch backend."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def check(text: str, name: str) -> None:
    """Parse with Triton's own protobuf; raises RenderError with the parser's message."""
    config = model_config_pb2.ModelConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise RenderError(f"config.pbtxt of {name}: Triton can't read it: {error}") from error
    if config.name != name:
        raise RenderError(f"config.pbtxt of {name}: it reads as the model {config.name!r}")


def labels_txt(release: Release) -> str:
    """One label a line, in the order of the first output's last dimension."""
    return "".join(f"{label}\n" for label in release.labels)
