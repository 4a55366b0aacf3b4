"""Small PNGs with nothing beside their pixels, without Pillow's search for what they could be.

Pillow tries formats, reads chunks one by one and plans tiles, which for an icon costs more than
decoding it. Eight-bit grey or RGB in one piece, as encoders write small images, needs none of that.
The decoder is Pillow's own, and so the pixels are the same. PNG specification, third edition.
"""

from __future__ import annotations

import binascii
import struct

from PIL import Image

__all__ = ["MAX_PIXELS", "plain"]

# So few that their memory needs no budget, nor their decoding a thread.
MAX_PIXELS = 8 * 1024
# Signature; IHDR with its length, its thirteen bytes and its checksum; the next chunk's beginning.
HEAD = struct.Struct(">8sI4sIIBBBBBII4s")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK = struct.Struct(">I4s")
CHECKED = slice(12, 29)
DATA_AT = HEAD.size
CHECKSUM_BYTES = 4
# Bit depth, colour type, compression, filter method, interlacing.
MODES = {(8, 0, 0, 0, 0): "L", (8, 2, 0, 0, 0): "RGB"}


def plain(data: bytes) -> Image.Image | None:
    """Decoded; None for whatever isn't such a PNG, or not a whole one."""
    if len(data) < DATA_AT:
        return None
    signature, size, name, width, height, *form, checksum, length, first = HEAD.unpack_from(data)
    mode = MODES.get(tuple(form))
    end = DATA_AT + length + CHECKSUM_BYTES
    if (
        mode is None
        or (signature, size, name, first) != (SIGNATURE, 13, b"IHDR", b"IDAT")
        or not 0 < width * height <= MAX_PIXELS
        or binascii.crc32(data[CHECKED]) != checksum
        or data[end : end + CHUNK.size] != b"\0\0\0\0IEND"
    ):
        return None
    try:
        pixels = data[DATA_AT : DATA_AT + length]
        return Image.frombytes(mode, (width, height), pixels, "zip", mode)
    except ValueError:
        return None
