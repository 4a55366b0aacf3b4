"""From an image's bytes to the network's input: decode, RGB, resize, scale, normalise."""

from __future__ import annotations

import binascii
import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, PngImagePlugin

from transformer import png
from transformer.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from transformer.release import Release

__all__ = ["MAX_DECODE_BYTES", "Converter", "decode_base64", "decode_cost", "open_image"]

# The formats of photographs and the web. Each more is code that strangers' bytes run through, and
# some of Pillow's (TIFF, EPS, PSD) take far more memory than their headers say.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_DECODE_BYTES = 256 * 2**20
# Bytes that Pillow keeps for a pixel; other modes take four.
PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}
RGB_BYTES = 4
# Each scan of a progressive JPEG goes over all pixels, and takes hardly any bytes; encoders write
# some ten. Compressed data never has this marker.
JPEG_SCAN = b"\xff\xda"
MAX_SCANS = 100

PngImagePlugin.MAX_TEXT_MEMORY = 4 * 2**20
# Pillow warns of large images; the limit here is stricter, and an error.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
Image.init()


def decode_base64(text: str) -> bytes:
    """Strict, except for line breaks and blanks, which some encoders add."""
    try:
        return _strict(text)
    except ValueError:
        pass
    try:
        return _strict("".join(text.split()))
    except ValueError as error:
        raise RequestError(400, f"wrong base64: {error}") from error


def _strict(text: str) -> bytes:
    if text.endswith("==="):
        # Python lets it pass after a whole group of four.
        raise ValueError("excess padding")
    return binascii.a2b_base64(text, strict_mode=True)


def open_image(data: bytes) -> Image.Image:
    """Reads the header only, or all of a plain PNG, whose size is bounded by itself.

    Raises RequestError on what isn't an image or would be too large.
    """
    small = png.plain(data)
    if small is not None:
        return small
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise RequestError(413, f"too many pixels: {error}") from error
    # Whatever a decoder stumbles over, it stumbles over the client's bytes.
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
    """Bytes of memory that decoding and converting take at most."""
    each = PIXEL_BYTES.get(image.mode, 4)
    if image.format == "WEBP":
        # Two canvases of the animation decoder, and the frame's bytes.
        each += 12
    elif image.format in ("JPEG", "MPO"):
        # With several scans libjpeg keeps all coefficients, two bytes each.
        each += 2 * len(image.getbands())
    if image.mode.startswith("I;16"):
        each += 8
    if image.mode != "RGB":
        each += RGB_BYTES
    size: int = image.width * image.height * each
    return size


class Converter:
    """A release's preprocessing. One table lookup a channel scales and normalises."""

    def __init__(self, release: Release) -> None:
        self.size = (release.width, release.height)
        self.dims = release.input_dims
        # In float32 and in torchvision's order, so that the numbers are the same to the last bit.
        scaled = np.arange(256, dtype=np.float32) / np.float32(255)
        means = np.array(release.mean, np.float32)[:, None]
        self.tables = (scaled - means) / np.array(release.std, np.float32)[:, None]

    def convert(self, image: Image.Image, into: NDArray[np.float32]) -> None:
        """Decode an opened image into an array [3, height, width]. Raises RequestError."""
        try:
            pixels = np.asarray(self._rgb(image))
        # Decoders raise what they like: SyntaxError, EOFError, struct.error, OSError, ...
        except Exception as error:
            raise RequestError(
                400, f"{image.format} can't be decoded: {str(error)[:200]}"
            ) from error
        for channel, table in enumerate(self.tables):
            np.take(table, pixels[:, :, channel], out=into[channel], mode="clip")

    def _rgb(self, image: Image.Image) -> Image.Image:
        image.load()
        if image.mode.startswith("I;16"):
            # The high byte, as Pillow does for 16-bit colour; its convert() would clip at 255.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.mode != "RGB":
            image = image.convert("RGB")
        if image.size != self.size:
            image = image.resize(self.size, Image.Resampling.BILINEAR)
        return image
