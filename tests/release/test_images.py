"""From a picture to the network's input, compared with torch and Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from release.images import Converter
from release.schema import ImageInput
from tests.transformer.pictures import KINDS, encoded, noise

sides = st.integers(1, 48)
fractions = st.floats(0, 1, width=32)
spreads = st.floats(0.0625, 2, width=32)
HALVES = (0.5, 0.5, 0.5)
WHITE = (255, 255, 255)


def image_input(width: int, height: int, **more: Any) -> ImageInput:
    return ImageInput(**{"width": width, "height": height, "mean": HALVES, "std": HALVES, **more})


def convert(data: bytes, how: ImageInput, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    made = np.full((3, how.height, how.width), np.nan, dtype)
    Converter(how).convert(Image.open(io.BytesIO(data)), made)
    return made


def fitted(image: Image.Image, how: ImageInput) -> Image.Image:
    return Converter(how).fit(image)


def reference(image: Image.Image, how: ImageInput) -> np.ndarray[Any, Any]:
    """What torchvision's ToTensor and Normalize do to an RGB image, in torch."""
    assert image.mode == "RGB"
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    mean, std = (torch.tensor(values)[:, None, None] for values in (how.mean, how.std))
    made: np.ndarray[Any, Any] = pixels.to(torch.float32).div(255).sub(mean).div(std).numpy()
    return made


@given(
    sides,
    sides,
    st.integers(0, 2**32),
    st.tuples(fractions, fractions, fractions),
    st.tuples(spreads, spreads, spreads),
)
@settings(max_examples=60, deadline=None)
def test_equals_to_tensor_and_normalize(
    width: int, height: int, seed: int, mean: Any, std: Any
) -> None:
    image = noise("RGB", width, height, seed)
    how = image_input(width, height, mean=mean, std=std)
    made = convert(encoded(image, "PNG"), how)
    np.testing.assert_allclose(made, reference(image, how), rtol=0, atol=1e-6)


@given(st.sampled_from(KINDS), sides, sides, sides, sides, st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_every_kind_is_pillows_rgb_on_black_resized(
    kind_and_mode: tuple[str, str],
    width: int,
    height: int,
    to_width: int,
    to_height: int,
    seed: int,
) -> None:
    kind, mode = kind_and_mode
    data = encoded(noise(mode, width, height, seed), kind)
    with Image.open(io.BytesIO(data)) as opened:
        if opened.mode.startswith("I;16"):
            opened = Image.fromarray((np.array(opened) // 256).astype(np.uint8))
        if "A" in opened.mode:
            black = Image.new("RGBA", opened.size, (0, 0, 0, 255))
            opened = Image.alpha_composite(black, opened.convert("RGBA"))
        expected = opened.convert("RGB")
    if expected.size != (to_width, to_height):
        expected = expected.resize((to_width, to_height), Image.Resampling.BILINEAR)
    how = image_input(to_width, to_height)
    np.testing.assert_allclose(convert(data, how), reference(expected, how), rtol=0, atol=1e-6)


def test_half_precision_is_the_rounded_full_one() -> None:
    data, how = encoded(noise("RGB", 8, 8), "PNG"), image_input(8, 8)
    np.testing.assert_array_equal(
        convert(data, how, np.float16), convert(data, how).astype(np.float16)
    )


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    how = image_input(16, 16, mean=(0.0,) * 3, std=(1.0,) * 3)
    made = convert(encoded(Image.fromarray(ramp), "PNG"), how)
    expected = np.arange(256).reshape(16, 16) / 255
    np.testing.assert_allclose(made, np.stack([expected] * 3), atol=1e-6)


@pytest.mark.parametrize(("background", "value"), [((0, 0, 0), -1), (WHITE, 1)])
def test_what_is_transparent_shows_the_background(background: Any, value: int) -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (convert(encoded(image, "PNG"), image_input(4, 4, background=background)) == value).all()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black", "black")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (convert(data, image_input(8, 8)) == 1).all()


TURNS = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: lambda pixels: np.rot90(pixels),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_pictures_are_turned_as_exif_says_unless_the_release_does_not(
    orientation: int, kind: str
) -> None:
    image, exif = noise("RGB", 8, 4), Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(image, kind, exif=exif, **options)
    turned = TURNS[orientation](np.array(image))
    height, width = turned.shape[:2]
    how = image_input(width, height)
    expected = reference(Image.fromarray(np.ascontiguousarray(turned)), how)
    np.testing.assert_allclose(convert(data, how), expected, atol=1e-6)
    how = image_input(8, 4, exif=False)
    np.testing.assert_allclose(convert(data, how), reference(image, how), atol=1e-6)


def test_broken_exif_is_ignored() -> None:
    image, how = noise("RGB", 8, 4), image_input(8, 4)
    data = encoded(image, "PNG", exif=b"Exif\0\0MM")
    np.testing.assert_allclose(convert(data, how), reference(image, how), atol=1e-6)


def test_pad_keeps_the_proportions_on_the_background() -> None:
    how = image_input(8, 8, resize="pad", background=WHITE)
    made = np.array(fitted(Image.new("RGB", (4, 2)), how))
    assert (made[[0, 1, 6, 7]] == 255).all()
    assert (made[2:6] == 0).all()


@given(sides, sides, st.integers(1, 24), st.integers(1, 24), st.integers(0, 16))
@settings(deadline=None)
def test_crop_is_the_middle_of_the_scaled_picture(
    width: int, height: int, to_width: int, to_height: int, more: int
) -> None:
    shorter = max(to_width, to_height) + more
    image = noise("RGB", width, height)
    how = image_input(to_width, to_height, resize="crop", shorter=shorter)
    # torchvision's Resize and CenterCrop.
    short = min(width, height)
    scaled = [int(shorter * side / short) for side in (width, height)]
    left, top = (round((a - b) / 2) for a, b in zip(scaled, (to_width, to_height), strict=True))
    resized = np.array(image.resize(tuple(scaled), Image.Resampling.BILINEAR))
    expected = resized[top : top + to_height, left : left + to_width]
    np.testing.assert_array_equal(np.array(fitted(image, how)), expected)


@given(sides, sides, sides, sides, st.sampled_from(["stretch", "crop", "pad"]))
@settings(deadline=None)
def test_every_rule_fills_the_input(
    width: int, height: int, to_width: int, to_height: int, resize: Any
) -> None:
    how = image_input(to_width, to_height, resize=resize)
    assert np.isfinite(convert(encoded(noise("RGB", width, height), "PNG"), how)).all()
