"""What all peers have in common: pictures to tensors, and scores to labels."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from release import files
from release.images import Converter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["FOLDER", "Pictures"]

# Environment variable with the path of the release.
FOLDER = "RELEASE_FOLDER"


class Pictures:
    """Pre- and postprocessing of the release, with the same converter as the transformer's."""

    def __init__(self) -> None:
        release = files.read(Path(os.environ[FOLDER]) / files.RELEASE_JSON)
        assert release.image, f"{release.name} is not an image model"
        self.converter, self.labels = Converter(release.image), release.labels
        self.shape = release.inputs[0].dims

    def decode(self, images: Sequence[str]) -> NDArray[np.float32]:
        """Pictures in base64 as one array [n, 3, height, width]."""
        rows = np.empty((len(images), *self.shape), np.float32)
        for row, image in zip(rows, images, strict=True):
            self.converter.convert(Image.open(io.BytesIO(base64.b64decode(image))), row)
        return rows

    def predictions(self, scores: NDArray[np.float32]) -> list[dict[str, Any]]:
        """A label and all scores for each row of [n, classes]."""
        best = scores.argmax(axis=1).tolist()
        return [
            {"label": self.labels[index], "index": index, "scores": row}
            for index, row in zip(best, scores.tolist(), strict=True)
        ]
