"""Images for tests: of each kind that Pillow writes, and broken ones."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["KINDS", "b64", "encoded", "grey_png", "noise", "png_header", "scans"]


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


def scans(side: int, count: int) -> bytes:
    """A progressive JPEG that repeats its last scan: small, and slow to decode."""
    whole = encoded(Image.new("RGB", (side, side)), "JPEG", progressive=True)
    start, end = whole.rfind(b"\xff\xda"), whole.rfind(b"\xff\xd9")
    return whole[:start] + whole[start:end] * count + whole[end:]
