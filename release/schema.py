"""What a release is: the tensors, preprocessing, labels and proofs that travel with a model.

Standard library only: the Pulumi program imports this module and nothing else of `model`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = 1
# The samples travel in a ConfigMap, which holds 1 MiB.
MAX_RELEASE_BYTES = 900_000
# V2 protocol name -> name in Triton's model configuration. Source: Triton's model_config.proto.
CONFIG_TYPES = {
    "BOOL": "TYPE_BOOL",
    "UINT8": "TYPE_UINT8",
    "INT8": "TYPE_INT8",
    "INT16": "TYPE_INT16",
    "INT32": "TYPE_INT32",
    "INT64": "TYPE_INT64",
    "FP16": "TYPE_FP16",
    "BF16": "TYPE_BF16",
    "FP32": "TYPE_FP32",
    "FP64": "TYPE_FP64",
}
# torch's name -> V2 name: the types that Triton's PyTorch backend takes.
TORCH_TYPES = {
    "torch.bool": "BOOL",
    "torch.uint8": "UINT8",
    "torch.int8": "INT8",
    "torch.int16": "INT16",
    "torch.int32": "INT32",
    "torch.int64": "INT64",
    "torch.float16": "FP16",
    "torch.bfloat16": "BF16",
    "torch.float32": "FP32",
    "torch.float64": "FP64",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,46}[a-z0-9])?")


class ReleaseError(Exception):
    """A release, or a network that should become one, is not what it must be."""


@dataclass(frozen=True)
class Tensor:
    """An input or output: V2 name of its type, and dims without the batch, -1 where they vary."""

    name: str
    dtype: str
    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.dtype not in CONFIG_TYPES:
            raise ReleaseError(
                f"tensor {self.name}: dtype {self.dtype!r}; allowed: {', '.join(CONFIG_TYPES)}"
            )
        if not re.fullmatch(r"\w+__[0-9]+", self.name):
            raise ReleaseError(f"tensor name {self.name!r}; allowed: NAME__INDEX, like INPUT__0")
        wrong = [dim for dim in self.dims if dim != -1 and dim < 1]
        if wrong or not self.dims:
            raise ReleaseError(
                f"tensor {self.name}: dims {list(self.dims)}; allowed: one or more, each positive "
                "or -1"
            )


@dataclass(frozen=True)
class File:
    """A file vouched for: SHA-256 in hex, size in bytes."""

    sha256: str
    bytes: int

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise ReleaseError(f"sha256 {self.sha256!r}; allowed: 64 hexadecimal digits")


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
    """A held-out image (PNG, base64), its true label, and the eager network's answers."""

    image: str
    label: str
    outputs: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Release:
    """All that is known of a traced model; `model` and `warmup` vouch for the files beside it."""

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
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ReleaseError(f"release schema {self.schema}; allowed: {SCHEMA}; build it again")
        if not _NAME.fullmatch(self.name):
            raise ReleaseError(
                f"model name {self.name!r}; allowed: 1 to 48 of a-z, 0-9 and '-', first a letter"
            )
        if not self.inputs or not self.outputs:
            raise ReleaseError("a release has one input and one output at least")
        if not 0 <= self.accuracy <= 1:
            raise ReleaseError(f"accuracy {self.accuracy}; allowed: 0 to 1")
        if any("\n" in label for label in self.labels):
            raise ReleaseError("labels: a line break in a label; allowed: one line each")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        made: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return made

    def to_json(self) -> bytes:
        """Canonical text: the same release is the same bytes. Raises ReleaseError if too large."""
        text = (json.dumps(self.to_dict(), indent=1, sort_keys=True) + "\n").encode()
        if len(text) > MAX_RELEASE_BYTES:
            raise ReleaseError(
                f"release.json would have {len(text):,} bytes; allowed: {MAX_RELEASE_BYTES:,}; "
                "give fewer or smaller samples"
            )
        return text

    @classmethod
    def from_json(cls, text: bytes) -> Release:
        """Raises ReleaseError on anything that isn't a release."""
        try:
            raw = json.loads(text)
            return cls(
                **{
                    **raw,
                    "model": File(**raw["model"]),
                    "inputs": _tensors(raw["inputs"]),
                    "outputs": _tensors(raw["outputs"]),
                    "preprocessing": _preprocessing(raw["preprocessing"]),
                    "labels": tuple(raw["labels"]),
                    "samples": tuple(_sample(sample) for sample in raw["samples"]),
                }
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ReleaseError(f"release.json can't be read: {error}; build it again") from error


def digest(text: bytes) -> str:
    """A release's digest: SHA-256 of its release.json, which vouches for every other file."""
    return hashlib.sha256(text).hexdigest()


def lock_entry(release: Release) -> dict[str, Any]:
    """What models.lock.json says of a release: its digest, and what a reviewer wants to see."""
    raw = release.to_dict()
    seen = (
        "model",
        "inputs",
        "outputs",
        "preprocessing",
        "labels",
        "accuracy",
        "held_out",
        "torch",
    )
    return {"digest": digest(release.to_json())} | {key: raw[key] for key in seen}


def _tensors(raw: list[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(item["name"], item["dtype"], tuple(item["dims"])) for item in raw)


def _preprocessing(raw: dict[str, Any]) -> Preprocessing:
    return Preprocessing(raw["width"], raw["height"], tuple(raw["mean"]), tuple(raw["std"]))


def _sample(raw: dict[str, Any]) -> Sample:
    return Sample(raw["image"], raw["label"], tuple(tuple(row) for row in raw["outputs"]))
