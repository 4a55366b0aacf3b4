"""What a release is: the tensors, samples, labels, handler and digests of a model.

This module, `lock` and `files` need the standard library only: the Pulumi program and the
containers import them. `tensors` and `images` need numpy and Pillow.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any, Literal

from release.decode import decode

# The samples travel in a ConfigMap, which holds 1 MiB.
MAX_RELEASE_BYTES = 900_000
# Digits of a SHA-256 that are shown, that names end in, and that a stack's file needs at least.
SHORT_DIGEST = 12
# V2 protocol's name of a type -> torch's and numpy's; BYTES are texts. BF16 is missing, since no
# backend of the formats below carries it.
DTYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}
# V2 protocol's name -> name in Triton's model configuration. Source: Triton's model_config.proto.
CONFIG_TYPES = {dtype: f"TYPE_{dtype}" for dtype in DTYPES} | {"BYTES": "TYPE_STRING"}
Format = Literal["torchscript", "onnx", "aoti"]
# Format -> the file that a release holds, and Triton loads.
MODEL_FILES: dict[Format, str] = {
    "torchscript": "model.pt",
    "onnx": "model.onnx",
    "aoti": "model.pt2",
}
_TORCH_TYPES = ("BOOL", "UINT8", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64")
# Types of inputs and outputs that Triton's backend of a format takes. Sources: libtorch_utils.cc of
# the PyTorch backend, onnx_utils.cc of the ONNX Runtime backend.
FORMAT_TYPES: dict[Format, tuple[str, ...]] = {
    "torchscript": (*_TORCH_TYPES, "BYTES"),
    "onnx": tuple(DTYPES),
    "aoti": _TORCH_TYPES,
}
HANDLER_PY = "handler.py"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# The longest name that is made of a model's is verify-MODEL-canary-KEY, of a Job, with a key of ten
# characters: its pods have it as a label, of at most 63. Those that KServe and Knative make are
# shorter: latest-MODEL-transformer, isvc.MODEL-canary-predictor. Names that end as those do would
# be names of another model's Services.
NAME_LENGTH = 38
_TAKEN_ENDS = ("canary", "pods", "predictor", "transformer")
NAME = re.compile(
    rf"(?!.*-({'|'.join(_TAKEN_ENDS)})$)[a-z]([a-z0-9-]{{0,{NAME_LENGTH - 2}}}[a-z0-9])?"
)
NAME_RULE = (
    f"1 to {NAME_LENGTH} of a-z, 0-9 and '-', first a letter, at the end none of "
    f"{', '.join(f'-{each}' for each in _TAKEN_ENDS)}"
)
# Name of a tensor of an ONNX file. It is also the path of a file below a folder of the release, so
# no part of it is `..`.
_TENSOR_NAME = re.compile(r"(?=.{1,128}$)/?[\w:-][\w.:-]*(/[\w:-][\w.:-]*)*")
_PATH = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")


class ReleaseError(Exception):
    """A release, its lock or a network to release is invalid; the message says what to do."""


@dataclass(frozen=True)
class Tensor:
    """An input or output: V2 name of its type, and dims without the batch, -1 where they vary.

    `labels` name the places of the last dimension. A `scalar` is one value for each row, which the
    network takes or gives without a dimension of its own; clients see it as `[1]`.
    """

    name: str
    dtype: str
    dims: tuple[int, ...]
    labels: tuple[str, ...] = ()
    scalar: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {list(self.dims)}"


@dataclass(frozen=True)
class File:
    """A file of a release: SHA-256 in hex, size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Array:
    """Values of a tensor: their shape, and the V2 protocol's binary form in base64."""

    shape: tuple[int, ...]
    data: str

    @property
    def raw(self) -> bytes:
        """The binary form. Raises ValueError if `data` isn't base64."""
        return base64.b64decode(self.data, validate=True)


@dataclass(frozen=True)
class Warmup:
    """The file `warmup/INPUT` with one row of a real sample: its SHA-256 and the row's shape."""

    sha256: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """From a picture to the input: RGB, width × height, scaled to [0, 1], (x - mean) / std.

    `resize`: `stretch` ignores the picture's proportions, `pad` adds `background`, `crop` scales
    the shorter side to `shorter` pixels (none: until the picture covers the input) and takes the
    middle. `background` is also behind what is transparent. With `exif` the picture is turned as
    its EXIF orientation says.
    """

    width: int
    height: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["stretch", "crop", "pad"] = "stretch"
    shorter: int | None = None
    background: tuple[int, int, int] = (0, 0, 0)
    exif: bool = True

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ReleaseError(f"image: {self.width}×{self.height}; allowed: 1 or more")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ReleaseError("image: mean and std are three numbers each, std positive")
        least = max(self.width, self.height)
        if self.shorter is not None and (self.resize != "crop" or self.shorter < least):
            raise ReleaseError(
                f"image: shorter {self.shorter} with resize {self.resize}; allowed: {least} or "
                "more with crop, or none"
            )
        if not all(0 <= value <= 255 for value in self.background):
            raise ReleaseError(f"image: background {list(self.background)}; allowed: 0 to 255 each")


@dataclass(frozen=True)
class Sample:
    """Inputs with the eager network's outputs, both in the signature's order, batch of one.

    A sample of an image model has its picture, a file in base64, in place of `inputs`. `label` is
    its true label.
    """

    outputs: tuple[Array, ...]
    inputs: tuple[Array, ...] = ()
    image: str | None = None
    label: str | None = None

    @property
    def picture(self) -> bytes:
        """The picture's file. Raises ValueError if there is none, or if it isn't base64."""
        return base64.b64decode(self.image or "-", validate=True)


@dataclass(frozen=True)
class Exchange:
    """A V1 request as a client sends it, and the predictions that it must get."""

    instances: tuple[Any, ...]
    predictions: tuple[Any, ...]


@dataclass(frozen=True)
class Handler:
    """The user's pre- and postprocessing: files under `handler/` with their SHA-256.

    One of them is handler.py. `parameters` are its own, which a stack may change.
    """

    files: dict[str, File]
    parameters: dict[str, Any] = field(default_factory=dict)
    # Which of the two functions handler.py defines.
    preprocess: bool = True
    postprocess: bool = True


@dataclass(frozen=True, kw_only=True)
class Release:
    """release.json; `model`, `warmup` and `handler` have the digests of the files beside it.

    Without `batching` the shapes of the tensors are the whole ones. `opset` and `ir` are those of
    an ONNX file. `metrics` were measured on `held_out` items that the training had not seen.
    `provenance` says where the weights are from: data, its digest, the weights' digest.
    """

    schema: Literal[2] = 2
    name: str
    format: Format = "torchscript"
    model: File
    torch: str
    opset: int | None = None
    ir: int | None = None
    batching: bool = True
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    image: ImageInput | None = None
    handler: Handler | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    held_out: int = 0
    provenance: dict[str, str] = field(default_factory=dict)
    samples: tuple[Sample, ...]
    exchanges: tuple[Exchange, ...] = ()
    warmup: dict[str, Warmup]

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ReleaseError(f"model name {self.name!r}; allowed: {NAME_RULE}")
        if not self.inputs or not self.outputs:
            raise ReleaseError("a release has one input and one output at least")
        for kind, tensors in (("input", self.inputs), ("output", self.outputs)):
            self._check_tensors(kind, tensors)
        for name, value in self.metrics.items():
            if not isfinite(value):
                raise ReleaseError(f"metrics.{name}: {value}; allowed: a finite number")
        for name in self.warmup.keys() - {tensor.name for tensor in self.inputs}:
            raise ReleaseError(f"warmup: found {name!r}; allowed: names of the inputs")
        self._check_image()
        self._check_samples()
        self._check_handler()
        for sha256 in self.files.values():
            if not _SHA256.fullmatch(sha256):
                raise ReleaseError(f"sha256 {sha256!r}; allowed: 64 hexadecimal digits")

    def _check_tensors(self, kind: str, tensors: tuple[Tensor, ...]) -> None:
        names = [tensor.name for tensor in tensors]
        if len(set(names)) != len(names):
            raise ReleaseError(f"{kind}s {', '.join(names)}; allowed: each name once")
        for index, tensor in enumerate(tensors):
            _check_name(tensor, self.format, f"{kind.upper()}__{index}")
            _check_tensor(tensor, self.format)
            if tensor.scalar and (not self.batching or tensor.dims != (1,)):
                raise ReleaseError(
                    f"{kind} {tensor}: scalar; allowed: [1], in a release with batching"
                )

    def _check_image(self) -> None:
        if self.image is None:
            return
        dims: tuple[int, ...] = (3, self.image.height, self.image.width)
        found = [(tensor.dtype, tensor.dims) for tensor in self.inputs]
        if found not in [[(dtype, dims)] for dtype in ("FP32", "FP16")] or not self.batching:
            raise ReleaseError(
                f"image: the inputs are {', '.join(map(str, self.inputs))}; allowed with an image "
                f"block: one of FP32 or FP16 {list(dims)}, and a batch"
            )

    def _check_samples(self) -> None:
        for number, sample in enumerate(self.samples):
            wanted = 0 if self.image else len(self.inputs)
            if (len(sample.inputs), len(sample.outputs)) != (wanted, len(self.outputs)):
                raise ReleaseError(
                    f"samples[{number}]: {len(sample.inputs)} inputs and {len(sample.outputs)} "
                    f"outputs; allowed: {wanted} and {len(self.outputs)}"
                )
            if (sample.image is None) != (self.image is None):
                raise ReleaseError(f"samples[{number}]: allowed: a picture with an image block")

    def _check_handler(self) -> None:
        if self.handler is None:
            if self.exchanges:
                raise ReleaseError("exchanges: allowed: only with a handler")
            return
        if HANDLER_PY not in self.handler.files:
            raise ReleaseError(f"handler.files: {HANDLER_PY} is missing")
        for path in self.handler.files:
            if not _PATH.fullmatch(path):
                raise ReleaseError(f"handler.files: found {path!r}; allowed: a path below handler/")

    @property
    def model_file(self) -> str:
        """Name of the model's file, here and in Triton's repository."""
        return MODEL_FILES[self.format]

    @property
    def files(self) -> dict[str, str]:
        """Path in the release's folder -> SHA-256, of every file beside release.json."""
        warmup = {f"warmup/{name}": each.sha256 for name, each in self.warmup.items()}
        handler = self.handler.files if self.handler else {}
        return (
            {self.model_file: self.model.sha256}
            | warmup
            | {f"handler/{path}": file.sha256 for path, file in handler.items()}
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the first output; none where it has none."""
        return self.outputs[0].labels

    @cached_property
    def digest(self) -> str:
        """SHA-256 of release.json. Since it has the other files' digests, it names them all."""
        return digest(self.to_json())

    def to_json(self) -> bytes:
        """Canonical text: the same release is the same bytes. Raises ReleaseError if too large."""
        text = (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()
        if len(text) > MAX_RELEASE_BYTES:
            raise ReleaseError(
                f"release.json would have {len(text):,} bytes; allowed: {MAX_RELEASE_BYTES:,}; "
                "give fewer or smaller samples"
            )
        return text

    @classmethod
    def from_json(cls, text: bytes) -> Release:
        """Raises ReleaseError, which names the first wrong field."""
        try:
            release = decode(cls, text)
            release.check_complete()
        except (ValueError, ReleaseError) as error:
            raise ReleaseError(f"{error}; build it again: python -m model build NAME") from error
        return release

    def check_complete(self) -> None:
        """A release on disk has samples, and a warm-up of each input. Raises ReleaseError."""
        missing = [each.name for each in self.inputs if each.name not in self.warmup]
        if missing:
            raise ReleaseError(f"warmup: {', '.join(missing)} missing; allowed: one of each input")
        if not self.samples:
            raise ReleaseError("samples: none; allowed: one or more")


def digest(text: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text).hexdigest()


def short(digest: str) -> str:
    """The beginning of a digest, as it is shown and as names end in it."""
    return digest[:SHORT_DIGEST]


def _check_name(tensor: Tensor, format: Format, positioned: str) -> None:
    """Raises ReleaseError for a name that Triton's backend of the format can't find.

    That of PyTorch goes by the position in the name, and takes no other name for AOTInductor; ONNX
    Runtime goes by the name. Source: src/pt2/model_instance_state.cc of the PyTorch backend.
    """
    if format == "onnx":
        right = _TENSOR_NAME.fullmatch(tensor.name) is not None
        allowed = "letters, digits and _ . : / -"
    else:
        right, allowed = tensor.name == positioned, f"{positioned} in this place, in {format}"
    if not right:
        raise ReleaseError(f"tensor name {tensor.name!r}; allowed: {allowed}")


def _check_tensor(tensor: Tensor, format: Format) -> None:
    allowed = FORMAT_TYPES[format]
    if tensor.dtype not in allowed:
        raise ReleaseError(
            f"tensor {tensor.name}: dtype {tensor.dtype!r}; allowed in {format}: "
            f"{', '.join(allowed)}"
        )
    if not tensor.dims or any(dim != -1 and dim < 1 for dim in tensor.dims):
        raise ReleaseError(
            f"tensor {tensor.name}: dims {list(tensor.dims)}; allowed: one or more, each positive "
            "or -1"
        )
    if tensor.labels and len(tensor.labels) != tensor.dims[-1]:
        raise ReleaseError(
            f"tensor {tensor}: {len(tensor.labels)} labels; allowed: one for each place of its "
            f"last dimension, {tensor.dims[-1]}, or none"
        )
    if any("\n" in label for label in tensor.labels):
        raise ReleaseError(f"tensor {tensor.name}: a line break in a label; allowed: one line each")
