"""The samples of a release as inputs of the model."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from jobs.config import JobError
from release import files
from release.schema import DTYPES, ReleaseError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from release.schema import Release, Sample

__all__ = ["input_tensor", "read_release"]

# Normalised pixels are fractions, so the input has one of these types.
INPUT_TYPES = ("FP16", "FP32", "FP64")


def read_release(path: Path) -> Release:
    """Read a release.json; raises JobError where it is none, or has no samples."""
    try:
        release = files.read(path)
    except ReleaseError as error:
        raise JobError(str(error)) from error
    if not release.samples:
        raise JobError(f"{path}: samples: found none; allowed: one or more")
    return release


def input_tensor(release: Release, sample: Sample) -> NDArray[Any]:
    """A sample's image as the model's input: [1, 3, height, width], scaled and normalised.

    Raises JobError where an image can't be the input.
    """
    how, dtype = release.preprocessing, release.inputs[0].dtype
    if len(release.inputs) != 1 or dtype not in INPUT_TYPES:
        found = ", ".join(map(str, release.inputs))
        raise JobError(f"inputs: found {found}; allowed: one of {', '.join(INPUT_TYPES)}")
    image = Image.open(io.BytesIO(sample.png)).convert("RGB")
    if image.size != (how.width, how.height):
        image = image.resize((how.width, how.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    mean, std = np.asarray(how.mean, np.float32), np.asarray(how.std, np.float32)
    planes = ((pixels - mean) / std).transpose(2, 0, 1)[np.newaxis]
    return np.ascontiguousarray(planes, dtype=DTYPES[dtype])
