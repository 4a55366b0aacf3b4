"""scikit-learn's 1,797 handwritten digits (8×8, shipped with it), scaled to 3×32×32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from model.definition import Dataset, Images, Training
from model.network import TutorialNetwork
from release.schema import Preprocessing, ReleaseError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model.definition import Pixels

__all__ = ["LABELS", "PREPROCESSING", "TRAINING", "load", "network"]

LABELS = tuple("0123456789")
PREPROCESSING = Preprocessing(32, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
network = TutorialNetwork
TRAINING = Training(epochs=30, shift=3)
# The last fifth has other writers than most of the rest, so it is harder than a random split.
HELD_OUT = 360
# Pixels of the set have values from 0 to 16.
BRIGHTEST = 16


def load(data: Path | None) -> tuple[str, Dataset]:
    """Load the set, which is part of scikit-learn. Raises ReleaseError if `data` is given."""
    if data is not None:
        raise ReleaseError("digits comes with scikit-learn; leave --data out")
    digits = load_digits()
    pixels = np.stack([_enlarged(image) for image in digits.images])
    labels = digits.target.astype(np.int64)
    return "digits", Dataset(
        Images(pixels[:-HELD_OUT], labels[:-HELD_OUT]),
        Images(pixels[-HELD_OUT:], labels[-HELD_OUT:]),
    )


def _enlarged(digit: npt.NDArray[np.float64]) -> Pixels:
    grey = np.round(digit * (255 / BRIGHTEST)).astype(np.uint8)
    size = (PREPROCESSING.width, PREPROCESSING.height)
    image = Image.fromarray(grey).convert("RGB").resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)
