"""scikit-learn's 1,797 handwritten digits (8×8, shipped with it), scaled to 3×32×32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from model.definition import Definition, Pictures, Trained
from model.images import Images, png
from model.networks import TutorialNetwork
from model.training import Training, train
from release.schema import ImageInput, ReleaseError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import torch

LABELS = tuple("0123456789")
IMAGE = ImageInput(width=32, height=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
TRAINING = Training(epochs=30, learning_rate=0.05, batch_size=32, shift=3)
# The last fifth has other writers than most of the rest, so it is harder than a random split.
HELD_OUT = 360
# Pixels of the set have values from 0 to 16.
BRIGHTEST = 16


def load() -> tuple[Images, Images]:
    """The images for training, and the held-out ones."""
    digits = load_digits()
    pixels = np.stack([_enlarged(image) for image in digits.images])
    labels = digits.target.astype(np.int64)
    return (
        Images(pixels[:-HELD_OUT], labels[:-HELD_OUT]),
        Images(pixels[-HELD_OUT:], labels[-HELD_OUT:]),
    )


def examples() -> Pictures:
    """The held-out images."""
    _, held_out = load()
    return Pictures(
        [png(pixels) for pixels in held_out.pixels], [LABELS[label] for label in held_out.labels]
    )


def train_digits(network: torch.nn.Module, data: Path | None) -> Trained:
    """Train on the set. Raises ReleaseError if `data` is given."""
    if data is not None:
        raise ReleaseError("digits comes with scikit-learn; leave --data out")
    images, held_out = load()
    accuracy = train(network, images, held_out, IMAGE, TRAINING)
    source = {"data": "scikit-learn's load_digits, 1,437 of 1,797 images"}
    return Trained({"accuracy": round(accuracy, 4)}, len(held_out.labels), source)


def _enlarged(digit: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    grey = np.round(digit * (255 / BRIGHTEST)).astype(np.uint8)
    size = (IMAGE.width, IMAGE.height)
    image = Image.fromarray(grey).convert("RGB").resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


definition = Definition(
    network=TutorialNetwork, examples=examples, image=IMAGE, labels=LABELS, train=train_digits
)
