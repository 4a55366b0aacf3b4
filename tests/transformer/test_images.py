"""Pictures of clients: base64, broken files, and the memory that a picture may take."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from release.images import Converter
from release.schema import ImageInput
from tests.transformer.pictures import KINDS, b64, encoded, noise
from transformer.errors import RequestError
from transformer.images import decode_base64, decode_cost, open_image


@given(st.binary(min_size=1, max_size=400))
@settings(max_examples=200)
def test_base64_is_read_back(data: bytes) -> None:
    assert decode_base64(b64(data)) == data
    assert decode_base64(base64.encodebytes(data).decode()) == data


@pytest.mark.parametrize(
    "text", ["a", "ab=c", "====", "abc", "ab!d", "YWJj,YWJj", "YWJj====", "-_-_"]
)
def test_wrong_base64_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="wrong base64") as found:
        decode_base64(text)
    assert found.value.status == 400


@given(st.sampled_from(KINDS), st.integers(0, 2**32), st.data())
@settings(max_examples=300)
def test_broken_images_are_refused_or_converted(
    how: tuple[str, str], seed: int, data: st.DataObject
) -> None:
    kind, mode = how
    whole = bytearray(encoded(noise(mode, 16, 16, seed), kind))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    made = np.full((3, 16, 16), np.nan, np.float32)
    converter = Converter(ImageInput(width=16, height=16, mean=(0.5,) * 3, std=(0.5,) * 3))
    try:
        opened = open_image(cut)
    except RequestError as error:
        assert error.status in (400, 413)
        return
    try:
        converter.convert(opened, made)
    except Exception:
        return
    assert np.isfinite(made).all()


def test_a_picture_that_is_turned_or_composed_costs_its_copies() -> None:
    plain = decode_cost(open_image(encoded(noise("RGB", 8, 4), "PNG")))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_cost(open_image(encoded(noise("RGB", 8, 4), "PNG", exif=exif)))
    clear = decode_cost(open_image(encoded(noise("RGBA", 8, 4), "PNG")))
    assert (plain, turned, clear) == (8 * 4 * 4, 8 * 4 * 8, 8 * 4 * 20)
