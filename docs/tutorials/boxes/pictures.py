"""Draws pictures of circles, squares and triangles, and tells where they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

LABELS = ("circle", "square", "triangle")


class Shape(NamedTuple):
    """The index of its label, and its box: left, top, right, bottom, in pixels."""

    label: int
    box: tuple[int, int, int, int]


def draw(random: np.random.Generator, width: int, height: int) -> tuple[Image.Image, list[Shape]]:
    """A picture with one to three shapes that don't overlap."""
    noise = random.integers(90, 166, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    shapes: list[Shape] = []
    for _ in range(random.integers(1, 4)):
        side = int(random.integers(36, 90))
        left, top = (int(random.integers(0, each - side)) for each in (width, height))
        shape = Shape(int(random.integers(len(LABELS))), (left, top, left + side, top + side))
        if not any(_touch(shape.box, other.box) for other in shapes):
            _add(image, shape, random)
            shapes.append(shape)
    return image.filter(ImageFilter.GaussianBlur(1)), shapes


def _touch(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    return all(first[i] < second[i + 2] and second[i] < first[i + 2] for i in range(2))


def _add(image: Image.Image, shape: Shape, random: np.random.Generator) -> None:
    left, top, right, bottom = shape.box
    bright = int(random.integers(2))
    colour = tuple((random.integers(0, 60, 3) + 195 * bright).tolist())
    pen = ImageDraw.Draw(image)
    if LABELS[shape.label] == "circle":
        pen.ellipse(shape.box, colour)
    elif LABELS[shape.label] == "square":
        pen.rectangle(shape.box, colour)
    else:
        pen.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], colour)
