"""The release as the Jobs' container reads it: release.json, and what an image becomes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from jobs.config import JobError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Release", "Sample", "Tensor"]

# V2 name -> numpy: the types that pixels, which are fractions here, can be sent as.
INPUT_TYPES = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}


@dataclass(frozen=True)
class Tensor:
    """An input or output: V2 name of its type, dims without the batch, -1 where they vary."""

    name: str
    dtype: str
    dims: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {list(self.dims)}"


@dataclass(frozen=True)
class Sample:
    """A held-out image (PNG, base64) and the eager network's answers, one flat list an output."""

    image: str
    outputs: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Release:
    """What the Jobs need of release.json; `digest` is the SHA-256 of its bytes."""

    digest: str
    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    labels: tuple[str, ...]
    width: int
    height: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    samples: tuple[Sample, ...]

    @classmethod
    def read(cls, path: Path) -> Release:
        """Raises JobError on a file that isn't a release."""
        try:
            text = path.read_bytes()
            raw = json.loads(text)
            return cls(digest=hashlib.sha256(text).hexdigest(), **_fields(raw))
        except OSError as error:
            raise JobError(f"{path}: {error.strerror}") from error
        except KeyError as error:
            raise JobError(f"{path}: field {error} is missing") from error
        except (ValueError, TypeError) as error:
            raise JobError(f"{path}: not a release: {error}") from error

    def tensor(self, sample: Sample) -> NDArray[Any]:
        """A sample's image as the model's input: [1, 3, height, width], scaled and normalised.

        Raises JobError where an image can't be the input.
        """
        if len(self.inputs) != 1 or self.inputs[0].dtype not in INPUT_TYPES:
            found = ", ".join(map(str, self.inputs))
            raise JobError(f"inputs: found {found}; allowed: one of {', '.join(INPUT_TYPES)}")
        image = Image.open(io.BytesIO(base64.b64decode(sample.image))).convert("RGB")
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), Image.Resampling.BILINEAR)
        pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        planes = ((pixels - mean) / std).transpose(2, 0, 1)[np.newaxis]
        return np.ascontiguousarray(planes, dtype=INPUT_TYPES[self.inputs[0].dtype])


def _fields(raw: dict[str, Any]) -> dict[str, Any]:
    pixels = raw["preprocessing"]
    samples = tuple(
        Sample(item["image"], tuple(tuple(map(float, row)) for row in item["outputs"]))
        for item in raw["samples"]
    )
    if not samples:
        raise ValueError("no samples")
    return {
        "name": raw["name"],
        "inputs": _tensors(raw["inputs"]),
        "outputs": _tensors(raw["outputs"]),
        "labels": tuple(raw["labels"]),
        "width": pixels["width"],
        "height": pixels["height"],
        "mean": tuple(pixels["mean"]),
        "std": tuple(pixels["std"]),
        "samples": samples,
    }


def _tensors(raw: list[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(item["name"], item["dtype"], tuple(item["dims"])) for item in raw)
