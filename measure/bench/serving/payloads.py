"""Requests: images of a format and size, or the tensor made of them."""

from __future__ import annotations

import base64
import functools
import io
import json
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tritonclient.grpc import service_pb2

from jobs.samples import Target, infer_request, input_tensor, predict_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from release.schema import Release, Sample

__all__ = ["FORMS", "Payload", "grpc_message"]

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
        """Whether the images are the release's own samples; Triton alone is measured with these."""
        return (self.kind, self.width, self.height) == ("png", 32, 32)


def _samples(release: Release, kind: str, size: tuple[int, int]) -> tuple[Sample, ...]:
    """The release's samples in a format and size."""
    if Payload(1, kind, *size).is_standard:
        return release.samples
    return tuple(replace(sample, image=_encoded(sample, kind, size)) for sample in release.samples)


@functools.cache
def _encoded(sample: Sample, kind: str, size: tuple[int, int]) -> str:
    image = Image.open(io.BytesIO(sample.png)).convert("RGB")
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
    samples = _samples(release, payload.kind, (payload.width, payload.height))
    if payload.images == 1:
        return [[sample] for sample in samples]
    return [list(islice(cycle(samples), payload.images))]


def _tensor(release: Release, samples: list[Sample]) -> NDArray[Any]:
    return np.concatenate([input_tensor(release, sample) for sample in samples])


def images(url: str, release: Release, payload: Payload) -> list[Target]:
    """V1 requests with images, for a transformer."""
    requests = map(predict_request, _requests(release, payload))
    url = f"{url}/v1/models/{release.name}:predict"
    return [Target(url, PLAIN | headers, body) for body, headers in requests]


def numbers(url: str, release: Release, payload: Payload) -> list[Target]:
    """V2 requests with the tensor as JSON numbers."""
    targets, given = [], release.inputs[0]
    for samples in _requests(release, payload):
        values = _tensor(release, samples)
        tensor = {"name": given.name, "shape": values.shape, "datatype": given.dtype}
        body = json.dumps({"inputs": [tensor | {"data": values.ravel().tolist()}]}).encode()
        headers = PLAIN | {"Content-Type": "application/json"}
        targets.append(Target(f"{url}/v2/models/{release.name}/infer", headers, body))
    return targets


def binary(url: str, release: Release, payload: Payload) -> list[Target]:
    """V2 requests with the tensor as binary data."""
    targets = []
    for samples in _requests(release, payload):
        body, headers = infer_request(release.inputs[0], _tensor(release, samples))
        targets.append(Target(f"{url}/v2/models/{release.name}/infer", PLAIN | headers, body))
    return targets


FORMS: dict[str, Callable[[str, Release, Payload], list[Target]]] = {
    "images": images,
    "numbers": numbers,
    "binary": binary,
}


def grpc_message(release: Release, payload: Payload) -> bytes:
    """A ModelInferRequest with the tensor as binary data."""
    values = _tensor(release, _requests(release, payload)[0])
    request = service_pb2.ModelInferRequest(
        model_name=release.name, raw_input_contents=[values.tobytes()]
    )
    request.inputs.add(
        name=release.inputs[0].name, datatype=release.inputs[0].dtype, shape=values.shape
    )
    message: bytes = request.SerializeToString()
    return message
