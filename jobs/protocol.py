"""Bodies of the V1 and V2 inference protocols over HTTP; V2 in its binary extension."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from release.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from jobs.http_client import Response
    from release.schema import Sample, Tensor

__all__ = ["HEADER_LENGTH", "infer_outputs", "infer_request", "predict_request"]

# The length of the JSON before the raw bytes.
HEADER_LENGTH = "Inference-Header-Content-Length"


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
