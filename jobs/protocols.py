"""Bodies of the V1 and V2 inference protocols over HTTP.

Source: KServe's V1 protocol, and its V2 protocol with the binary tensor data extension.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from release import tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from jobs.http_client import Response
    from release.schema import Tensor

__all__ = ["HEADER_LENGTH", "infer_outputs", "infer_request", "predict_request"]

# The length of the JSON before the raw bytes.
HEADER_LENGTH = "Inference-Header-Content-Length"


def predict_request(instances: Sequence[Any]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a V1 request. Raises ValueError where JSON has no such number."""
    text = json.dumps({"instances": list(instances)}, allow_nan=False)
    return text.encode(), {"Content-Type": "application/json"}


def infer_request(
    inputs: Sequence[Tensor], values: Sequence[NDArray[Any]]
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a V2 request with binary tensors, which asks for binary outputs."""
    described, parts = [], []
    for tensor, array in zip(inputs, values, strict=True):
        parts.append(tensors.encode(array, tensor.dtype))
        described.append(
            {
                "name": tensor.name,
                "shape": list(array.shape),
                "datatype": tensor.dtype,
                "parameters": {"binary_data_size": len(parts[-1])},
            }
        )
    head = {"inputs": described, "parameters": {"binary_data_output": True}}
    text = json.dumps(head).encode()
    headers = {HEADER_LENGTH: str(len(text)), "Content-Type": "application/octet-stream"}
    return b"".join((text, *parts)), headers


def infer_outputs(response: Response) -> dict[str, NDArray[Any]]:
    """Outputs of a V2 response by name, texts as bytes.

    Raises ValueError, KeyError or TypeError on any other response, and where one isn't binary.
    """
    length = int(response.headers.get(HEADER_LENGTH.lower(), len(response.body)))
    outputs, start = {}, length
    for output in json.loads(response.body[:length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        raw = response.body[start : start + size]
        outputs[output["name"]] = tensors.decode(raw, output["datatype"], output["shape"])
        start += size
    return outputs
