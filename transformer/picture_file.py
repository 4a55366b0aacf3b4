"""The files of pictures: opened within limits of memory and time."""

from __future__ import annotations

import io
import re
import time
import warnings

from PIL import Image, PngImagePlugin

from release.images import has_exif
from transformer.errors import RequestError

__all__ = [
    "DECODE_SECONDS",
    "MAX_DECODE_BYTES",
    "RGB_BYTES",
    "SlowPictureError",
    "decode_cost",
    "open_image",
]

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
MAX_SCANNED_PIXELS = 2**29
# Of a JPEG's segments; photographs have about a hundred.
MAX_MARKERS = 2000
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
# Markers: not the zero behind a byte 255 of compressed data, nor the restarts in it, nor padding.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# Markers from here on have a length, but for the start and the end of a picture.
JPEG_SEGMENTS = 0xC0
JPEG_START = 0xD8
# CPU seconds for a picture. On a server's core, the largest photographs take 0.7 s, and a JPEG of
# 31 MiB with all the scans that are allowed 1.2 s.
DECODE_SECONDS = 2.0
# Pillow's plugins parse a file in Python, part by part, and keep what they don't know. A file may
# have millions of empty parts. Decoders read 64 KiB at a time, or a chunk of a PNG, mostly 8 KiB.
MAX_READS = 2**18
READS_BETWEEN_CHECKS = 64
# Of EXIF and other metadata, when a picture is turned.
METADATA_COPIES = 5

PngImagePlugin.MAX_TEXT_MEMORY = 4 * 2**20
# Pillow warns of each wrong entry of a file. `open_image` has stricter limits and raises errors.
warnings.filterwarnings("ignore", module="PIL[.]")
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
Image.init()


class SlowPictureError(RequestError):
    """A picture takes too long to decode."""

    def __init__(self, cause: str = f"takes more than {DECODE_SECONDS:g} s to decode") -> None:
        super().__init__(413, cause)


class TimedFile(io.BytesIO):
    """A file in memory whose reader has so many seconds of CPU, and MAX_READS.

    Raises SlowPictureError.
    """

    def __init__(self, data: bytes, seconds: float) -> None:
        super().__init__(data)
        self.reads = 0
        self.end = time.thread_time() + seconds

    def read(self, size: int | None = -1) -> bytes:
        """Read, as any file does."""
        self.reads += 1
        if self.reads > MAX_READS:
            raise SlowPictureError(f"is read in more than {MAX_READS:,} parts")
        if not self.reads % READS_BETWEEN_CHECKS and time.thread_time() > self.end:
            raise SlowPictureError
        return super().read(size)


def open_image(data: bytes, seconds: float = DECODE_SECONDS) -> Image.Image:
    """Read the header; reading and decoding may take so many seconds of this thread's CPU.

    Raises RequestError if it isn't an image, or one too large or too slow to decode.
    """
    try:
        image = Image.open(TimedFile(data, seconds), formats=FORMATS)
    except SlowPictureError:
        raise
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
    if any(tile[0] in Image.DECODERS for tile in image.tile):
        # Decoders in Python, a thousand times slower: those of BMP's run-length encodings.
        raise RequestError(400, f"{image.format} with run-length encoding; allowed: without")
    if image.format in ("JPEG", "MPO"):
        allowed = min(MAX_SCANS, MAX_SCANNED_PIXELS // (image.width * image.height))
        if has_more_scans(data, allowed):
            raise RequestError(413, f"JPEG of more than {allowed} scans")
    return image


def has_more_scans(data: bytes, allowed: int) -> bool:
    """Whether a JPEG has more scans than allowed in front of its end, or too many markers.

    Phones append a video to a picture, in which the same bytes occur by chance.
    """
    if data.count(b"\xff\xda") <= allowed:
        return False
    at, scans = 0, 0
    for _ in range(MAX_MARKERS):
        found = JPEG_MARKER.search(data, at)
        if not found:
            return False
        marker, at = data[found.start() + 1], found.end()
        if marker == JPEG_END:
            return False
        scans += marker == JPEG_SCAN
        if scans > allowed:
            break
        if marker >= JPEG_SEGMENTS and marker != JPEG_START:
            # The length counts its own two bytes.
            at += max(int.from_bytes(data[at : at + 2], "big"), 2)
    return True


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
    texts = (each for each in image.info.values() if isinstance(each, bytes | str))
    return size + METADATA_COPIES * sum(map(len, texts))
