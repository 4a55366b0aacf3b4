"""Pictures of clients: base64, broken files, and the memory that a picture may take."""

from __future__ import annotations

import base64
import urllib.parse
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from release.images import Converter
from release.schema import ImageInput
from tests.transformer.pictures import (
    KINDS,
    b64,
    chunked_png,
    encoded,
    noise,
    padded_jpeg,
    run_lengths_bmp,
    scans,
)
from transformer.errors import RequestError
from transformer.images import decode_base64
from transformer.picture_file import (
    MAX_SCANS,
    METADATA_COPIES,
    SlowPictureError,
    decode_cost,
    has_more_scans,
    open_image,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@given(st.binary(min_size=1, max_size=400))
@settings(max_examples=200)
def test_base64_is_read_back_in_all_its_forms(data: bytes) -> None:
    plain, url = b64(data), base64.urlsafe_b64encode(data).decode()
    escaped = urllib.parse.quote(plain, safe="")
    forms = [plain, url, plain.rstrip("="), url.rstrip("="), base64.encodebytes(data).decode()]
    heads = ["data:image/png;base64,", "DATA:;charset=utf-8;BASE64,"]
    for text in (*forms, *(head + form for head in heads for form in (*forms, escaped))):
        assert decode_base64(text) == data


@pytest.mark.parametrize(
    "text",
    [
        *("a", "ab=c", "====", "abcde", "ab!d", "YWJj,YWJj", "YWJj===="),
        *("data:image/png;base64", "data:image/png,YWJj", "data:image/png;base64,YW!j", "data:"),
    ],
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
    exif = b"Exif\0\0" + b"x" * 4994
    turned = decode_cost(open_image(encoded(noise("RGB", 8, 4), "PNG", exif=exif)))
    clear = decode_cost(open_image(encoded(noise("RGBA", 8, 4), "PNG")))
    copies = METADATA_COPIES * 5000
    assert (plain, turned, clear) == (8 * 4 * 4, 8 * 4 * 8 + copies, 8 * 4 * 20)


# A progressive picture of Pillow's has ten scans; `scans` repeats the last one.
@pytest.mark.parametrize(("count", "many"), [(MAX_SCANS - 9, False), (MAX_SCANS - 8, True)])
def test_scans_are_counted_up_to_the_end_of_a_jpeg(count: int, many: bool) -> None:
    picture = scans(16, count)
    video = b"\xff\xda" * 1000
    assert has_more_scans(picture, MAX_SCANS) == many
    assert has_more_scans(picture + video, MAX_SCANS) == many
    # A thumbnail in a segment is not a scan of the picture, and its end not the picture's.
    thumbnail = (video + b"\xff\xd9")[:60_000]
    segment = b"\xff\xe5" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    assert has_more_scans(picture[:2] + segment + picture[2:], MAX_SCANS) == many


@given(st.binary(max_size=300), st.integers(0, 2**32))
@settings(max_examples=200)
def test_scans_that_a_decoder_sees_are_counted(noise_between: bytes, seed: int) -> None:
    """Neither noise in front of a marker nor a segment of an unknown kind hides scans."""
    picture = scans(16, 3 * MAX_SCANS)
    at = picture.find(b"\xff\xda")
    kept = noise_between.replace(b"\xff", b"\xfe")
    unknown = bytes((0xFF, 0x02 + seed % 0x80)) + b"\xff\xff"
    assert has_more_scans(picture[:at] + kept + picture[at:], MAX_SCANS)
    assert has_more_scans(picture[:at] + unknown + picture[at:], MAX_SCANS)


def test_a_jpeg_of_millions_of_markers_is_refused_at_once() -> None:
    picture = scans(16, MAX_SCANS - 9)
    comments = b"\xff\xfe\x00\x02" * 10**6
    assert has_more_scans(picture[:2] + comments + picture[2:] + b"\xff\xda" * 99, MAX_SCANS)


def test_the_larger_a_jpeg_the_fewer_scans_it_may_have() -> None:
    large = Image.new("RGB", (6000, 4000))
    assert open_image(encoded(large, "JPEG", progressive=True)).size == large.size
    with pytest.raises(RequestError, match="JPEG of more than 22 scans"):
        open_image(scans(6000, 20, 4000))


@pytest.mark.parametrize("seconds", [0, 0.01])
@pytest.mark.parametrize("make", [padded_jpeg, chunked_png], ids=["JPEG", "PNG"])
def test_a_file_that_takes_long_is_given_up(make: Callable[[int], bytes], seconds: float) -> None:
    with pytest.raises(SlowPictureError):
        open_image(make(2**20), seconds).load()


def test_run_lengths_are_refused() -> None:
    with pytest.raises(RequestError, match="BMP with run-length encoding") as found:
        open_image(run_lengths_bmp(64, 64))
    assert found.value.status == 400


def test_a_jpeg_with_a_video_behind_it_is_opened() -> None:
    picture = encoded(noise("RGB", 32, 32), "JPEG")
    motion = picture + np.random.default_rng(0).bytes(16 * 2**20)
    assert motion.count(b"\xff\xda") > MAX_SCANS
    assert open_image(motion).size == (32, 32)
