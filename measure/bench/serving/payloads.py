"""Requests: images of a format and size, or the tensor made of them."""

from __future__ import annotations

import base64
import functools
import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from jobs.protocols import infer_request, predict_request
from jobs.samples import Target, rows, stacked

if TYPE_CHECKING:
    from collections.abc import Callable

    from release.schema import Release, Sample

__all__ = ["FORMS", "Payload"]

# Noise of a camera's sensor, in levels of 256, so that a PNG compresses as that of a photo.
NOISE = 2
JPEG_QUALITY = 85
# Go's client accepts gzip by default; KServe's SDK then sends a wrong Content-Encoding.
PLAIN = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Payload:
    """`images` in one request, each `width` by `height` pixels, as PNG or JPEG."""

    images: int
    kind: str = "png"
    width: int = 32
    height: int = 32

    def __str__(self) -> str:
        return f"{self.images}-{self.kind}-{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> Payload:
        """Parse the text of `str`."""
        images, kind, size = text.split("-")
        width, height = size.split("x")
        return cls(int(images), kind, int(width), int(height))

    @property
    def is_standard(self) -> bool:
        """Whether the images have the network's size, losslessly: Triton gets these as tensors."""
        return (self.kind, self.width, self.height) == ("png", 32, 32)


@functools.cache
def _encoded(picture: bytes, kind: str, size: tuple[int, int]) -> str:
    image = Image.open(io.BytesIO(picture))
    if (image.format, image.size) == (kind.upper(), size):
        return base64.b64encode(picture).decode()
    image = image.convert("RGB")
    if image.size != size:
        image = _photo(image.resize(size, Image.Resampling.BICUBIC))
    out = io.BytesIO()
    image.save(out, kind.upper(), quality=JPEG_QUALITY)
    return base64.b64encode(out.getvalue()).decode()


def _photo(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, np.int16)
    noise = np.random.default_rng(0).integers(-NOISE, NOISE + 1, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _requests(release: Release, payload: Payload) -> list[list[Sample]]:
    """The samples of each request: one each in turn, or as many as needed in a single request."""
    size = (payload.width, payload.height)
    found = [
        [replace(sample, image=_encoded(sample.picture, payload.kind, size)) for sample in samples]
        for samples in rows(release, payload.images)
    ]
    return found if payload.images == 1 else found[:1]


def images(url: str, release: Release, payload: Payload) -> list[Target]:
    """V1 requests with images, for whatever has a transformer's part."""
    targets = []
    for samples in _requests(release, payload):
        instances = [{"image_bytes": {"b64": sample.image}} for sample in samples]
        body, headers = predict_request(instances)
        targets.append(Target(url, PLAIN | headers, body))
    return targets


def numbers(url: str, release: Release, payload: Payload) -> list[Target]:
    """V2 requests with the tensor as JSON numbers."""
    targets, (given,) = [], release.inputs
    for samples in _requests(release, payload):
        (values,) = stacked(release, samples)
        tensor = {"name": given.name, "shape": values.shape, "datatype": given.dtype}
        body = json.dumps({"inputs": [tensor | {"data": values.ravel().tolist()}]}).encode()
        headers = PLAIN | {"Content-Type": "application/json"}
        targets.append(Target(url, headers, body))
    return targets


def binary(url: str, release: Release, payload: Payload) -> list[Target]:
    """V2 requests with the tensor as binary data."""
    targets = []
    for samples in _requests(release, payload):
        body, headers = infer_request(release.inputs, stacked(release, samples))
        targets.append(Target(url, PLAIN | headers, body))
    return targets


FORMS: dict[str, Callable[[str, Release, Payload], list[Target]]] = {
    "images": images,
    "numbers": numbers,
    "binary": binary,
}
