"""Requests with the samples of a release, by the V1 and V2 inference protocols over HTTP."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from jobs.config import JobError
from release import files
from release.schema import DTYPES, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from jobs.http_client import Response
    from release.schema import Release, Sample, Tensor

__all__ = [
    "HEADER_LENGTH",
    "Target",
    "infer_outputs",
    "infer_request",
    "input_tensor",
    "predict_request",
    "read_release",
    "sample_targets",
]

# Normalised pixels are fractions, so the input has one of these types.
INPUT_TYPES = ("FP16", "FP32", "FP64")
# The length of the JSON before the raw bytes.
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Target:
    """A request; a load sends its targets in turn."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def to_json(self) -> str:
        """One line of vegeta's JSON target format."""
        return json.dumps(
            {
                "method": "POST",
                "url": self.url,
                "header": {name: [value] for name, value in self.headers.items()},
                "body": base64.b64encode(self.body).decode(),
            }
        )


def read_release(path: Path) -> Release:
    """Read a release.json; raises JobError where it is none, or has no samples."""
    try:
        release = files.read(path)
    except ReleaseError as error:
        raise JobError(str(error)) from error
    if not release.samples:
        raise JobError(f"{path}: samples: found none; allowed: one or more")
    return release


def input_tensor(release: Release, sample: Sample) -> NDArray[Any]:
    """A sample's image as the model's input: [1, 3, height, width], scaled and normalised.

    Raises JobError where an image can't be the input.
    """
    how, dtype = release.preprocessing, release.inputs[0].dtype
    if len(release.inputs) != 1 or dtype not in INPUT_TYPES:
        found = ", ".join(map(str, release.inputs))
        raise JobError(f"inputs: found {found}; allowed: one of {', '.join(INPUT_TYPES)}")
    image = Image.open(io.BytesIO(sample.png)).convert("RGB")
    if image.size != (how.width, how.height):
        image = image.resize((how.width, how.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    mean, std = np.asarray(how.mean, np.float32), np.asarray(how.std, np.float32)
    planes = ((pixels - mean) / std).transpose(2, 0, 1)[np.newaxis]
    return np.ascontiguousarray(planes, dtype=DTYPES[dtype])


def sample_targets(
    url: str, release: Release, *, batch: int = 1, host: str | None = None
) -> list[Target]:
    """A request for each sample: `batch` images, this sample's first and the next ones after it.

    A URL that ends with `:predict` gets images in V1 JSON, any other one V2 binary tensors.
    `host` replaces the URL's host in the Host header.
    """
    count, made = len(release.samples), []
    for first in range(count):
        samples = [release.samples[(first + more) % count] for more in range(batch)]
        if url.endswith(":predict"):
            body, headers = predict_request(samples)
        else:
            rows = np.concatenate([input_tensor(release, sample) for sample in samples])
            body, headers = infer_request(release.inputs[0], rows)
        made.append(Target(url, headers | ({"Host": host} if host else {}), body))
    return made


def predict_request(samples: Sequence[Sample]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a V1 request with images."""
    instances = [{"image_bytes": {"b64": sample.image}} for sample in samples]
    return json.dumps({"instances": instances}).encode(), {"Content-Type": "application/json"}


def infer_request(tensor: Tensor, values: NDArray[Any]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a V2 request with a binary tensor, which asks for binary outputs."""
    data = values.tobytes()
    described = {
        "name": tensor.name,
        "shape": list(values.shape),
        "datatype": tensor.dtype,
        "parameters": {"binary_data_size": len(data)},
    }
    head = json.dumps({"inputs": [described], "parameters": {"binary_data_output": True}}).encode()
    return head + data, {
        HEADER_LENGTH: str(len(head)),
        "Content-Type": "application/octet-stream",
    }


def infer_outputs(response: Response) -> dict[str, NDArray[Any]]:
    """Outputs of a V2 response by name. Raises ValueError or KeyError on any other response."""
    length = int(response.headers.get(HEADER_LENGTH.lower(), len(response.body)))
    outputs: dict[str, NDArray[Any]] = {}
    start = length
    for output in json.loads(response.body[:length])["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.asarray(output["data"], dtype=np.float64)
        else:
            values = _array(output["datatype"], response.body[start : start + size])
            start += size
        outputs[output["name"]] = values.reshape(output["shape"])
    return outputs


def _array(dtype: str, data: bytes) -> NDArray[Any]:
    if dtype == "BF16":
        # numpy has no bfloat16, which is the upper half of a float32.
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, DTYPES[dtype])
