"""The short way for plain PNGs: the same pixels, and nothing that Pillow would refuse."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.transformer.pictures import encoded, noise
from transformer.png import MAX_PIXELS, plain

sides = st.integers(1, 64)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image)


@given(st.sampled_from(["L", "RGB"]), sides, sides, st.integers(0, 2**32), st.integers(0, 9))
def test_pixels_are_pillows(mode: str, width: int, height: int, seed: int, level: int) -> None:
    data = encoded(noise(mode, width, height, seed), "PNG", compress_level=level)
    found = plain(data)
    assert found is not None
    with Image.open(io.BytesIO(data)) as wanted:
        assert (found.mode, found.size) == (wanted.mode, wanted.size)
        np.testing.assert_array_equal(pixels(found), pixels(wanted))


@given(st.sampled_from(["L", "RGB"]), st.integers(0, 2**32), st.data())
def test_what_it_reads_of_a_broken_one_is_what_pillow_reads(
    mode: str, seed: int, data: st.DataObject
) -> None:
    whole = bytearray(encoded(noise(mode, 12, 9, seed), "PNG"))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
        whole[place] = data.draw(st.integers(0, 255))
    broken = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    found = plain(broken)
    if found is not None:
        with Image.open(io.BytesIO(broken)) as wanted:
            np.testing.assert_array_equal(pixels(found), pixels(wanted))


def texts() -> dict[str, Any]:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x")
    return {"pnginfo": info}


@pytest.mark.parametrize(
    "data",
    [
        *(encoded(noise(mode, 8, 8), "PNG") for mode in ("1", "P", "RGBA", "LA", "I;16")),
        encoded(noise("RGB", 8, 8), "PNG", **texts()),
        encoded(noise("RGB", 8, 8), "PNG", transparency=(0, 0, 0)),
        encoded(noise("RGB", 8, 8), "JPEG"),
        encoded(Image.new("L", (MAX_PIXELS // 64 + 1, 64)), "PNG"),
        b"",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_everything_else_is_left_to_pillow(data: bytes) -> None:
    assert plain(data) is None


def test_the_largest_is_still_read() -> None:
    assert plain(encoded(Image.new("L", (MAX_PIXELS // 64, 64)), "PNG")) is not None
