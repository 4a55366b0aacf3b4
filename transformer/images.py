"""Pictures from clients: decoded within limits of memory and time, into the network's input."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, PngImagePlugin

from release import instances
from release.images import Converter, has_exif
from release.schema import DTYPES
from transformer.body import SMALL_BODY_BYTES
from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from release.schema import Release
    from transformer.deadline import Deadline
    from transformer.thread import Thread

__all__ = ["MAX_DECODE_BYTES", "Pictures", "decode_base64", "decode_cost", "open_image"]

# The formats of photographs and of the web. Each further format exposes more code to untrusted
# data, and some decoders of Pillow (TIFF, EPS, PSD) take far more memory than their headers state.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_DECODE_BYTES = 256 * 2**20
# Bytes that Pillow keeps for a pixel; other modes take four.
PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}
RGB_BYTES = 4
# The picture with its alpha, its background, both together, and the RGB of that.
COMPOSED_BYTES = 16
# The decoder goes over all pixels for each scan of a progressive JPEG, and a scan takes only a few
# bytes. Encoders write about ten scans.
MAX_SCANS = 100
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
# Markers: not the zero behind a byte 255 of compressed data, nor the restarts in it, nor padding.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# Markers from here on have a length, but for the start and the end of a picture.
JPEG_SEGMENTS = 0xC0
JPEG_START = 0xD8
# Requests up to these sizes are decoded on the event loop: a thread takes longer to wake up.
INLINE_PICTURES = 8
INLINE_PIXELS = 64 * 1024

PngImagePlugin.MAX_TEXT_MEMORY = 4 * 2**20
# `open_image` has a stricter limit and raises an error.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
Image.init()


class Pictures:
    """The built-in preprocessing of an image model."""

    def __init__(self, release: Release, thread: Thread) -> None:
        assert release.image is not None
        (self.tensor,) = release.inputs
        self.converter = Converter(release.image)
        self.thread = thread

    async def decode(
        self, pictures: Sequence[str | bytes], where: str, deadline: Deadline
    ) -> dict[str, NDArray[Any]]:
        """Files, or their base64, as the input [N, 3, height, width]. Raises RequestError.

        `where` is the list's name in an error.
        """
        batch = np.empty((len(pictures), *self.tensor.dims), DTYPES[self.tensor.dtype])
        small = len(pictures) <= INLINE_PICTURES and sum(map(len, pictures)) <= SMALL_BODY_BYTES
        opened: list[Image.Image] = []
        if small:
            opened = [self._open(each, where, index) for index, each in enumerate(pictures)]
        if small and sum(image.width * image.height for image in opened) <= INLINE_PIXELS:
            for index, image in enumerate(opened):
                self._convert(image, batch[index], where, index)
        else:
            await self.thread.run(self._decode_all, pictures, batch, where, deadline)
        return {self.tensor.name: batch}

    def _decode_all(
        self, pictures: Sequence[str | bytes], batch: NDArray[Any], where: str, deadline: Deadline
    ) -> None:
        for index, picture in enumerate(pictures):
            if deadline.passed():
                raise deadline.error()
            image = self._open(picture, where, index)
            self._convert(image, batch[index], where, index)

    def _open(self, picture: str | bytes, where: str, index: int) -> Image.Image:
        try:
            data = decode_base64(picture) if isinstance(picture, str) else picture
            image = open_image(data)
        except RequestError as error:
            raise error.at(f"{where}[{index}]") from error
        width, height = self.converter.scaled_size(image.size)
        if width * height * RGB_BYTES > MAX_DECODE_BYTES:
            raise RequestError(
                413,
                f"{where}[{index}]: {image.width}×{image.height} pixels: too narrow to scale",
            )
        return image

    def _convert(self, image: Image.Image, into: NDArray[Any], where: str, index: int) -> None:
        try:
            self.converter.convert(image, into)
        # Decoders raise errors of many types: SyntaxError, EOFError, struct.error, OSError, ...
        except Exception as error:
            message = f"{image.format} can't be decoded: {str(error)[:200]}"
            raise RequestError(400, message).at(f"{where}[{index}]") from error


def decode_base64(text: str) -> bytes:
    """The bytes. Raises RequestError."""
    try:
        return instances.decode_base64(text)
    except ValueError as error:
        allowed = "base64, base64url, or a data URI of base64"
        raise RequestError(400, f"wrong base64: {error}; allowed: {allowed}") from error


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
    if image.format in ("JPEG", "MPO") and has_many_scans(data):
        raise RequestError(413, f"JPEG of more than {MAX_SCANS} scans")
    return image


def has_many_scans(data: bytes) -> bool:
    """Whether a JPEG has more than MAX_SCANS scans in front of its end.

    Phones append a video to a picture, in which the same bytes occur by chance.
    """
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return False
    at, scans = 0, 0
    while scans <= MAX_SCANS and (found := JPEG_MARKER.search(data, at)):
        marker, at = data[found.start() + 1], found.end()
        if marker == JPEG_END:
            break
        scans += marker == JPEG_SCAN
        if marker >= JPEG_SEGMENTS and marker != JPEG_START:
            # The length counts its own two bytes.
            at += max(int.from_bytes(data[at : at + 2], "big"), 2)
    return scans > MAX_SCANS


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
    if has_exif(image):
        # The picture and its turned copy.
        pixel += PIXEL_BYTES.get(image.mode, 4)
    if image.has_transparency_data:
        pixel += COMPOSED_BYTES
    elif image.mode != "RGB":
        pixel += RGB_BYTES
    size: int = image.width * image.height * pixel
    return size
