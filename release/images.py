"""From a picture to the input of an image model, as its release describes it.

The transformer, the Jobs and `model` all use this module, so that the same picture gives the same
input everywhere.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from release.schema import ImageInput

__all__ = ["Converter", "has_exif"]

# Where Pillow keeps what may have an orientation.
EXIF_KEYS = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))


def has_exif(image: Image.Image) -> bool:
    """Whether the picture may have an orientation. Asking Pillow takes longer than decoding it."""
    return not EXIF_KEYS.isdisjoint(image.info)


class Converter:
    """The preprocessing of a release. A lookup table for each channel scales and normalises."""

    def __init__(self, how: ImageInput) -> None:
        self.how = how
        # In float32 and in torchvision's order, which gives torchvision's numbers exactly.
        scaled = np.arange(256, dtype=np.float32) / np.float32(255)
        means = np.array(how.mean, np.float32)[:, None]
        self.tables = (scaled - means) / np.array(how.std, np.float32)[:, None]

    def convert(self, image: Image.Image, into: NDArray[Any]) -> None:
        """Decode an opened picture into an array [3, height, width]. Raises what Pillow raises."""
        self.normalise(np.asarray(self.fit(image)), into)

    def normalise(self, pixels: NDArray[np.uint8], into: NDArray[Any]) -> None:
        """uint8 [height, width, 3] into an array [3, height, width]."""
        tables = self.tables.astype(into.dtype, copy=False)
        for channel, table in enumerate(tables):
            np.take(table, pixels[:, :, channel], out=into[channel], mode="clip")

    def fit(self, image: Image.Image) -> Image.Image:
        """Decode; turn, convert to RGB and resize as the release says."""
        image.load()
        if self.how.exif and has_exif(image):
            # Broken metadata is ignored, as browsers do.
            with contextlib.suppress(Exception):
                ImageOps.exif_transpose(image, in_place=True)
        image = self._rgb(image)
        size = (self.how.width, self.how.height)
        if self.how.resize == "crop":
            return self._crop(image)
        if image.size == size:
            return image
        if self.how.resize == "pad":
            return ImageOps.pad(image, size, Image.Resampling.BILINEAR, self.how.background)
        return image.resize(size, Image.Resampling.BILINEAR)

    def scaled_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size to which a picture of this size is scaled, before its middle is taken."""
        if self.how.resize != "crop" or self.how.shorter is None:
            return self.how.width, self.how.height
        short = min(size)
        return int(self.how.shorter * size[0] / short), int(self.how.shorter * size[1] / short)

    def _crop(self, image: Image.Image) -> Image.Image:
        """As torchvision's Resize(shorter) and CenterCrop((height, width)) on a Pillow image."""
        width, height = self.how.width, self.how.height
        if self.how.shorter is None:
            return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        scaled = self.scaled_size(image.size)
        image = image.resize(scaled, Image.Resampling.BILINEAR)
        left, top = round((scaled[0] - width) / 2), round((scaled[1] - height) / 2)
        return image.crop((left, top, left + width, top + height))

    def _rgb(self, image: Image.Image) -> Image.Image:
        if image.mode.startswith("I;16"):
            # The high byte, as Pillow does for 16-bit colour. convert() would clip at 255.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            ground = Image.new("RGBA", image.size, (*self.how.background, 255))
            return Image.alpha_composite(ground, image).convert("RGB")
        return image if image.mode == "RGB" else image.convert("RGB")
