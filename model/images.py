"""Images for training: pixels with labels, as inputs of a network, and as files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from release.images import Converter

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from release.schema import ImageInput

__all__ = ["Images", "inputs", "png", "read_folder"]


@dataclass(frozen=True)
class Images:
    """Pixels, uint8, N×H×W×3 (RGB), and the index of each image's label, int64, N."""

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def inputs(pixels: npt.NDArray[np.uint8], how: ImageInput) -> torch.Tensor:
    """uint8 N×H×W×3 of the input's size -> float32 N×3×H×W, as the transformer makes it."""
    converter = Converter(how)
    made = np.empty((len(pixels), 3, how.height, how.width), np.float32)
    for image, into in zip(pixels, made, strict=True):
        converter.normalise(image, into)
    return torch.from_numpy(made)


def read_folder(folder: Path, classes: tuple[str, ...], how: ImageInput) -> Images:
    """Read `folder/CLASS/*`, whatever files Pillow opens, in the order of the files' names."""
    converter = Converter(how)
    pixels, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            with Image.open(path) as image:
                pixels.append(np.asarray(converter.fit(image)))
            labels.append(label)
    return Images(np.stack(pixels), np.array(labels))


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """uint8 H×W×3 -> a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
