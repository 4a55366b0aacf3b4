"""Images for tests: of each kind that Pillow writes, and broken ones."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

__all__ = [
    "KINDS",
    "b64",
    "chunked_png",
    "encoded",
    "grey_png",
    "noise",
    "padded_jpeg",
    "png_header",
    "run_lengths_bmp",
    "scans",
]


WRITABLE = [
    ("PNG", ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")),
    ("JPEG", ("L", "RGB", "CMYK")),
    ("WEBP", ("RGB", "RGBA")),
    ("GIF", ("1", "L", "P")),
    ("BMP", ("1", "L", "P", "RGB")),
]
KINDS = [(kind, mode) for kind, modes in WRITABLE for mode in modes]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def noise(mode: str, width: int, height: int, seed: int = 0) -> Image.Image:
    """Random pixels, the same for the same seed."""
    order = np.random.default_rng(seed)
    if mode == "I;16":
        return Image.fromarray(order.integers(0, 65536, (height, width), np.uint16))
    colours = Image.fromarray(order.integers(0, 256, (height, width, 4), np.uint8), "RGBA")
    return colours if mode == "RGBA" else colours.convert("RGB").convert(mode)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG up to where its pixels begin."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head)


def grey_png(width: int, height: int) -> bytes:
    """A whole black PNG in a few bytes a row, however large: a bomb."""
    rows = zlib.compressobj(9)
    row = b"\0" * (1 + width)
    data = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    return png_header(width, height, 8, 0) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def scans(side: int, count: int, height: int | None = None) -> bytes:
    """A progressive JPEG that repeats its last scan: small, and slow to decode."""
    whole = encoded(Image.new("RGB", (side, height or side)), "JPEG", progressive=True)
    start, end = whole.rfind(b"\xff\xda"), whole.rfind(b"\xff\xd9")
    return whole[:start] + whole[start:end] * count + whole[end:]


def padded_jpeg(padding: int) -> bytes:
    """A JPEG with so many bytes in front of a marker, which Pillow skips one by one in Python."""
    whole = encoded(noise("RGB", 16, 16), "JPEG")
    return whole[:2] + b"\xff" * padding + whole[2:]


def chunked_png(chunks: int) -> bytes:
    """A PNG with so many empty chunks of pixels, which Pillow reads one by one in Python."""
    whole = encoded(noise("RGB", 16, 16), "PNG")
    at = whole.index(b"IDAT") - 4
    return whole[:at] + _chunk(b"IDAT", b"") * chunks + whole[at:]


def run_lengths_bmp(width: int, height: int) -> bytes:
    """A BMP whose runs have one pixel each, which Pillow decodes in Python."""
    pixels = b"\x01\x07" * (width * height) + b"\x00\x01"
    palette = bytes(1024)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    start = 14 + len(info) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    return head + info + palette + pixels
