"""Tensors on the wire of the V2 protocol over HTTP, in its binary extension."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jobs.http_client import Answer
    from jobs.release import Tensor

__all__ = ["HEADER_LENGTH", "decode", "encode"]

# How long the JSON before the raw bytes is.
HEADER_LENGTH = "Inference-Header-Content-Length"
TYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}


def encode(tensor: Tensor, values: NDArray[Any]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an inference request that asks for raw bytes back."""
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


def decode(answer: Answer) -> dict[str, NDArray[Any]]:
    """Outputs by name. Raises ValueError or KeyError on an answer that isn't one."""
    length = int(answer.headers.get(HEADER_LENGTH.lower(), len(answer.body)))
    found: dict[str, NDArray[Any]] = {}
    at = length
    for output in json.loads(answer.body[:length])["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.asarray(output["data"], dtype=np.float64)
        else:
            values = _raw(output["datatype"], answer.body[at : at + size])
            at += size
        found[output["name"]] = values.reshape(output["shape"])
    return found


def _raw(dtype: str, data: bytes) -> NDArray[Any]:
    if dtype == "BF16":
        # numpy has no bfloat16: it is the upper half of a float32.
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, TYPES[dtype])
