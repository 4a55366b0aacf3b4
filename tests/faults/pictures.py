"""Writes the pictures that clients send: `python -m tests.faults.pictures SAMPLE FOLDER`.

It needs Pillow and numpy, which the local cluster's environment doesn't have. SAMPLE is the file of
a bright digit on a black ground.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import Image

from tests.transformer.pictures import chunked_png, encoded, padded_jpeg, run_lengths_bmp

# To be turned right by 90° (EXIF 2.32, tag 0x0112).
_ORIENTATION, _TURN_RIGHT = 0x0112, 6
_MIB = 2**20


def _write(sample: Path, folder: Path) -> None:
    digit = Image.open(sample).convert("RGB")
    jpeg = encoded(digit, "JPEG", quality=95)
    turned = digit.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURN_RIGHT
    # All of one colour where it is opaque.
    clear = Image.new("RGB", digit.size, "white")
    clear.putalpha(digit.convert("L"))
    pictures = {
        "turned.jpg": encoded(turned, "JPEG", quality=95, exif=exif),
        "untagged.jpg": encoded(turned, "JPEG", quality=95),
        "motion.jpg": jpeg + random.Random(0).randbytes(8 * _MIB),
        "clear.png": encoded(clear, "PNG"),
        "pixel.png": encoded(Image.new("L", (1, 1)), "PNG"),
        # 29 MiB.
        "runs.bmp": run_lengths_bmp(3900, 3900),
        "padded.jpg": padded_jpeg(16 * _MIB),
        "chunks.png": chunked_png(10**6),
        "large.png": encoded(Image.new("RGB", (8190, 8190)), "PNG"),
    }
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)


_write(*map(Path, sys.argv[1:]))
