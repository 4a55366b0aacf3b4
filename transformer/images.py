"""From the bytes of an image to the input of the network: decode, RGB, resize, scale, normalise."""

from __future__ import annotations

import binascii
import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, PngImagePlugin

from transformer.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from release.schema import Release

__all__ = ["MAX_DECODE_BYTES", "Converter", "decode_base64", "decode_cost", "open_image"]

# The formats of photographs and of the web. Each further format exposes more code to untrusted
# data, and some decoders of Pillow (TIFF, EPS, PSD) take far more memory than their headers state.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_DECODE_BYTES = 256 * 2**20
# Bytes that Pillow keeps for a pixel; other modes take four.
PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}
RGB_BYTES = 4
# The decoder goes over all pixels for each scan of a progressive JPEG, and a scan takes only a few
# bytes. Encoders write about ten scans. Compressed data never contains this marker.
JPEG_SCAN = b"\xff\xda"
MAX_SCANS = 100

PngImagePlugin.MAX_TEXT_MEMORY = 4 * 2**20
# `open_image` has a stricter limit and raises an error.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
Image.init()


def decode_base64(text: str) -> bytes:
    """Decode strictly, but accept line breaks and blanks. Raises RequestError."""
    try:
        return _decode_strictly(text)
    except ValueError:
        pass
    try:
        return _decode_strictly("".join(text.split()))
    except ValueError as error:
        raise RequestError(400, f"wrong base64: {error}") from error


def _decode_strictly(text: str) -> bytes:
    if text.endswith("==="):
        # binascii accepts it after a whole group of four characters.
        raise ValueError("excess padding")
    return binascii.a2b_base64(text, strict_mode=True)


def open_image(data: bytes) -> Image.Image:
    """Read the header. Raises RequestError if it isn't an image, or one too large to decode."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise RequestError(413, f"too many pixels: {error}") from error
    # Pillow's plugins raise errors of many types for broken data.
    except Exception as error:
        raise RequestError(400, f"not an image; allowed: {', '.join(FORMATS)}") from error
    cost = decode_cost(image)
    if cost > MAX_DECODE_BYTES:
        raise RequestError(
            413,
            f"{image.format} of {image.width}×{image.height} pixels needs {cost >> 20} MiB to "
            f"decode; allowed: {MAX_DECODE_BYTES >> 20} MiB",
        )
    if image.format in ("JPEG", "MPO") and data.count(JPEG_SCAN) > MAX_SCANS:
        raise RequestError(413, f"JPEG of more than {MAX_SCANS} scans")
    return image


def decode_cost(image: Image.Image) -> int:
    """The most bytes of memory that decoding and converting the image takes."""
    pixel = PIXEL_BYTES.get(image.mode, 4)
    if image.format == "WEBP":
        # Two canvases of the animation decoder, and the frame's bytes.
        pixel += 12
    elif image.format in ("JPEG", "MPO"):
        # With several scans libjpeg keeps all coefficients, two bytes each.
        pixel += 2 * len(image.getbands())
    if image.mode.startswith("I;16"):
        pixel += 8
    if image.mode != "RGB":
        pixel += RGB_BYTES
    size: int = image.width * image.height * pixel
    return size


class Converter:
    """The preprocessing of a release. A lookup table for each channel scales and normalises."""

    def __init__(self, release: Release) -> None:
        preprocessing = release.preprocessing
        self.size = (preprocessing.width, preprocessing.height)
        # In float32 and in torchvision's order, which gives torchvision's numbers exactly.
        scaled = np.arange(256, dtype=np.float32) / np.float32(255)
        means = np.array(preprocessing.mean, np.float32)[:, None]
        self.tables = (scaled - means) / np.array(preprocessing.std, np.float32)[:, None]

    def convert(self, image: Image.Image, into: NDArray[np.float32]) -> None:
        """Decode an opened image into an array [3, height, width]. Raises RequestError."""
        try:
            pixels = np.asarray(self._rgb(image))
        # Decoders raise errors of many types: SyntaxError, EOFError, struct.error, OSError, ...
        except Exception as error:
            raise RequestError(
                400, f"{image.format} can't be decoded: {str(error)[:200]}"
            ) from error
        for channel, table in enumerate(self.tables):
            np.take(table, pixels[:, :, channel], out=into[channel], mode="clip")

    def _rgb(self, image: Image.Image) -> Image.Image:
        """Decode, convert to RGB and resize."""
        image.load()
        if image.mode.startswith("I;16"):
            # The high byte, as Pillow does for 16-bit colour. convert() would clip at 255.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.mode != "RGB":
            image = image.convert("RGB")
        if image.size != self.size:
            image = image.resize(self.size, Image.Resampling.BILINEAR)
        return image
