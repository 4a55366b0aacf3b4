"""What a request carries: images of a format and size, or the tensor that they become."""

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

from jobs import protocol
from jobs.load.vegeta import Target
from jobs.samples import input_tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from release.schema import Release, Sample

__all__ = ["FORMS", "Payload", "grpc_message"]

# What a camera's sensor adds, in levels of 256: a PNG of a drawing is unlike a photo's without.
NOISE = 2
JPEG_QUALITY = 85
# Go's client asks for gzip by itself; KServe's SDK then sends a header that belies the body.
PLAIN = {"Accept-Encoding": "identity"}
JSON = PLAIN | {"Content-Type": "application/json"}


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
        """Of what `str` gives."""
        images, kind, size = text.split("-")
        width, height = size.split("x")
        return cls(int(images), kind, int(width), int(height))

    @property
    def is_standard(self) -> bool:
        """As the release's own samples: what Triton alone is measured with, since format and
        size are gone from a tensor."""
        return (self.kind, self.width, self.height) == ("png", 32, 32)


def _samples(release: Release, kind: str, size: tuple[int, int]) -> tuple[Sample, ...]:
    """The release's samples in this format and size."""
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
    """One image a request takes all samples in turn; of several, one request has them all."""
    samples = _samples(release, payload.kind, (payload.width, payload.height))
    if payload.images == 1:
        return [[sample] for sample in samples]
    return [list(islice(cycle(samples), payload.images))]


def _tensor(release: Release, samples: list[Sample]) -> NDArray[Any]:
    return np.concatenate([input_tensor(release, sample) for sample in samples])


def images(url: str, release: Release, payload: Payload) -> list[Target]:
    """V1 JSON with the images, as a transformer takes it."""
    url = f"{url}/v1/models/{release.name}:predict"
    return [
        Target(url, JSON, json.dumps({"instances": [_instance(each) for each in asked]}).encode())
        for asked in _requests(release, payload)
    ]


def _instance(sample: Sample) -> dict[str, dict[str, str]]:
    return {"image_bytes": {"b64": sample.image}}


def numbers(url: str, release: Release, payload: Payload) -> list[Target]:
    """V2 with the tensor as JSON numbers."""
    made = []
    for asked in _requests(release, payload):
        values = _tensor(release, asked)
        tensor = {
            "name": release.inputs[0].name,
            "shape": values.shape,
            "datatype": release.inputs[0].dtype,
            "data": values.ravel().tolist(),
        }
        body = json.dumps({"inputs": [tensor]}).encode()
        made.append(Target(f"{url}/v2/models/{release.name}/infer", JSON, body))
    return made


def binary(url: str, release: Release, payload: Payload) -> list[Target]:
    """V2 with the tensor as raw bytes."""
    made = []
    for asked in _requests(release, payload):
        body, headers = protocol.encode(release.inputs[0], _tensor(release, asked))
        made.append(Target(f"{url}/v2/models/{release.name}/infer", PLAIN | headers, body))
    return made


FORMS: dict[str, Callable[[str, Release, Payload], list[Target]]] = {
    "images": images,
    "numbers": numbers,
    "binary": binary,
}


def grpc_message(release: Release, payload: Payload) -> bytes:
    """V2's ModelInferRequest with the tensor as raw bytes."""
    values = _tensor(release, _requests(release, payload)[0])
    request = service_pb2.ModelInferRequest(
        model_name=release.name, raw_input_contents=[values.tobytes()]
    )
    request.inputs.add(
        name=release.inputs[0].name, datatype=release.inputs[0].dtype, shape=values.shape
    )
    message: bytes = request.SerializeToString()
    return message
