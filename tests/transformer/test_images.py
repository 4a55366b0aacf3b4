"""Decoding and normalising, compared with torch and Pillow."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from release.schema import File, Preprocessing, Release, Tensor
from tests.transformer.pictures import b64, encoded, noise
from transformer.errors import RequestError
from transformer.images import Converter, decode_base64, open_image

sides = st.integers(1, 48)
fractions = st.floats(0, 1, width=32)
spreads = st.floats(0.0625, 2, width=32)
WRITABLE = [
    ("PNG", ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")),
    ("JPEG", ("L", "RGB", "CMYK")),
    ("WEBP", ("RGB", "RGBA")),
    ("GIF", ("1", "L", "P")),
    ("BMP", ("1", "L", "P", "RGB")),
]
KINDS = [(kind, mode) for kind, modes in WRITABLE for mode in modes]


def release(width: int, height: int, mean: Any = (0.5,) * 3, std: Any = (0.5,) * 3) -> Release:
    return Release(
        name="m",
        model=File("0" * 64, 1),
        torch="2.12.1",
        inputs=(Tensor("INPUT__0", "FP32", (3, height, width)),),
        outputs=(Tensor("OUTPUT__0", "FP32", (2,)),),
        preprocessing=Preprocessing(width, height, mean, std),
        labels=("a", "b"),
        accuracy=0.5,
        held_out=10,
        samples=(),
        warmup={},
    )


def convert(data: bytes, served: Release) -> np.ndarray[Any, Any]:
    made = np.full(served.inputs[0].dims, np.nan, np.float32)
    Converter(served).convert(open_image(data), made)
    return made


def reference(image: Image.Image, served: Release) -> np.ndarray[Any, Any]:
    """What torchvision's ToTensor and Normalize do to an RGB image, in torch."""
    assert image.mode == "RGB"
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    scaled, how = pixels.to(torch.float32).div(255), served.preprocessing
    mean, std = (torch.tensor(values)[:, None, None] for values in (how.mean, how.std))
    made: np.ndarray[Any, Any] = scaled.sub(mean).div(std).numpy()
    return made


@given(
    sides,
    sides,
    st.integers(0, 2**32),
    st.tuples(fractions, fractions, fractions),
    st.tuples(spreads, spreads, spreads),
)
@settings(max_examples=60)
def test_equals_to_tensor_and_normalize(
    width: int, height: int, seed: int, mean: Any, std: Any
) -> None:
    image = noise("RGB", width, height, seed)
    served = release(width, height, mean, std)
    np.testing.assert_allclose(
        convert(encoded(image, "PNG"), served), reference(image, served), rtol=0, atol=1e-6
    )


@given(st.sampled_from(KINDS), sides, sides, sides, sides, st.integers(0, 2**32))
@settings(max_examples=150)
def test_every_kind_is_pillows_rgb_resized(
    how: tuple[str, str], width: int, height: int, to_width: int, to_height: int, seed: int
) -> None:
    kind, mode = how
    data = encoded(noise(mode, width, height, seed), kind)
    with Image.open(io.BytesIO(data)) as opened:
        if opened.mode.startswith("I;16"):
            opened = Image.fromarray((np.array(opened) // 256).astype(np.uint8))
        expected = opened.convert("RGB")
    if expected.size != (to_width, to_height):
        expected = expected.resize((to_width, to_height), Image.Resampling.BILINEAR)
    served = release(to_width, to_height)
    np.testing.assert_allclose(
        convert(data, served), reference(expected, served), rtol=0, atol=1e-6
    )


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    made = convert(encoded(Image.fromarray(ramp), "PNG"), release(16, 16, (0.0,) * 3, (1.0,) * 3))
    expected = np.arange(256).reshape(16, 16) / 255
    np.testing.assert_allclose(made, np.stack([expected] * 3), atol=1e-6)


def test_alpha_is_dropped() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    made = convert(encoded(image, "PNG"), release(4, 4))
    assert (made[0] == 1).all() and (made[1:] == -1).all()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black", "black")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (convert(data, release(8, 8)) == 1).all()


def test_exif_orientation_is_left_alone() -> None:
    image = noise("RGB", 8, 4)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain, turned = encoded(image, "PNG"), encoded(image, "PNG", exif=exif)
    served = release(8, 4)
    np.testing.assert_array_equal(convert(plain, served), convert(turned, served))


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
    served = release(16, 16)
    try:
        made = convert(cut, served)
    except RequestError as error:
        assert error.status in (400, 413)
    else:
        assert np.isfinite(made).all()
