"""What a release is: the tensors, preprocessing, labels, samples and digests of a model.

This module, `lock` and `files` need the standard library only: the Pulumi program and the
containers import them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

from release.decode import decode

# The samples travel in a ConfigMap, which holds 1 MiB.
MAX_RELEASE_BYTES = 900_000
# Digits of a SHA-256 that are shown, that names end in, and that a stack's file needs at least.
SHORT_DIGEST = 12
# V2 protocol's name of a type -> torch's and numpy's; numpy has no bfloat16.
DTYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "BF16": "bfloat16",
    "FP32": "float32",
    "FP64": "float64",
}
# V2 protocol's name -> name in Triton's model configuration. Source: Triton's model_config.proto.
CONFIG_TYPES = {dtype: f"TYPE_{dtype}" for dtype in DTYPES}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,46}[a-z0-9])?")
_TENSOR_NAME = re.compile(r"\w+__[0-9]+")


class ReleaseError(Exception):
    """A release, its lock or a network to release is invalid; the message says what to do."""


@dataclass(frozen=True)
class Tensor:
    """An input or output: V2 name of its type, and dims without the batch, -1 where they vary."""

    name: str
    dtype: str
    dims: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {list(self.dims)}"


@dataclass(frozen=True)
class File:
    """A file of a release: SHA-256 in hex, size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Preprocessing:
    """From pixels to the input: resize to width × height, scale to [0, 1], (x - mean) / std."""

    width: int
    height: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ReleaseError(f"preprocessing: {self.width}×{self.height}; allowed: 1 or more")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ReleaseError("preprocessing: mean and std are three numbers each, std positive")


@dataclass(frozen=True)
class Sample:
    """A held-out image (PNG, base64), its true label, and the eager network's answers.

    `outputs` has one flat list for each output of the network.
    """

    image: str
    label: str
    outputs: tuple[tuple[float, ...], ...]

    @property
    def png(self) -> bytes:
        """The image's file. Raises ValueError if it isn't base64."""
        return base64.b64decode(self.image, validate=True)


@dataclass(frozen=True, kw_only=True)
class Release:
    """release.json; `model` and `warmup` have the digests of the files beside it."""

    schema: Literal[1] = 1
    name: str
    model: File
    torch: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    accuracy: float
    held_out: int
    samples: tuple[Sample, ...]
    warmup: dict[str, str]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ReleaseError(
                f"model name {self.name!r}; allowed: 1 to 48 of a-z, 0-9 and '-', first a letter"
            )
        if not self.inputs or not self.outputs:
            raise ReleaseError("a release has one input and one output at least")
        for tensor in self.inputs + self.outputs:
            _check_tensor(tensor)
        if not 0 <= self.accuracy <= 1:
            raise ReleaseError(f"accuracy {self.accuracy}; allowed: 0 to 1")
        if any("\n" in label for label in self.labels):
            raise ReleaseError("labels: a line break in a label; allowed: one line each")
        for name in self.warmup.keys() - {tensor.name for tensor in self.inputs}:
            raise ReleaseError(f"warmup: found {name!r}; allowed: names of the inputs")
        for sha256 in self.files.values():
            if not _SHA256.fullmatch(sha256):
                raise ReleaseError(f"sha256 {sha256!r}; allowed: 64 hexadecimal digits")

    @property
    def files(self) -> dict[str, str]:
        """Path in the release's folder -> SHA-256, of every file beside release.json."""
        warmup = {f"warmup/{name}": sha256 for name, sha256 in self.warmup.items()}
        return {"model.pt": self.model.sha256} | warmup

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
            return decode(cls, text)
        except (ValueError, ReleaseError) as error:
            raise ReleaseError(f"{error}; build it again: python -m model build NAME") from error


def digest(text: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text).hexdigest()


def short(digest: str) -> str:
    """The beginning of a digest, as it is shown and as names end in it."""
    return digest[:SHORT_DIGEST]


def _check_tensor(tensor: Tensor) -> None:
    if tensor.dtype not in DTYPES:
        raise ReleaseError(
            f"tensor {tensor.name}: dtype {tensor.dtype!r}; allowed: {', '.join(DTYPES)}"
        )
    if not _TENSOR_NAME.fullmatch(tensor.name):
        raise ReleaseError(f"tensor name {tensor.name!r}; allowed: NAME__INDEX, like INPUT__0")
    if not tensor.dims or any(dim != -1 and dim < 1 for dim in tensor.dims):
        raise ReleaseError(
            f"tensor {tensor.name}: dims {list(tensor.dims)}; allowed: one or more, each positive "
            "or -1"
        )
